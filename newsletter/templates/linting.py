"""MJML's elements that a letter may use, each with the attributes MJML 5's validator allows it."""

import difflib
import re
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache

import jinja2
from jinja2 import meta, nodes
from jinja2.sandbox import SandboxedEnvironment

from newsletter.errors import TemplateError
from newsletter.letter.views import FILTERS
from newsletter.templates.finding import TemplateFolders

_EVERYWHERE = frozenset({"css-class", "mj-class"})

_ATTRIBUTES = {
    "mj-all": "",
    "mj-attributes": "",
    "mj-body": "background-color id width",
    "mj-breakpoint": "width",
    "mj-button": (
        "align background-color border border-bottom border-left border-radius border-right "
        "border-top color container-background-color font-family font-size font-style "
        "font-weight height href inner-padding letter-spacing line-height name padding "
        "padding-bottom padding-left padding-right padding-top rel target text-align "
        "text-decoration text-transform title vertical-align width"
    ),
    "mj-class": "name",
    "mj-column": (
        "background-color border border-bottom border-left border-radius border-right "
        "border-top direction inner-background-color inner-border inner-border-bottom "
        "inner-border-left inner-border-radius inner-border-right inner-border-top padding "
        "padding-bottom padding-left padding-right padding-top vertical-align width"
    ),
    "mj-divider": (
        "align border-color border-style border-width container-background-color padding "
        "padding-bottom padding-left padding-right padding-top width"
    ),
    "mj-font": "href name",
    "mj-group": "background-color direction vertical-align width",
    "mj-head": "",
    "mj-hero": (
        "background-color background-height background-position background-url "
        "background-width border-radius height inner-background-color inner-padding "
        "inner-padding-bottom inner-padding-left inner-padding-right inner-padding-top mode "
        "padding padding-bottom padding-left padding-right padding-top vertical-align"
    ),
    "mj-image": (
        "align alt border border-bottom border-left border-radius border-right border-top "
        "container-background-color fluid-on-mobile font-size height href max-height name "
        "padding padding-bottom padding-left padding-right padding-top rel sizes src srcset "
        "target title usemap width"
    ),
    "mj-include": "css-inline path type",
    "mj-preview": "",
    "mj-raw": "position",
    "mj-section": (
        "background-color background-position background-position-x background-position-y "
        "background-repeat background-size background-url border border-bottom border-left "
        "border-radius border-right border-top direction full-width gutter padding "
        "padding-bottom padding-left padding-right padding-top text-align text-padding"
    ),
    "mj-spacer": (
        "border border-bottom border-left border-right border-top container-background-color "
        "height padding padding-bottom padding-left padding-right padding-top"
    ),
    "mj-style": "inline",
    "mj-table": (
        "align border cellpadding cellspacing color container-background-color font-family "
        "font-size font-weight line-height padding padding-bottom padding-left padding-right "
        "padding-top role table-layout vertical-align width"
    ),
    "mj-text": (
        "align background-color color container-background-color font-family font-size "
        "font-style font-weight height letter-spacing line-height padding padding-bottom "
        "padding-left padding-right padding-top text-decoration text-transform vertical-align"
    ),
    "mj-title": "",
    "mj-wrapper": (
        "background-color background-position background-position-x background-position-y "
        "background-repeat background-size background-url border border-bottom border-left "
        "border-radius border-right border-top direction full-width gap gutter padding "
        "padding-bottom padding-left padding-right padding-top text-align text-padding"
    ),
    "mjml": "dir lang owa",
}

ELEMENTS = {name: _EVERYWHERE | frozenset(words.split()) for name, words in _ATTRIBUTES.items()}
"""The attributes of each element. The compiler drops what it does not know without a word."""

DEFAULTS = frozenset({"mj-all", "mj-class"})
"""Elements that stand for others in ``mj-attributes``: they take any of their attributes."""

ANY = frozenset[str]().union(*ELEMENTS.values())
"""Every attribute of any element."""


ISSUE_VARIABLES = frozenset(
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

NOTE_VARIABLES = frozenset({"publication", "theme"})
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


def raise_first(faults: Iterable[TemplateError]) -> None:
    """Nothing is wrong.

    Raises:
        TemplateError: something is; the first of it.
    """
    for fault in faults:
        raise fault


def find_mjml_errors(where: TemplateFolders, source: str, name: str) -> Faults:
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


def _include_faults(where: TemplateFolders, path: str, name: str, line: int) -> Faults:
    if where.find(path) is None:
        yield TemplateError(f"There is no template {path} to include.", file=name, line=line)


def _near(word: str, known: Iterable[str], form: str) -> str:
    """The end of a sentence that says what might have been meant."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {form.format(near[0])}?" if near else "."


@lru_cache(maxsize=256)
def find_jinja_errors(
    source: str, name: str, given: frozenset[str] = ISSUE_VARIABLES
) -> tuple[TemplateError, ...]:
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


def find_include_errors(where: TemplateFolders, source: str, name: str) -> Faults:
    """What a template includes by Jinja is there."""
    for used in SandboxedEnvironment().parse(source, name).find_all(_INCLUDING):
        wanted = getattr(used, "template", None)
        if isinstance(wanted, nodes.Const) and where.find(str(wanted.value)) is None:
            yield from _include_faults(where, str(wanted.value), name, used.lineno)
