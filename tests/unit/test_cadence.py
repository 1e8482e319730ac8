from datetime import date

import pytest

from newsletter.model import Cadence
from newsletter.readers.due import is_due
from tests.support.factories import subscriber

MONDAY, FRIDAY, SATURDAY = date(2026, 8, 3), date(2026, 8, 7), date(2026, 8, 8)


@pytest.mark.parametrize(
    ("cadence", "monday", "friday", "saturday"),
    [
        ("daily", True, True, True),
        ("weekdays", True, True, False),
        ("weekly", True, False, False),
        ("paused", False, False, False),
        (None, True, True, False),
    ],
)
def test_cadence_decides_the_days(
    cadence: Cadence | None,
    monday: bool,  # noqa: FBT001 - a column of the table above
    friday: bool,  # noqa: FBT001 - as monday
    saturday: bool,  # noqa: FBT001 - as monday
) -> None:
    reader = subscriber(cadence=cadence)
    days = [is_due(reader, day, "weekdays") for day in (MONDAY, FRIDAY, SATURDAY)]
    assert days == [monday, friday, saturday]


def test_weekly_reader_chooses_the_day() -> None:
    reader = subscriber(cadence="weekly", day=4)
    assert [is_due(reader, day) for day in (MONDAY, FRIDAY)] == [False, True]


def test_pause_ends_on_its_day() -> None:
    reader = subscriber(cadence="paused", paused_until=FRIDAY)
    assert [is_due(reader, day, "weekdays") for day in (MONDAY, FRIDAY, SATURDAY)] == [
        False,
        True,
        False,
    ]


def test_pause_date_suspends_the_cadence() -> None:
    reader = subscriber(cadence="weekly", paused_until=date(2026, 8, 10))
    assert [is_due(reader, day) for day in (MONDAY, date(2026, 8, 10))] == [False, True]


def test_everyone_overrides_cadence_but_no_pause() -> None:
    weekly = subscriber(cadence="weekly")
    paused = subscriber(cadence="paused")
    assert is_due(weekly, SATURDAY, everyone=True)
    assert not is_due(paused, MONDAY, everyone=True)
