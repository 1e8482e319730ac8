from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from newsletter.model import (
    ARXIV,
    DATED,
    STREAM,
    Calendar,
    Coverage,
    CoverageState,
    Item,
    Listing,
    ListRequest,
    SourceHealth,
)
from newsletter.publisher.coverage import (
    Reply,
    Rows,
    fingerprints,
    is_stale,
    name_gaps,
    open_requests,
    select_gaps,
    update_rows,
)
from newsletter.publisher.reporting import check_record

MONDAY = date(2026, 8, 3)
ONE_DAY = timedelta(days=1)


class OneSource:
    """A source that only says what it is."""

    name = "S"

    def __init__(self, calendar: Calendar, *parts: str) -> None:
        self.calendar, self.parts = calendar, parts or ("",)

    async def read(self, request: ListRequest) -> tuple[Listing, ...]:
        raise AssertionError(request)


def at(day: date, hour: int = 12) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def titled(*titles: str, published: date | None = None) -> tuple[Item, ...]:
    return tuple(Item(title, published=published) for title in titles)


class Record:
    """The coverage record of one source, and what its parts list when they are asked."""

    def __init__(self, calendar: Calendar, *parts: str) -> None:
        self.source = OneSource(calendar, *parts)
        self.rows: Rows = {}
        self.asked: list[ListRequest] = []

    def poll(
        self,
        now: datetime,
        lists: dict[date, Iterable[Item]] | None = None,
        *,
        failing: Iterable[date] = (),
        complete: bool = False,
        since: date | None = None,
    ) -> None:
        """Ask for what is open; dates that are not in ``lists`` are empty."""
        self.asked = open_requests(self.source, self.rows, now, since)
        replies = [
            Reply(request, failure="503")
            if request.day in failing
            else Reply(
                request,
                (
                    Listing(
                        "S",
                        request.day,
                        tuple((lists or {}).get(request.day, ())),
                        complete=complete,
                    ),
                ),
            )
            for request in self.asked
        ]
        changed = update_rows(self.source, self.rows, replies, now, since)
        self.rows = {**self.rows, **{(row.part, row.day): row for row in changed}}

    def states(self) -> dict[date, CoverageState]:
        return {day: self.rows[part, day].state for part, day in sorted(self.rows)}


def days(first: int, last: int) -> list[date]:
    return [MONDAY + n * ONE_DAY for n in range(first, last + 1)]


@pytest.mark.parametrize(
    ("now", "today", "over"),
    [
        (datetime(2026, 8, 3, 3, 59, tzinfo=UTC), date(2026, 8, 2), False),
        (datetime(2026, 8, 3, 4, 0, tzinfo=UTC), MONDAY, False),
        (datetime(2026, 8, 4, 4, 0, tzinfo=UTC), date(2026, 8, 4), True),
    ],
)
def test_arxiv_dates_are_those_of_new_york(now: datetime, today: date, over: bool) -> None:  # noqa: FBT001 - a case
    assert ARXIV.today(now) == today
    assert ARXIV.is_over(MONDAY, now) is over


def test_arxiv_lists_nothing_at_weekends() -> None:
    assert list(ARXIV.days(MONDAY, at(MONDAY + 6 * ONE_DAY))) == days(0, 4)


def test_new_source_owes_its_present_list_only() -> None:
    record = Record(DATED)
    record.poll(at(MONDAY), {MONDAY: titled("a"), MONDAY - ONE_DAY: titled("b")})
    assert [request.day for request in record.asked] == days(-3, 0)[::-1]
    assert record.states() == {MONDAY: "growing"}


def test_new_source_without_a_list_today_owes_the_newest() -> None:
    record = Record(DATED)
    record.poll(at(MONDAY), {MONDAY - 2 * ONE_DAY: titled("a")})
    assert list(record.states()) == days(-2, 0)


def test_list_is_covered_once_it_cannot_grow() -> None:
    record = Record(DATED)
    for ahead in range(5):
        record.poll(at(MONDAY + ahead * ONE_DAY), {MONDAY: titled("a")})
        expected = "covered" if ahead >= 4 else "growing"
        assert record.states()[MONDAY] == expected
    assert MONDAY not in [request.day for request in record.asked[:-1]]


def test_missed_dates_are_asked_for_and_filled() -> None:
    record = Record(ARXIV)
    record.poll(at(MONDAY), {MONDAY: titled("a")}, complete=True)
    friday = MONDAY + 4 * ONE_DAY
    record.poll(at(friday), {day: titled(str(day)) for day in days(1, 4)}, complete=True)
    assert [request.day for request in record.asked] == days(1, 4)[::-1]
    assert list(record.states().values()) == ["covered", "filled", "filled", "filled", "covered"]


