"""The use cases over the in-memory store: what the morning decides, without a network."""

import asyncio
from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from newsletter.errors import SourceError
from newsletter.model import Filter, SourceReport, Subscriber
from newsletter.ports import Source
from newsletter.publisher.drafting import anyone
from newsletter.publisher.explaining import why, why_anew
from newsletter.publisher.fetching import gather, listing_state
from newsletter.publisher.issue_mailer import Pressroom
from newsletter.publisher.newsletter import Desk
from newsletter.publisher.previewing import anew, preview
from newsletter.publisher.publishing import freeze, publish, waiting
from newsletter.publisher.reporting import report
from newsletter.stores import open_store
from tests.desks import Listed, Run, SteadyClock, desk_over
from tests.factories import DAY, NOON
from tests.keeping import MemoryTransport


@pytest.fixture
def desk() -> Iterator[Desk]:
    store = open_store("memory://")
    yield desk_over(store)
    store.close()


def listed(desk: Desk, *sources: Source, day: date = DAY) -> tuple[SourceReport, ...]:
    return asyncio.run(gather(sources, desk.store, day, desk.clock, lambda _report: None))


def join(desk: Desk, *subscribers: Subscriber) -> None:
    desk.store.sync_roster(subscribers, now=NOON)


def send(desk: Desk, day: date = DAY, run: str = "run") -> MemoryTransport:
    transport = MemoryTransport()
    freeze(desk, day, waiting(desk, day), ())
    if desk.store.counts(day).open:
        owner = Run(run)
        asyncio.run(publish(desk, day, transport, owner=owner, progress=lambda _counts: None))
    return transport


def recipients(transport: MemoryTransport) -> list[str]:
    return sorted(letter.envelope.recipient for letter in transport.letters)


def test_one_source_that_fails_leaves_the_others_alone(desk: Desk) -> None:
    reports = listed(
        desk,
        Listed("One", "Two"),
        Listed(name="Down", failing=SourceError("down: no answer")),
        Listed(name="Broken", failing=ValueError("a parser's mistake")),
    )
    assert [(r.name, r.state, r.new) for r in reports] == [
        ("Listed", "ok", 2),
        ("Down", "failed", 0),
        ("Broken", "failed", 0),
    ]
    assert reports[1].detail == "down: no answer"
    assert reports[2].detail == "Broken: ValueError: a parser's mistake"


def test_a_fetch_that_is_cancelled_is_cancelled(desk: Desk) -> None:
    with pytest.raises(asyncio.CancelledError):
        listed(desk, Listed(failing=asyncio.CancelledError()))  # type: ignore[arg-type]


def test_the_same_list_on_a_later_day_is_stale(desk: Desk) -> None:
    listed(desk, Listed("One"))
    assert listed(desk, Listed("One"))[0].state == "ok"
    assert isinstance(desk.clock, SteadyClock)
    desk.clock.time += timedelta(days=1)
    assert listed(desk, Listed("One"))[0].state == "stale"
    assert listed(desk, Listed("One"))[0].state == "stale"
    assert listed(desk, Listed("One", "Two"))[0].state == "ok"


def test_fridays_list_on_a_saturday_is_a_holiday(desk: Desk) -> None:
    source = Listed("One")
    source.listed_on = date(2026, 8, 7)
    assert listed(desk, source, day=date(2026, 8, 7))[0].state == "ok"
    assert listed(desk, source, day=date(2026, 8, 8))[0].state == "holiday"


@pytest.mark.parametrize(
    ("items", "day", "daily", "again", "state"),
    [
        (3, DAY, True, False, "ok"),
        (3, DAY, True, True, "stale"),
        (3, DAY, False, True, "quiet"),
        (0, DAY, True, False, "quiet"),
        (0, date(2026, 8, 8), True, False, "holiday"),
        (0, date(2026, 8, 8), False, False, "quiet"),
    ],
)
def test_an_empty_answer_has_more_than_one_meaning(
    items: int,
    day: date,
    daily: bool,  # noqa: FBT001 - a column of the table above
    again: bool,  # noqa: FBT001 - as above
    state: str,
) -> None:
    assert listing_state(items, day, daily=daily, again=again) == state


def test_an_issue_reaches_everyone_it_is_for_once(desk: Desk) -> None:
    join(
        desk,
        Subscriber("ada@example.org"),
        Subscriber("bob@example.org", cadence="paused"),
        Subscriber("cy@example.org", filter=Filter(topics=("Vision",))),
    )
    listed(desk, Listed("A vision", "Something else"))
    assert recipients(send(desk)) == ["ada@example.org", "cy@example.org"]
    assert recipients(send(desk, run="again")) == []
    found = report(desk.store, DAY)
    assert (found.state, found.papers, found.counts.accepted) == ("done", 2, 2)
    assert not found.troubled
    assert anyone(desk).decided == 2


