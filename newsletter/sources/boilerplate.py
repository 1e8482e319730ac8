"""Removes what publishers put before, behind, or in place of an abstract.

The table has one pattern for each form. A form is removed only if it is complete, so that no
sentence of an abstract is taken for one. Its authors, date and DOI are kept.
"""

# ruff: noqa: RUF001 - characters that look alike are the subject here

import re
from collections.abc import Iterator
from dataclasses import dataclass

_DOI = r"(?:https?://(?:dx\.)?doi\.org/)?(?P<doi>10\.\d{4,9}/[^\s;|]+)"
_END = r"(?:\.?\s*\n\n[\s.]*|\.?\s*$)"
_JOURNAL = r"[^\n.;:?!]{2,150}?"
_PAGES = r"(?:,\s+(?:Pages?|pp?\.|Article)\s+[^\n,]{1,40}?)?"
_DATE = r"(?:,\s+(?P<date>[^\n,.]{0,30}\d{4}))?"

_DAY = r"(?:\d{1,2} [A-Z][a-z]+ \d{4}|[A-Z][a-z]+ \d{1,2}, \d{4}|\d{4}-\d\d-\d\d)"
_NATURE_DOI = (
    r"(?:doi:\s*(?:https?://doi\.org/)?|https?://(?:dx\.)?doi\.org/)"
    r"(?P<doi>10\.1038/[sd]\d{5}-\d{3}-\d{4,5}-[\dxyzw]|10\.\d{4,9}/[^\s;|]*[^\s;|.])"
)
_THEN = r"\s+(?=(?-i:[A-Z]))"  # the abstract goes on in the same line
_NATURE_END = rf"(?:[.;,]?[\s|]*{_NATURE_DOI}\.?\s*|[.;,]?{_THEN})"
_VOLUME = r"Vol(?:ume|\.)? [^\s,]+(?:, (?:Issue|No\.) [^\s,]+)?"
_YEAR = r"(?P<date>(?:[A-Z][a-z]+ )?\d{4})"
_GLUED_WORD = "(?=(?-i:[A-Z][a-z]))"
_FIRST_WORDS = "The|This|These|We|In|To|An?|Our|It|Here|For"
_ELSEVIER = r"Source:\s*[^\n]+?(?:\s+Author\(s\):\s*(?P<authors>[^\n]*))?"
_MDPI_AUTHORS = (
    rf"{_JOURNAL}\s+doi:\s*{_DOI}\s*\n\s*Authors:\s*(?P<authors>[^\n]+(?:\n(?!\n)[^\n]+)*)\s*"
)

_HEADS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # Elsevier (ScienceDirect); its authors are the last line before an abstract, if it has one
        rf"Publication date:\s*(?P<date>[^\n]{{4,60}}?)\s+{_ELSEVIER}{_END}",
        # Nature and its sister journals
        rf"(?:{_JOURNAL}[,;]? )?Published online:?\s*(?P<date>(?-i:{_DAY})){_NATURE_END}",
        # the American Physical Society, and others
        rf"Author(?:\(s\)|s)?:\s*(?P<authors>[^\n]+){_END}",
        # Taylor & Francis
        rf"Volume \S+, Issue \S+?{_DATE}{_PAGES}{_END}",
        # Wiley, SAGE, Annual Reviews, the Royal Society
        rf"{_JOURNAL}, (?:Early ?View|Ahead of Print|Accepted Article|Just Accepted){_END}",
        rf"{_JOURNAL}, Volume \S+?(?:, Issue \S+?)?{_PAGES}{_DATE}{_END}",
        # the same, and the abstract in the same line
        rf"{_JOURNAL}, {_VOLUME}{_PAGES}, {_YEAR}(?:, [\w-]+)?\.{_THEN}",
        # the American Chemical Society
        rf"(?-i:(?:(?:[A-Z&(]\S*|of|the|and|for|in|on|et|de|und)\s+){{1,12}})DOI:\s*{_DOI}{_END}",
        # MDPI
        rf"{_JOURNAL}, Vol\. \S+, Pages? [^\n:]{{1,20}}:[^\n]*\n\s*{_MDPI_AUTHORS}",
        # PubMed: the citation before the abstract
        rf"[^\n]{{5,200}};[^\n]{{2,120}}\bdoi:\s*{_DOI}{_END}",
        # PLOS
        r"by (?P<authors>(?:[^\W\d_][\w.'’-]*+,? ?)++)\n\n\s*",
        rf"(?:Graphical |Author )?(?:Abstract|Summary)(?:[.:]?\s*\n\s*|[:.]\s+|{_GLUED_WORD})",
        rf"(?-i:ABSTRACT|SUMMARY|(?:Abstract|Summary)(?= (?:{_FIRST_WORDS})\b)){_THEN}",
        rf"(?:Copyright )?(?:©|\(c\)) ?(?:19|20)\d\d [^.\n]{{2,80}}\.{_THEN}",
        r"(?:no abstract(?: is)?(?: available)?|abstract not available|n/a|null|none)\.?\s*$",
    )
)
_TAILS = {
    word: re.compile(pattern + r"\s*$", re.IGNORECASE)
    for word, pattern in {
        # the American Physical Society
        "published": r"\s*\[[^\[\]\n]{3,80}\]\s*Published\s+(?P<date>[^\n.]{8,40}\d{4})",
        "pmid:": r"(?:NO ABSTRACT\s*)?\s*PMID:\s*\d+(?:\s*\|\s*PMC:\s*\w+)?"
        rf"(?:\s*\|\s*DOI:\s*{_DOI})?",
        # not read as one of the paper's: it may be that of its data
        "doi:": r"(?<=[.!?])\s*\bdoi:\s*(?:https?://doi\.org/)?10\.\d{4,9}/[^\s;|]+",
        "©": r"(?<=[.!?])\s*(?:Copyright )?© ?(?:Copyright )?(?:19|20)\d\d\b[^\n]{0,150}",
        "rights reserved": r"(?<=[.!?])\s*(?:This article is protected by copyright\. )?"
        r"All rights reserved\.?",
        # WordPress
        "the post ": r"\s*\bThe post [^\n]{1,300} (?:first appeared|appeared first) on [^\n]{1,99}",
        # a button below the text; behind half a sentence it shows that the text was cut
        "\n\n": r"(?<=[.!?])\s*\n\n\W*"
        r"(?:read more|continue reading|(?:read )?full (?:text|article))\W*",
    }.items()
}
"""The patterns by a text that each of them needs: most abstracts have none of these."""

