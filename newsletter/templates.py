"""Find the letter's templates and compile them, once; every error names the file and the line.

The HTML part is written in MJML with Jinja inside. MJML is compiled once, what it gives is the
Jinja template: no paper's text ever meets the MJML parser. Templates run in Jinja's sandbox.
"""

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import jinja2
import mjml
from jinja2 import meta, nodes
from jinja2.sandbox import SandboxedEnvironment

from newsletter.errors import TemplateError
from newsletter.model import Issue, Item, Paper, Publication
from newsletter.render import Templates, longdate, set_issue, wrap
from newsletter.render.setting import BLOCKS
from newsletter.text import shorten

HTML, TEXT, SUBJECT = "issue.mjml", "issue.txt", "issue.subject.txt"

_TAGS = frozenset(
    [
        "mjml",
        "mj-all",
        "mj-attributes",
        "mj-body",
        "mj-breakpoint",
        "mj-button",
        "mj-class",
        "mj-column",
        "mj-divider",
        "mj-font",
        "mj-group",
        "mj-head",
        "mj-hero",
        "mj-image",
        "mj-include",
        "mj-preview",
        "mj-raw",
        "mj-section",
        "mj-spacer",
        "mj-style",
        "mj-table",
        "mj-text",
        "mj-title",
        "mj-wrapper",
    ]
)
"""The elements a letter may use. The compiler drops those it does not know without a word."""

_NAMES = frozenset(
    [
        "publication",
        "day",
        "missing",
        "preheader",
        "email",
        "name",
        "links",
        "because",
        "n",
        "paper",
        "summary",
        "more",
    ]
)
"""What the templates are given, each block those it is about."""

_TAG = re.compile(r"<!--.*?-->|<(/?)(mj[\w-]*)((?:\"[^\"]*\"|[^\">])*)>", re.DOTALL)
_PATH = re.compile(r"\bpath\s*=\s*\"([^\"]*)\"")


@dataclass(frozen=True, slots=True)
class Folders:
    """Where templates are looked for: the first folder that has one wins."""

    paths: tuple[Path, ...]

    def find(self, name: str) -> Path | None:
        """The file of a template; None for what is not there or lies outside its folder."""
        for folder in self.paths:
            path = (folder / name).resolve()
            if path.is_relative_to(folder.resolve()) and path.is_file():
                return path
        return None

    def read(self, path: str) -> str:
        """A template's text.

        Raises:
            TemplateError: there is none of that name, or it is not UTF-8.
        """
        file = self.find(path)
        if file is None:
            places = ", ".join(str(folder) for folder in self.paths)
            raise TemplateError(f"There is no such template in {places}.", file=path)
        try:
            return file.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise TemplateError("This is not UTF-8; save it as UTF-8.", file=path) from error


def folders(folder: Path | None = None) -> Folders:
    """The operator's folder, where there is one, then the newsletter's own.

    Its own is ``templates/`` of the checkout the package runs from, else the installed copy.

    Raises:
        TemplateError: the operator's folder does not exist.
    """
    package = Path(__file__).parent
    checkout = package.parent / "templates"
    own = checkout if (checkout / HTML).is_file() else package / "_templates"
    if folder is None:
        return Folders((own,))
    if not folder.is_dir():
        raise TemplateError("This folder of templates does not exist.", file=str(folder))
    return Folders((folder, own))


def load(folder: Path | None = None) -> Templates:
    """The compiled templates, tried out on specimen papers.

    Raises:
        TemplateError: a template is missing, cannot be compiled, or cannot set the specimens.
    """
    where = folders(folder)
    html = compiled(where)
    templates = Templates(
        html=environment(where, {HTML: html}, autoescape=True).get_template(HTML),
        text=_plain(where, TEXT),
        subject=_plain(where, SUBJECT),
    )
    for name, template in ((HTML, templates.html), (TEXT, templates.text)):
        if missing := sorted(BLOCKS - set(template.blocks)):
            raise TemplateError(f"These blocks are missing: {', '.join(missing)}.", file=name)
    _try_out(templates, where)
    return templates


def compiled(where: Folders) -> str:
    """The Jinja template that ``issue.mjml`` compiles to.

    Raises:
        TemplateError: as in :func:`load`.
    """
    source = where.read(HTML)
    _check_tags(where, source, HTML)
    _check_names(_wrapped(source), HTML)
    try:
        html = mjml.mjml2html(source, disable_comments=True, fonts={}, include_loader=where.read)
    except ValueError as error:
        raise TemplateError(f"This is not MJML: {error}.", file=HTML) from error
    return _wrapped(html)


