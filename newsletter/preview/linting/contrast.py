"""Which text is too faint to be read, on a light screen and on a dark one (WCAG 2.2, 1.4.3)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from newsletter.preview.choice import Scheme
from newsletter.preview.linting.markup import Element, declarations

ENOUGH = 4.5
"""The least ratio between a text and what is behind it."""

_DARK = re.compile(r"prefers-color-scheme\s*:\s*dark")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_MEDIA = re.compile(r"@media([^{]*)\{((?:[^{}]*\{[^{}]*\})*)\s*\}")
_SIMPLE = re.compile(r"([a-z][a-z0-9]*)?((?:\.[\w-]+)*)")
_FUNCTION = re.compile(r"rgba?\(\s*(\d+)[\s,]+(\d+)[\s,]+(\d+)\s*\)")
_NAMED = {"black": "#000000", "white": "#ffffff"}

Colour = tuple[int, int, int]
Weighed = tuple[bool, int, int, str]
"""A declaration's value behind all that decides whether it wins."""

_CANVAS: Mapping[Scheme, tuple[Colour, Colour, Colour]] = {
    "light": ((0, 0, 0), (255, 255, 255), (0, 0, 238)),
    "dark": ((255, 255, 255), (18, 18, 18), (158, 158, 255)),
}
"""Text, background and links where nothing is said."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """One selector with what it declares; ``steps`` are tag and classes, outermost first."""

    steps: tuple[tuple[str, frozenset[str]], ...]
    declared: Mapping[str, str]
    order: int


@dataclass(frozen=True, slots=True)
class Faint:
    """A text that is too faint."""

    text: str
    ratio: float


def faint(root: Element, scheme: Scheme) -> Iterator[Faint]:
    """Every text on a screen of this scheme whose contrast is not enough."""
    rules = list(_rules(root, scheme))
    canvas = _CANVAS[scheme if _takes_dark(root) else "light"]
    yield from _faint(root, rules, canvas[2], (canvas[0], canvas[1]))


def ratio(one: Colour, other: Colour) -> float:
    """The contrast of two colours, from 1 to 21 (WCAG 2.2)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _faint(
    element: Element, rules: Sequence[_Rule], links: Colour, around: tuple[Colour, Colour]
) -> Iterator[Faint]:
    if element.style.get("display", "").startswith("none") or element.tag in {"head", "style"}:
        return
    inherited = links if element.tag == "a" else around[0]
    text = _colour(_won(element, rules, ("color",))) or inherited
    behind = _colour(_won(element, rules, ("background-color", "background"))) or around[1]
    if element.own_text and (found := ratio(text, behind)) < ENOUGH:
        yield Faint(element.own_text, found)
    for child in element.children:
        yield from _faint(child, rules, links, (text, behind))


def _takes_dark(root: Element) -> bool:
    """Whether the page says that a dark screen may turn its canvas dark."""
    named = (each.attributes for each in root.walk() if each.tag == "meta")
    return any(a.get("name") == "color-scheme" and "dark" in a.get("content", "") for a in named)


def _won(element: Element, rules: Sequence[_Rule], names: Sequence[str]) -> str:
    """The value that wins for the first of these properties that has one; empty for none."""
    for name in names:
        found = [_weighed(rule, rule.declared[name]) for rule in rules
                 if name in rule.declared and _matches(rule, element)]  # fmt: skip
        if name in element.style:
            value = element.style[name]
            found.append((value.endswith("!important"), len(rules), len(rules), value))
        if found:
            return max(found)[3].removesuffix("!important").strip()
    return element.attributes.get("bgcolor", "") if "background" in names else ""


def _weighed(rule: _Rule, value: str) -> Weighed:
    specificity = sum(100 * len(classes) + bool(tag) for tag, classes in rule.steps)
    return value.endswith("!important"), 0, specificity * 1000 + rule.order, value


def _matches(rule: _Rule, element: Element) -> bool:
    *outer, last = rule.steps
    if not _is(element, last):
        return False
    at = element.parent
    for step in reversed(outer):
        while at is not None and not _is(at, step):
            at = at.parent
        if at is None:
            return False
        at = at.parent
    return True


def _is(element: Element, step: tuple[str, frozenset[str]]) -> bool:
    tag, classes = step
    return (not tag or tag == element.tag) and classes <= element.classes


def _rules(root: Element, scheme: Scheme) -> Iterator[_Rule]:
    css = "".join("".join(each.texts) for each in root.walk() if each.tag == "style")
    css = _COMMENT.sub("", css)
    applied = _MEDIA.sub("", css)
    if scheme == "dark":
        applied += "".join(found[2] for found in _MEDIA.finditer(css) if _DARK.search(found[1]))
    for order, found in enumerate(_RULE.finditer(applied)):
        for selector in found[1].split(","):
            if steps := _steps(selector):
                yield _Rule(steps, declarations(found[2]), order)


def _steps(selector: str) -> tuple[tuple[str, frozenset[str]], ...]:
    """A selector of tags and classes; empty for one of another kind, which asks for a client."""
    found = [_SIMPLE.fullmatch(part) for part in selector.split()]
    if not all(found):
        return ()
    steps = [(one[1] or "", frozenset(one[2].split(".")[1:])) for one in found if one]
    return tuple(steps)


def _colour(value: str) -> Colour | None:
    """A colour that is said outright; None for others."""
    word = _NAMED.get(value.lower(), value.lower()).split(" ")[0] if value else ""
    if found := _FUNCTION.match(value):
        return int(found[1]), int(found[2]), int(found[3])
    if not re.fullmatch(r"#([0-9a-f]{3}|[0-9a-f]{6})", word):
        return None
    digits = word[1:] if len(word) == len("#rrggbb") else "".join(2 * digit for digit in word[1:])
    red, green, blue = bytes.fromhex(digits)
    return red, green, blue


def _luminance(colour: Colour) -> float:
    red, green, blue = (_linear(part / 255) for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 - sRGB's own numbers
