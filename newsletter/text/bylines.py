"""Reads bylines: who wrote a paper, from one field or several, in every form that feeds have.

A field may hold one name (``Alpha, Ann``) or all: ``Alpha, Ann; Beta, B.``, ``Ann Alpha, Ben Beta
and Cy Gamma``, ``Alpha, A., Beta, B. C., The Invented Consortium``. A name with a comma is turned
(``Ann Alpha``) only if the form of the field shows that it is one: it is worse to take two authors
for one person than to leave a name as it is.
"""

# ruff: noqa: RUF001 - characters that look alike are the subject here

import re
from collections.abc import Iterable, Iterator, Sequence

from newsletter.text.markup import strip_markup

_NOTE_ELEMENT = re.compile(r"<sup\b[^<>]*>[^<>]{0,40}</sup\s*>", re.IGNORECASE)
_AT = r"(?:mailto:)?[^\s@()<>\[\],;:\"]{1,64}@[^\s@()<>\[\],;]{1,100}\.[^\W\d_]{2,20}"
_ADDRESS_AND_NAME = re.compile(rf"{_AT}\s*\(([^()@]+)\)")
_ADDRESS = re.compile(rf"[<(\[]?\s*{_AT}\s*[>)\]]?|\(?https?://[^\s,;()]+\)?")
_BRACKETED = r"(?:\((?:[^()]|\([^()]*\))*+\)|\[[^\[\]]*\])"
_IN_BRACKETS = re.compile(rf"\s*{_BRACKETED}\s*(?={_BRACKETED}|$|[,;|·•\n&]|and\b)")
_ALL_IN_BRACKETS = re.compile(r"[\[(]([^\[\]()]+)[\])]")
_LABEL = re.compile(r"^(?:by\s|(?:by|authors?|author\(s\))\s*:)\s*", re.IGNORECASE)
_OTHERS = re.compile(r"[,;]?\s*\b(?:et\.?\s+al\b\.?|and (?:\d+ )?(?:others|more)$).*", re.DOTALL)
_STRONG = re.compile(r"\s*[;；、|·•]\s*|\s/\s")
_COMMA = re.compile(r"\s*[,，،]\s*")
_AND = re.compile(r"(?:^|\s|(?<=,))(?:and|AND|und|et|&)\s+")
_BEHALF = re.compile(r"^(?:on behalf of|for(?= the ))\s+", re.IGNORECASE)

_MARKS = re.compile(r"^[\s*†‡§¶#∗…]+|[\s*†‡§¶#∗⁰¹²³⁴⁵⁶⁷⁸⁹]+$")
_NOTE_NUMBER = re.compile(r"(?<= .)(\S*[^\W\d_]) ?\d{1,2}$")
_IDEOGRAPH = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_MARKS_ONLY = re.compile(r"[\W\d]*")
_TITLE = re.compile(r"(?:(?:Prof|Dr)\.?\s+)+(?=\S+\s)")
_SUFFIX = re.compile(r"[JS]n?r\.?|I{2,3}|IV")
_DEGREE = re.compile(
    r"(?:Ph\.?\s?D|D\.?\s?Phil|[MB]\.?\s?Sc|MPH|MBA|MBBS|FRCP|FACS|FRS|PharmD|DVM|DDS|RN|MD|M\.D)\.?"
)
_LAST_DEGREES = re.compile(rf"(?<=\S)(?:\s+{_DEGREE.pattern})+$")
_GROUPS = (
    r"\b(?:consorti(?:um|a)|collaborations?|groups?|teams?|networks?|stud(?:y|ies)|initiative"
    r"|project|investigators|committee|society|association|alliance|program(?:me)?|task force"
    r"|members|trial|foundation|registry|partnership|cohort)\b"
)
_GROUP = re.compile(_GROUPS, re.IGNORECASE)
_FOR_A_GROUP = re.compile(
    rf"(?<=\S),?\s+(?:on behalf of|for(?= the [^,;]*{_GROUPS}\s*(?:$|[,;])))\s+", re.IGNORECASE
)
_PLACE = re.compile(
    r"\b(?:Universi\w+|Institut\w*|Departments?|Dept|College|School|Laborator\w+|Inc|Ltd|GmbH"
    r"|Hospital|Academy|Cent(?:er|re)|Faculty)\b"
)
_INITIALS = re.compile(r"(?:[^\W\d_a-zà-ÿ][a-zà-ÿ]?\.[ -]?)+|(?:[^\W\d_a-zà-ÿ][ -]?){1,3}")
_PARTICLE = re.compile(
    r"v[ao]n|de[nlr]?|della|d[aiou]|dos|l[ae]|te[rn]|zu[rm]?|bin|ibn|[ae]l|a[fv]|st\.?|[ye]"
)
"""In small letters only: ``Bin Lei`` has none."""

