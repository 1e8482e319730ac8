"""Dates as they are written; none is better than a wrong one."""

# ruff: noqa: RUF001 - characters that look alike are the subject here

from datetime import date

import pytest

from newsletter.text import find_day, find_month

DAY = date(2026, 11, 30)


@pytest.mark.parametrize(
    "written",
    [
        "Mon, 30 Nov 2026 05:00:00 GMT",
        "30 Nov 26 07:00:00 GMT",
        "Mon, 30 Nov 2026 25:00:00 XYZ",
        "Mon Nov 30 07:00:00 2026",
        "Mon Nov 30, 2026",
        "November 30th, 2026",
        "2026-11-30",
        "2026-11-29T22:30:00-05:00",
        "Sun, 29 Nov 2026 22:00:00 EST",
        "2026-12-01 08:00:00 +0900",
        "2026 Nov 30",
        "30-Nov-2026",
        "20261130",
        "2026/11/30",
        "30/11/2026",
        "11/30/2026",
        "30.11.2026",
        "Available online 30 November 2026",
        "30th of November 2026",
        "30/Nov/2026",
        "Monday, 30-Nov-26 05:00:00 GMT",
        "30-11-2026",
        "2026.11.30",
        "30 novembre 2026",
        "30 de noviembre de 2026",
        "2026年11月30日",
    ],
)
def test_day_is_found(written: str) -> None:
    assert find_day(written) == DAY


@pytest.mark.parametrize(
    "written",
    [
        *("", "someday", "2026", "Spring 2026", "3/8/2026", "31 Nov 2026", "30 Nov 26"),
        *("1970-01-01T00:00:00Z", "0001-01-01T00:00:00", "28–30 November 2026", "2026 Nov-Dec"),
    ],
)
def test_unsure_day_is_none(written: str) -> None:
    assert find_day(written) is None


@pytest.mark.parametrize("written", ["1er août 2026", "1º agosto 2026", "1 de agosto 2026"])
def test_months_have_names_in_other_languages(written: str) -> None:
    assert find_day(written) == date(2026, 8, 1)


@pytest.mark.parametrize("written", ["November 2026", "2026-11", "2026 Nov", "Nov. 2026"])
def test_month_is_found(written: str) -> None:
    assert find_day(written) is None
    assert find_month(written) == date(2026, 11, 1)


@pytest.mark.parametrize("written", ["2026", "Oct–Nov 2026", "2026 Nov-Dec", "Winter 2026"])
def test_unsure_month_is_none(written: str) -> None:
    assert find_month(written) is None
