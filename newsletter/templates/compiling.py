"""Papers and newsletters that templates are tried out on: full ones and bare ones."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from types import CodeType

import jinja2
import mjml
from jinja2.bccache import Bucket
from jinja2.sandbox import SandboxedEnvironment

from newsletter.errors import RenderError, TemplateError
from newsletter.letter.rendering import BLOCKS, NOTES, LetterTemplates, render_issue, render_note
from newsletter.letter.views import FILTERS
from newsletter.model import Issue, Item, Paper, Publication
from newsletter.templates.finding import HTML, SUBJECT, TEXT, TemplateFolders, find_folders
from newsletter.templates.linting import (
    ISSUE_VARIABLES,
    NOTE_VARIABLES,
    find_jinja_errors,
    find_mjml_errors,
    raise_first,
)

_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

_PUBLICATION = Publication(
    "Specimen", "Specimen", "specimen@example.org", url="https://example.org", postal_address="1 St"
)

_FULL = Item(
    title="A specimen",
    abstract="It has a first sentence. It has a second one. It has a third one.",
    url="https://example.org/1",
    pdf="https://example.org/1.pdf",
    code="https://example.org/1/code",
    code_stars=1,
    project="https://example.org/1/project",
    discussion="https://example.org/1/discuss",
    authors=("A. Author", "B. Author", "C. Author", "D. Author"),
    organization="Example",
    published=date(2026, 1, 1),
    upvotes=1,
    comments=1,
)

SAMPLE_ISSUE = Issue(
    day=date(2026, 1, 1),
    papers=(
        Paper(1, "specimen:1", _FULL, _NOON, 1),
        Paper(2, "specimen:2", Item(title="A bare specimen"), _NOON, 2),
    ),
    topics=(),
    cutoff=2,
    frozen_at=_NOON,
    missing=("A source",),
)

SAMPLE_PUBLICATIONS = (_PUBLICATION, replace(_PUBLICATION, url=None, postal_address=""))
"""One with a site and one without."""


_WRAPPER = re.compile(r"<div((?=[^>]* role=\"article\")[^>]*?) role=\"article\"")
_IDLE = "cursor:auto;"
"""What the compiler writes on every button: it changes nothing, and not every client knows it."""

_END = re.compile(r"</div>\s*</body>")

DEFAULT_THEME = "serif"
"""The theme of newsletters that choose none."""


def load_templates(folder: Path | None = None, theme: str = DEFAULT_THEME) -> LetterTemplates:
    """The letter's compiled templates, tried out on specimen papers.

    Args:
        folder: the operator's own templates, which go before those that ship.
        theme: its letters and colours: ``themes/<theme>.jinja``.

    Raises:
        TemplateError: a template is missing, cannot be compiled, or cannot set the specimens.
    """
    where = find_folders(folder)
    sources = {
        HTML: compile_issue(where),
        TEXT: _plain(where, TEXT),
        SUBJECT: _plain(where, SUBJECT),
    }
    templates = _templates(where, sources, theme)
    for name, template in ((HTML, templates.html), (TEXT, templates.text)):
        if missing := sorted(BLOCKS - set(template.blocks)):
            raise TemplateError(f"These blocks are missing: {', '.join(missing)}.", file=name)
    for fault in _faults(templates):
        raise _located(fault, where, tuple(sources))
    return templates


def load_note_templates(
    kind: str, folder: Path | None = None, theme: str = DEFAULT_THEME
) -> LetterTemplates:
    """The compiled templates of a note (:data:`newsletter.letter.rendering.NOTES`), tried out.

    Raises:
        TemplateError: as :func:`load_templates`.
    """
    where = find_folders(folder)
    given = NOTE_VARIABLES | set(NOTES[kind])
    html, *plain = f"{kind}.mjml", f"{kind}.txt", f"{kind}.subject.txt"
    sources = {html: _page(where, html, given, str)}
    sources |= {name: _plain(where, name, given) for name in plain}
    templates = _templates(where, sources, theme)
    for publication in SAMPLE_PUBLICATIONS:
        try:
            render_note(kind, templates, publication, dict.fromkeys(given, "https://example.org"))
        except RenderError as error:
            raise _located(str(error), where, tuple(sources)) from error
    return templates


def _templates(where: TemplateFolders, sources: Mapping[str, str], theme: str) -> LetterTemplates:
    html, text, subject = sources
    escaping = make_environment(where, sources, autoescape=True, theme=theme)
    plain = make_environment(where, sources, autoescape=False, theme=theme)
    return LetterTemplates(
        html=escaping.get_template(html),
        text=plain.get_template(text),
        subject=plain.get_template(subject),
    )


def compile_issue(where: TemplateFolders) -> str:
    """The Jinja template that ``issue.mjml`` compiles to.

    Raises:
        TemplateError: as in :func:`load_templates`.
    """
    return _page(where, HTML, ISSUE_VARIABLES, wrap_in_opening)


def _page(
    where: TemplateFolders, name: str, given: frozenset[str], wrapped: Callable[[str], str]
) -> str:
    for part, source in where.parts(name):
        raise_first(find_mjml_errors(where, source, part))
        raise_first(find_jinja_errors(wrapped(source), part, given))
    try:
        html = mjml.mjml2html(where.joined(name), disable_comments=True, fonts={})
    except ValueError as error:
        raise TemplateError(f"This is not MJML: {error}.", file=name) from error
    return wrapped(_landmark(html.replace(_IDLE, "")))


def _landmark(html: str) -> str:
    """The page with its letter as the main landmark, which screen readers jump to.

    The compiler makes it a ``div`` with the role of an article, which is no landmark.
    """
    begun = _WRAPPER.sub(r"<main\1", html, count=1)
    return _END.sub("</main></body>", begun, count=1) if begun != html else html


class _Kept(jinja2.BytecodeCache):
    """The code of each template as it was last, so that what did not change is ready at once.

    Who edits one template waits for that one. What escapes and what does not is kept apart: it is
    other code.
    """

    def __init__(self) -> None:
        self._code: dict[str, tuple[str, CodeType | None]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        checksum, code = self._code.get(bucket.key, ("", None))
        if checksum == bucket.checksum:
            bucket.code = code

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key] = (bucket.checksum, bucket.code)


_KEPT = {True: _Kept(), False: _Kept()}
"""By whether it escapes."""


def make_environment(
    where: TemplateFolders,
    sources: Mapping[str, str],
    *,
    autoescape: bool,
    theme: str = DEFAULT_THEME,
) -> SandboxedEnvironment:
    """A sandbox for these sources in a theme, and for what they include from the folders."""
    made = SandboxedEnvironment(
        loader=jinja2.FunctionLoader(partial(_source, where, sources)),
        undefined=jinja2.StrictUndefined,
        autoescape=autoescape,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        bytecode_cache=_KEPT[autoescape],
    )
    made.filters.update(FILTERS)
    made.globals["theme"] = _theme(made, where, f"themes/{theme}.jinja")
    return made


def _theme(made: SandboxedEnvironment, where: TemplateFolders, name: str) -> object:
    """What a theme's file sets, by name.

    Raises:
        TemplateError: it does what no template may.
    """
    raise_first(find_jinja_errors(where.read(name), name, frozenset()))
    try:
        return made.get_template(name).module
    except jinja2.TemplateError as error:
        raise TemplateError(str(error), file=name) from error


def _source(where: TemplateFolders, sources: Mapping[str, str], name: str) -> str | None:
    if name in sources:
        return sources[name]
    return where.read(name) if where.find(name) else None


def _plain(where: TemplateFolders, name: str, given: frozenset[str] = ISSUE_VARIABLES) -> str:
    source = where.read(name)
    raise_first(find_jinja_errors(source, name, given))
    return source


def wrap_in_opening(source: str) -> str:
    """The file's first block begins, and its last one ends, by itself."""
    return f"{{% block opening %}}{source}{{% endblock %}}"


def _faults(templates: LetterTemplates) -> Iterator[str]:
    """What goes wrong with a paper of which all is known and one of which little is.

    With a site and without one. A fault in the templates is found here and not in the morning.
    """
    for publication in SAMPLE_PUBLICATIONS:
        try:
            _, faults = render_issue(SAMPLE_ISSUE, publication, templates)
        except TemplateError as error:
            yield error.problem
        else:
            yield from (fault for _, fault in faults)


def _located(problem: str, where: TemplateFolders, names: Sequence[str]) -> TemplateError:
    """The error with file and line, found by the word the problem is about."""
    file = next((name for name in names if name in problem), "")
    words: Sequence[str] = re.findall(r"'(\w+)'", problem)
    for name, source in where.parts(file) if file else ():
        for number, line in enumerate(source.splitlines(), 1):
            if words and re.search(rf"\.{words[-1]}\b|\b{words[0]}\b", line):
                return TemplateError(problem, file=name, line=number)
    return TemplateError(problem, file=file)
