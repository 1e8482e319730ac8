"""Matching by meaning: wishes in plain words beside the rules of words."""

from collections.abc import Callable, Collection, Mapping, Sequence
from operator import is_
from typing import TYPE_CHECKING, NamedTuple

from typing_extensions import override

from newsletter.errors import FilterError
from newsletter.model import Advice, Item, Matches, Taste, Term, Topic, WishMasks
from newsletter.papers.matching import RulesMatcher
from newsletter.ports import Matcher
from newsletter.text import tex_to_unicode

if TYPE_CHECKING:
    from newsletter.meaning import Engine, PaperSignals, PaperText
    from newsletter.meaning.table import Floats

_NOTHING = WishMasks()

KEPT = 2_000  # papers of which the reading is kept, 5 kB each: an issue, and the days of the pages

_COMPARED = 4096  # liked papers that are kept, each with a number for each paper of an issue

KNOWN_WORDS = 0.5  # of a wish's words, at least; with fewer its meaning is a guess


class MeaningMatcher(Matcher):
    """Finds terms by their words, and what ``about:`` asks for by meaning.

    ``load`` makes the engine when the first meaning is asked for: its table takes a fifth of a
    second, which a command that matches nothing must not spend.
    """

    compares = True

    def __init__(self, load: Callable[[], "Engine"]) -> None:
        self._load = load
        self._rules = RulesMatcher()
        self._read: list[_Reading] = []

    @override
    def match(self, items: Sequence[Item], terms: Collection[Term]) -> Matches:
        wishes = [term for term in terms if term.field == "about"]
        others = [term for term in terms if term.field != "about"]
        found = self._find(items, wishes) if wishes else {}
        normal = {term: masks.found("normal") for term, masks in found.items()}
        return Matches({**self._rules.masks(items, others), **normal}, found)

    def _find(self, items: Sequence[Item], wishes: Sequence[Term]) -> Mapping[Term, WishMasks]:
        """The papers of each wish; of one that cannot be understood, none."""
        understood = [wish for wish in wishes if not self._error(wish.text)]
        found = self._load().find(self._signals(items), [wish.text for wish in understood])
        return dict.fromkeys(wishes, _NOTHING) | dict(zip(understood, found, strict=True))

    @override
    def closeness(
        self, items: Sequence[Item], topics: Sequence[Topic]
    ) -> Mapping[str, Sequence[float]]:
        decided = [topic for topic in topics if topic.phrases]
        if not decided:
            return {}
        described = [(topic.name, (topic.about, *topic.phrases)) for topic in decided]
        close = self._load().topic_closeness(self._signals(items), described)
        return {topic.name: row.tolist() for topic, row in zip(decided, close, strict=True)}

    @override
    def nearest_phrases(
        self, items: Sequence[Item], indexes: Sequence[int], topic: Topic
    ) -> Sequence[str]:
        return self._load().nearest(self._signals(items), indexes, topic.phrases)

    @override
    def evidence(self, items: Sequence[Item], index: int, wish: Term) -> str:
        if self._error(wish.text):  # it found the paper by words, under another setting
            return ""
        return self._load().evidence(self._signals(items), index, wish.text)

    @override
    def taste(self, items: Sequence[Item], liked: Sequence[Item], unliked: Sequence[Item]) -> Taste:
        reading = self._reading(items)
        from newsletter.meaning import sort_by_likes  # noqa: PLC0415 - imports numpy

        earlier, later = sort_by_likes(
            *([self._compare(reading, each) for each in said] for said in (liked, unliked))
        )
        return Taste(
            {index: tex_to_unicode(liked[place].title) for index, place in earlier.items()},
            {index: tex_to_unicode(unliked[place].title) for index, place in later.items()},
        )

    def _compare(self, reading: "_Reading", liked: Item) -> "Floats":
        """How close each paper is to a liked one; many readers like the same ones."""
        row = reading.compared.get(liked)
        if row is None:
            from newsletter.meaning import compare_with  # noqa: PLC0415 - imports numpy

            if len(reading.compared) >= _COMPARED:
                reading.compared.clear()
            row = compare_with(self._load().table, reading.signals, _text_of(liked))
            reading.compared[liked] = row
        return row

    @override
    def misunderstood(self, wish: str) -> Advice | None:
        engine = self._load()
        from newsletter.meaning import parse_wish  # noqa: PLC0415 - imports numpy

        try:
            parse_wish(wish)  # to prepare it would take a hundred times as long
        except FilterError as error:
            return Advice(error.reason)
        known, asked = engine.known_words(wish)
        if known >= KNOWN_WORDS * asked:
            return None
        problem = f"{describe_known(known, asked)}; try other words, in English"
        return Advice(problem, certain=False)

    def _error(self, wish: str) -> str:
        try:
            self._load().prepare(wish)
        except FilterError as error:
            return error.reason
        return ""

    def _signals(self, items: Sequence[Item]) -> "PaperSignals":
        return self._reading(items).signals

    def _reading(self, items: Sequence[Item]) -> "_Reading":
        """The reading of these items, made once: the same ones are asked about for every reader."""
        before = self._read
        for known in before:
            if len(known.items) == len(items) and all(map(is_, known.items, items)):
                return known
        signals = self._load().read([_text_of(item) for item in items])
        kept = [_Reading(tuple(items), signals, {})]
        for other in before:
            if sum(len(known.items) for known in kept) + len(other.items) <= KEPT:
                kept.append(other)
        self._read = kept
        return kept[0]


def describe_known(known: int, asked: int) -> str:
    """How many of the words that are asked for have a known meaning; fewer than half of them."""
    if known:
        return f"only {known} of these {asked} words {'is' if known == 1 else 'are'} understood"
    return "this word is not understood" if asked == 1 else "none of these words is understood"


class _Reading(NamedTuple):
    """Some items, what the engine knows of them, and how close they are to liked papers."""

    items: Sequence[Item]
    signals: "PaperSignals"
    compared: "dict[Item, Floats]"


def _text_of(item: Item) -> "PaperText":
    from newsletter.meaning import PaperText  # noqa: PLC0415 - imports numpy

    return PaperText(tex_to_unicode(item.title), tex_to_unicode(item.abstract))
