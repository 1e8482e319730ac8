"""Rules as readers write them: parsed into an expression, and evaluated over bitmasks.

The grammar, loosest first; words are case-insensitive, ``and``, ``or``, ``not`` reserved::

    or      = and ("or" and)*
    and     = operand ("and" operand)*
    operand = "not" operand | "(" or ")" | [prefix] phrase | wish
    prefix  = "title:" | "author:" | "org:" | "category:" | "keyword:"
    phrase  = '"' anything '"' | word+
    wish    = "about:" the rest of the line, as it is; in brackets, what is before the closing one

Curly, angle and corner quotes are quotes. A comma in an unquoted phrase separates alternatives;
a single one in an author's name comes after the family name, and in an organisation's it is its.
"""

# ruff: noqa: RUF001 - characters that look alike are the subject here

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import get_args

from newsletter.errors import FilterError
from newsletter.model import All, AnyOf, Expression, Field, Not, Rule, Term
from newsletter.text import clean

MAX_LENGTH = 4096  # characters of one rule, which leaves room for some 800 terms
MAX_DEPTH = 50  # brackets and negations within one another

_PREFIXES: Mapping[str, Field] = {field: field for field in get_args(Field) if field != "text"}
_ASCII = str.maketrans("“”„‟«»「」『』〝〞＂（）：", '"' * 13 + "():")
"""How signs that keyboards give for those of the grammar are read."""

COMMA = re.compile(r"[,、，](?!\d)")
"""What separates alternatives; a comma within a number does not."""

_RESERVED = frozenset({"and", "or", "not"})
_TOKEN = re.compile(
    r"\s*(?:(?P<bracket>[()])"
    r"|(?P<prefix>[A-Za-z]+):(?!//)\s*"
    r'|"(?P<quoted>[^"]*)(?P<close>"?)'
    r'|(?P<word>[^\s()"]+))'
)

_BRACKET = re.compile(r"[()]|\"[^\"]*\"")  # one in quotes is text


@lru_cache(maxsize=1_024)
def parse_rule(text: str) -> Rule:
    """The rule written in ``text``.

    Raises:
        FilterError: the text is not a rule; the error has the column of the problem.
    """
    if len(text) > MAX_LENGTH:
        problem = f"this filter has {len(text)} characters; {MAX_LENGTH} is the most"
        raise FilterError(
            f"{problem}. Shorten it, or split it in two", text=text[:60] + "…", column=0
        )
    return _Parser(clean(text)).parse()


def split_wishes(rule: str) -> tuple[str, dict[int, str]]:
    """A rule with crosses over what ``about:`` asks for, and these wishes by their columns.

    ``rule`` is the text of a rule that :func:`parse_rule` made.
    """
    conditions, wishes = rule, dict[int, str]()
    for prefix, token in pairwise(_Parser(rule).tokens):
        if token.kind == "wish":
            end = token.column + len(token.text)
            crossed = "x" * (end - prefix.column)
            conditions = f"{conditions[: prefix.column]}{crossed}{conditions[end:]}"
            wishes[token.column] = token.text
    return conditions, wishes


def read_signs(text: str) -> str:
    """The text with quotes, brackets and colons of every kind as ASCII; nothing moves."""
    return text.translate(_ASCII)


def split_list(phrase: str, field: Field) -> list[str]:
    """The alternatives that commas separate in an unquoted phrase; the phrase if it has none."""
    one_name = field in {"author", "org"} and len(COMMA.findall(phrase)) == 1
    if one_name:
        return [phrase]
    parts = [part.strip() for part in COMMA.split(phrase)]
    return [part for part in parts if any(map(str.isalnum, part))]


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


def evaluate(expression: Expression, occurrences: Mapping[Term, int], all_papers: int) -> int:
    """The papers for which an expression is true, as a bitmask.

    ``occurrences`` has, for each of its terms, the papers that the term occurs in.
    """
    match expression:
        case Term():
            return occurrences[expression]
        case Not(of=inner):
            return all_papers & ~evaluate(inner, occurrences, all_papers)
        case All(of=parts):
            papers = all_papers
            for part in parts:
                papers &= evaluate(part, occurrences, all_papers)
            return papers
        case _:
            papers = 0
            for part in expression.of:
                papers |= evaluate(part, occurrences, all_papers)
            return papers


@dataclass(frozen=True, slots=True)
class _Token:
    """``kind`` is a bracket, a reserved word, or one of prefix, wish, quoted, word and end."""

    kind: str
    text: str
    column: int


