"""Matching by meaning: wishes in plain words beside the rules of words."""

from collections.abc import Callable, Collection, Mapping, Sequence
from operator import is_
from typing import TYPE_CHECKING

from typing_extensions import override

from newsletter.errors import FilterError
from newsletter.model import Advice, Item, Matches, Term, Topic, WishMasks
from newsletter.papers.matching import RulesMatcher
from newsletter.ports import Matcher
from newsletter.text import tex_to_unicode

if TYPE_CHECKING:
    from newsletter.meaning import Engine, PaperSignals

_NOTHING = WishMasks()

KEPT = 2_000  # papers of which the reading is kept, 5 kB each: an issue, and the days of the pages

KNOWN_WORDS = 0.5  # of a wish's words, at least; with fewer its meaning is a guess


class MeaningMatcher(Matcher):
    """Finds terms by their words, and what ``about:`` asks for by meaning.

    ``load`` makes the engine when the first meaning is asked for: its table takes a fifth of a
    second, which a command that matches nothing must not spend.
    """

    def __init__(self, load: Callable[[], "Engine"]) -> None:
        self._load = load
        self._rules = RulesMatcher()
        self._read: list[tuple[tuple[Item, ...], PaperSignals]] = []

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
    def misunderstood(self, wish: str) -> Advice | None:
        if error := self._error(wish):
            return Advice(error)
        known, asked = self._load().known_words(wish)
        if known >= KNOWN_WORDS * asked:
            return None
        problem = (
            f"I know {known} of these {asked} words, so hardly more is found than papers that have "
            "them; try other words, in English"
        )
        return Advice(problem, certain=False)

    def _error(self, wish: str) -> str:
        try:
            self._load().prepare(wish)
        except FilterError as error:
            return error.reason
        return ""

    def _signals(self, items: Sequence[Item]) -> "PaperSignals":
        """The reading of these items, made once: the same ones are asked about for every reader."""
        before = self._read
        for known, signals in before:
            if len(known) == len(items) and all(map(is_, known, items)):
                return signals
        from newsletter.meaning import PaperText  # noqa: PLC0415 - imports numpy

        read = [PaperText(tex_to_unicode(i.title), tex_to_unicode(i.abstract)) for i in items]
        kept = [(tuple(items), self._load().read(read))]
        for other in before:
            if sum(len(known) for known, _ in kept) + len(other[0]) <= KEPT:
                kept.append(other)
        self._read = kept
        return kept[0][1]
