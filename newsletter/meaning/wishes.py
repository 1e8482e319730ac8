"""Wishes in plain words, taken apart: what is wanted, and what is not."""

import re
from dataclasses import dataclass

from newsletter.errors import FilterError
from newsletter.meaning.stems import plain, telling_stems

MAX_PARTS = 40  # of one wish; what follows counts for the wish as a whole only

_SPACES = re.compile(r"[^\S\n]+")
_ENDS = re.compile(
    r"[,;:!?()\[\]\n\u2014、，；：！？（）。]|\s[-\u2013/]+\s"  # noqa: RUF001 - signs of Chinese
    r"|(?<!\b[A-Za-z])(?<!\bvs)(?<!\bcf)(?<!\bal)\.(?=\s|$)"
)
"""What ends a part: signs, dashes, and the end of a sentence, which that of ``U.S.`` is not."""

_LEAD_IN = re.compile(
    r"\W*(?:(?:please|hi|hello)\b\W*)*"
    r"(?:(?:i(?:['’]m| am)?|we(?:['’]re| are)?|my|our)\b(?:\s+(?:also|mainly|mostly|currently|"  # noqa: RUF001 - an apostrophe
    r"especially|really))*\s+(?:work(?:ing)? (?:on|in|with)|interested in|interests? (?:is|are)|"
    r"research(?:ing)?(?: interests?)? (?:is|are|on|in)?(?: on| in)?|study(?:ing)?|"
    r"(?:would )?(?:want|like|love|care|need)(?: to)?(?: (?:read|see|about|know|follow))*|"
    r"looking for|following|read(?:ing)?)\b\s*)?"
    r"(?:(?:show me|send me|give me|looking for|interested in|research on|work on)\b\s*)?"
    r"(?:(?:any|all|some|new|recent|the latest|more)\b\s*)?"
    r"(?:(?:(?:papers?|articles?|research|work|works|everything|anything|studies)\b\s*)"
    r"(?:(?:that (?:is|are) |which (?:is|are) )?(?:on|about|in|of|into|with|for)\b\s*)+)?"
    r"(?:about\b\s*)?",
    re.IGNORECASE,
)
_NOT = (
    r"(?:not|no|without|except(?:ing)?(?: for)?|exclud(?:ing|e)|never|avoid(?:ing)?|rather than|"
    r"instead of|nothing(?!\s+but\b)|(?:i|we)?\s*(?:(?:am|are|['’]m|['’]re)\s+not|do\s+not|"  # noqa: RUF001 - apostrophes
    r"don['’]?t)(?:\s+(?:want|like|care|need|interested))?)(?=\s|$)"  # noqa: RUF001 - an apostrophe
)
_FIRST = r"also|please|definitely|certainly|especially|only"
_UNWANTED = re.compile(
    rf"\W*(?:(?:but|and|or|{_FIRST})\s+)*{_NOT}(?!\s+only\b)\s*"
    r"(?:(?:for|about|on|in|with|to|see|any|anything|more|papers?)\s+)*",
    re.IGNORECASE,
)
_TURN = re.compile(
    rf"\b(?:but|and)\s+(?=(?:also\s+)?{_NOT})|\s+(?=(?:rather than|instead of)\s)", re.IGNORECASE
)
_BARE_NOT = re.compile(
    rf"(?<![\w.'’-])(?!(?:{_FIRST}|is|are|was|were|am|be|do|does|did|can|could|will|would|should|"  # noqa: RUF001 - an apostrophe
    r"may|might|must|has|have|had|need|why|when|if|or|whether|to|that|which|and|but|i|we|you|they|"
    r"it|i['’]m|we['’]re)\s)(\w[\w.'’-]*)\s+"  # noqa: RUF001 - apostrophes
    r"(?=not\s+(?!(?:to|only|just|yet|all|every|necessarily)\b))",
    re.IGNORECASE,
)
"""A word with "not" after it where a comma is missing: ``imaging not speech``."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a reader wrote, and its parts: the ``wanted`` ones and the ``unwanted`` ones."""

    text: str
    wanted: tuple[str, ...]
    unwanted: tuple[str, ...]


def parse_wish(text: str) -> Wish:
    """Take a wish apart at its punctuation; "not" and the like count where a part begins with them.

    Words that only lead in ("I work on") are left out.

    Raises:
        FilterError: the text has no words to look for; the message says which kind it has.
    """
    wanted, unwanted = list[str](), list[str]()
    spaced = _SPACES.sub(" ", text)
    for written in _ENDS.split(_BARE_NOT.sub(r"\1, ", spaced)):
        for part in _TURN.split(written):
            negation = _UNWANTED.match(part)
            bare = part[negation.end() :] if negation else part[_lead_in(part) :]
            bare = bare.strip(" ").rstrip(".")
            if telling_stems(plain(bare)):
                (unwanted if negation else wanted).append(bare)
    if not wanted:
        raise FilterError(_why_nothing(text, unwanted), text=text, column=0)
    return Wish(text, tuple(wanted[:MAX_PARTS]), tuple(unwanted[:MAX_PARTS]))


def _lead_in(part: str) -> int:
    """Where the part itself begins."""
    found = _LEAD_IN.match(part)
    return found.end() if found else 0


def _why_nothing(text: str, unwanted: list[str]) -> str:
    if unwanted:
        return "this says only what you do not want; write what you want first"
    if any(character.isalpha() and not character.isascii() for character in text):
        return (
            "plain words are understood only in English; write this in English, or use a filter "
            "with exactly these words"
        )
    return "there are no words to look for here; say what the papers should be about"
