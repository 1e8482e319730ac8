"""Letters to the operator: what paused, failed or became stale, each reported once a day."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from newsletter.errors import SourceError, TransportError
from newsletter.model import Coverage, Deferred, MailEvent, Refused, SourceHealth
from newsletter.ports import Mark, Settle, Store
from newsletter.publisher.operator_events import list_events
from newsletter.publisher.operator_mail import mail_operator
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.ticking import SchedulerState
from newsletter.readers.due import DefaultSchedule
from newsletter.templates import load_note_templates
from tests.support.clocks import ManualClock
from tests.support.databases import temporary_store
from tests.support.factories import NOON, subscriber
from tests.support.frozen_issues import claim, freeze, list_papers, settle
from tests.support.logs import log_lines
from tests.support.outgoing import MemoryTransport
from tests.support.publishers import KnownRuns, StubSource, publisher_over, tick

REPORT = load_note_templates("report")
OPERATOR = "editor@example.org"


@pytest.fixture
def store() -> Store:
    opened = temporary_store()
    opened.sync_subscribers(
        [subscriber("ada@example.org"), subscriber("bob@example.org")], now=NOON
    )
    return opened


class UnreachableTransport:
    """A transport whose server cannot be reached."""

    async def send(self, letters: object, mark: Mark, settle: Settle) -> None:  # noqa: ARG002
        raise TransportError("smtp.example.org:25: refused; check smtp.host")


def publisher_of(store: Store, clock: ManualClock, *sources: StubSource) -> Publisher:
    publisher = publisher_over(store, *sources, clock=clock)
    return replace(publisher, publication=replace(publisher.publication, operator=OPERATOR))


def scheduler_state() -> SchedulerState:
    return SchedulerState(DefaultSchedule("12:00", "UTC", "daily"))


def tick_once(
    publisher: Publisher,
    what: SchedulerState,
    transport: MemoryTransport | UnreachableTransport,
    turn: str = "1",
) -> list[str]:
    async def main() -> None:
        await tick(publisher, what, transport, run_lock=KnownRuns("here"), turn=turn)
        await mail_operator(publisher, what, transport, lambda: REPORT)

    with log_lines() as logged:
        asyncio.run(main())
    return logged


def to_operator(transport: MemoryTransport) -> list[str]:
    found = [x.envelope for x in transport.letters if x.envelope.recipient == OPERATOR]
    mails = [_parsed(b"".join(e.content)) for e in found]
    return [f"{mail['Subject']}\n{_unwrapped(mail)}" for mail in mails]


def _parsed(content: bytes) -> EmailMessage:
    mail = message_from_bytes(content, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def _unwrapped(mail: EmailMessage) -> str:
    """The text part with its lines joined."""
    part = mail.get_body(("plain",))
    assert part is not None
    return " ".join(part.get_content().split())


def test_failed_letter_is_reported_once(store: Store) -> None:
    publisher, what = publisher_of(store, ManualClock(), StubSource("One")), scheduler_state()
    transport = MemoryTransport({"bob@example.org": Refused("550 5.1.1 no such user")})
    tick_once(publisher, what, transport)
    tick_once(publisher, scheduler_state(), transport, "2")
    (letter,) = to_operator(transport)
    assert "2026-08-03: of 2 emails 1 failed; newsletter status 2026-08-03 names them" in letter
    assert "2026-08-03: bob@example.org failed: 550 5.1.1 no such user" in letter


@pytest.mark.slow
def test_letters_expired_during_days_off_are_named(store: Store) -> None:
    clock = ManualClock()
    publisher, transport = publisher_of(store, clock, StubSource("One")), MemoryTransport()
    freeze(store, store.readers(), list_papers(store, "arxiv:1"))
    for claimed in claim(store):
        settle(store, claimed, outcome=Deferred("451 4.3.0 later"), next_try=NOON)
    clock.time += timedelta(days=3)
    tick_once(publisher, scheduler_state(), transport)
    (letter,) = to_operator(transport)
    assert "2026-08-03: ada@example.org expired: 451 4.3.0 later" in letter
    assert "2026-08-03: bob@example.org expired: 451 4.3.0 later" in letter


def test_blocked_readers_are_told_once_with_the_reason(store: Store) -> None:
    publisher, transport = publisher_of(store, ManualClock()), MemoryTransport()
    store.record_mail_event(MailEvent("x", "complaint", 1, NOON.date(), "as spam"), now=NOON)
    for turn in "12":
        tick_once(publisher, scheduler_state(), transport, turn)
    (letter,) = to_operator(transport)
    assert "ada@example.org gets no more emails: complained on 2026-08-03: as spam" in letter
    assert not any("ada@" in event.key for event in list_events(publisher, {}))


def test_crash_before_the_report_loses_nothing(store: Store) -> None:
    clock, transport = ManualClock(), MemoryTransport()
    publisher = publisher_of(store, clock)
    store.record_mail_event(MailEvent("x", "complaint", 1, NOON.date(), "as spam"), now=NOON)

    async def crash() -> None:
        await mail_operator(publisher, scheduler_state(), transport, lambda: 1 / 0)  # type: ignore[arg-type, return-value]

    with pytest.raises(ZeroDivisionError):
        asyncio.run(crash())
    tick_once(publisher, scheduler_state(), transport)
    assert to_operator(transport) == [], "another process may be telling it"
    clock.time += timedelta(minutes=11)
    tick_once(publisher, scheduler_state(), transport, "2")
    (letter,) = to_operator(transport)
    assert "ada@example.org gets no more emails" in letter


def test_joins_and_departures_stand_beside_other_news(store: Store) -> None:
    clock, transport = ManualClock(NOON + timedelta(days=1)), MemoryTransport()
    publisher = publisher_of(store, clock)
    store.set_status("bob@example.org", "unsubscribed", now=NOON)
    tick_once(publisher, scheduler_state(), transport)
    assert to_operator(transport) == []
    store.record_mail_event(MailEvent("x", "complaint", 1, NOON.date(), "as spam"), now=clock.time)
    tick_once(publisher, scheduler_state(), transport, "2")
    (letter,) = to_operator(transport)
    assert "since 2026-08-03: 2 readers joined, 1 left" in letter


def test_lists_that_stay_missing_are_told_once(store: Store) -> None:
    source = StubSource("One", failing=SourceError("no answer"))
    publisher, transport = publisher_of(store, ManualClock(), source), MemoryTransport()
    days = [NOON.date() - timedelta(days=ago) for ago in range(1, 26)]
    gaps = [Coverage("Listed", "", day, "missing", checked=NOON, detail="404") for day in days]
    health = SourceHealth("Listed", "ok", checked=NOON, last_ok=NOON)
    store.ingest(NOON.date(), health, (), gaps, now=NOON)
    for turn in "12":
        tick_once(publisher, scheduler_state(), transport, turn)
    (letter,) = to_operator(transport)
    assert letter.count("- source Listed: the list of 2026-0") == 20
    assert "and 4 more lists: newsletter status, doctor" in letter


def test_failed_source_is_reported_with_the_issue(store: Store) -> None:
    clock = ManualClock(NOON - timedelta(minutes=50))
    failing = StubSource(name="Far away", failing=SourceError("no answer\0\n.from there"))
    publisher, what, transport = (
        publisher_of(store, clock, StubSource("One"), failing),
        scheduler_state(),
        MemoryTransport(),
    )
    tick_once(publisher, what, transport)
    assert to_operator(transport) == []
    clock.time = NOON
    tick_once(publisher, what, transport, "2")
    (letter,) = to_operator(transport)
    assert "source Far away is failed: no answer" in letter


def test_reader_who_waits_is_reported_once(store: Store) -> None:
    reader = store.save_reader(subscriber("cyd@example.org"), status="waiting", now=NOON)
    publisher, state = publisher_of(store, ManualClock()), scheduler_state()
    transport = MemoryTransport()
    for turn in ("1", "2"):
        tick_once(publisher, state, transport, turn)
    (mail,) = to_operator(transport)
    assert "cyd@example.org waits for your approval" in mail
    assert reader.id not in {letter.claim.reader for letter in transport.letters}


def test_good_day_is_not_reported(store: Store) -> None:
    publisher, transport = publisher_of(store, ManualClock(), StubSource("One")), MemoryTransport()
    tick_once(publisher, scheduler_state(), transport)
    assert len(transport.letters) == 2
    assert to_operator(transport) == []


def test_server_outage_is_reported_when_it_is_back(store: Store) -> None:
    clock = ManualClock()
    publisher, what, transport = (
        publisher_of(store, clock, StubSource("One")),
        scheduler_state(),
        MemoryTransport(),
    )
    said = tick_once(publisher, what, UnreachableTransport())
    assert sum("was not sent" in line for line in said) == 1
    for turn in range(3):
        again = tick_once(publisher, what, UnreachableTransport(), f"again{turn}")
        assert not again, "it waits before it tries again"
    clock.time += timedelta(minutes=2)
    tick_once(publisher, what, transport, "later")
    (letter,) = to_operator(transport)
    assert "delivery is paused and will be tried again: smtp.example.org:25: refused" in letter
    assert len(transport.letters) == 3


@pytest.mark.slow
def test_unreachable_operator_creates_no_event(store: Store) -> None:
    clock = ManualClock()
    publisher, what = publisher_of(store, clock, StubSource("One")), scheduler_state()
    answers = {name: Refused("550 no") for name in (OPERATOR, "bob@example.org")}
    for minutes in range(30):
        clock.time = NOON + timedelta(minutes=minutes)
        tick_once(publisher, what, MemoryTransport(answers), str(minutes))
    assert what.paused == {}
    assert store.claim_notices(["2026-08-03: letters"], now=NOON)


def test_without_operator_nothing_is_reported(store: Store) -> None:
    publisher = publisher_over(store, StubSource("One"))
    transport = MemoryTransport({"bob@example.org": Refused("550 5.1.1 no such user")})
    tick_once(publisher, scheduler_state(), transport)
    assert [x.envelope.recipient for x in transport.letters] == ["ada@example.org"]
