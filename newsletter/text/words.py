"""Words as filters compare them: letters without accents, the singular, hyphens like spaces.

A text becomes its words in their order, with one space before, between and after them, so that a
phrase occurs in it as a plain substring. Punctuation stays, as words of its own, and so ends a
phrase. Scripts that do not separate words (Chinese, Japanese, Korean with its particles, Thai,
Khmer, …) give a word for each character.
"""

# ruff: noqa: RUF001 - characters that look alike are the subject here

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache, partial
from itertools import islice

from newsletter.text.kept import kept
from newsletter.text.plurals import ENDING_IN_S, singular

MAX_PHRASES = 24  # spellings of one rule's phrase that are looked for
MAX_WORDS = 8  # of a phrase in other spellings; a longer one is a title
_WITHOUT_SPACES = re.compile(
    "[\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0edf\u0f40-\u0fbc\u1000-\u109f\u1100-\u11ff\u1780-\u17d3"
    "\u1950-\u19df\u1a20-\u1aad\u3005-\u3007\u3041-\u309f\u30a1-\u30ff\u3105-\u312f\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua980-\ua9df\uaa60-\uaa7f\uac00-\ud7a3\U00020000-\U0003ffff]"
)
_ACCENTS = re.compile(
    "[\u0300-\u036f\u0591-\u05c7\u0640\u064b-\u065f\u0670\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff"
    "\ufe20-\ufe2f]"
)
"""Marks without which a word is still the same; those of Indic scripts and kana are letters."""

_LETTER_NAMES = re.compile(
    r"LATIN (?P<case>SMALL|CAPITAL) (?:LETTER|LIGATURE) (?:DOTLESS )?(?P<letter>[A-Z]{1,2})\b"
)
_OTHER_NAMES = {"SHARP": "ss", "ETH": "d", "THORN": "th", "ENG": "n", "SCHWA": "e"}
_QUOTES = frozenset("„‟«»‹›「」『』“”〝〞〟＂")
_APOSTROPHES = frozenset("‘’‚‛ʼʹ′＇")
_GREEK_ALONE = re.compile("(?<![Ͱ-Ͽ])[Α-Ωα-ω](?![Ͱ-Ͽ])")

_MARKS = "".join(chr(c) for c in range(0x300, 0x1D00) if unicodedata.category(chr(c))[0] == "M")
_WORD = rf"[^\W_](?:[^\W_]|[{_MARKS}])*"
_PARTS = re.compile(rf"{_WORD}|[^\s\w'\"`-]|_")
_NAME_WORD = re.compile(_WORD)
_PIECE = re.compile(rf"{_WITHOUT_SPACES.pattern}|\.?[^\W_]+(?:\+\+|#|'s)?")
_HYPHENS = re.compile("--+")
_POSSESSIVE = re.compile(r"(?<=[^\W_])'s?(?![^\W_])", re.IGNORECASE)


class _Letters(dict[int, str]):
    """For each character how it is compared; worked out when a text first has it."""

    def __missing__(self, code: int) -> str:
        self[code] = folded = _fold_character(chr(code))
        return folded


def _fold_character(character: str) -> str:
    if character in _QUOTES:
        return '"'
    if character in _APOSTROPHES:
        return "'"
    category = unicodedata.category(character)
    if category == "Pd" or character in "−⁃‧":
        return "-"
    if category == "Cf" or character == "・":
        return ""
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", character))
    plain = "".join(map(_without_stroke, bare))
    return _WITHOUT_SPACES.sub(r" \g<0> ", unicodedata.normalize("NFC", plain))


def _without_stroke(character: str) -> str:
    """A Latin letter without stroke, hook or tail, by its Unicode name; a ligature's letters."""
    name = unicodedata.name(character, "")
    if character.isascii() or not name.startswith("LATIN "):
        return character
    word = name.removeprefix("LATIN SMALL LETTER ").removeprefix("LATIN CAPITAL LETTER ")
    found = _LETTER_NAMES.match(name)
    plain = _OTHER_NAMES.get(word.split()[0]) or (found["letter"].lower() if found else character)
    return plain.upper() if " CAPITAL " in name else plain


_LETTERS = _Letters()


def fold_letters(text: str) -> str:
    """The text without accents, strokes and ligatures, with plain hyphens and quotes.

    Case stays. Characters of scripts without spaces get a space on both sides.
    """
    if text.isascii():
        return text
    return unicodedata.normalize("NFKC", text).translate(_LETTERS)


