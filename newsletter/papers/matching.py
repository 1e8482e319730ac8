"""Matching by rules: whole words and phrases, found for all terms in one pass over a text.

One Aho-Corasick automaton (Aho & Corasick, CACM 18:6, 1975) a field holds every term, so the
cost of a paper does not grow with the number of filters.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

import ahocorasick

from newsletter.model import Field, Item, Term
from newsletter.text import display, folded

_WORD = re.compile(r"\w(?:[\w.+#-]*[\w+#])?")


class RulesMatcher:
    """A :class:`newsletter.ports.Matcher` over words as they are written."""

    def masks(self, items: Sequence[Item], terms: Collection[Term]) -> Mapping[Term, int]:
        """For each term the items it occurs in, as a bitmask: bit *i* stands for ``items[i]``."""
        found = dict.fromkeys(terms, 0)
        automata = _automata(terms)
        for place, item in enumerate(items):
            for term in _occurring(item, automata):
                found[term] |= 1 << place
        return found


def _automata(terms: Collection[Term]) -> Mapping[Field, ahocorasick.Automaton]:
    """For each field an automaton over the words of its terms; values are the terms by words."""
    by_field: dict[Field, dict[str, list[Term]]] = {}
    for term in terms:
        for words in _needles(term):
            by_field.setdefault(term.field, {}).setdefault(words, []).append(term)
    return {field: _automaton(needles) for field, needles in by_field.items()}


def _needles(term: Term) -> Sequence[str]:
    """What is looked for: the phrase, or, where meaning is asked for, each of its words."""
    return _WORD.findall(folded(term.text)) if term.field == "about" else (folded(term.text),)


def _automaton(needles: Mapping[str, list[Term]]) -> ahocorasick.Automaton:
    automaton = ahocorasick.Automaton()
    for words, terms in needles.items():
        automaton.add_word(words, (words, terms))
    automaton.make_automaton()
    return automaton


def _occurring(item: Item, automata: Mapping[Field, ahocorasick.Automaton]) -> Iterator[Term]:
    """The terms that occur in an item, each once."""
    for field, automaton in automata.items():
        if field == "category":
            yield from _categorised(item, automaton)
        elif field == "about":
            yield from _about(item, automaton)
        else:
            seen = {term: None for _, terms in _words(item, field, automaton) for term in terms}
            yield from seen


def _about(item: Item, automaton: ahocorasick.Automaton) -> Iterator[Term]:
    """Terms all of whose words occur somewhere in title and abstract."""
    present = dict(_words(item, "text", automaton))
    for term in {term: None for terms in present.values() for term in terms}:
        if all(words in present for words in _needles(term)):
            yield term


def _categorised(item: Item, automaton: ahocorasick.Automaton) -> Iterator[Term]:
    """Terms that name one of the item's categories, or the archive it is in (cs for cs.CL)."""
    names = {name for category in item.categories for name in _category_names(folded(category))}
    for name in sorted(names):
        if name in automaton:
            _, terms = automaton.get(name)
            yield from terms


def _category_names(category: str) -> Iterator[str]:
    yield category
    yield category.partition(".")[0]


def _words(
    item: Item, field: Field, automaton: ahocorasick.Automaton
) -> Iterator[tuple[str, list[Term]]]:
    """Each whole-word occurrence in a field, with the terms that look for it."""
    for text in _texts(item, field):
        for end, (words, terms) in automaton.iter(text):
            if _is_whole(text, end - len(words) + 1, end + 1):
                yield words, terms


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether a match is not a part of a longer word; edges that are no letters need no space."""
    before = start > 0 and text[start].isalnum() and text[start - 1].isalnum()
    after = end < len(text) and text[end - 1].isalnum() and text[end].isalnum()
    return not before and not after


def _texts(item: Item, field: Field) -> Sequence[str]:
    match field:
        case "title":
            return (folded(display(item.title)),)
        case "author":
            return tuple(folded(name) for name in item.authors)
        case "org":
            return (folded(item.organization or ""),)
        case _:
            return (folded(display(item.title)), folded(display(item.abstract)))
