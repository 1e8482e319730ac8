"""The language and direction of a text, as far as its script shows them."""

import re
import unicodedata

from newsletter.text.kept import kept

_SCRIPTS = (
    ("ja", re.compile("[\u3041-\u30ff]")),  # kana; Japanese also has Han, so it comes before zh
    ("ko", re.compile("[\u1100-\u11ff\uac00-\ud7a3]")),
    ("zh", re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")),
    ("he", re.compile("[\u05d0-\u05ea]")),
    ("el", re.compile("[\u0370-\u03ff\u1f00-\u1fff]{3}")),  # fewer belong to a formula
    ("th", re.compile("[\u0e01-\u0e2e]")),
    ("ka", re.compile("[\u10d0-\u10ff]")),
    ("hy", re.compile("[\u0531-\u0587]")),
    ("und-Arab", re.compile("[\u0620-\u06ff]")),  # Arabic, Persian or Urdu
    ("und-Cyrl", re.compile("[\u0400-\u04ff]{2}")),
    ("und-Deva", re.compile("[\u0904-\u0939]")),
)
_RIGHT_TO_LEFT = frozenset({"R", "AL"})


@kept(512)
def language(text: str) -> str:
    """The language of a text as a BCP 47 tag; empty for text that is mostly Latin.

    Only the script is known where several languages share it (``und-Cyrl``).
    """
    if text.isascii():
        return ""
    letters = [character for character in text if character.isalpha()]
    foreign = "".join(c for c in text if not c.isalpha() or ord(c) > _LAST_LATIN)
    if sum(map(str.isalpha, foreign)) * 2 <= len(letters):
        return ""
    return next((tag for tag, script in _SCRIPTS if script.search(foreign)), "")


_LAST_LATIN = 0x24F  # the end of the block Latin Extended-B


@kept(512)
def direction(text: str) -> str:
    """``rtl`` or ``ltr``: the direction of the first letter that has one (UAX #9, P2 and P3)."""
    if text.isascii():
        return "ltr"
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind == "L":
            return "ltr"
        if kind in _RIGHT_TO_LEFT:
            return "rtl"
    return "ltr"
