"""When sources are asked next, by their own rhythm and before an issue."""

from datetime import UTC, date, datetime, timedelta

import pytest

from newsletter.model import ARXIV, DATED, STREAM, Calendar, Coverage, Listing, SourceHealth
from newsletter.model.coverage import ListRequest
from newsletter.publisher.coverage import Reply
from newsletter.publisher.fetching import NextPoll, next_interval, next_poll
from tests.support.publishers import StubSource

NOON = datetime(2026, 8, 3, 12, tzinfo=UTC)
MONDAY = NOON.date()
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def source(calendar: Calendar) -> StubSource:
    made = StubSource(name="S")
    made.calendar = calendar
    return made


def health(*, failures: int = 0, interval: int = 60) -> SourceHealth:
    return SourceHealth("S", "ok", "", NOON, NOON, failures, interval)


def row(state: str, day: date = MONDAY) -> dict[tuple[str, date], Coverage]:
    return {("", day): Coverage("S", "", day, state, 1, "x", NOON, NOON)}  # type: ignore[arg-type]


def test_source_that_was_never_asked_is_asked_now() -> None:
    assert next_poll(source(DATED), {}, None, NOON).at == NOON


@pytest.mark.parametrize(
    ("failures", "minutes"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 15), (9, 15), (10, 60)]
)
def test_failed_source_is_asked_after_growing_waits(failures: int, minutes: int) -> None:
    found = next_poll(source(DATED), row("missing"), health(failures=failures), NOON)
    assert found.at == NOON + minutes * MINUTE


def test_growing_list_is_asked_for_in_its_interval() -> None:
    found = next_poll(source(DATED), row("growing"), health(), NOON)
    assert (found.at, found.unfinished) == (NOON + HOUR, True)


def test_finished_source_is_asked_when_its_next_list_begins() -> None:
    found = next_poll(source(ARXIV), row("covered"), health(), NOON)
    midnight_in_new_york = datetime(2026, 8, 4, 4, tzinfo=UTC)
    assert midnight_in_new_york <= found.at <= midnight_in_new_york + 5 * MINUTE
    friday = date(2026, 8, 7)
    weekend = datetime(2026, 8, 8, 12, tzinfo=UTC)
    found = next_poll(source(ARXIV), row("covered", friday), health(), weekend)
    assert found.at.date() == date(2026, 8, 10)


@pytest.mark.parametrize(
    ("before", "changed", "asked", "after"),
    [
        (60, True, 0, 30),
        (60, False, 0, 120),
        (30, True, 0, 30),
        (240, False, 0, 240),
        (60, True, 90, 90),
        (60, True, 9000, 240),
    ],
)
def test_feed_is_asked_as_often_as_it_changes(
    before: int,
    changed: bool,  # noqa: FBT001 - a column of the table above
    asked: int,
    after: int,
) -> None:
    request = ListRequest("", NOON.date(), NOON)
    listing = Listing("S", NOON.date(), (), poll_after=asked * MINUTE)
    reply = Reply(request, (listing,))
    assert next_interval(STREAM, health(interval=before), [reply], changed=changed) == after


@pytest.mark.parametrize(
    ("last", "now", "asked"),
    [
        (-2 * HOUR, -HOUR, True),
        (-HOUR, -30 * MINUTE, False),
        (-HOUR, -MINUTE, True),
        (-MINUTE, -30 * MINUTE / 60, False),
        (-MINUTE, MINUTE, False),
        (HOUR, -MINUTE, True),
    ],
)
def test_source_is_asked_before_an_issue(last: timedelta, now: timedelta, asked: bool) -> None:  # noqa: FBT001 - a case
    due = NOON + 2 * HOUR
    poll = NextPoll(NOON + 9 * HOUR, due + last, unfinished=True)
    assert poll.is_due(due + now, due) is asked
