"""What is wrong with a template before it is compiled: the compilers keep silent on much of it."""

import difflib
import re
from collections.abc import Collection, Iterator

import jinja2
from jinja2 import meta, nodes
from jinja2.sandbox import SandboxedEnvironment

from newsletter.errors import TemplateError
from newsletter.render import FILTERS
from newsletter.templates.finding import Folders

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

ISSUE = frozenset(
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
        "lead",
        "theme",
        "topic",
    ]
)
"""What the templates of an issue are given, each block those it is about."""

NOTE = frozenset({"publication", "theme"})
"""What those of every note are given, besides its own words."""

_TAG = re.compile(r"<!--.*?-->|<(/?)(mj[\w-]*)((?:\"[^\"]*\"|[^\">])*)>", re.DOTALL)
_PATH = re.compile(r"\bpath\s*=\s*\"([^\"]*)\"")


def check_tags(where: Folders, source: str, name: str) -> None:
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


def check_names(source: str, name: str, given: Collection[str] = ISSUE) -> None:
    """It is Jinja, and names only what templates are given."""
    sandbox = SandboxedEnvironment()
    sandbox.filters.update(FILTERS)
    try:
        tree = sandbox.parse(source, name)
        unknown = meta.find_undeclared_variables(tree) - set(given)
    except jinja2.TemplateSyntaxError as error:
        problem = f"This is not Jinja: {error.message}"
        raise TemplateError(problem, file=name, line=error.lineno) from error
    for variable in tree.find_all(nodes.Name):
        if variable.name in unknown:
            raise TemplateError(
                f"'{variable.name}' is not among what templates are given: "
                f"{', '.join(sorted(given))}.",
                file=name,
                line=variable.lineno,
            )
