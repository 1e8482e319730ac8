"""Matching by words: finds the whole words and phrases of all terms in one pass over a text.

For each field an Aho-Corasick automaton (Aho & Corasick, CACM 18:6, 1975) holds every term, so the
cost of a paper does not grow with the number of filters.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

import ahocorasick
from typing_extensions import override

from newsletter.model import Field, Item, Term
from newsletter.ports import Matcher
from newsletter.text import fold, tex_to_unicode

_WORD = re.compile(r"\w(?:[\w.+#-]*[\w+#])?")


class RulesMatcher(Matcher):
    """Compares words as they are written, without regard to meaning."""

    @override
    def masks(self, items: Sequence[Item], terms: Collection[Term]) -> Mapping[Term, int]:
        masks = dict.fromkeys(terms, 0)
        automata = _build_automata(terms)
        for index, item in enumerate(items):
            for term in _find_terms(item, automata):
                masks[term] |= 1 << index
        return masks


def _build_automata(terms: Collection[Term]) -> Mapping[Field, ahocorasick.Automaton]:
    """For each field an automaton over its terms' phrases; its values are phrase and terms."""
    by_field: dict[Field, dict[str, list[Term]]] = {}
    for term in terms:
        for phrase in _phrases(term):
            by_field.setdefault(term.field, {}).setdefault(phrase, []).append(term)
    return {field: _build_automaton(phrases) for field, phrases in by_field.items()}


def _phrases(term: Term) -> Sequence[str]:
    """What to look for: the term's phrase, or each of its words for the field ``about``."""
    return _WORD.findall(fold(term.text)) if term.field == "about" else (fold(term.text),)


def _build_automaton(phrases: Mapping[str, list[Term]]) -> ahocorasick.Automaton:
    automaton = ahocorasick.Automaton()
    for phrase, terms in phrases.items():
        automaton.add_word(phrase, (phrase, terms))
    automaton.make_automaton()
    return automaton


def _find_terms(item: Item, automata: Mapping[Field, ahocorasick.Automaton]) -> Iterator[Term]:
    """The terms that occur in an item, each once."""
    for field, automaton in automata.items():
        if field == "category":
            yield from _find_categories(item, automaton)
        elif field == "about":
            yield from _find_about(item, automaton)
        else:
            yield from {t: None for _, terms in _find(item, field, automaton) for t in terms}


def _find_about(item: Item, automaton: ahocorasick.Automaton) -> Iterator[Term]:
    """Terms with every word somewhere in title and abstract."""
    present = dict(_find(item, "text", automaton))
    for term in {term: None for terms in present.values() for term in terms}:
        if all(word in present for word in _phrases(term)):
            yield term


def _find_categories(item: Item, automaton: ahocorasick.Automaton) -> Iterator[Term]:
    """Terms that name one of the item's categories, or its archive (cs for cs.CL)."""
    categories = [fold(category) for category in item.categories]
    for name in sorted({*categories, *(name.partition(".")[0] for name in categories)}):
        if name in automaton:
            _, terms = automaton.get(name)
            yield from terms


def _find(
    item: Item, field: Field, automaton: ahocorasick.Automaton
) -> Iterator[tuple[str, list[Term]]]:
    """Each phrase that occurs in a field as whole words, with the terms that look for it."""
    for text in _texts(item, field):
        for end, (phrase, terms) in automaton.iter(text):
            if _is_whole(text, end - len(phrase) + 1, end + 1):
                yield phrase, terms


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether a match is not part of a longer word; only a letter or digit can continue one."""
    before = start > 0 and text[start].isalnum() and text[start - 1].isalnum()
    after = end < len(text) and text[end - 1].isalnum() and text[end].isalnum()
    return not before and not after


def _texts(item: Item, field: Field) -> Sequence[str]:
    match field:
        case "title":
            return (fold(tex_to_unicode(item.title)),)
        case "author":
            return tuple(fold(name) for name in item.authors)
        case "org":
            return (fold(item.organization or ""),)
        case _:
            return (fold(tex_to_unicode(item.title)), fold(tex_to_unicode(item.abstract)))
