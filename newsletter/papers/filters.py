"""What a reader wants, parsed into a value and matched as arithmetic.

The grammar, loosest first; words are case-insensitive, ``and``, ``or``, ``not`` reserved::

    either  = both ("or" both)*
    both    = one ("and" one)*
    one     = "not" one | "(" either ")" | [prefix] phrase
    prefix  = "title:" | "author:" | "org:" | "category:" | "about:"
    phrase  = '"' anything '"' | word+
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from newsletter.errors import FilterError
from newsletter.model import All, AnyOf, Expression, Field, Not, Rule, Term
from newsletter.text import clean, folded

MAX_LENGTH = 4096
"""Characters of one filter, which leaves room for some 800 terms."""

MAX_DEPTH = 50
"""Brackets and negations within one another."""

_PREFIXES: Mapping[str, Field] = {
    "title": "title",
    "author": "author",
    "org": "org",
    "category": "category",
    "about": "about",
}
_RESERVED = frozenset({"and", "or", "not"})
_TOKEN = re.compile(
    r"\s*(?:(?P<bracket>[()])"
    r"|(?P<prefix>[A-Za-z]+):(?!//)\s*"
    r'|"(?P<quoted>[^"]*)(?P<close>"?)'
    r'|(?P<word>[^\s()"]+))'
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


@lru_cache(maxsize=1_024)
def parse_rule(text: str) -> Rule:
    """The rule written in ``text``.

    Raises:
        FilterError: what is wrong, with the column it is at.
    """
    if len(text) > MAX_LENGTH:
        raise FilterError(
            f"this filter has {len(text)} characters; {MAX_LENGTH} is the most. Split it in two",
            text=text[:60] + "…",
            column=0,
        )
    return _Parser(clean(text)).rule()


def iter_terms(expression: Expression) -> Iterator[Term]:
    """Every term of an expression, from left to right."""
    match expression:
        case Term():
            yield expression
        case Not(of=inner):
            yield from iter_terms(inner)
        case _:
            for part in expression.of:
                yield from iter_terms(part)


def evaluate(expression: Expression, occurs: Mapping[Term, int], everything: int) -> int:
    """The papers an expression is true of, as a bitmask.

    Args:
        expression: a parsed filter.
        occurs: for each of its terms, the papers it occurs in.
        everything: the mask of all papers, which ``not`` is taken against.
    """
    match expression:
        case Term():
            return occurs[expression]
        case Not(of=inner):
            return everything & ~evaluate(inner, occurs, everything)
        case All(of=parts):
            found = everything
            for part in parts:
                found &= evaluate(part, occurs, everything)
            return found
        case _:
            found = 0
            for part in expression.of:
                found |= evaluate(part, occurs, everything)
            return found


class _Parser:
    """Recursive descent over the tokens of one filter."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(self._scan())
        self.place = 0
        self.depth = 0

    def rule(self) -> Rule:
        if not self.tokens:
            raise self.wrong("this filter is empty; write a word or a phrase", 0)
        expression = self.either()
        if (token := self.peek()) is not None:
            raise self.wrong(f"did not expect “{token.text}” here; {_remedy(token)}", token.at)
        return Rule(text=self.text, expression=expression)

    def either(self) -> Expression:
        parts = [self.both()]
        while self.takes("or"):
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def both(self) -> Expression:
        parts = [self.one()]
        while self.takes("and"):
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def one(self) -> Expression:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            at = self.tokens[min(self.place, len(self.tokens) - 1)].at
            raise self.wrong(f"this nests deeper than {MAX_DEPTH} brackets", at)
        found = self.negated_or_grouped()
        self.depth -= 1
        return found

    def negated_or_grouped(self) -> Expression:
        if self.takes("not"):
            return Not(self.one())
        token = self.peek()
        if token is not None and token.kind == "(":
            self.place += 1
            inner = self.either()
            if (closing := self.peek()) is None or closing.kind != ")":
                raise self.wrong("this bracket is never closed; add “)”", token.at)
            self.place += 1
            return inner
        return self.term()

    def term(self) -> Term:
        field: Field = "text"
        token = self.peek()
        if token is not None and token.kind == "prefix":
            field = self.field(token)
            self.place += 1
        return self.phrase(field)

    def field(self, token: _Token) -> Field:
        if token.text in _PREFIXES:
            return _PREFIXES[token.text]
        near = difflib.get_close_matches(token.text, _PREFIXES, 1, 0.5)
        known = ", ".join(f"{prefix}:" for prefix in _PREFIXES)
        hint = f"did you mean “{near[0]}:”?" if near else f"the prefixes are {known}."
        raise self.wrong(
            f"“{token.text}:” is no prefix; {hint} To look for the text itself, put it in quotes",
            token.at,
        )

    def phrase(self, field: Field) -> Term:
        token = self.peek()
        if token is None or token.kind not in {"word", "quoted"}:
            raise self._missing(token)
        words = [token.text]
        self.place += 1
        if token.kind == "word":
            while (after := self.peek()) is not None and after.kind == "word":
                words.append(after.text)
                self.place += 1
        return self.named(field, " ".join(words), token)

    def _missing(self, token: _Token | None) -> FilterError:
        if token is None:
            return self.wrong("a word or a phrase is missing at the end", len(self.text))
        hint = "; to look for it, put it in quotes" if token.kind in _RESERVED else ""
        return self.wrong(f"a word or a phrase is missing before “{token.text}”{hint}", token.at)

    def named(self, field: Field, words: str, token: _Token) -> Term:
        text = clean(folded(words))
        if not any(character.isalnum() for character in text):
            raise self.wrong(f"“{words}” has no letter or digit to look for", token.at)
        return Term(field, text)

    def peek(self) -> _Token | None:
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def takes(self, word: str) -> bool:
        token = self.peek()
        if token is None or token.kind != word:
            return False
        self.place += 1
        return True

    def wrong(self, problem: str, at: int) -> FilterError:
        return FilterError(problem, text=self.text, column=at)

    def _scan(self) -> Iterator[_Token]:
        at = 0
        while (match := _TOKEN.match(self.text, at)) is not None:
            start = match.end() - len(match[0].lstrip())
            at = match.end()
            if match["bracket"]:
                yield _Token(match["bracket"], match["bracket"], start)
            elif match["prefix"]:
                yield _Token("prefix", match["prefix"].lower(), start)
            elif match["word"]:
                yield _word(match["word"], start)
            else:
                yield self._quoted(match, start)

    def _quoted(self, match: re.Match[str], start: int) -> _Token:
        if not match["close"]:
            raise self.wrong('this quote is never closed; add one more “"”', start)
        return _Token("quoted", match["quoted"], start)


def _remedy(token: _Token) -> str:
    if token.kind == ")":
        return "no bracket is open; take it away or open one"
    return "write “and” or “or” between two things to look for"


def _word(word: str, start: int) -> _Token:
    lowered = word.lower()
    return _Token(lowered if lowered in _RESERVED else "word", word, start)
