"""What is wrong with a template before it is compiled: the compilers keep silent on much of it."""

import difflib
import re
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache

import jinja2
from jinja2 import meta, nodes
from jinja2.sandbox import SandboxedEnvironment

from newsletter.errors import TemplateError
from newsletter.letter.display import FILTERS
from newsletter.templates.elements import ANY, DEFAULTS, ELEMENTS
from newsletter.templates.finding import Folders

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
_ATTRIBUTE = re.compile(r"([\w:-]+)\s*=\s*\"[^\"]*\"")
_JINJA = re.compile(r"\{[{%#].*?[}%#]\}", re.DOTALL)
_INCLUDING = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)
_PATH = re.compile(r"\bpath\s*=\s*\"([^\"]*)\"")


UNSAFE = (
    "'| safe' turns escaping off: a title with a tag in it would break the letter; leave it out."
)

Faults = Iterator[TemplateError]


def first(faults: Iterable[TemplateError]) -> None:
    """Nothing is wrong.

    Raises:
        TemplateError: something is; the first of it.
    """
    for fault in faults:
        raise fault


def tag_faults(where: Folders, source: str, name: str) -> Faults:
    """What is wrong with the MJML: each element is known, is closed, and includes what is there."""
    within: list[tuple[str, int]] = []
    for line, closing, tag, rest in _tags(source):
        if tag not in ELEMENTS:
            said = f"<{tag}> is not an element of MJML{_near(tag, ELEMENTS, '<{}>')}"
            yield TemplateError(said, file=name, line=line)
        elif closing:
            if not within or within.pop()[0] != tag:
                yield TemplateError(f"</{tag}> closes nothing.", file=name, line=line)
                return
        elif not rest.endswith("/"):
            within.append((tag, line))
        if not closing:
            yield from _attribute_faults(tag, rest, name, line)
        if tag == "mj-include" and (path := _PATH.search(rest)):
            yield from _include_faults(where, path[1], name, line)
    if within:
        tag, line = within[-1]
        yield TemplateError(f"<{tag}> is not closed.", file=name, line=line)


def _tags(source: str) -> Iterator[tuple[int, bool, str, str]]:
    """The MJML tags of a source: line, whether it closes, name, and what follows the name."""
    for match in _TAG.finditer(source):
        if match[2]:
            yield source.count("\n", 0, match.start()) + 1, bool(match[1]), match[2], match[3]


def _attribute_faults(tag: str, rest: str, name: str, line: int) -> Faults:
    known = ANY if tag in DEFAULTS else ELEMENTS.get(tag, ANY)
    for attribute in _ATTRIBUTE.findall(_JINJA.sub("", rest)):
        if attribute not in known:
            said = f"<{tag}> has no attribute {attribute}{_near(attribute, known, '{}')}"
            yield TemplateError(said, file=name, line=line)


def _include_faults(where: Folders, path: str, name: str, line: int) -> Faults:
    if where.find(path) is None:
        yield TemplateError(f"There is no template {path} to include.", file=name, line=line)


def _near(word: str, known: Iterable[str], form: str) -> str:
    """The end of a sentence that says what might have been meant."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {form.format(near[0])}?" if near else "."


@lru_cache(maxsize=256)
def name_faults(source: str, name: str, given: frozenset[str] = ISSUE) -> tuple[TemplateError, ...]:
    """What is wrong with the Jinja: it names only what templates are given, and escapes all."""
    sandbox = SandboxedEnvironment()
    sandbox.filters.update(FILTERS)
    try:
        tree = sandbox.parse(source, name)
        if found := tuple(_filter_faults(tree, name, sandbox.filters)):
            return found
        unknown = meta.find_undeclared_variables(tree) - given
    except jinja2.TemplateSyntaxError as error:
        problem = f"This is not Jinja: {error.message}"
        return (TemplateError(problem, file=name, line=error.lineno),)
    return tuple(_unknown_names(tree, name, unknown, given))


def _unknown_names(
    tree: nodes.Template, name: str, unknown: Collection[str], given: Collection[str]
) -> Faults:
    for variable in tree.find_all(nodes.Name):
        if variable.name in unknown:
            said = (
                f"'{variable.name}' is not among what templates are given: "
                f"{', '.join(sorted(given))}."
            )
            yield TemplateError(said, file=name, line=variable.lineno)


def _filter_faults(tree: nodes.Template, name: str, known: Collection[str]) -> Faults:
    for used in tree.find_all(nodes.Filter):
        if used.name == "safe":
            yield TemplateError(UNSAFE, file=name, line=used.lineno)
        elif used.name not in known:
            said = f"There is no filter '{used.name}'{_near(used.name, known, '{}')}"
            yield TemplateError(said, file=name, line=used.lineno)
    for scope in tree.find_all(nodes.ScopedEvalContextModifier):
        said = "'autoescape' may not be changed: papers' titles come from anywhere."
        yield TemplateError(said, file=name, line=scope.lineno)


def partial_faults(where: Folders, source: str, name: str) -> Faults:
    """What a template includes by Jinja is there."""
    for used in SandboxedEnvironment().parse(source, name).find_all(_INCLUDING):
        wanted = getattr(used, "template", None)
        if isinstance(wanted, nodes.Const) and where.find(str(wanted.value)) is None:
            yield from _include_faults(where, str(wanted.value), name, used.lineno)
