"""The templates of short letters: ``confirm.subject.txt``, ``confirm.txt``, ``confirm.html``."""

from dataclasses import dataclass
from pathlib import Path

import jinja2

from newsletter.errors import TemplateError
from newsletter.templates.compiling import environment
from newsletter.templates.finding import Folders, folders

NAMES = ("confirm.subject.txt", "confirm.txt", "confirm.html")


@dataclass(frozen=True, slots=True)
class Notes:
    """The templates a note is set by."""

    subject: jinja2.Template
    text: jinja2.Template
    html: jinja2.Template


def load_notes(folder: Path | None = None) -> Notes:
    """The templates of notes, the operator's own first.

    Raises:
        TemplateError: one is missing, or is no Jinja.
    """
    where = folders(folder)
    return Notes(*(_compiled(where, name) for name in NAMES))


def _compiled(where: Folders, name: str) -> jinja2.Template:
    source = where.read(name)
    made = environment(where, {name: source}, autoescape=name.endswith(".html"))
    try:
        return made.get_template(name)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(f"{error.message}.", file=name, line=error.lineno) from error
