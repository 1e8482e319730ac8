"""A publisher's desk over any store, its sources and its clock in the test's hands."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from newsletter import templates
from newsletter.model import Listing, Publication, Topic
from newsletter.papers.filters import parse
from newsletter.papers.matching import RulesMatcher
from newsletter.ports import Source, Store
from newsletter.publisher.publisher import Publisher
from tests.factories import NOON, item

TEMPLATES = templates.load()


class SteadyClock:
    """A clock that stands where it is put."""

    def __init__(self, now: datetime = NOON) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class Listed:
    """A source that lists what it is told to, or fails as it is told to."""

    def __init__(
        self, *titles: str, name: str = "Listed", failing: Exception | None = None
    ) -> None:
        self.name, self.daily = name, True
        self.titles, self.failing = titles, failing
        self.listed_on: date | None = None
        self.asked = 0

    async def fetch(self, day: date) -> tuple[Listing, ...]:
        self.asked += 1
        day = self.listed_on or day
        if self.failing is not None:
            raise self.failing
        items = tuple(
            item(title, ids=(f"https://example.org/{title}",), upvotes=len(title))
            for title in self.titles
        )
        return (Listing(self.name, day, items),)


def desk_over(store: Store, *sources: Source, clock: SteadyClock | None = None) -> Publisher:
    """A newsletter with one topic, which gets its listings from these sources."""
    chosen: Sequence[Source] = sources
    return Publisher(
        publication=Publication("N", "N", "n@example.org"),
        topics=(Topic("Vision", any=(parse("vision"),)),),
        cadence="daily",
        max_items=10,
        when_empty="skip",
        keys=("a key of many letters",),
        templates=TEMPLATES,
        sources=chosen,
        store=store,
        matcher=RulesMatcher(),
        clock=clock or SteadyClock(),
    )


@dataclass(frozen=True)
class Run:
    """A run that knows which others are gone."""

    name: str
    over: frozenset[str] = frozenset()

    def gone(self, runs: Collection[str]) -> frozenset[str]:
        return self.over & frozenset(runs)