_TIE = "\u00a0"
"""Between a name and its "Jr." while names are told apart."""

_PAIR = 2
_LONGEST_GROUP = 300  # characters of a name that are looked at: a field may be one long line


def byline(fields: Iterable[str]) -> tuple[str, ...]:
    """The people and groups in a paper's author fields in their order, first names first."""
    tidy = tuple(filter(None, map(_tidy, fields)))
    alone = len(set(tidy)) == 1
    named = [tuple(_names_in(field, alone=alone)) for field in tidy]
    names = tuple(name for some in named for name in some)
    half = len(names) // 2  # some feeds say all again in another element
    if len(tidy) > 1 and names[:half] == names[half:]:
        return names[:half]
    first = named[0] if named else ()  # or only the first one
    rest = names[len(first) :]
    return rest if rest[: len(first)] == first and len(tidy) > _PAIR else names


def _tidy(field: str) -> str:
    """A field without markup, addresses and affiliations; its lines are kept if it is a list."""
    lines = _NOTE_ELEMENT.sub("", field).strip().splitlines()
    text = _lines_of_names([line for line in map(strip_markup, lines) if line])
    text = _ADDRESS.sub(" ", _ADDRESS_AND_NAME.sub(r"\1", text))
    text = _OTHERS.sub("", _LABEL.sub("", text.strip(), count=1))
    if bracketed := _ALL_IN_BRACKETS.fullmatch(text):
        text = bracketed[1]
    text = _FOR_A_GROUP.sub(", ", text)
    return _IN_BRACKETS.sub(" ", _IN_BRACKETS.sub(" ", text)).strip(' ,;|·•&"')


def _lines_of_names(lines: Sequence[str]) -> str:
    """The lines as one: names of their own, or a list that was wrapped."""
    bare = [line.strip(" ,;") for line in lines]
    commas = {len(_COMMA.findall(line)) for line in bare}
    each_a_name = commas in ({0}, {1}) and any(" " in line for line in bare)
    return "; ".join(bare) if each_a_name else " ".join(lines)


def _names_in(field: str, *, alone: bool) -> Iterator[str]:
    parts = [part for part in _STRONG.split(field) if part]
    people = [tokens for part in parts for each in _split_at_and(part) if (tokens := _tokens(each))]
    found: Iterable[str]
    if len(people) > 1 and _are_turned(people, surely=len(parts) > 1):
        found = (_turned(*tokens) for tokens in people)
    elif len(parts) > 1:
        found = (name for tokens in people for name in _names(tokens, alone=False))
    else:
        found = _names([token for tokens in people for token in tokens], alone=alone)
    yield from filter(None, map(_finished, found))


def _are_turned(people: Sequence[Sequence[str]], *, surely: bool) -> bool:
    """Whether each author between "and" or semicolons has its last name first, or no comma.

    ``surely``: semicolons part the authors, so that a comma in all of them turns their names.
    """
    with_comma = [tokens for tokens in people if len(tokens) > 1]
    if any(len(tokens) > _PAIR for tokens in with_comma):
        return False
    if surely and len(with_comma) == len(people):
        return True
    return all(_is_last_name(last) and _is_first_name(first) for last, first in with_comma)


def _split_at_and(text: str) -> list[str]:
    """The text parted at each "and" that stands between authors, not within a group's name."""
    first, *others = _AND.split(text)
    parts = [first]
    for right in others:
        left = parts[-1].rpartition(",")[2].strip()[:_LONGEST_GROUP]
        if _is_half_a_group(left, right.partition(",")[0]):
            parts[-1] = f"{parts[-1]} and {right}"
        else:
            parts.append(right)
    return parts


