"""Which text has too little contrast, on a light and on a dark screen (WCAG 2.2, 1.4.3)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from newsletter.preview.html_tree import Element, parse_declarations
from newsletter.preview.letter import Scheme

MIN_CONTRAST = 4.5  # the least contrast of a text with its background

_DARK = re.compile(r"prefers-color-scheme\s*:\s*dark")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_MEDIA = re.compile(r"@media([^{]*)\{((?:[^{}]*\{[^{}]*\})*)\s*\}")
_SIMPLE = re.compile(r"([a-z][a-z0-9]*)?((?:\.[\w-]+)*)")
_FUNCTION = re.compile(r"rgba?\(\s*(\d+)[\s,]+(\d+)[\s,]+(\d+)\s*\)")
_NAMED = {"black": "#000000", "white": "#ffffff"}

Colour = tuple[int, int, int]
Weighted = tuple[bool, int, int, str]
"""A declaration's value (last) behind what decides which one wins."""

_CANVAS: Mapping[Scheme, tuple[Colour, Colour, Colour]] = {
    "light": ((0, 0, 0), (255, 255, 255), (0, 0, 238)),
    "dark": ((255, 255, 255), (18, 18, 18), (158, 158, 255)),
}
"""The browser's own colours of text, background and links."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """A selector and its declarations; ``steps`` are tag and classes, outermost element first."""

    steps: tuple[tuple[str, frozenset[str]], ...]
    declarations: Mapping[str, str]
    order: int


def find_low_contrast(root: Element, scheme: Scheme) -> Iterator[tuple[str, float]]:
    """Every text with too little contrast on a screen of this scheme, with its contrast."""
    rules = list(_list_rules(root, scheme))
    text, background, links = _CANVAS[scheme if _supports_dark(root) else "light"]
    yield from _find(root, rules, links, (text, background))


def contrast(one: Colour, other: Colour) -> float:
    """The contrast of two colours, from 1 to 21 (WCAG 2.2)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _find(
    element: Element, rules: Sequence[_Rule], links: Colour, inherited: tuple[Colour, Colour]
) -> Iterator[tuple[str, float]]:
    if element.style.get("display", "").startswith("none") or element.tag in {"head", "style"}:
        return
    default = links if element.tag == "a" else inherited[0]
    text = _colour(_winner(element, rules, ("color",))) or default
    background = _colour(_winner(element, rules, ("background-color", "background")))
    background = background or inherited[1]
    if element.own_text and (ratio := contrast(text, background)) < MIN_CONTRAST:
        yield element.own_text, ratio
    for child in element.children:
        yield from _find(child, rules, links, (text, background))


def _supports_dark(root: Element) -> bool:
    """Whether the page allows a dark canvas on a dark screen."""
    metas = (each.attributes for each in root.walk() if each.tag == "meta")
    return any(a.get("name") == "color-scheme" and "dark" in a.get("content", "") for a in metas)


def _winner(element: Element, rules: Sequence[_Rule], names: Sequence[str]) -> str:
    """The value that applies for the first of these properties that has one; empty if none has."""
    for name in names:
        found = [
            _weigh(rule, rule.declarations[name])
            for rule in rules
            if name in rule.declarations and _matches(rule, element)
        ]
        if name in element.style:
            value = element.style[name]
            found.append((value.endswith("!important"), len(rules), len(rules), value))
        if found:
            return max(found)[3].removesuffix("!important").strip()
    return element.attributes.get("bgcolor", "") if "background" in names else ""


def _weigh(rule: _Rule, value: str) -> Weighted:
    specificity = sum(100 * len(classes) + bool(tag) for tag, classes in rule.steps)
    return value.endswith("!important"), 0, specificity * 1000 + rule.order, value


def _matches(rule: _Rule, element: Element) -> bool:
    *outer, last = rule.steps
    if not _is(element, last):
        return False
    ancestor = element.parent
    for step in reversed(outer):
        while ancestor is not None and not _is(ancestor, step):
            ancestor = ancestor.parent
        if ancestor is None:
            return False
        ancestor = ancestor.parent
    return True


def _is(element: Element, step: tuple[str, frozenset[str]]) -> bool:
    tag, classes = step
    return (not tag or tag == element.tag) and classes <= element.classes


def _list_rules(root: Element, scheme: Scheme) -> Iterator[_Rule]:
    css = "".join("".join(each.texts) for each in root.walk() if each.tag == "style")
    css = _COMMENT.sub("", css)
    applied = _MEDIA.sub("", css)
    if scheme == "dark":
        applied += "".join(found[2] for found in _MEDIA.finditer(css) if _DARK.search(found[1]))
    for order, found in enumerate(_RULE.finditer(applied)):
        for selector in found[1].split(","):
            if steps := _parse_selector(selector):
                yield _Rule(steps, parse_declarations(found[2]), order)


def _parse_selector(selector: str) -> tuple[tuple[str, frozenset[str]], ...]:
    """A selector of tags and classes as steps.

    Any other kind gives no steps: letters use those only to address one mail client.
    """
    found = [_SIMPLE.fullmatch(part) for part in selector.split()]
    if not all(found):
        return ()
    steps = [(one[1] or "", frozenset(one[2].split(".")[1:])) for one in found if one]
    return tuple(steps)


def _colour(value: str) -> Colour | None:
    """A colour written as ``#rgb``, ``#rrggbb``, ``rgb()``, black or white; None for others."""
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