def test_failed_list_is_missing_until_it_is_read() -> None:
    record = Record(ARXIV)
    record.poll(at(MONDAY), {MONDAY: titled("a")}, complete=True)
    tuesday, wednesday = days(1, 2)
    record.poll(at(tuesday), failing=[tuesday])
    record.poll(at(wednesday), {wednesday: titled("c")}, failing=[tuesday], complete=True)
    assert record.states() == {MONDAY: "covered", tuesday: "missing", wednesday: "covered"}
    gaps = list(record.rows.values())
    assert name_gaps(record.source, gaps, at(wednesday)) == "S (4 August)"
    record.poll(at(wednesday, 13), {tuesday: titled("b")}, complete=True)
    assert record.states()[tuesday] == "filled"


def test_failure_after_an_answer_keeps_what_was_read() -> None:
    record = Record(DATED)
    record.poll(at(MONDAY), {MONDAY: titled("a")})
    record.poll(at(MONDAY, 13), failing=[MONDAY])
    row = record.rows["", MONDAY]
    assert (row.state, row.papers, row.detail) == ("growing", 1, "503")


def test_earlier_list_again_leaves_the_date_open() -> None:
    record = Record(ARXIV)
    record.poll(at(MONDAY), {MONDAY: titled("a")}, complete=True)
    tuesday = MONDAY + ONE_DAY
    record.poll(at(tuesday), {tuesday: titled("a")}, complete=True)
    assert record.states()[tuesday] == "growing"
    record.poll(at(tuesday + ONE_DAY), failing=[tuesday])
    assert record.states()[tuesday] == "missing"


def test_same_title_on_another_date_is_another_paper() -> None:
    record = Record(DATED)
    for ahead in range(2):
        day = MONDAY + ahead * ONE_DAY
        record.poll(at(day), {day: [Item("Editorial", ids=(f"10.1234/{ahead}",))]})
    assert record.rows["", MONDAY + ONE_DAY].papers == 1


@pytest.mark.parametrize(
    ("shown", "known", "stale"),
    [(-1, "", True), (-1, "y", False), (-1, "x", True), (-2, "", False), (0, "", False)],
)
def test_late_announcement_is_known_by_its_date(shown: int, known: str, stale: bool) -> None:  # noqa: FBT001 - a case
    request = ListRequest("", MONDAY + ONE_DAY, at(MONDAY + ONE_DAY))
    listing = Listing("S", request.day + shown * ONE_DAY, titled("x"))
    rows = {
        ("", MONDAY): Coverage(
            "S", "", MONDAY, "covered", digest=fingerprints(ARXIV, titled(known))
        )
    }
    found = is_stale(ARXIV, rows if known else {}, Reply(request, (listing,)))
    assert found is stale


@pytest.mark.parametrize("harvested", [(), ("x", "y")])
def test_late_list_after_days_off_is_not_todays(harvested: tuple[str, ...]) -> None:
    """Wednesday is a holiday; Tuesday's list was not read on its day, or by another way."""
    tuesday, thursday = days(1, 3)[::2]
    read = {MONDAY: ("m",), tuesday: harvested}
    rows = {
        ("", day): Coverage(
            "S",
            "",
            day,
            "filled",
            len(names),
            digest=fingerprints(STREAM, titled(*names)),
            answered=at(day),
        )
        for day, names in read.items()
        if names
    }
    shown = Listing("S", tuesday, titled("replaced", "x", "y"))
    reply = Reply(ListRequest("", thursday, at(thursday)), (shown,))
    assert is_stale(ARXIV, rows, reply)
    known = Coverage("S", "", thursday - ONE_DAY, "covered", 1, digest="0")
    assert is_stale(ARXIV, {**rows, ("", known.day): known}, reply) is bool(harvested)


def test_list_that_becomes_empty_keeps_its_papers() -> None:
    record = Record(DATED)
    record.poll(at(MONDAY), {MONDAY: titled("a")})
    record.poll(at(MONDAY, 13))
    assert record.rows["", MONDAY].papers == 1
    assert record.rows["", MONDAY].detail == "the list is empty now, but had papers before (1)"


def test_empty_weekday_is_missing_if_never_seen_again() -> None:
    record = Record(ARXIV)
    record.poll(at(MONDAY), {MONDAY: titled("a")}, complete=True)
    tuesday = MONDAY + ONE_DAY
    record.poll(at(tuesday))
    assert record.states()[tuesday] == "growing"
    record.poll(at(tuesday + ONE_DAY), failing=[tuesday, tuesday + ONE_DAY])
    assert record.states()[tuesday] == "missing"