def _is_half_a_group(left: str, right: str) -> bool:
    """Whether "and" joins these to one name: ``The Health and Safety Consortium``."""
    if _GROUP.search(left):
        return False
    if _PLACE.search(left) or left.startswith(("the ", "The ")):
        return True
    in_one_word = left != "" and " " not in left
    return in_one_word and not right.startswith(("the ", "The ")) and bool(_GROUP.search(right))


def _tokens(part: str) -> list[str]:
    """What stands between commas, without degrees, places and marks; "Jr." is tied to its name."""
    tokens: list[str] = []
    for token in _COMMA.split(part.strip(" ,")):
        before = tokens[-1] if tokens else ""
        if before and _SUFFIX.fullmatch(token):
            tokens[-1] = f"{before}{_TIE}{token}"
        elif not _MARKS_ONLY.fullmatch(token) and not (before and _is_no_name(token, before)):
            name = _MARKS.sub("", token)
            tokens.append(name if _GROUP.search(name) else _NOTE_NUMBER.sub(r"\1", name))
    return tokens


def _is_no_name(token: str, before: str) -> bool:
    """Whether it is a degree, or a place of work behind a name."""
    if _DEGREE.fullmatch(token):
        return " " in before or token not in {"MD", "RN", "M.D."}  # "Alpha, MD" is a whole name
    return bool(_PLACE.search(token)) and " " in before and not _GROUP.search(token)


def _names(tokens: Sequence[str], *, alone: bool) -> list[str]:
    """The names in a list with commas, whichever form it has. ``alone``: in no other field."""
    end = len(tokens)
    while end and _GROUP.search(tokens[end - 1]):
        end -= 1
    people, groups = tokens[:end], tokens[end:]
    lasts, firsts = people[::2], people[1::2]
    if (
        len(lasts) == len(firsts)
        and all(map(_is_last_name, lasts))
        and not any(first[0].islower() for first in firsts)
    ):
        return [*map(_turned, lasts, firsts), *groups]
    if len(people) == _PAIR and not alone and _is_first_name(people[1]) and _may_be_last(people[0]):
        return [_turned(*people), *groups]  # "García Márquez, Gabriel" beside other fields
    if len(people) > _PAIR and [" " in name for name in people] == [
        False,
        False,
        *[True] * (end - 2),
    ]:
        return [_turned(*people[:2]), *people[2:], *groups]  # "Alpha, Ann, Ben Beta, and Cy Gamma"
    return [*_with_initials(people), *groups]


def _with_initials(tokens: Sequence[str]) -> Iterator[str]:
    """The names of a list in which some are a last name and initials."""
    at = 0
    while at < len(tokens):
        last, first = tokens[at], tokens[at + 1] if at + 1 < len(tokens) else ""
        # "Ann Alpha, AJ" may be two people; "Garcia Marquez, G." is one.
        if _INITIALS.fullmatch(first.partition(_TIE)[0]) and ("." in first or _is_last_name(last)):
            yield _turned(last, first)
            at += 2
        else:
            yield last
            at += 1


def _is_last_name(token: str) -> bool:
    """Whether it is one word, perhaps behind particles (``van der Berg``), and no initials."""
    *before, last = token.partition(_TIE)[0].split(" ")
    is_plain = "." not in last and not _IDEOGRAPH.search(last)
    return is_plain and all(map(_PARTICLE.fullmatch, before))


def _may_be_last(token: str) -> bool:
    """Whether it does not end in initials, as ``Alpha AB`` does."""
    return not _INITIALS.fullmatch(token.partition(_TIE)[0].rpartition(" ")[2])


def _is_first_name(token: str) -> bool:
    """Whether it is one word, perhaps with initials: ``Ann``, ``A. B.``, ``Ann B.``."""
    words = token.partition(_TIE)[0].split(" ")
    return sum(not _INITIALS.fullmatch(word) for word in words) <= 1


def _turned(last: str, first: str = "") -> str:
    """A name with its first name first, and its "Jr." last."""
    name, _, of_last = last.partition(_TIE)
    given, _, of_first = first.partition(_TIE)
    return " ".join(filter(None, (given, name, of_last or of_first)))


def _finished(name: str) -> str:
    """A name without titles, degrees and "on behalf of"; empty if nothing is left."""
    name = _TITLE.sub("", _BEHALF.sub("", name.replace(_TIE, " "), count=1).strip(' "'))
    bare = _LAST_DEGREES.sub("", name)
    return bare if " " in bare else name
