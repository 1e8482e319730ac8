"""Advice on rules that are valid, but do not find what they ask for."""

import re
from collections.abc import Collection, Iterator
from dataclasses import replace

from newsletter.model import Advice, Field
from newsletter.papers.filters import (
    COMMA,
    iter_terms,
    parse_rule,
    read_signs,
    split_list,
    split_wishes,
)
from newsletter.ports import Matcher

_GIVEN_BY: dict[Field, tuple[str, str]] = {
    "category": ("categories", "arXiv and feeds with tags"),
    "keyword": ("keywords", "Hugging Face and PubMed"),
    "org": ("organisations", "Hugging Face"),
}
"""Fields that only some kinds of sources give: what they have, and who gives it."""

_QUOTED = re.compile(r'"[^"]*"')
_WORD = re.compile(r"[^\s()]+")
_PHRASE = re.compile(r"(?:(?!\b(?:and|or|not)\b)[^()])+", re.IGNORECASE)
_PREFIX = re.compile(r"\s*(?:([A-Za-z]+):)?\s*")
_STAR_IN_NAME = re.compile(r"[A-Za-z]\*\S*")  # A* search, C*-algebras
_BEGINNING = re.compile(r"[^\W_]{3,}\*")
_SIGN = re.compile(r"[-+!](?=\w{2})")
_CONNECTIVES = {"&": "and", "+": "and", "und": "and", "oder": "or", "nicht": "not", "ou": "or"}
_CONDITION = re.compile(r"\b(?:title|author|org|category|keyword):(?=\S)", re.IGNORECASE)
_OPERATORS = re.compile(r"\|\|?|&&|[^\W_]{2,}\|[^\W_]{2,}")


def advise(text: str, fields: Collection[str], matcher: Matcher | None = None) -> list[Advice]:
    """The advice on a rule that can be parsed; ``fields`` are those that the sources give.

    The ``matcher`` says what it makes of a wish in plain words; without one, nobody says.
    """
    rule = parse_rule(text)
    conditions, wishes = split_wishes(rule.text)
    unquoted = _QUOTED.sub(lambda quoted: "x" * len(quoted[0]), read_signs(conditions))
    given = {*fields, "text", "title", "author", "about"}
    dead = dict.fromkeys(t for t in iter_terms(rule.expression) if t.field not in given)
    return [
        *(advice for word in _WORD.finditer(unquoted) for advice in _on_word(word, unquoted)),
        *(advice for phrase in _PHRASE.finditer(unquoted) for advice in _on_list(phrase)),
        *(Advice(not_given(t.field, f"“{t.field}:{t.text}”"), 0, certain=False) for t in dead),
        *(advice for at, wish in wishes.items() for advice in _on_wish(wish, at, matcher)),
    ]


def _on_wish(wish: str, at: int, matcher: Matcher | None) -> Iterator[Advice]:
    """The advice on what ``about:`` asks for, which begins at a place of its rule."""
    if problem := matcher and matcher.misunderstood(wish):
        yield replace(problem, column=at + problem.column)
    if prefix := find_condition(wish):
        yield Advice(
            f"“about:” takes the rest of its line, so “{prefix[0]}” is plain words here; put it "
            f"first, “{prefix[0].lower()}… and about: …”, or in a rule of its own",
            at + prefix.start(),
            certain=False,
        )


def find_condition(wish: str) -> re.Match[str] | None:
    """Where a wish has a prefix of the rules, ``author:``, which is plain words there."""
    return _CONDITION.search(wish)


def not_given(field: Field, what: str) -> str:
    """The advice on what looks for a field that no source gives."""
    have, who = _GIVEN_BY[field]
    return (
        f"no source of this newsletter gives {have}, so {what} finds nothing; look for words "
        f"instead, or add a source that gives them ({who})"
    )


def _on_word(found: re.Match[str], text: str) -> Iterator[Advice]:
    at = found.start() + _PREFIX.match(found[0]).end()  # type: ignore[union-attr]
    word = text[at : found.end()].rstrip(",")
    if "*" in word and not _STAR_IN_NAME.fullmatch(word):
        yield _on_star(word, at, text[found.end() :])
    elif sign := _SIGN.match(word):
        joined = "and " if text[:at].strip() and not text[:at].rstrip().endswith("(") else ""
        instead = f"{joined}{'' if sign[0] == '+' else 'not '}{word[1:]}"
        yield Advice(f"“{sign[0]}” has no meaning here; write “{instead}”", at)
    elif _OPERATORS.fullmatch(word):
        yield Advice(f"“{word}” is no connective; write “and” or “or” between the two", at)
    elif word.endswith((";", "\uff1b")) and text[found.end() :].strip():
        yield Advice("“;” separates nothing here; write “or”", at + len(word) - 1)
    elif (meant := _CONNECTIVES.get(word.lower())) and text != word:
        problem = f"“{word}” is looked for as it stands; to connect, write “{meant}”"
        yield Advice(problem, at, certain=False)


def _on_star(word: str, at: int, rest: str) -> Advice:
    if _BEGINNING.fullmatch(word) and not _PHRASE.match(rest.strip(" ,") or ")"):
        problem = (
            f"“{word}” finds every word that begins like this. For the word and its plural, write"
        )
        return Advice(f"{problem} “{word[:-1]}”", at + len(word) - 1, certain=False)
    whole = word.replace("*", "") or "the words"
    problem = "“*” stands for other letters only at the end of a phrase; here it finds nothing"
    remedy = f"write whole words, such as “{whole}”; their plurals are found too"
    return Advice(f"{problem}: {remedy}", at + word.index("*"))


def _on_list(found: re.Match[str]) -> Iterator[Advice]:
    prefix = _PREFIX.match(found[0])
    assert prefix is not None  # it matches nothing too
    name = prefix[1].lower() if prefix[1] else ""
    field: Field = name or "text"  # type: ignore[assignment]
    parts = split_list(found[0][prefix.end() :].strip(), field)
    comma = COMMA.search(found[0])
    if comma and len(parts) > 1:
        listed = " or ".join(f"{name}:{part}" if name else part for part in parts)
        problem = f"a comma is read as “or”; write “{listed}”, or each in a rule of its own"
        yield Advice(problem, found.start() + comma.start(), certain=False)
