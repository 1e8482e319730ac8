"""Compile the templates, and try them out on sample papers."""

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
from typing_extensions import override

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

DEFAULT_THEME = "serif"  # the theme of newsletters that choose none

_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

_PUBLICATION = Publication(
    "Specimen", "Specimen", "specimen@example.org", url="https://example.org", postal_address="1 St"
)

SAMPLE_PUBLICATIONS = (_PUBLICATION, replace(_PUBLICATION, url=None, postal_address=""))
"""One with a site and one without."""

_FULL_ITEM = Item(
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
        Paper(1, "specimen:1", _FULL_ITEM, _NOON, 1),
        Paper(2, "specimen:2", Item(title="A bare specimen"), _NOON, 2),
    ),
    topics=(),
    cutoff=2,
    frozen_at=_NOON,
    missing=("A source",),
)
"""A paper with every fact and one with a title alone."""

_ARTICLE = re.compile(r"<div((?=[^>]* role=\"article\")[^>]*?) role=\"article\"")
_ARTICLE_END = re.compile(r"</div>\s*</body>")
_USELESS_STYLE = "cursor:auto;"
"""MJML writes it on every button: it changes nothing, and some mail clients do not know it."""


def load_templates(folder: Path | None = None, theme: str = DEFAULT_THEME) -> LetterTemplates:
    """The compiled templates of an issue's letters, tried out on :data:`SAMPLE_ISSUE`.

    Args:
        folder: the operator's own templates, which replace those that ship.
        theme: the fonts and colours of ``themes/<theme>.jinja``.

    Raises:
        TemplateError: a template is missing, cannot be compiled, or fails on a sample.
    """
    folders = find_folders(folder)
    sources = {
        HTML: compile_issue(folders),
        TEXT: _read_plain(folders, TEXT, ISSUE_VARIABLES),
        SUBJECT: _read_plain(folders, SUBJECT, ISSUE_VARIABLES),
    }
    templates = _make_templates(folders, sources, theme)
    for name, template in ((HTML, templates.html), (TEXT, templates.text)):
        if missing := sorted(BLOCKS - set(template.blocks)):
            raise TemplateError(f"These blocks are missing: {', '.join(missing)}.", file=name)
    # An error in the templates must be found now and not when the next issue is due.
    for problem in _render_samples(templates):
        raise _locate(problem, folders, tuple(sources))
    return templates


def load_note_templates(
    kind: str, folder: Path | None = None, theme: str = DEFAULT_THEME
) -> LetterTemplates:
    """The compiled templates of a note (:data:`newsletter.letter.rendering.NOTES`), tried out.

    Raises:
        TemplateError: as :func:`load_templates`.
    """
    folders = find_folders(folder)
    variables = NOTE_VARIABLES | set(NOTES[kind])
    html, *plain = f"{kind}.mjml", f"{kind}.txt", f"{kind}.subject.txt"
    sources = {html: _compile_mjml(folders, html, variables, str)}
    sources |= {name: _read_plain(folders, name, variables) for name in plain}
    templates = _make_templates(folders, sources, theme)
    for publication in SAMPLE_PUBLICATIONS:
        try:
            render_note(
                kind, templates, publication, dict.fromkeys(variables, "https://example.org")
            )
        except RenderError as error:
            raise _locate(str(error), folders, tuple(sources)) from error
    return templates


def compile_issue(folders: TemplateFolders) -> str:
    """The Jinja template that ``issue.mjml`` compiles to.

    Raises:
        TemplateError: as in :func:`load_templates`.
    """
    return _compile_mjml(folders, HTML, ISSUE_VARIABLES, wrap_in_opening)


def _make_templates(
    folders: TemplateFolders, sources: Mapping[str, str], theme: str
) -> LetterTemplates:
    html, text, subject = sources
    escaping = make_environment(folders, sources, autoescape=True, theme=theme)
    plain = make_environment(folders, sources, autoescape=False, theme=theme)
    return LetterTemplates(
        html=escaping.get_template(html),
        text=plain.get_template(text),
        subject=plain.get_template(subject),
    )


