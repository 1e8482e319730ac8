"""What templates may use: variables and their fields, read from the types that they are of."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import get_args, get_type_hints

from jinja2 import nodes

from newsletter.errors import TemplateError
from newsletter.letter.rendering import BLOCKS, ISSUE_LINKS, NOTES
from newsletter.letter.views import FILTERS, CorrectionView, PaperView
from newsletter.model import Publication

NOTE_MEANINGS: Mapping[str, str] = {
    "publication": "the newsletter",
    "theme": "the fonts, sizes and colors of the theme",
}
"""The variables of every email's templates, each with its meaning."""

ISSUE_MEANINGS: Mapping[str, str] = {
    **NOTE_MEANINGS,
    "because": "the reason for the papers of a section",
    "correction": "a withdrawn paper, or one with a new title",
    "day": "the date of the issue",
    "email": "the reader's address",
    "index": "how many papers each of the reader's topics has",
    "lead": "whether the paper is one of the first, which are larger",
    "links": "the reader's own links; each is empty without `url`",
    "missing": "the names of the sources that could not be read",
    "more": "how many papers follow",
    "n": "the number in a block that counts: 0, 1, or more",
    "name": "the reader's name; in a heading, the topic's",
    "names": "the first papers by name and how many more, for the subject",
    "number": "the paper's number, the last part of its “Like?” link",
    "paper": "the paper of a card, a row or the subject",
    "preheader": "the line beside the subject in an inbox",
    "summary": "the paper's abstract, as long as the reader wants it",
    "topic": "the topic of a heading; empty for other headings",
    "weekly": "whether the email is about a week; known in the subject and around the papers",
}
"""The variables of an issue's templates, each with its meaning; a block has those it needs."""

NOTE_VARIABLES = frozenset(NOTE_MEANINGS)
ISSUE_VARIABLES = frozenset(ISSUE_MEANINGS)

TYPES: Mapping[str, type] = {
    "correction": CorrectionView,
    "paper": PaperView,
    "publication": Publication,
}
"""The variables that have fields of their own, each with its type."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a variable, and the fields of the parts it is a list of, if they have any."""

    name: str
    parts: tuple[str, ...] = ()


def note_variables(kind: str) -> frozenset[str]:
    """The variables of a note's templates."""
    return NOTE_VARIABLES | set(NOTES[kind])


@dataclass(frozen=True, slots=True)
class Reference:
    """All that templates may use: variables with meaning and fields, blocks, filters."""

    variables: Mapping[str, tuple[str, tuple[Field, ...]]]
    notes: Mapping[str, tuple[str, ...]]
    blocks: tuple[str, ...]
    filters: tuple[str, ...]


def template_reference() -> Reference:
    """What the templates of an issue and of the short emails may use."""
    return Reference(
        variables={name: (words, fields_of(name)) for name, words in ISSUE_MEANINGS.items()},
        notes={kind: (*NOTE_MEANINGS, *NOTES[kind]) for kind in NOTES},
        blocks=tuple(sorted(BLOCKS)),
        filters=tuple(sorted(FILTERS)),
    )


@cache
def fields_of(variable: str) -> tuple[Field, ...]:
    """The fields that a variable has; none for a text, a number or a date."""
    if variable == "links":
        return tuple(map(Field, ISSUE_LINKS))
    if variable not in TYPES:
        return ()
    hints = get_type_hints(TYPES[variable])
    return tuple(
        Field(name, _names(next(iter(get_args(hints.get(name))), None)))
        for name in _names(TYPES[variable])
    )


def _names(kind: object) -> tuple[str, ...]:
    """The fields, properties and methods of a dataclass; nothing for another type."""
    if not (isinstance(kind, type) and is_dataclass(kind)):
        return ()
    own = (name for name in vars(kind) if not name.startswith("_"))
    return tuple(dict.fromkeys([*(each.name for each in fields(kind)), *own]))


def known_names() -> frozenset[str]:
    """Every name of a field, of whatever variable."""
    found = [field for variable in (*TYPES, "links") for field in fields_of(variable)]
    return frozenset(name for field in found for name in (field.name, *field.parts))


def did_you_mean(word: str, known: Iterable[str], form: str = "{}") -> str:
    """The end of a sentence about an unknown word: the closest known one, or a full stop."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {form.format(near[0])}?" if near else "."


def find_field_errors(tree: nodes.Template, name: str) -> Iterator[TemplateError]:
    """The fields that a template takes from a variable that has no such field.

    A variable that the template itself sets is left alone; so is a loop's, unless the loop goes
    over the parts of a field, such as ``paper.links``.
    """
    own = {node.name for node in tree.find_all(nodes.Name) if node.ctx != "load"}
    for variable in (*TYPES, "links"):
        if variable not in own:
            known = {field.name: field.parts for field in fields_of(variable)}
            yield from _unknown_fields(tree, variable, known, name)
            for loop in tree.find_all(nodes.For):
                parts = known.get(_field_taken(loop.iter, variable), ())
                if parts and isinstance(loop.target, nodes.Name):
                    yield from _unknown_fields(loop, loop.target.name, parts, name)


def _field_taken(node: nodes.Node, variable: str) -> str:
    """The field that an expression takes from a variable; empty if it is another expression."""
    taken = isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name)
    return node.attr if taken and node.node.name == variable else ""  # type: ignore[attr-defined]


def _unknown_fields(
    tree: nodes.Node, variable: str, known: Iterable[str], name: str
) -> Iterator[TemplateError]:
    for node in tree.find_all(nodes.Getattr):
        attribute = _field_taken(node, variable)
        if attribute and attribute not in known:
            hint = did_you_mean(attribute, known)
            problem = f"{variable} has no field '{attribute}'{hint}"
            yield TemplateError(problem, file=name, line=node.lineno)
