"""Why a wish finds a paper, in words: the part that it finds it by, and where the paper has it."""

import re
from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from newsletter.meaning.papers import PaperSignals, PaperText
from newsletter.meaning.scoring import MEANING, TITLE, WORDS, PreparedPart
from newsletter.meaning.stems import COMMON, plain, stem, words
from newsletter.meaning.table import VectorTable
from newsletter.text import shorten

MAX_NAME = 40  # characters of a part that are named: a card has one line for the reason
MAX_WORDS = 3  # of a part that are named if the paper has not all of them


def strongest_part(
    signals: PaperSignals, parts: tuple[PreparedPart, ...], index: int
) -> PreparedPart:
    """The part of a wish that says most for a paper; the first one if several say as much."""
    if len(parts) == 1:
        return parts[0]
    return max(parts, key=lambda part: _odds(signals, part, index))


def _odds(signals: PaperSignals, part: PreparedPart, index: int) -> float:
    """The log odds that :func:`~newsletter.meaning.scoring.part_odds` has for one paper."""
    product = float(np.dot(part.vector.steps, signals.steps[index]))
    scale = part.vector.scale * float(signals.scales[index])
    close = (product * scale - part.mean) / part.deviation if scale else 0.0
    found = (signals.find(each, index) for each in part.stems)
    weighted = zip(part.shares.tolist(), found, strict=True)
    odds = MEANING * close
    for share, (anywhere, in_title) in weighted:
        odds += share * (WORDS * anywhere + TITLE * in_title)
    return odds


def describe(table: VectorTable, signals: PaperSignals, part: PreparedPart, index: int) -> str:
    """Where a paper has what a part of a wish asks for: ``“KV cache”: in the title``."""
    name = shorten(part.text, MAX_NAME)
    found = {each: signals.find(each, index) for each in part.stems}
    if found and all(in_title == 1 for _, in_title in found.values()):
        return f"“{name}”: in the title"
    if says := _other_form(table, part, signals.texts[index]):
        return f"“{name}”: the paper says “{says}”"
    present = [word for word in _words_of(part) if found[stem(word)][0]]
    if not present:
        return f"close to “{name}”, none of its words"
    if all(anywhere for anywhere, _ in found.values()):
        in_title = any(title for _, title in found.values())
        return f"“{name}”: in the {'title and abstract' if in_title else 'abstract'}"
    named = ", ".join(f"“{word}”" for word in present[:MAX_WORDS])
    return f"close to “{name}”, has {named}"


def _words_of(part: PreparedPart) -> Iterator[str]:
    """The words of a part that are compared, each once."""
    for word in dict.fromkeys(words(plain(part.text))):
        if word not in COMMON and stem(word) in part.stems:
            yield word


def _other_form(table: VectorTable, part: PreparedPart, paper: PaperText) -> str:
    """The acronym or the words that a paper has where the part has the other form, if it has."""
    text = f"{paper.title}\n{paper.abstract}"
    for own, other in _forms(table, part.text, part.stems):
        if (says := _written(other, text)) and not _written(own, text):
            return says
    return ""


@lru_cache(maxsize=1024)
def _forms(table: VectorTable, text: str, stems: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The acronyms or their words that a part of a wish has, each with its other form."""
    asked = plain(text)
    pairs = (
        pair for short, long in table.acronyms_of(stems) for pair in ((short, long), (long, short))
    )
    return tuple(
        (own, other) for own, other in pairs if _written(own, asked) and not _written(other, asked)
    )


def _written(phrase: str, text: str) -> str:
    """How a text writes a phrase, hyphens and the plural apart; empty if it has it nowhere."""
    written, low = phrase.split(), text.lower()
    if not all(word.lower() in low for word in written):  # compiling a pattern takes far longer
        return ""
    pattern = r"[\s-]+".join(map(re.escape, written))
    found = re.search(rf"(?<![^\W_]){pattern}s?(?![^\W_])", text, re.IGNORECASE)
    return found[0] if found else ""
