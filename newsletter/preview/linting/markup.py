"""HTML as a tree, as far as looking at a letter needs one."""

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
    """An element with what stands in it: elements, and its own text."""

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
        """What its ``style`` declares."""
        return declarations(self.attributes.get("style", ""))

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
        """Whether neither it nor what it stands in is hidden."""
        hidden = self.style.get("display", "").startswith("none")
        return not hidden and (self.parent is None or self.parent.is_shown)

    def walk(self) -> Iterator["Element"]:
        """It and everything in it, in the order of the text."""
        yield self
        for child in self.children:
            yield from child.walk()


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self._at = self.root

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag, {name: value or "" for name, value in attrs}, self._at)
        self._at.children.append(made)
        if tag not in _VOID:
            self._at = made

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        at: Element | None = self._at
        while at is not None and at.tag != tag:
            at = at.parent
        if at is not None and at.parent is not None:
            self._at = at.parent

    def handle_data(self, data: str) -> None:
        self._at.texts.append(data)


def parse(html: str) -> Element:
    """The tree of a page; comments, those for Outlook too, are left out."""
    builder = _Builder()
    builder.feed(html)
    builder.close()
    return builder.root


def declarations(css: str) -> dict[str, str]:
    """What declarations say, by property."""
    pairs = (part.partition(":") for part in css.split(";"))
    return {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}