def _read_plain(folders: TemplateFolders, name: str, variables: frozenset[str]) -> str:
    source = folders.read(name)
    raise_first(find_jinja_errors(source, name, variables))
    return source


def _compile_mjml(
    folders: TemplateFolders, name: str, variables: frozenset[str], wrap: Callable[[str], str]
) -> str:
    for part, source in folders.parts(name):
        raise_first(find_mjml_errors(folders, source, part))
        raise_first(find_jinja_errors(wrap(source), part, variables))
    try:
        html = mjml.mjml2html(folders.joined(name), disable_comments=True, fonts={})
    except ValueError as error:
        raise TemplateError(f"This is not MJML: {error}.", file=name) from error
    return wrap(_with_landmark(html.replace(_USELESS_STYLE, "")))


def _with_landmark(html: str) -> str:
    """The page with its letter as ``<main>``, the landmark that screen readers jump to.

    MJML makes it a ``div`` with the role of an article, which is not a landmark.
    """
    opened = _ARTICLE.sub(r"<main\1", html, count=1)
    return _ARTICLE_END.sub("</main></body>", opened, count=1) if opened != html else html


def wrap_in_opening(source: str) -> str:
    """Begins the first block and ends the last one, which the files of a letter leave out."""
    return f"{{% block opening %}}{source}{{% endblock %}}"


class _CodeCache(jinja2.BytecodeCache):
    """Each template's last code, so that after an edit only the edited template is compiled."""

    def __init__(self) -> None:
        self._code: dict[str, tuple[str, CodeType | None]] = {}

    @override
    def load_bytecode(self, bucket: Bucket) -> None:
        checksum, code = self._code.get(bucket.key, ("", None))
        if checksum == bucket.checksum:
            bucket.code = code

    @override
    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key] = (bucket.checksum, bucket.code)


_CODE = {True: _CodeCache(), False: _CodeCache()}
"""The code by ``autoescape``, as the same source compiles to different code."""


def make_environment(
    folders: TemplateFolders,
    sources: Mapping[str, str],
    *,
    autoescape: bool,
    theme: str = DEFAULT_THEME,
) -> SandboxedEnvironment:
    """A sandbox for these sources in a theme, and for what they include from the folders.

    Raises:
        TemplateError: the theme is missing or does something that templates may not do.
    """
    environment = SandboxedEnvironment(
        loader=jinja2.FunctionLoader(partial(_load_source, folders, sources)),
        undefined=jinja2.StrictUndefined,
        autoescape=autoescape,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        bytecode_cache=_CODE[autoescape],
    )
    environment.filters.update(FILTERS)
    theme_file = f"themes/{theme}.jinja"
    _read_plain(folders, theme_file, frozenset())
    try:
        environment.globals["theme"] = environment.get_template(theme_file).module
    except jinja2.TemplateError as error:
        raise TemplateError(str(error), file=theme_file) from error
    return environment


def _load_source(folders: TemplateFolders, sources: Mapping[str, str], name: str) -> str | None:
    if name in sources:
        return sources[name]
    return folders.read(name) if folders.find(name) else None


def _render_samples(templates: LetterTemplates) -> Iterator[str]:
    """The problems that the templates have with the samples."""
    for publication in SAMPLE_PUBLICATIONS:
        try:
            _, quarantined = render_issue(SAMPLE_ISSUE, publication, templates)
        except TemplateError as error:
            yield error.problem
        else:
            yield from (problem for _, problem in quarantined)


def _locate(problem: str, folders: TemplateFolders, names: Sequence[str]) -> TemplateError:
    """The error with file and line: the first line that has the name which the problem quotes."""
    file = next((name for name in names if name in problem), "")
    words: Sequence[str] = re.findall(r"'(\w+)'", problem)
    for name, source in folders.parts(file) if file else ():
        for number, line in enumerate(source.splitlines(), 1):
            if words and re.search(rf"\.{words[-1]}\b|\b{words[0]}\b", line):
                return TemplateError(problem, file=name, line=number)
    return TemplateError(problem, file=file)