def test_holiday_is_known_once_it_is_over() -> None:
    record = Record(ARXIV)
    record.poll(at(MONDAY), {MONDAY: titled("a")}, complete=True)
    tuesday, wednesday = days(1, 2)
    record.poll(at(tuesday, 23))
    assert record.states()[tuesday] == "growing"
    record.poll(at(wednesday))
    assert record.states()[tuesday] == "covered"
    assert tuesday in [request.day for request in record.asked]


def test_lists_are_given_up_after_a_month_and_named() -> None:
    record = Record(ARXIV)
    record.poll(at(MONDAY), {MONDAY: titled("a")}, complete=True)
    later = at(MONDAY + 40 * ONE_DAY)
    record.poll(later, failing=days(1, 40))
    states = record.states()
    assert states[MONDAY + ONE_DAY] == "lost"
    assert states[MONDAY + 39 * ONE_DAY] == "missing"
    assert not any(proof.rows for proof in proofs(record, later))


def test_parts_have_records_of_their_own() -> None:
    record = Record(ARXIV, "cs", "stat")
    record.poll(at(MONDAY), {MONDAY: titled("a")}, complete=True)
    assert set(record.rows) == {("cs", MONDAY), ("stat", MONDAY)}


def test_backfill_asks_for_every_date_since() -> None:
    record = Record(DATED)
    record.poll(at(MONDAY), {MONDAY: titled("a")}, since=MONDAY - 9 * ONE_DAY)
    assert [request.day for request in record.asked] == days(-9, 0)[::-1]
    assert len(record.rows) == 10


# -- feeds ----------------------------------------------------------------------------------------


def test_feed_that_reaches_back_fills_the_days_between() -> None:
    record = Record(STREAM)
    record.poll(at(MONDAY), {MONDAY: titled("a", "b")})
    thursday = MONDAY + 3 * ONE_DAY
    record.poll(at(thursday), {thursday: titled("b", "c")})
    assert list(record.states().values()) == ["covered", "filled", "filled", "growing"]


def test_feed_without_a_known_entry_may_have_lost_some() -> None:
    record = Record(STREAM)
    record.poll(at(MONDAY), {MONDAY: titled("a", "b")})
    thursday = MONDAY + 3 * ONE_DAY
    record.poll(at(thursday), {thursday: titled("c", "d", published=thursday)})
    assert list(record.states().values()) == ["lost", "lost", "lost", "lost"]
    assert "may have fallen out" in record.rows["", thursday].detail


def test_old_dates_do_not_prove_that_nothing_fell_out() -> None:
    record = Record(STREAM)
    record.poll(at(MONDAY), {MONDAY: titled("a")})
    tuesday = MONDAY + ONE_DAY
    record.poll(at(tuesday), {tuesday: titled("c", published=MONDAY - ONE_DAY)})
    assert record.states()[MONDAY] == "lost"


def test_new_version_does_not_prove_that_nothing_fell_out() -> None:
    record = Record(STREAM)
    record.poll(at(MONDAY), {MONDAY: titled("a", "b", published=MONDAY)})
    tuesday, wednesday = days(1, 2)
    again = titled("a", published=wednesday)
    record.poll(at(wednesday), {wednesday: again + titled("d", published=tuesday)})
    assert record.states()[tuesday] == "lost"


def test_oldest_entry_may_be_a_new_version_too() -> None:
    record = Record(STREAM)
    record.poll(at(MONDAY), {MONDAY: titled("a", "b", published=MONDAY)})
    tuesday, wednesday = days(1, 2)
    later = titled("d", published=wednesday) + titled("a", published=tuesday)
    record.poll(at(wednesday), {wednesday: later})
    assert record.states()[tuesday] == "lost"


def test_feed_dated_by_its_making_is_compared_by_titles() -> None:
    record = Record(STREAM)
    record.poll(at(MONDAY), {MONDAY: titled("a", "b", published=MONDAY)})
    tuesday = MONDAY + ONE_DAY
    record.poll(at(tuesday), {tuesday: titled("c", "a", published=tuesday)})
    assert record.states() == {MONDAY: "covered", tuesday: "growing"}


def test_longer_feed_may_have_older_entries() -> None:
    record = Record(STREAM)
    record.poll(at(MONDAY), {MONDAY: titled("a", "b", published=MONDAY)})
    archive = titled("a", "b", published=MONDAY) + titled("z", published=MONDAY - ONE_DAY)
    record.poll(at(MONDAY, 15), {MONDAY: archive})
    assert record.states()[MONDAY] == "growing"


