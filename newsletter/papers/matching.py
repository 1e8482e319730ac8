"""Matching by words: finds the words and phrases of all terms in one pass over a text.

For each field an Aho-Corasick automaton (Aho & Corasick, CACM 18:6, 1975) holds every spelling of
every term, so the cost of a paper does not grow with the number of filters.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain

import ahocorasick
from typing_extensions import override

from newsletter.model import (
    NO_TASTE,
    Advice,
    Expression,
    Field,
    Item,
    Matches,
    Not,
    Rule,
    Taste,
    Term,
    Topic,
)
from newsletter.ports import Matcher
from newsletter.text import (
    find_written,
    fold,
    literal_text,
    name_phrases,
    name_text,
    phrases,
    tex_to_unicode,
    word_text,
)

_NOT = re.compile(r"(?:^|[,;:.(]|\b(?:and|but)\b)\s*not\b(.*)", re.IGNORECASE)
"""What begins the part of a wish that its reader does not want."""


class RulesMatcher(Matcher):
    """Compares words in any spelling, without regard to meaning."""

    compares = False

    @override
    def match(self, items: Sequence[Item], terms: Collection[Term]) -> Matches:
        return Matches(self.masks(items, terms), {})

    @override
    def closeness(
        self, items: Sequence[Item], topics: Sequence[Topic]
    ) -> Mapping[str, Sequence[float]]:
        return {}

    @override
    def nearest_phrases(
        self, items: Sequence[Item], indexes: Sequence[int], topic: Topic
    ) -> Sequence[str]:
        return [""] * len(indexes)

    @override
    def evidence(self, items: Sequence[Item], index: int, wish: Term) -> str:
        return ""

    @override
    def taste(self, items: Sequence[Item], liked: Sequence[Item], unliked: Sequence[Item]) -> Taste:
        return NO_TASTE

    @override
    def misunderstood(self, wish: str) -> Advice | None:
        return None

    def masks(self, items: Sequence[Item], terms: Collection[Term]) -> Mapping[Term, int]:
        """For each term, the items in which it occurs, as a bitmask: bit *i* is ``items[i]``."""
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
        found = by_field.setdefault(term.field, {})
        for phrase in _phrases(term):
            found.setdefault(phrase, []).append(term)
    return {field: _build_automaton(found) for field, found in by_field.items() if found}


def _build_automaton(phrases_of: Mapping[str, list[Term]]) -> ahocorasick.Automaton:
    automaton = ahocorasick.Automaton()
    for phrase, terms in phrases_of.items():
        automaton.add_word(phrase, (phrase, terms))
    automaton.make_automaton()
    return automaton


def _phrases(term: Term) -> Sequence[str]:
    """What to look for: the term in every spelling; each of its words for ``about``."""
    match term.field:
        case "category":
            return (fold(term.text),)
        case "author":
            return name_phrases(term.text)
        case "about":
            words = chain.from_iterable(_spelled_words(term.text))
            return [*chain.from_iterable(words)]
        case _:
            return phrases(term.text)


_Words = Sequence[Sequence[str]]
"""Words, each with its spellings."""


@lru_cache(maxsize=1024)
def _spelled_words(wish: str) -> tuple[_Words, _Words]:
    """The words that a wish asks for, and those that follow its "not"."""
    unwanted = _NOT.search(wish)
    texts = (wish[: unwanted.start()], unwanted[1]) if unwanted else (wish, "")
    wanted, without = (
        [phrases(word) for word in word_text(text).split() if word[-1].isalnum()] for text in texts
    )
    return wanted, without


def _find_terms(item: Item, automata: Mapping[Field, ahocorasick.Automaton]) -> Iterator[Term]:
    """The terms that occur in an item, each once."""
    for field, automaton in automata.items():
        if field == "category":
            yield from _find_categories(item, automaton)
        elif field == "about":
            yield from _find_about(item, automaton)
        else:
            found = {t: None for terms in _find(item, field, automaton).values() for t in terms}
            yield from (t for t in found if not t.exact or _occurs_literally(item, t))


def _find_about(item: Item, automaton: ahocorasick.Automaton) -> Iterator[Term]:
    """Terms with every word somewhere in title and abstract, but not all that "not" excludes."""
    present = _find(item, "text", automaton)
    for term in {term: None for terms in present.values() for term in terms}:
        wanted, without = (
            bool(words) and not any(map(present.keys().isdisjoint, words))
            for words in _spelled_words(term.text)
        )
        if wanted and not without:
            yield term


def _find_categories(item: Item, automaton: ahocorasick.Automaton) -> Iterator[Term]:
    """Terms that name one of the item's categories, or its archive (cs for cs.CL)."""
    categories = [fold(category) for category in item.categories]
    for name in sorted({*categories, *(name.partition(".")[0] for name in categories)}):
        if name in automaton:
            _, terms = automaton.get(name)
            yield from terms


