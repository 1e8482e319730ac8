"""A letter's HTML as a tree of elements."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser

_VOID = frozenset(
    ["area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"]
)
"""Elements that have no end tag (HTML, 13.1.2)."""


@dataclass(frozen=True)
class Element:
    """An element with its child elements and the pieces of text directly in it."""

    tag: str
    attributes: Mapping[str, str]
    parent: "Element | None" = None
    children: list["Element"] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    @cached_property
    def classes(self) -> frozenset[str]:
        """The names in its ``class``."""
        return frozenset(self.attributes.get("class", "").split())

    @cached_property
    def style(self) -> Mapping[str, str]:
        """The declarations in its ``style``."""
        return parse_declarations(self.attributes.get("style", ""))

    @property
    def own_text(self) -> str:
        """The text directly in it."""
        return " ".join("".join(self.texts).split())

    @property
    def text(self) -> str:
        """All text in it."""
        return " ".join(" ".join(each.own_text for each in self.walk()).split())

    @property
    def is_shown(self) -> bool:
        """Whether neither it nor an element around it is hidden."""
        hidden = self.style.get("display", "").startswith("none")
        return not hidden and (self.parent is None or self.parent.is_shown)

    def walk(self) -> Iterator["Element"]:
        """The element and all elements in it, in the order of the text."""
        yield self
        for child in self.children:
            yield from child.walk()


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self._open = self.root

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs}, self._open)
        self._open.children.append(element)
        if tag not in _VOID:
            self._open = element

    def handle_endtag(self, tag: str) -> None:
        closed: Element | None = self._open
        while closed is not None and closed.tag != tag:
            closed = closed.parent
        # An end tag that closes nothing is ignored.
        if closed is not None and closed.parent is not None:
            self._open = closed.parent

    def handle_data(self, data: str) -> None:
        self._open.texts.append(data)


def parse_html(html: str) -> Element:
    """The tree of a page; comments, those for Outlook too, are left out."""
    builder = _Builder()
    builder.feed(html)
    builder.close()
    return builder.root


def parse_declarations(css: str) -> dict[str, str]:
    """CSS declarations: each property's value."""
    pairs = (part.partition(":") for part in css.split(";"))
    return {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}