def test_a_day_without_papers_is_skipped_and_tried_again(desk: Desk) -> None:
    join(desk, Subscriber("ada@example.org"))
    assert recipients(send(desk)) == []
    assert desk.store.issue_state(DAY) == ("skipped", "no new papers")
    assert anyone(desk).decided == 0
    listed(desk, Listed("One"))
    assert recipients(send(desk)) == ["ada@example.org"]


def test_nobody_to_send_to_freezes_nothing(desk: Desk) -> None:
    listed(desk, Listed("One"))
    assert recipients(send(desk)) == []
    assert report(desk.store, DAY).state is None


def test_a_wave_frozen_while_letters_leave_is_set_too(desk: Desk) -> None:
    join(desk, Subscriber("ada@example.org"))
    listed(desk, Listed("One"))
    pressroom = Pressroom(desk.store, desk.keyring, DAY)
    freeze(desk, DAY, waiting(desk, DAY), ())
    (claim,) = desk.store.claim(DAY, limit=9, now=NOON, lease=60, token="run")
    assert pressroom.envelope(claim).recipient == "ada@example.org"
    join(desk, Subscriber("ada@example.org"), Subscriber("bob@example.org"))
    listed(desk, Listed("Two"))
    freeze(desk, DAY, waiting(desk, DAY), (), due=NOON + timedelta(hours=1))
    (later,) = desk.store.claim(DAY, limit=9, now=NOON, lease=60, token="run.2")
    assert pressroom.envelope(later).recipient == "bob@example.org"


def test_a_day_is_shown_anew_as_if_nothing_had_been_sent(desk: Desk) -> None:
    join(desk, Subscriber("ada@example.org", filter=Filter(topics=("Vision",))))
    listed(desk, Listed("Vision one", "Sound two"))
    assert recipients(send(desk)) == ["ada@example.org"]
    (ada,) = desk.store.readers()
    shown = anew(desk, DAY, ada)
    assert len(shown.edition.papers) == 1
    assert [(v.title, v.included) for v in why_anew(desk, DAY, ada)] == [
        ("Vision one", True),
        ("Sound two", False),
    ]


def test_a_letter_made_out_to_another_is_of_a_reader_who_does_not_exist(desk: Desk) -> None:
    join(desk, Subscriber("ada@example.org"))
    listed(desk, Listed("Vision one"))
    (ada,) = desk.store.readers()
    (before,) = preview(desk, DAY, [ada])
    (redirected,) = preview(desk, DAY, [ada], "me@example.org")
    send(desk)
    (frozen,) = preview(desk, DAY, [ada], "me@example.org")
    for proof in (redirected, frozen, anew(desk, DAY, ada, "me@example.org")):
        assert proof.envelope.recipient == "me@example.org"
        assert proof.edition.papers == before.edition.papers
        assert proof.envelope.message_id != before.envelope.message_id
        assert desk.store.reader(proof.edition.to.id) is None


def test_a_preview_shows_what_is_frozen_or_what_would_be(desk: Desk) -> None:
    join(desk, Subscriber("ada@example.org"))
    listed(desk, Listed("One"))
    before = [proof.envelope.content for proof in preview(desk, DAY, desk.store.readers())]
    assert len(before) == 1
    transport = send(desk)
    (after,) = preview(desk, DAY, desk.store.readers())
    assert b"".join(after.envelope.content) == b"".join(transport.letters[0].envelope.content)


def test_why_answers_for_the_frozen_and_for_those_who_were_not_there(desk: Desk) -> None:
    join(desk, Subscriber("ada@example.org", filter=Filter(topics=("Vision",))))
    listed(desk, Listed("A vision", "Something else"))
    assert [v.included for v in why(desk, DAY, desk.store.readers())] == [False, True]
    send(desk)
    join(
        desk,
        Subscriber("ada@example.org"),
        Subscriber("bob@example.org"),
    )
    verdicts = list(why(desk, DAY, desk.store.readers()))
    assert [(v.reader, v.included, v.reason) for v in verdicts] == [
        ("ada@example.org", False, "in no topic followed, and no include matches"),
        ("ada@example.org", True, "topic Vision: “vision”"),
        ("bob@example.org", False, "decided in an earlier issue"),
        ("bob@example.org", False, "decided in an earlier issue"),
    ]
