"""The templates of notes: of a kind ``confirm.subject.txt``, ``confirm.txt``, ``confirm.html``."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import jinja2

from newsletter.errors import TemplateError
from newsletter.templates.compiling import environment
from newsletter.templates.finding import Folders, folders


@dataclass(frozen=True, slots=True)
class NoteTemplates:
    """The templates a kind of note is set by."""

    subject: jinja2.Template
    text: jinja2.Template
    html: jinja2.Template


def load_notes(kinds: Iterable[str], folder: Path | None = None) -> Mapping[str, NoteTemplates]:
    """The templates of these kinds of notes, the operator's own first.

    Raises:
        TemplateError: one is missing, or is no Jinja.
    """
    where = folders(folder)
    return {
        kind: NoteTemplates(
            subject=_compiled(where, f"{kind}.subject.txt"),
            text=_compiled(where, f"{kind}.txt"),
            html=_compiled(where, f"{kind}.html"),
        )
        for kind in kinds
    }


def _compiled(where: Folders, name: str) -> jinja2.Template:
    source = where.read(name)
    made = environment(where, {name: source}, autoescape=name.endswith(".html"))
    try:
        return made.get_template(name)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(f"{error.message}.", file=name, line=error.lineno) from error
