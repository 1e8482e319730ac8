"""Characters: which may stay, and how texts are compared."""

# ruff: noqa: RUF001 - characters that look alike are the subject here

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

MOST_MARKS = 30
"""Combining marks in a row: the bound of Unicode's Stream-Safe Text Format (UAX #15, 12.4).

Beyond it they only smear over other lines, and normalising them takes quadratic time."""

_NOT_SHOWN = re.compile(
    "["
    r"\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"  # controls that are no white space
    r"\ud800-\udfff"  # halves of a pair
    r"\u00ad\u200b\u2060\ufeff"  # invisible hyphens, joints and marks
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # direction marks and overrides
    r"\ufff9-\ufffb\U000e0001-\U000e007f"  # annotations and tags
    r"\ue000-\uf8ff\U000f0000-\U0010ffff"  # private use
    r"\ufdd0-\ufdef\ufffe\uffff"  # no characters, as are the last two of each plane
    + "".join(
        f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0x10000, 0xF0000, 0x10000)
    )
    + "]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_ALIKE = str.maketrans("‐‑‒–—―−‘’“”", "-------''\"\"")


def clean(text: str) -> str:
    """Plain text without anything that cannot be shown, sent, or put into XML 1.0.

    White space is collapsed; control and private characters, lone surrogates, noncharacters,
    direction overrides and invisible joints are dropped; composed forms are used (NFC).
    """
    if not text.isascii():
        text = "".join(_stream_safe(_paired(text)))
    shown = _NOT_SHOWN.sub("", text)
    return " ".join(unicodedata.normalize("NFC", shown).split())


@lru_cache(maxsize=4096)
def folded(text: str) -> str:
    """Text as it is compared: no case, no accents, plain hyphens and quotes (Unicode 3.13)."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text).translate(_ALIKE)
    bare = "".join(c for c in decomposed if not unicodedata.combining(c))
    return unicodedata.normalize("NFKC", bare.casefold())


def _paired(text: str) -> str:
    """The text with surrogates that make a pair joined into their character."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")


def _stream_safe(text: str) -> Iterator[str]:
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= MOST_MARKS:
            yield character
