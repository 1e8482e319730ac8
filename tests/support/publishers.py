"""A publisher over any store, whose sources and clock the test controls, and one tick of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from newsletter import templates
from newsletter.letter.links import Keyring
from newsletter.model import Calendar, Counts, Listing, ListRequest, Publication, Topic
from newsletter.papers.filters import parse_rule
from newsletter.papers.matching import RulesMatcher
from newsletter.ports import RunLock, Source, Store, Transport
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.publishing import publish
from newsletter.publisher.ticking import SchedulerState, deliver_open, fetch_and_freeze
from tests.support.clocks import ManualClock
from tests.support.factories import item

TEMPLATES = templates.load_templates()


class StubSource:
    """A source that lists these titles today, and nothing on past dates, or raises ``error``."""

    parts = ("",)

    def __init__(
        self, *titles: str, name: str = "Listed", failing: Exception | None = None
    ) -> None:
        self.name, self.calendar = name, Calendar()
        self.titles, self.error = titles, failing
        self.fetches = 0

    async def read(self, request: ListRequest) -> tuple[Listing, ...]:
        self.fetches += 1
        if self.error is not None:
            raise self.error
        titles = self.titles if request.day == self.calendar.today(request.as_of) else ()
        items = tuple(
            item(title, ids=(f"https://example.org/{title}",), upvotes=len(title))
            for title in titles
        )
        return (Listing(self.name, request.day, items),)


def publisher_over(store: Store, *sources: Source, clock: ManualClock | None = None) -> Publisher:
    """A publisher with one topic and these sources."""
    chosen: Sequence[Source] = sources
    return Publisher(
        publication=Publication("N", "N", "n@example.org"),
        topics=(Topic("Vision", any=(parse_rule("vision"),)),),
        cadence="daily",
        max_items=10,
        when_empty="skip",
        keyring=Keyring(("a key of many letters",), "n@example.org"),
        templates=lambda: TEMPLATES,
        sources=chosen,
        store=store,
        matcher=RulesMatcher(),
        clock=clock or ManualClock(),
    )


@dataclass(frozen=True)
class KnownRuns:
    """A run lock that knows which runs have ended."""

    name: str
    ended: frozenset[str] = frozenset()

    def gone(self, runs: Collection[str]) -> frozenset[str]:
        return self.ended & frozenset(runs)


async def tick(
    publisher: Publisher,
    scheduler_state: SchedulerState,
    transport: Transport,
    *,
    run_lock: RunLock,
    turn: str,
) -> None:
    """Freeze and deliver what is due now, as the scheduler does in one tick."""

    async def deliver(day: date, turn: str) -> Counts:
        return await publish(
            publisher, day, transport, run_lock=run_lock, turn=turn, progress=lambda _counts: None
        )

    await fetch_and_freeze(publisher, scheduler_state)
    await deliver_open(publisher, scheduler_state, deliver, turn=turn)
