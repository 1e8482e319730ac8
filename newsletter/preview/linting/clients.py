"""What mail clients do not show: the well-known gaps that a template runs into."""

import re
from collections.abc import Iterator

from newsletter.preview.linting.finding import Finding
from newsletter.preview.linting.markup import Element, declarations

_OUTLOOK, _GMAIL = "Outlook for Windows", "Gmail"

_PROPERTIES = {
    "animation": (_GMAIL, _OUTLOOK),
    "background-image": (_OUTLOOK,),
    "box-shadow": (_GMAIL, _OUTLOOK),
    "clip-path": (_GMAIL, _OUTLOOK),
    "filter": (_GMAIL, _OUTLOOK),
    "float": (_OUTLOOK,),
    "gap": (_GMAIL, _OUTLOOK),
    "object-fit": (_OUTLOOK,),
    "position": (_GMAIL, _OUTLOOK),
    "transform": (_GMAIL, _OUTLOOK),
    "transition": (_GMAIL, _OUTLOOK),
}
"""Properties of CSS that a letter cannot rest on, and who passes them over."""

_VALUES = {
    ("display", "flex"): (_OUTLOOK,),
    ("display", "grid"): (_GMAIL, _OUTLOOK),
    ("display", "inline-flex"): (_GMAIL, _OUTLOOK),
}

_ELEMENTS = {
    "audio": (_GMAIL, _OUTLOOK),
    "button": (_OUTLOOK,),
    "form": (_GMAIL, _OUTLOOK),
    "iframe": (_GMAIL, _OUTLOOK),
    "input": (_GMAIL, _OUTLOOK),
    "picture": (_OUTLOOK,),
    "script": ("every client",),
    "svg": (_GMAIL, _OUTLOOK),
    "video": (_GMAIL, _OUTLOOK),
}

_AT_RULES = {"@import": (_GMAIL, _OUTLOOK), "@font-face": (_GMAIL, _OUTLOOK)}
_FUNCTIONS = {"var(": (_GMAIL, _OUTLOOK), "calc(": (_OUTLOOK,)}
_BODY = re.compile(r"\{([^{}]*)\}")

STYLE_LIMIT = 16_384
"""Bytes of one style element past which Gmail leaves all of it out."""


def unsupported(root: Element) -> Iterator[Finding]:
    """What of a letter some clients leave out, each thing once."""
    found: dict[str, tuple[str, ...]] = {}
    for element in root.walk():
        if element.tag in _ELEMENTS:
            found[f"<{element.tag}>"] = _ELEMENTS[element.tag]
        if element.tag == "style":
            css = "".join(element.texts)
            yield from _too_long(css)
            found.update((name, who) for name, who in _AT_RULES.items() if name in css)
            for body in _BODY.findall(css):
                found.update(_declared(body))
        found.update(_declared(element.attributes.get("style", "")))
    for what, clients in sorted(found.items()):
        said = f"{what} is left out by {' and '.join(clients)}; the letter has to be fine without"
        yield Finding("notice", "mail clients", said)


def _too_long(css: str) -> Iterator[Finding]:
    if len(css.encode()) > STYLE_LIMIT:
        said = (
            f"a style element of {len(css.encode()):,} bytes: past {STYLE_LIMIT:,} Gmail drops it"
        )
        yield Finding("wrong", "mail clients", said)


def _declared(css: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, value in declarations(css).items():
        if name in _PROPERTIES and value not in {"none", "static"}:
            yield name, _PROPERTIES[name]
        for (known, word), clients in _VALUES.items():
            if name == known and value.split(" ")[0] == word:
                yield f"{name}: {word}", clients
        yield from ((f"{name}: {call}…)", who) for call, who in _FUNCTIONS.items() if call in value)
