"""Finds the tags of one name in a page or a list: without a parser, and always in linear time.

Nothing is loaded and no entity is expanded but the characters that HTML names.
"""

import codecs
import html
import re
from collections.abc import Iterator, Mapping

Tag = tuple[int, Mapping[str, str]]
"""A tag's line, from 1, and its attributes, their names in small letters."""

_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_DECLARED = re.compile(rb"""(?:encoding|charset)\s*=\s*["']?([\w-]+)""", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_ATTRIBUTE = re.compile(
    r"""[\s/"',]*+(?P<name>[\w:.-]+)(?:\s*=\s*(?:"(?P<two>[^"]*)"|'(?P<one>[^']*)'|(?P<bare>[^\s"'<>]+)))?"""
)


def find_tags(body: bytes, name: str, needed: str = "") -> Iterator[Tag]:
    """The tags of this name, without those in comments.

    Stray ``<``, ``&`` and quotation marks, a wrong encoding and a missing end do no harm. The
    attribute that is ``needed`` may stand behind markup in an attribute before it.
    """
    text = _COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), decode_markup(body))
    before, *pieces = re.split(rf"<{name}\b", text, flags=re.IGNORECASE)
    number = 1 + before.count("\n")
    for piece in pieces:
        attributes = _attributes(piece)
        if needed and needed.lower() not in attributes:
            late = re.search(rf"\b{needed}\s*=.*", piece, re.IGNORECASE | re.DOTALL)
            attributes |= _attributes(late[0] if late else "")
        yield number, attributes
        number += piece.count("\n")


def _attributes(text: str) -> dict[str, str]:
    """The attributes at the beginning of a text; the first of a name counts."""
    attributes: dict[str, str] = {}
    place = 0
    while (found := _ATTRIBUTE.match(text, place)) is not None:
        value = found["two"] or found["one"] or found["bare"] or ""
        attributes.setdefault(found["name"].lower(), html.unescape(value).strip())
        place = found.end()
    return attributes


def decode_markup(body: bytes) -> str:
    """The text of a page or a list: UTF-8 if it can be, else as it declares or Windows-1252."""
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if body.startswith(mark):
            return body.removeprefix(mark).decode(encoding, "replace")
    declared = _DECLARED.search(body[:1024])
    for encoding in ("utf-8", declared[1].decode("ascii") if declared else "utf-8"):
        try:
            return body.decode(encoding)
        except (LookupError, UnicodeDecodeError):
            continue
    return body.decode("cp1252", "replace")