class _Parser:
    """Recursive descent over the tokens of one rule: a method for each line of the grammar."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [*self._tokenize(), _Token("end", "", len(text))]
        self.position = 0
        self.depth = 0

    def parse(self) -> Rule:
        if self.token.kind == "end":
            raise self.error("this filter is empty; write a word or a phrase", 0)
        expression = self.parse_or()
        if (token := self.token).kind != "end":
            hint = "write “and” or “or” between two things to look for"
            if token.kind == ")":
                hint = "no bracket is open; take it away or open one"
            elif token.kind == "not":
                hint = "write “and not”"
            raise self.error(f"did not expect “{token.text}” here; {hint}", token.column)
        return Rule(text=self.text, expression=expression)

    def parse_or(self) -> Expression:
        parts = [self.parse_and()]
        while self.accept("or"):
            parts.append(self.parse_and())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def parse_and(self) -> Expression:
        parts = [self.parse_operand()]
        while self.accept("and"):
            parts.append(self.parse_operand())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def parse_operand(self) -> Expression:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            last = self.tokens[-2]
            column = min(self.token.column, last.column)
            raise self.error(f"this nests deeper than {MAX_DEPTH} brackets", column)
        operand: Expression
        if self.accept("not"):
            operand = Not(self.parse_operand())
        elif opening := self.accept("("):
            operand = self.parse_or()
            if not self.accept(")"):
                raise self.error("this bracket is never closed; add “)”", opening.column)
        else:
            operand = self.parse_term()
        self.depth -= 1
        return operand

    def parse_term(self) -> Expression:
        prefix = self.accept("prefix")
        field = self.field(prefix) if prefix else "text"
        token = self.accept("wish") or self.accept("quoted") or self.accept("word")
        if token is None:
            raise self.missing_phrase(self.token, prefix)
        words = [token.text]
        while token.kind == "word" and (following := self.accept("word")):
            words.append(following.text)
        phrase = clean(" ".join(words))
        if not any(character.isalnum() for character in phrase):
            raise self.error(f"“{phrase}” has no letter or digit to look for", token.column)
        if token.kind == "wish":
            return Term(field, phrase)
        if token.kind == "quoted" or phrase.startswith("."):  # .NET is not the end of a sentence
            return Term(field, phrase, exact=True)
        terms = [Term(field, part) for part in split_list(phrase, field)]
        return terms[0] if len(terms) == 1 else AnyOf(tuple(terms))

    def field(self, prefix: _Token) -> Field:
        if prefix.text in _PREFIXES:
            return _PREFIXES[prefix.text]
        begun = [name for name in _PREFIXES if name.startswith(prefix.text)]
        near = begun or difflib.get_close_matches(prefix.text, _PREFIXES, 1, 0.5)
        known = ", ".join(f"{name}:" for name in _PREFIXES)
        hint = f"did you mean “{near[0]}:”?" if near else f"the prefixes are {known}."
        if prefix.text in {"abs", "abstract", "text"}:
            hint = "without a prefix, a rule looks into title and abstract."
        raise self.error(
            f"“{prefix.text}:” is not a prefix; {hint} To look for the text itself, quote it",
            prefix.column,
        )

    def missing_phrase(self, token: _Token, prefix: _Token | None) -> FilterError:
        if token.kind == "end":
            return self.error("a word or a phrase is missing at the end", token.column)
        hint = "; to look for it, put it in quotes" if token.kind in _RESERVED else ""
        if prefix and token.kind == "(":
            hint = f"; write “{prefix.text}:” within the brackets, before each phrase"
        return self.error(
            f"a word or a phrase is missing before “{token.text}”{hint}", token.column
        )

    @property
    def token(self) -> _Token:
        return self.tokens[self.position]

    def accept(self, kind: str) -> _Token | None:
        """Consume the next token if it is of this kind."""
        token = self.token
        if token.kind != kind:
            return None
        self.position += 1
        return token

    def error(self, problem: str, column: int) -> FilterError:
        return FilterError(problem, text=self.text, column=column)

    def _tokenize(self) -> Iterator[_Token]:
        at, text, depth = 0, read_signs(self.text), 0
        while (match := _TOKEN.match(text, at)) is not None:
            column = match.end() - len(match[0].lstrip())
            at = match.end()
            if match["bracket"]:
                depth += 1 if match["bracket"] == "(" else -1
                yield _Token(match["bracket"], match["bracket"], column)
            elif match["prefix"]:
                prefix = _Token("prefix", match["prefix"].lower(), column)
                yield prefix
                if prefix.text == "about" and at < len(text):
                    end = _end_of_wish(text, at, in_brackets=depth > 0)
                    yield _Token("wish", self.text[at:end], at)
                    at = end
            elif word := match["word"]:
                kind = word.lower() if word.lower() in _RESERVED else "word"
                yield _Token(kind, word, column)
            elif match["close"]:
                yield _Token("quoted", match["quoted"], column)
            else:
                raise self.error('this quote is never closed; add one more “"”', column)


def _end_of_wish(text: str, start: int, *, in_brackets: bool) -> int:
    """Where a wish ends that begins at ``start``: at the closing bracket, if it is in brackets."""
    depth = 1
    for sign in _BRACKET.finditer(text, start if in_brackets else len(text)):
        depth += {"(": 1, ")": -1}.get(sign[0], 0)
        if depth == 0:
            return sign.start()
    return len(text)