def _find(item: Item, field: Field, automaton: ahocorasick.Automaton) -> Mapping[str, list[Term]]:
    """The phrases that occur in a field, with the terms that look for them."""
    return dict(found for text in _texts(item, field) for _, found in automaton.iter(text))


def _texts(item: Item, field: Field) -> Sequence[str]:
    if field == "author":
        return ("\n".join(map(name_text, item.authors)),)
    return [word_text(text) for text in written_in(item, field)]


def written_in(item: Item, field: Field) -> Sequence[str]:
    """What a paper has in a field, as it is shown."""
    match field:
        case "title":
            return (tex_to_unicode(item.title),)
        case "author":
            return item.authors
        case "org":
            return (item.organization or "",)
        case "category":
            return item.categories
        case "keyword":
            return tuple(map(tex_to_unicode, item.keywords))
        case _:
            return (tex_to_unicode(item.title), tex_to_unicode(item.abstract))


def _occurs_literally(item: Item, term: Term) -> bool:
    """Whether a quoted term occurs sign for sign, as whole words."""
    pattern = _literal_pattern(literal_text(term.text))
    return any(pattern.search(literal_text(text)) for text in written_in(item, term.field))


@lru_cache(maxsize=4096)
def _literal_pattern(text: str) -> re.Pattern[str]:
    """What finds a text that is not part of longer words; only letters and digits continue one."""
    before = rf"(?<![^\W_]{re.escape(text)})" if text[:1].isalnum() else ""
    after = r"(?![^\W_])" if text[-1:].isalnum() else ""
    return re.compile(re.escape(text) + before + after)  # text first: the search is faster


# -- what a rule found ---------------------------------------------------------------------------


def written_forms(rule: Rule, item: Item) -> tuple[str, ...]:
    """How a paper that a rule matches writes what it looks for, where it writes it differently.

    ``Chains-of-Thought`` for the rule ``chain of thought``; nothing for what stands there as in
    the rule, and for categories, ``about:`` and quoted phrases.
    """
    forms = (_written_form(term, item) for term in positive_terms(rule.expression))
    return tuple(dict.fromkeys(form for form in forms if form))


def positive_terms(expression: Expression) -> Iterator[Term]:
    """The terms that a paper matches by having them."""
    match expression:
        case Term():
            yield expression
        case Not():
            return
        case _:
            for part in expression.of:
                yield from positive_terms(part)


def authors_asked_for(rule: Rule, item: Item) -> tuple[str, ...]:
    """The authors of a paper that a rule asks for by name, as the paper writes them."""
    terms = (term for term in positive_terms(rule.expression) if term.field == "author")
    wanted = [phrase for term in terms for phrase in _phrases(term)]
    return tuple(name for name in item.authors if any(p in name_text(name) for p in wanted))


def _written_form(term: Term, item: Item) -> str:
    """How a paper writes a term; empty if as the term has it, or if the paper lacks it."""
    if term.exact or term.field in {"category", "about"}:
        return ""
    texts = written_in(item, term.field)
    literal = _literal_pattern(term.text.casefold())
    if any(literal.search(text.casefold()) for text in texts):
        return ""
    wanted = tuple(_phrases(term))
    if term.field == "author":
        return next((name for name in texts if any(p in name_text(name) for p in wanted)), "")
    return next(filter(None, (find_written(text, wanted) for text in texts)), "")