def environment(
    where: Folders, sources: dict[str, str], *, autoescape: bool
) -> SandboxedEnvironment:
    """A sandbox for these sources, and for what they include from the folders."""
    made = SandboxedEnvironment(
        loader=jinja2.FunctionLoader(partial(_source, where, sources)),
        undefined=jinja2.StrictUndefined,
        autoescape=autoescape,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(longdate=longdate, shorten=shorten, wrap=wrap)
    return made


def _source(where: Folders, sources: dict[str, str], name: str) -> str | None:
    if name in sources:
        return sources[name]
    return where.read(name) if where.find(name) else None


def _plain(where: Folders, name: str) -> jinja2.Template:
    source = where.read(name)
    _check_names(source, name)
    return environment(where, {name: source}, autoescape=False).get_template(name)


def _wrapped(source: str) -> str:
    """The file's first block begins, and its last one ends, by itself."""
    return f"{{% block opening %}}{source}{{% endblock %}}"


def _check_tags(where: Folders, source: str, name: str) -> None:
    """Every MJML element is one we know, is closed, and includes what is there."""
    within: list[tuple[str, int]] = []
    for line, closing, tag, rest in _tags(source):
        if tag not in _TAGS:
            near = difflib.get_close_matches(tag, _TAGS, n=1)
            hint = f"; did you mean <{near[0]}>?" if near else "."
            raise TemplateError(f"<{tag}> is not an element of MJML{hint}", file=name, line=line)
        if closing:
            if not within or within.pop()[0] != tag:
                raise TemplateError(f"</{tag}> closes nothing.", file=name, line=line)
        elif not rest.endswith("/"):
            within.append((tag, line))
        if tag == "mj-include" and (path := _PATH.search(rest)):
            _check_include(where, path[1], name, line)
    if within:
        tag, line = within[-1]
        raise TemplateError(f"<{tag}> is not closed.", file=name, line=line)


def _tags(source: str) -> Iterator[tuple[int, bool, str, str]]:
    """The MJML tags of a source: line, whether it closes, name, and what follows the name."""
    for match in _TAG.finditer(source):
        if match[2]:
            yield source.count("\n", 0, match.start()) + 1, bool(match[1]), match[2], match[3]


def _check_include(where: Folders, path: str, name: str, line: int) -> None:
    if where.find(path) is None:
        raise TemplateError(f"There is no template {path} to include.", file=name, line=line)
    _check_tags(where, where.read(path), path)


def _check_names(source: str, name: str) -> None:
    """It is Jinja, and names only what templates are given."""
    sandbox = SandboxedEnvironment()
    sandbox.filters.update(longdate=longdate, shorten=shorten, wrap=wrap)
    try:
        tree = sandbox.parse(source, name)
        unknown = meta.find_undeclared_variables(tree) - _NAMES
    except jinja2.TemplateSyntaxError as error:
        problem = f"This is not Jinja: {error.message}"
        raise TemplateError(problem, file=name, line=error.lineno) from error
    for variable in tree.find_all(nodes.Name):
        if variable.name in unknown:
            raise TemplateError(
                f"'{variable.name}' is not among what templates are given: "
                f"{', '.join(sorted(_NAMES))}.",
                file=name,
                line=variable.lineno,
            )


def _try_out(templates: Templates, where: Folders) -> None:
    """Set specimens: a paper of which all is known and one of which little is, with a site or not.

    A fault in the templates is found here and not in the morning.
    """
    for publication in (_PUBLICATION, replace(_PUBLICATION, url=None, postal_address="")):
        try:
            _, faults = set_issue(_SPECIMENS, publication, templates)
        except TemplateError as error:
            raise _located(error.problem, where) from error
        for _, fault in faults:
            raise _located(fault, where)


def _located(problem: str, where: Folders) -> TemplateError:
    """The error with file and line, found by the word the problem is about."""
    file = next((name for name in (HTML, TEXT, SUBJECT) if name in problem), "")
    words: Sequence[str] = re.findall(r"'(\w+)'", problem)
    lines = where.read(file).splitlines() if file else []
    for number, line in enumerate(lines, 1):
        if words and re.search(rf"\.{words[-1]}\b|\b{words[0]}\b", line):
            return TemplateError(problem, file=file, line=number)
    return TemplateError(problem, file=file)


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

_SPECIMENS = Issue(
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
