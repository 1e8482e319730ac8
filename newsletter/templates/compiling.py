"""Compile the templates and try them out."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import CodeType

import jinja2
import mjml
from jinja2.bccache import Bucket
from jinja2.sandbox import SandboxedEnvironment

from newsletter.errors import RenderError, TemplateError
from newsletter.letter.display import FILTERS
from newsletter.letter.notes import NOTES, note
from newsletter.letter.rendering import BLOCKS, Templates, set_issue
from newsletter.templates.finding import HTML, SUBJECT, TEXT, Folders, folders
from newsletter.templates.linting import ISSUE, NOTE, first, name_faults, tag_faults
from newsletter.templates.samples import PUBLICATIONS, SPECIMENS

_WRAPPER = re.compile(r"<div((?=[^>]* role=\"article\")[^>]*?) role=\"article\"")
_IDLE = "cursor:auto;"
"""What the compiler writes on every button: it changes nothing, and not every client knows it."""

_END = re.compile(r"</div>\s*</body>")

THEME = "serif"
"""The theme of newsletters that choose none."""


def load(folder: Path | None = None, theme: str = THEME) -> Templates:
    """The letter's compiled templates, tried out on specimen papers.

    Args:
        folder: the operator's own templates, which go before those that ship.
        theme: its letters and colours: ``themes/<theme>.jinja``.

    Raises:
        TemplateError: a template is missing, cannot be compiled, or cannot set the specimens.
    """
    where = folders(folder)
    sources = {HTML: compiled(where), TEXT: _plain(where, TEXT), SUBJECT: _plain(where, SUBJECT)}
    templates = _templates(where, sources, theme)
    for name, template in ((HTML, templates.html), (TEXT, templates.text)):
        if missing := sorted(BLOCKS - set(template.blocks)):
            raise TemplateError(f"These blocks are missing: {', '.join(missing)}.", file=name)
    for fault in _faults(templates):
        raise _located(fault, where, tuple(sources))
    return templates


def load_note(kind: str, folder: Path | None = None, theme: str = THEME) -> Templates:
    """The compiled templates of a note (:data:`newsletter.letter.NOTES`), tried out.

    Raises:
        TemplateError: as :func:`load`.
    """
    where = folders(folder)
    given = NOTE | set(NOTES[kind])
    html, *plain = f"{kind}.mjml", f"{kind}.txt", f"{kind}.subject.txt"
    sources = {html: _page(where, html, given, str)}
    sources |= {name: _plain(where, name, given) for name in plain}
    templates = _templates(where, sources, theme)
    for publication in PUBLICATIONS:
        try:
            note(kind, templates, publication, dict.fromkeys(given, "https://example.org"))
        except RenderError as error:
            raise _located(str(error), where, tuple(sources)) from error
    return templates


def _templates(where: Folders, sources: Mapping[str, str], theme: str) -> Templates:
    html, text, subject = sources
    escaping = environment(where, sources, autoescape=True, theme=theme)
    plain = environment(where, sources, autoescape=False, theme=theme)
    return Templates(
        html=escaping.get_template(html),
        text=plain.get_template(text),
        subject=plain.get_template(subject),
    )


def compiled(where: Folders) -> str:
    """The Jinja template that ``issue.mjml`` compiles to.

    Raises:
        TemplateError: as in :func:`load`.
    """
    return _page(where, HTML, ISSUE, opening_wrapped)


def _page(where: Folders, name: str, given: frozenset[str], wrapped: Callable[[str], str]) -> str:
    for part, source in where.parts(name):
        first(tag_faults(where, source, part))
        first(name_faults(wrapped(source), part, given))
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


def environment(
    where: Folders, sources: Mapping[str, str], *, autoescape: bool, theme: str = THEME
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


def _theme(made: SandboxedEnvironment, where: Folders, name: str) -> object:
    """What a theme's file sets, by name.

    Raises:
        TemplateError: it does what no template may.
    """
    first(name_faults(where.read(name), name, frozenset()))
    try:
        return made.get_template(name).module
    except jinja2.TemplateError as error:
        raise TemplateError(str(error), file=name) from error


def _source(where: Folders, sources: Mapping[str, str], name: str) -> str | None:
    if name in sources:
        return sources[name]
    return where.read(name) if where.find(name) else None


def _plain(where: Folders, name: str, given: frozenset[str] = ISSUE) -> str:
    source = where.read(name)
    first(name_faults(source, name, given))
    return source


def opening_wrapped(source: str) -> str:
    """The file's first block begins, and its last one ends, by itself."""
    return f"{{% block opening %}}{source}{{% endblock %}}"


def _faults(templates: Templates) -> Iterator[str]:
    """What goes wrong with a paper of which all is known and one of which little is.

    With a site and without one. A fault in the templates is found here and not in the morning.
    """
    for publication in PUBLICATIONS:
        try:
            _, faults = set_issue(SPECIMENS, publication, templates)
        except TemplateError as error:
            yield error.problem
        else:
            yield from (fault for _, fault in faults)


def _located(problem: str, where: Folders, names: Sequence[str]) -> TemplateError:
    """The error with file and line, found by the word the problem is about."""
    file = next((name for name in names if name in problem), "")
    words: Sequence[str] = re.findall(r"'(\w+)'", problem)
    for name, source in where.parts(file) if file else ():
        for number, line in enumerate(source.splitlines(), 1):
            if words and re.search(rf"\.{words[-1]}\b|\b{words[0]}\b", line):
                return TemplateError(problem, file=name, line=number)
    return TemplateError(problem, file=file)
