"""Words as meanings compare them: plain lower-case letters, without their endings."""

import re

from newsletter.text import spell_letters
from newsletter.text.kept import kept

_COMMON = """
a about above after again all am an and any anything are as at be because been before being below
between both but by can could did do does during each etc everything few for from further had has
have he her here him his how i if in into is it its itself me more most my no nor not of on or
other our out over own please same she should so some something such than that the their them then
there these they this those through to too under until up used very was we were what when where
which while who whom why will with would you your approach approaches based method methods new
paper papers present propose proposed results show studies study use using via work works
"""
COMMON = frozenset(_COMMON.split())
"""Words that say nothing about what a text is about."""

_WORD = re.compile(r"[a-z0-9]+")
_TOKEN = re.compile(r"[a-z0-9]+|[^\sa-z0-9]")
_ENDINGS = (
    ("ization", "ize"),
    ("ational", "ate"),
    ("ations", "ate"),
    ("ation", "ate"),
    ("ingly", ""),
    ("ings", ""),
    ("ing", ""),
    ("edly", ""),
    ("ed", ""),
    ("ers", "er"),
)
_MIN_STEM = 4  # letters that an ending leaves


def plain(text: str) -> str:
    """The text in lower-case ASCII: without accents, Greek letters by name, others left out."""
    return spell_letters(text).lower().encode("ascii", "ignore").decode()


def tokens(text: str) -> list[str]:
    """The words and signs of a :func:`plain` text."""
    return _TOKEN.findall(text)


def words(text: str) -> list[str]:
    """The words of a :func:`plain` text."""
    return _WORD.findall(text)


def stems(text: str) -> list[str]:
    """The stems of all words of a :func:`plain` text, in their order."""
    return [stem(word) for word in _WORD.findall(text)]


def telling_stems(text: str) -> tuple[str, ...]:
    """The stems of the words of a :func:`plain` text that are not common, each once."""
    return tuple(dict.fromkeys(stem(w) for w in _WORD.findall(text) if w not in COMMON))


@kept(32_768)
def stem(word: str) -> str:
    """The word without its ending: ``routing`` and ``routed`` become ``rout``.

    A light stemmer in the manner of Harman's S-stemmer (JASIS 42:7, 1991) with the commonest
    endings of verbs and nouns: it joins less than Porter's, and so takes fewer words for the same.
    """
    word = _singular(word)
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _MIN_STEM:
            word = word.removesuffix(ending) + instead
            break
    if len(word) > _MIN_STEM and word.endswith("e"):
        word = word[:-1]
    if len(word) > _MIN_STEM and word[-1] == word[-2] and word[-1] not in "lsz":
        word = word[:-1]
    return word


def _singular(word: str) -> str:
    if len(word) > _MIN_STEM and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > _MIN_STEM and word.endswith("sses"):
        return word[:-2]
    if len(word) >= _MIN_STEM and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word
