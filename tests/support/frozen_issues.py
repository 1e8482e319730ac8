"""Small issues frozen into a store: papers, readers, and one edition per reader."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

from newsletter.model import (
    Accepted,
    Claim,
    Delivery,
    Edition,
    Envelope,
    IdentifiedItem,
    Issue,
    Letter,
    Outcome,
    Paper,
    PlannedEdition,
    Reader,
    ReaderHistory,
    Recipient,
    Section,
    Settlement,
    SourceHealth,
    Wave,
    WireLines,
)
from newsletter.ports import Store
from tests.support.factories import DAY, NOON, identity, item, subscriber

LEASE = 60.0
LETTERS = 500  # letters that are claimed at a time
HEALTH = SourceHealth("arXiv", "ok", checked=NOON, last_ok=NOON)


def list_papers(store: Store, *keys: str, now: datetime = NOON) -> tuple[Paper, ...]:
    """Ingest a paper for each of these keys; return all papers of the store."""
    entries = [IdentifiedItem(item(f"About {key}"), identity(key)) for key in keys]
    store.ingest(DAY, HEALTH, entries, now=now)
    return store.papers_by_number(range(store.cutoff() + 1))


def join(store: Store, *names: str) -> tuple[Reader, ...]:
    """Make these people at example.org the only subscribers."""
    store.sync_subscribers([subscriber(f"{name}@example.org") for name in names], now=NOON)
    return store.readers(emails=[f"{name}@example.org" for name in names])


def make_wave(
    papers: Sequence[Paper], *, day: date = DAY, due: datetime = NOON, cutoff: int | None = None
) -> Wave:
    """A wave of these papers."""
    last = max((paper.number for paper in papers), default=0)
    issue = Issue(day, tuple(papers), (), last if cutoff is None else cutoff, frozen_at=due)
    return Wave(0, issue, due, b"pieces \x00\xff")


def plan_edition(
    reader: Reader, *places: int, short: Sequence[int] = (), waiting: Sequence[int] = ()
) -> PlannedEdition:
    """A reader's edition with these papers as cards, and the reader's history."""
    because = ("every paper",) * len(places)
    sections = (Section("Other", places, because=because),) if places else ()
    edition = Edition(Recipient.of(reader), sections, (), tuple(short), tuple(waiting))
    return PlannedEdition(ReaderHistory(reader), edition)


def freeze(
    store: Store, readers: Sequence[Reader], papers: Sequence[Paper], day: date = DAY
) -> Wave:
    """Freeze an issue in which each of these readers gets all of these papers."""
    return store.freeze(
        make_wave(papers, day=day),
        [plan_edition(reader, *range(len(papers))) for reader in readers],
    )


def send_letters(store: Store, day: date = DAY) -> None:
    """Send a letter of this day to every confirmed reader; the server accepts each."""
    readers = [reader for reader in store.readers() if reader.status == "confirmed"]
    freeze(store, readers, list_papers(store, "arxiv:1"), day=day)
    claims = claim(store, limit=10_000, day=day)
    mark(store, *claims)
    settle(store, *claims, outcome=Accepted("250 ok"))


def freeze_one_issue(store: Store, *names: str) -> Wave:
    """Two papers, these readers, one frozen issue."""
    return freeze(store, join(store, *names), list_papers(store, "arxiv:1", "arxiv:2"))


def claim(
    store: Store, *, limit: int = 100, now: datetime = NOON, run: str = "run", day: date = DAY
) -> tuple[Claim, ...]:
    """Claim the open letters of a day."""
    return store.claim(day, limit=limit, now=now, lease=LEASE, token=run)


def mark(store: Store, *claims: Claim, now: datetime = NOON) -> frozenset[str]:
    """Mark the letters of these claims."""
    return store.mark([letter_of(claim) for claim in claims], now=now, lease=LEASE)


def letter_of(claim: Claim, *content: bytes) -> Letter:
    """The letter of a claim, with these bytes."""
    email = claim.edition.to.email
    name = f"<{claim.wave}.{claim.reader}@example.org>"
    lines = tuple(map(WireLines, content or (b"One paper.\r\n",)))
    envelope = Envelope("papers@example.org", email, name, lines)
    return Letter(claim, envelope)


def settle(
    store: Store,
    *claims: Claim,
    outcome: Outcome,
    now: datetime = NOON,
    next_try: datetime | None = None,
) -> None:
    """Settle these claims with one outcome."""
    store.settle([Settlement(claim, outcome, next_try) for claim in claims], now=now)


def deliver(
    store: Store, readers: Sequence[Reader], *, day: date = DAY, now: datetime = NOON
) -> None:
    """Freeze an issue for these readers, and let the server accept every letter."""
    freeze(store, readers, list_papers(store, "arxiv:1", now=now), day=day)
    while claims := claim(store, limit=LETTERS, now=now, day=day):
        mark(store, *claims, now=now)
        settle(store, *claims, outcome=Accepted("250 ok"), now=now)


def list_states(store: Store) -> list[tuple[str, str]]:
    """The name and the state of every delivery, ordered by address."""
    return [
        (delivery.email.partition("@")[0], delivery.state) for delivery in list_deliveries(store)
    ]


def list_deliveries(store: Store) -> tuple[Delivery, ...]:
    """The deliveries of DAY."""
    return store.deliveries(DAY)


def decided_papers(store: Store) -> list[int]:
    """The number of the last decided paper per reader, ordered by reader id."""
    return [reader.decided for reader in store.readers()]


def wave_on(wave: Wave, day: date, due: datetime) -> Wave:
    """The same wave on another day."""
    return replace(wave, issue=replace(wave.issue, day=day, frozen_at=due), due=due)