@kept(4096)
def literal_text(text: str) -> str:
    """The text as a quoted rule compares it: every letter and sign, whatever case and accents.

    Several hyphens in a row are a dash, as in TeX, and compared as one.
    """
    plain = fold_letters(text).casefold().replace("^", "")  # R³ and R^3 are the same
    return _HYPHENS.sub("-", " ".join(plain.split()))


@kept(4096)
def word_text(text: str) -> str:
    """The text as words for comparing: `` chain of thought `` for ``Chains-of-Thought``."""
    text = spell_letters(text)
    tokens = text.replace(", ", " , ").replace(". ", " . ").split()  # fewer are different then
    return f" {' '.join(filter(None, map(_fold_token, tokens)))} "


def spell_letters(text: str) -> str:
    """The text as :func:`fold_letters` has it, and single Greek letters by their names."""
    return text if text.isascii() else _GREEK_ALONE.sub(_greek_name, fold_letters(text))


def _greek_name(letter: re.Match[str]) -> str:
    """The name of a Greek letter: ``alpha``."""
    name = unicodedata.name(letter[0]).split()
    return f" {name[-1].lower().replace('lamda', 'lambda')} "


@kept(32_768)
def _fold_token(token: str) -> str:
    """The words of what stands between two spaces; empty for a dash or a quote."""
    if token.isalpha():
        return singular(token)
    if "^" in token:  # M^3ViT is M³ViT
        token = token.replace("^", "")
    if "'" in token:
        token = _POSSESSIVE.sub("", token)
    parts = token.split("-")
    if not all(map(str.isalpha, parts)):
        parts = _PARTS.findall(token)
    return " ".join(map(singular, parts))


# -- rules ---------------------------------------------------------------------------------------


def _words(text: str, *, between: str = " ") -> tuple[str, ...]:
    return tuple(text.split(between))


_PREFIXES = _words(
    "anti auto bi bio co counter cross cyber de electro fine geo hyper inter intra macro mega meta"
    " micro mini mono multi nano neuro non omni photo poly post pre pseudo quasi re self semi socio"
    " spatio sub super trans tri ultra under uni"
)
_MIN_REST = 4  # letters after a prefix

_COMPOUNDS = {
    singular(closed.replace(" ", "")): tuple(map(singular, closed.split()))
    for closed in _words(
        "atac seq,back propagation,bench mark,block chain,chat bot,chip seq,class wise,"
        "common sense,cross entropy,crowd sourcing,data base,data set,decision making,"
        "deep fake,deep seek,depth wise,ego centric,element wise,feed forward,few shot,"
        "frame work,ground truth,hand crafted,hand writing,health care,hugging face,k fold,"
        "k means,k nn,key frame,key point,key word,knowledge base,layer wise,life cycle,"
        "light weight,long term,low rank,open source,over fitting,over parameterized,"
        "over smoothing,pair wise,point cloud,point wise,real time,real world,rna seq,"
        "scrna seq,speed up,stand alone,step wise,t sne,text book,time frame,time line,"
        "time point,time scale,time series,time stamp,time step,token wise,trade off,u net,"
        "view point,white box,wi fi,wild fire,word net,work flow,work load,x ray,zero shot",
        between=",",
    )
}
"""Words that people write as one or as two."""

_NEVER_FIRST = _words(
    "a an and as at be by can for from in is may no not of on or so the to we with"
)
_INITIAL = re.compile(r"(?<![^\W_])([A-Za-z])(\.?) (?=[a-z])")
_DIGITS_APART = re.compile(r"([a-z]{2,})(\d+[a-z]?)|(\d+)([a-z]+)")
_SHORT_IN_S = re.compile(r"(?<![^\W_])[a-z]{2,3}s(?![^\W_])")


@lru_cache(maxsize=4096)
def phrases(text: str) -> tuple[str, ...]:
    """What to look for in a :func:`word_text` to find a rule's phrase in any spelling.

    Two words are also looked for as one (``fine tuning``: ``finetuning``), and known compounds as
    two. A phrase that ends in ``*`` finds every word that begins like this.
    """
    if text.endswith("*") and text[-4:-1].isalnum() and (len(text) > 2 or not text.isascii()):  # noqa: PLR2004 - A* is a name
        return (word_text(text[:-1]).rstrip(),)
    spelled = dict.fromkeys(
        spelling
        for written in _readings(text)
        for spelling in islice(_spellings(tuple(word_text(written).split())), MAX_PHRASES)
    )
    return tuple(f" {' '.join(words)} " for words in spelled)


