"""What is wrong with a template before it is compiled: the compilers ignore many mistakes."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from itertools import islice

import jinja2
from jinja2 import meta, nodes
from jinja2.sandbox import SandboxedEnvironment

from newsletter.errors import TemplateError
from newsletter.letter.views import FILTERS
from newsletter.templates.fields import did_you_mean, find_field_errors
from newsletter.templates.finding import HTML, TemplateFolders

ELEMENTS: Mapping[str, frozenset[str]] = {
    name: frozenset(["css-class", "mj-class", *names.split()])
    for name, names in json.loads(
        files("newsletter").joinpath("data/mjml.json").read_text(encoding="utf-8")
    ).items()
}
"""MJML's elements that a letter may use, with the attributes that MJML 5's validator allows.

The compiler silently drops any other attribute."""

_DEFAULTS = frozenset({"mj-all", "mj-class"})  # they set defaults for others: any attribute
_ANY_ATTRIBUTE = frozenset[str]().union(*ELEMENTS.values())

_TAG = re.compile(r"<!--.*?-->|<(/?)(mj[\w-]*)((?:\"[^\"]*\"|[^\">])*)>", re.DOTALL)
_ATTRIBUTE = re.compile(r"([\w:-]+)\s*=\s*\"[^\"]*\"")
_JINJA = re.compile(r"\{[{%#].*?[}%#]\}", re.DOTALL)
_INCLUDING = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)
_PATH = re.compile(r"\bpath\s*=\s*\"([^\"]*)\"")

UNSAFE = (
    "'| safe' turns escaping off: a title with a tag in it would break the email; leave it out."
)

_SANDBOX = SandboxedEnvironment()
_SANDBOX.filters.update(FILTERS)

Errors = Iterator[TemplateError]


def raise_first(errors: Iterable[TemplateError]) -> None:
    """Raise the first of these errors, if there is one."""
    for error in errors:
        raise error


def find_letter_errors(
    folders: TemplateFolders, names: tuple[str, str, str], variables: frozenset[str]
) -> Errors:
    """All mistakes in the templates of a letter for HTML, text and subject.

    Raises:
        TemplateError: one of them is missing.
    """
    html, *plain = names
    for name, source in folders.parts(html):
        yield from find_mjml_errors(folders, source, name)
        yield from _jinja_errors(folders, wrap_in_opening(source, html), name, variables)
    for name in plain:
        yield from _jinja_errors(folders, folders.read(name), name, variables)


def _jinja_errors(
    folders: TemplateFolders, source: str, name: str, variables: frozenset[str]
) -> Errors:
    errors = find_jinja_errors(source, name, variables)
    yield from errors or _find_include_errors(folders, source, name)


def wrap_in_opening(source: str, name: str) -> str:
    """Begins the first block and ends the last one, which the files of an issue's HTML leave out.

    ``name`` is the template that the source is a part of; notes have no blocks.
    """
    return f"{{% block opening %}}{source}{{% endblock %}}" if name == HTML else source


def find_mjml_errors(folders: TemplateFolders, source: str, name: str) -> Errors:
    """Unknown elements and attributes, elements not closed, includes of missing files."""
    open_tags: list[tuple[str, int]] = []
    for line, closing, tag, rest in _tags(source):
        if tag not in ELEMENTS:
            hint = did_you_mean(tag, ELEMENTS, "<{}>")
            yield TemplateError(f"<{tag}> is not an element of MJML{hint}", file=name, line=line)
        elif closing:
            if not open_tags or open_tags.pop()[0] != tag:
                yield TemplateError(f"</{tag}> closes nothing.", file=name, line=line)
                return
        elif not rest.endswith("/"):
            open_tags.append((tag, line))
        if not closing:
            yield from _attribute_errors(tag, rest, name, line)
        if tag == "mj-include" and (path := _PATH.search(rest)):
            yield from _missing_include(folders, path[1], name, line)
            yield from _misplaced(folders, path[1], open_tags[-1][0] if open_tags else "")
    if open_tags:
        tag, line = open_tags[-1]
        yield TemplateError(f"<{tag}> is not closed.", file=name, line=line)


def _tags(source: str) -> Iterator[tuple[int, bool, str, str]]:
    """The MJML tags of a source: line, whether it closes, name, and what follows the name."""
    for match in _TAG.finditer(source):
        if match[2]:
            yield source.count("\n", 0, match.start()) + 1, bool(match[1]), match[2], match[3]


def _attribute_errors(tag: str, rest: str, name: str, line: int) -> Errors:
    known = _ANY_ATTRIBUTE if tag in _DEFAULTS else ELEMENTS.get(tag, _ANY_ATTRIBUTE)
    for attribute in _ATTRIBUTE.findall(_JINJA.sub("", rest)):
        if attribute not in known:
            hint = did_you_mean(attribute, known)
            yield TemplateError(f"<{tag}> has no attribute {attribute}{hint}", file=name, line=line)


def _missing_include(folders: TemplateFolders, path: str, name: str, line: int) -> Errors:
    if folders.find(path) is None:
        yield TemplateError(f"There is no template {path} to include.", file=name, line=line)


def _misplaced(folders: TemplateFolders, path: str, parent: str) -> Errors:
    """The first element of an included file, if it may not stand in the element around it."""
    source = folders.read(path) if folders.find(path) else ""
    for line, _, tag, _ in islice(_tags(source), 1):
        within_text = parent == "mj-text" and tag != "mj-include"
        if within_text or (parent == "mj-column" and tag == "mj-section"):
            problem = f"<{tag}> may not be inside <{parent}>, which includes this file: remove it."
            yield TemplateError(problem, file=path, line=line)


@lru_cache(maxsize=256)
def find_jinja_errors(
    source: str, name: str, variables: frozenset[str]
) -> tuple[TemplateError, ...]:
    """Syntax errors; filters, tests, variables and fields that are unknown; escaping turned off."""
    try:
        tree = _parse(source, name)
        if errors := (*_filter_errors(tree, name), *find_field_errors(tree, name)):
            return errors
        unknown = meta.find_undeclared_variables(tree) - variables
    except jinja2.TemplateSyntaxError as error:
        problem = f"This is not Jinja: {error.message}"
        return (TemplateError(problem, file=name, line=error.lineno),)
    return tuple(
        TemplateError(
            f"There is no variable '{node.name}'{_nearest(node.name, variables)}",
            file=name,
            line=node.lineno,
        )
        for node in tree.find_all(nodes.Name)
        if node.name in unknown
    )


def _nearest(word: str, variables: frozenset[str]) -> str:
    """The variable that was meant, or all of them."""
    every = f"; templates like this have {', '.join(sorted(variables))}."
    return every if (near := did_you_mean(word, variables)) == "." else near


@lru_cache(maxsize=256)
def _parse(source: str, name: str) -> nodes.Template:
    return _SANDBOX.parse(source, name)


def _filter_errors(tree: nodes.Template, name: str) -> Errors:
    known = _SANDBOX.filters
    for node in tree.find_all(nodes.Filter):
        if node.name == "safe":
            yield TemplateError(UNSAFE, file=name, line=node.lineno)
        elif node.name not in known:
            problem = f"There is no filter '{node.name}'{did_you_mean(node.name, known)}"
            yield TemplateError(problem, file=name, line=node.lineno)
    for test in tree.find_all(nodes.Test):
        if test.name not in _SANDBOX.tests:
            problem = f"There is no test '{test.name}'{did_you_mean(test.name, _SANDBOX.tests)}"
            yield TemplateError(problem, file=name, line=test.lineno)
    for scope in tree.find_all(nodes.ScopedEvalContextModifier):
        problem = "'autoescape' may not be changed: papers' titles come from anywhere."
        yield TemplateError(problem, file=name, line=scope.lineno)


def _find_include_errors(folders: TemplateFolders, source: str, name: str) -> Errors:
    """Jinja includes of files that do not exist."""
    for node in _parse(source, name).find_all(_INCLUDING):
        path = getattr(node, "template", None)
        if isinstance(path, nodes.Const):
            yield from _missing_include(folders, str(path.value), name, node.lineno)