def test_entries_that_fell_out_stay_named_that_day() -> None:
    record = Record(STREAM)
    record.poll(at(MONDAY, 9), {MONDAY: titled("a")})
    record.poll(at(MONDAY, 12), {MONDAY: titled("c")})
    record.poll(at(MONDAY, 15), {MONDAY: titled("c", "d")})
    tuesday = MONDAY + ONE_DAY
    record.poll(at(tuesday), {tuesday: titled("d", "e")})
    assert record.states() == {MONDAY: "lost", tuesday: "growing"}


def test_days_before_a_failure_are_on_record() -> None:
    record = Record(STREAM)
    record.poll(at(MONDAY), {MONDAY: titled("a")})
    record.poll(at(MONDAY + 3 * ONE_DAY), failing=days(3, 3))
    assert list(record.states().values()) == ["growing", "missing", "missing", "missing"]


def test_empty_feed_hides_no_entries_that_fell_out() -> None:
    record = Record(STREAM)
    record.poll(at(MONDAY), {MONDAY: titled("a")})
    tuesday, wednesday = days(1, 2)
    record.poll(at(tuesday), {tuesday: ()})
    assert record.states()[tuesday] == "growing"
    assert record.rows["", tuesday].detail == "the feed is empty now"
    record.poll(at(wednesday), {wednesday: titled("c")})
    assert list(record.states().values()) == ["lost", "lost", "lost"]


def test_feed_that_fails_is_missing_until_it_answers() -> None:
    record = Record(STREAM)
    record.poll(at(MONDAY), {MONDAY: titled("a")})
    tuesday, wednesday = days(1, 2)
    record.poll(at(tuesday), failing=[tuesday])
    assert name_gaps(record.source, list(record.rows.values()), at(tuesday)) == "S"
    record.poll(at(wednesday), {wednesday: titled("a", "b")})
    assert record.states()[tuesday] == "filled"


# -- what is named --------------------------------------------------------------------------------


def test_gaps_are_those_of_configured_parts() -> None:
    source = OneSource(ARXIV, "cs")
    rows = [
        Coverage("S", "cs", MONDAY, "missing"),
        Coverage("S", "stat", MONDAY, "missing"),
        Coverage("Gone", "", MONDAY, "missing"),
    ]
    assert select_gaps([source], rows, at(MONDAY)) == (rows[0],)


@pytest.mark.parametrize(
    "row",
    [
        Coverage("S", "", MONDAY + 9 * ONE_DAY, "missing"),
        Coverage("S", "", MONDAY, "missing", checked=at(MONDAY + 40 * ONE_DAY)),
        Coverage("S", "", MONDAY - ONE_DAY, "lost"),
    ],
)
def test_clock_that_was_ahead_leaves_no_gaps(row: Coverage) -> None:
    source, now = OneSource(DATED), at(MONDAY)
    assert select_gaps([source], [row], now) == ()
    assert select_gaps([source], [row], now + 41 * ONE_DAY) == (row,)


def test_many_missing_dates_are_counted() -> None:
    rows = [Coverage("S", "", day, "missing") for day in days(0, 6)]
    named = name_gaps(OneSource(DATED), rows, at(MONDAY + 6 * ONE_DAY))
    assert named == "S (3 August, 4 August, 5 August, 4 more dates)"


def proofs(record: Record, checked: datetime):  # type: ignore[no-untyped-def]  # noqa: ANN201
    health = {"S": SourceHealth("S", "ok", checked=checked)}
    return check_record([record.source], list(record.rows.values()), health)


@pytest.mark.parametrize(
    ("id_", "damage"),
    [
        ("I11", lambda row: None),  # noqa: ARG005 - the row is gone
        ("I12", lambda row: replace(row, state="covered", answered=None)),
        ("I13", lambda row: replace(row, day=row.day, state="missing", answered=None)),
    ],
)
def test_audit_names_a_broken_record(id_: str, damage) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    record = Record(DATED)
    checked = at(MONDAY + 40 * ONE_DAY)
    for ahead in range(41):
        record.poll(at(MONDAY + ahead * ONE_DAY), {day: titled(f"{day}") for day in days(0, 40)})
    assert [proof.rows for proof in proofs(record, checked)] == [(), (), ()]
    victim = ("", MONDAY + ONE_DAY)
    damaged = damage(record.rows[victim])
    others = {key: row for key, row in record.rows.items() if key != victim}
    record.rows = others if damaged is None else {**others, victim: damaged}
    broken = {proof.id: proof.rows for proof in proofs(record, checked)}
    assert broken[id_] == ("S 2026-08-04",)