# HighWire's headings, whose line break was lost: "…in plants.nnResultsWe show"
_LOST_BREAK = re.compile(r"(?<=[.)!?])\s?nn(?=[A-Z][A-Za-z ]{3,25}[A-Z])")
_GLUED = re.compile(
    r"(^|\n)((?i:abstract|background|introduction|purpose|aims?|objectives?|motivation|importance"
    r"|(?:materials and )?methods?|methodology|design|setting|participants|findings|results"
    r"|interpretation|discussion|conclusions?|significance|funding|highlight|key message"
    r"|(?:one[- ]sentence |author )?summary))"
    r"(?:[:.]\s*|\n|(?<=[a-z])(?=[A-Z])|(?=[A-Z][a-z ]))"
)
_MANY = re.compile(r"\n{3,}")
_LONGEST_TAIL = 300  # characters
_MOST_PARTS = 4  # a citation, the authors, a heading


@dataclass(frozen=True, slots=True)
class Boilerplate:
    """What stood around an abstract: authors (fields), dates and DOIs as written; and the rest."""

    abstract: str
    authors: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    dois: tuple[str, ...] = ()


def split_boilerplate(text: str) -> Boilerplate:
    """An abstract without what its publisher put around it; empty lines part its paragraphs."""
    lines = (" ".join(line.split()) for line in text.split("\n"))
    text = _MANY.sub("\n\n", _LOST_BREAK.sub("\n\n", "\n".join(lines))).strip()
    found: list[re.Match[str]] = []
    for _ in range(_MOST_PARTS):
        match = next(_matches(text), None)
        if match is None:
            break
        found.append(match)
        text = f"{text[: match.start()]}{text[match.end() :]}".strip()

    def values(name: str) -> tuple[str, ...]:
        named = (match.groupdict().get(name) for match in found)
        return tuple(value.strip(" .") for value in named if value)

    return Boilerplate(apart_headings(text), values("authors"), values("date"), values("doi"))


def apart_headings(text: str) -> str:
    """The text with a colon behind the headings of its sections; that of the whole is left out."""
    return _GLUED.sub(_colon, text)


def _colon(heading: re.Match[str]) -> str:
    is_whole = heading[2].casefold() in {"abstract", "summary"}
    return heading[1] if is_whole else f"{heading[1]}{heading[2]}: "


def _matches(text: str) -> Iterator[re.Match[str]]:
    yield from (match for head in _HEADS if (match := head.match(text)))
    start = max(0, len(text) - _LONGEST_TAIL)
    end = text[start:].lower()
    tails = (tail for word, tail in _TAILS.items() if word in end)
    yield from (match for tail in tails if (match := tail.search(text, start)))
