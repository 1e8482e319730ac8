"""What papers are looked for by: terms, the rules made of them, and topics."""

from dataclasses import dataclass
from typing import Literal

from typing_extensions import override

Field = Literal["text", "title", "author", "org", "category", "keyword", "about"]
"""Where a term must occur; ``text`` is title and abstract. ``about`` asks for a meaning."""


@dataclass(frozen=True, slots=True)
class Term:
    """A word or phrase in one field of a paper, in any spelling; ``exact``: only as written."""

    field: Field
    text: str
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Not:
    """Matches if its expression does not."""

    of: "Expression"


@dataclass(frozen=True, slots=True)
class All:
    """Matches if all of its expressions do."""

    of: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Matches if one of its expressions does."""

    of: tuple["Expression", ...]


Expression = Term | Not | All | AnyOf
"""A parsed filter expression."""


@dataclass(frozen=True, slots=True)
class Rule:
    """An expression with its original text, which reasons quote."""

    text: str
    expression: Expression

    @override
    def __hash__(self) -> int:
        return hash(self.text)  # which is known; that of an expression takes a microsecond


@dataclass(frozen=True, slots=True)
class Topic:
    """A subject that papers are grouped by.

    With ``phrases``, other words for it, its meaning decides which papers belong to it, and what
    matches of ``any`` and ``categories`` speaks for them. Without, a paper belongs to it if any of
    ``any``, ``categories`` or ``about`` matches. What ``none`` matches never does.

    Readers who follow one of the names in ``formerly`` follow it. ``group`` is the heading that
    pages show it under, ``example`` the title of a paper that would belong to it.
    """

    name: str
    any: tuple[Rule, ...] = ()
    none: tuple[Rule, ...] = ()
    categories: tuple[str, ...] = ()
    about: str = ""
    formerly: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    group: str = ""
    example: str = ""
