"""Compile the templates, and try them out on sample papers."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from types import CodeType

import jinja2
import mjml
from jinja2.bccache import Bucket
from jinja2.sandbox import SandboxedEnvironment
from pydantic import TypeAdapter
from typing_extensions import override

from newsletter.errors import RenderError, TemplateError
from newsletter.letter.rendering import (
    BLOCKS,
    NOTES,
    OPTIONAL_BLOCKS,
    LetterTemplates,
    render_issue,
    render_note,
)
from newsletter.letter.views import FILTERS
from newsletter.model import Correction, Issue, Item, Paper, Publication
from newsletter.templates.fields import (
    ISSUE_VARIABLES,
    did_you_mean,
    known_names,
    note_variables,
)
from newsletter.templates.finding import (
    HTML,
    SUBJECT,
    TEXT,
    TemplateFolders,
    find_folders,
    note_files,
)
from newsletter.templates.linting import (
    find_jinja_errors,
    find_letter_errors,
    raise_first,
    wrap_in_opening,
)

DEFAULT_THEME = "serif"  # the theme of newsletters that choose none

_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

_PUBLICATION = Publication(
    "Specimen", "Specimen", "specimen@example.org", url="https://example.org", postal_address="1 St"
)

SAMPLE_PUBLICATIONS = (_PUBLICATION, replace(_PUBLICATION, url=None, postal_address=""))
"""One with a site and one without."""

_ARTICLE = re.compile(r"<div((?=[^>]* role=\"article\")[^>]*?) role=\"article\"")
_ARTICLE_END = re.compile(r"</div>\s*</body>")
_NO_ATTRIBUTE = re.compile(r"^(.*?)'[\w.]+ object' has no attribute '(\w+)'")
_USELESS_STYLE = "cursor:auto;"
"""MJML writes it on every button: it changes nothing, and some mail clients do not know it."""


def load_templates(
    folder: Path | None = None, theme: str = DEFAULT_THEME, *, try_ours: bool = False
) -> LetterTemplates:
    """The compiled templates of an issue's letters, tried out on a sample issue.

    Templates in the operator's own ``folder`` replace those that ship. Those that ship are not
    checked when there are no others, unless ``try_ours``: that takes two thirds of the time.

    Raises:
        TemplateError: a template is missing, cannot be compiled, or fails on a sample.
    """
    folders, names = find_folders(folder), (HTML, TEXT, SUBJECT)
    templates = _make_templates(folders, names, ISSUE_VARIABLES, theme)
    if folders.are_all_ours and not try_ours:
        return templates
    for name, template in ((HTML, templates.html), (TEXT, templates.text)):
        if missing := sorted(BLOCKS - OPTIONAL_BLOCKS - set(template.blocks)):
            raise TemplateError(f"These blocks are missing: {', '.join(missing)}.", file=name)
    # An error in the templates must be found now and not when the next issue is due.
    for problem in _render_samples(templates):
        raise _locate(problem, folders, names, templates)
    return templates


def load_note_templates(
    kind: str, folder: Path | None = None, theme: str = DEFAULT_THEME
) -> LetterTemplates:
    """The compiled templates of a note (:data:`newsletter.letter.rendering.NOTES`), tried out.

    Raises:
        TemplateError: as :func:`load_templates`.
    """
    folders, names = find_folders(folder), note_files(kind)
    templates = _make_templates(folders, names, note_variables(kind), theme)
    for publication in SAMPLE_PUBLICATIONS:
        try:
            values = dict.fromkeys(NOTES[kind], "https://example.org")
            render_note(kind, templates, publication, values)
        except RenderError as error:
            raise _locate(str(error), folders, names, templates) from error
    return templates


def load_notes(folder: Path | None, theme: str) -> Mapping[str, LetterTemplates]:
    """The templates of every kind of note; see :func:`load_note_templates`."""
    return {kind: load_note_templates(kind, folder, theme) for kind in NOTES}


def _make_templates(
    folders: TemplateFolders, names: tuple[str, str, str], variables: frozenset[str], theme: str
) -> LetterTemplates:
    if not folders.are_all_ours:
        raise_first(find_letter_errors(folders, names, variables))
    html, text, subject = names
    sources = {html: compile_mjml(folders, html)}
    sources |= {name: folders.read(name) for name in (text, subject)}
    escaping = make_environment(folders, sources, autoescape=True, theme=theme)
    plain = make_environment(folders, sources, autoescape=False, theme=theme)
    return LetterTemplates(
        html=escaping.get_template(html),
        text=plain.get_template(text),
        subject=plain.get_template(subject),
    )


def compile_mjml(folders: TemplateFolders, name: str) -> str:
    """The Jinja template that an MJML template compiles to.

    Raises:
        TemplateError: it is not MJML.
    """
    try:
        html = mjml.mjml2html(folders.joined(name), disable_comments=True, fonts={})
    except ValueError as error:
        raise TemplateError(f"This is not MJML: {error}.", file=name) from error
    return wrap_in_opening(_with_landmark(html.replace(_USELESS_STYLE, "")), name)


def _with_landmark(html: str) -> str:
    """The page with its letter as ``<main>``, the landmark that screen readers jump to.

    MJML makes it a ``div`` with the role of an article, which is not a landmark.
    """
    opened = _ARTICLE.sub(r"<main\1", html, count=1)
    return _ARTICLE_END.sub("</main></body>", opened, count=1) if opened != html else html


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
    source = folders.read(theme_file)
    if not folders.are_all_ours:
        raise_first(find_jinja_errors(source, theme_file, frozenset()))
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
            _, quarantined = render_issue(_sample_issue(), publication, templates)
        except TemplateError as error:
            yield error.problem
        else:
            yield from (problem for _, problem in quarantined)


@cache
def _sample_issue() -> Issue:
    """A paper with every fact, one with a title alone, and a correction of each kind."""
    stored = files("newsletter").joinpath("data/sample_papers.json").read_bytes()
    items = TypeAdapter(list[Item]).validate_json(stored)
    papers = [Paper(n, f"specimen:{n}", item, _NOON, n) for n, item in enumerate(items, 1)]
    corrections = (
        Correction(1, 1, "A title", "Another", "https://a.example"),
        Correction(2, 2, "B"),
    )
    issue = Issue(_NOON.date(), tuple(papers), (), len(papers), _NOON, missing=("A source",))
    return replace(issue, corrections=corrections)


def _locate(
    problem: str, folders: TemplateFolders, names: Sequence[str], templates: LetterTemplates
) -> TemplateError:
    """The error with file, line and the name that was meant.

    The line is the first one that has the name which the problem quotes.
    """
    file = next((name for name in names if name in problem), "")
    words: Sequence[str] = re.findall(r"'(\w+)'", problem)
    if found := _NO_ATTRIBUTE.search(problem):
        theme = vars(templates.html.environment.globals["theme"])
        near = did_you_mean(found[2], known_names().union(theme))
        problem = f"{found[1]}There is no field '{found[2]}'{near}"
    for name, source in folders.parts(file) if file else ():
        for number, line in enumerate(source.splitlines(), 1):
            if words and re.search(rf"\.{words[-1]}\b|\b{words[0]}\b", line):
                return TemplateError(problem, file=name, line=number)
    return TemplateError(problem, file=file)