def _readings(text: str) -> Iterator[str]:
    """The text; and again for an initial (``E. coli``) and a short word that may be a plural."""
    if _SHORT_IN_S.search(text) is None:
        yield text
    else:
        for last in ("s", "S"):  # ``lms``
            yield _SHORT_IN_S.sub(partial(_as_acronym, last=last), text)
    if _INITIAL.search(text) is not None:
        yield _INITIAL.sub(lambda found: f"{found[1]}{'' if found[2] else '.'} ", text)


def _as_acronym(word: re.Match[str], *, last: str) -> str:
    """A short word in s as a plural (``LMs``) or as none (``LMS``), unless that is known."""
    return word[0] if word[0] in ENDING_IN_S else word[0][:-1].upper() + last


def _spellings(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The words as they are, with neighbours written as one, and with compounds written as two."""
    if not words or len(words) > MAX_WORDS:
        yield words
        return
    first, *rest = words
    for others in _spellings(words[1:]):
        yield (first, *others)
        if apart := _apart(first):
            yield (*apart, *others)
    if rest and _can_join(first, rest[0]):
        joined = singular(first + rest[0])
        yield from ((joined, *others) for others in _spellings(words[2:]))


def _can_join(first: str, second: str) -> bool:
    latin = first.isascii() and second.isascii()
    return latin and first.isalnum() and second.isalnum() and first not in _NEVER_FIRST


def _apart(word: str) -> tuple[str, ...]:
    """The words of a known compound, of a prefix and its word, of letters and digits; else none."""
    if word in _COMPOUNDS:
        return _COMPOUNDS[word]
    if digits := _DIGITS_APART.fullmatch(word):
        return tuple(filter(None, digits.groups()))
    for prefix in _PREFIXES:
        if word.startswith(prefix) and len(word) >= len(prefix) + _MIN_REST:
            return prefix, word.removeprefix(prefix)
    return ()


@kept(4096)
def find_written(text: str, wanted: tuple[str, ...]) -> str:
    """The first passage of a text that one of these phrases finds; empty if there is none."""
    words = [match.span() for match in _PIECE.finditer(text)]
    longest = 2 * max(phrase.count(" ") for phrase in wanted)
    beginnings = _beginnings(wanted)
    for place, (start, first_end) in enumerate(words):
        first, *_ = word_text(text[start:first_end]).split() or [""]
        if f" {first}" in beginnings or f" {first} ".startswith(wanted):
            for _, end in words[place : place + longest]:
                read = word_text(text[start:end])
                if any(read == p or (p[-1] != " " and read.startswith(p)) for p in wanted):
                    return text[start:end]
    return ""


@lru_cache(maxsize=1024)
def _beginnings(wanted: tuple[str, ...]) -> frozenset[str]:
    """How the first words of these phrases begin, each with a space before it."""
    words = (phrase[1:].partition(" ")[0] for phrase in wanted if phrase[:1] == " ")
    return frozenset(f" {word[:size]}" for word in words for size in range(len(word) + 1))


# -- authors -------------------------------------------------------------------------------------


@kept(16_384)
def name_text(name: str) -> str:
    """An author's name for comparing, once for each way to write it, with a line for each.

    ``Alpha, Ann B.`` is ``ann b alpha``, ``ann alpha``, ``a b alpha`` and ``a alpha``. A hyphen
    is a space or nothing, and so is an apostrophe.
    """
    plain = fold_letters(name).casefold()
    bare = plain.replace("'", "")
    written = [*_without_initials(_name_words(bare))]
    if "-" in bare:
        written += _without_initials(_name_words(bare.replace("-", "")))
    if bare != plain:
        written.append(_name_words(plain))
    initials = [
        [words[0][:1], *words[1:]] for words in written if len(words) > 1 and bare.isascii()
    ]
    return "\n".join(dict.fromkeys(f" {' '.join(words)} " for words in (*written, *initials)))


def _without_initials(words: list[str]) -> Iterator[list[str]]:
    """The words of a name; and again without initials between the first and the last."""
    yield words
    middle = [word for word in words[1:-1] if len(word) > 1 or not word.isascii()]
    if len(middle) < len(words) - 2:
        yield [words[0], *middle, words[-1]]


def _name_words(name: str) -> list[str]:
    """The words of a name in lower case, given names first."""
    family, comma, given = name.partition(",")
    return _NAME_WORD.findall(f"{given} {family}" if comma else family)


def name_phrases(text: str) -> tuple[str, ...]:
    """What to look for in a :func:`name_text`."""
    bare = fold_letters(text).casefold().replace("'", "")
    spelled = dict.fromkeys((bare, bare.replace("-", "")))
    return tuple(f" {' '.join(_name_words(name))} " for name in spelled)
