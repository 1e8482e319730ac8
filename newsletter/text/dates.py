"""Finds dates as people and machines write them; ambiguous ones are left out."""

# ruff: noqa: RUF001, RUF003 - characters that look alike are the subject here

import re
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache

_MONTHS = (  # in English; and in French, German, Spanish, Italian, Portuguese and Dutch
    "jan(?:uary)?|jan(?:vier|uar|uari|v)|enero|ene|gennaio|janeiro",
    "feb(?:ruary)?|feb(?:ruar|rero|braio|ruari)|f[ée]v(?:rier|ereiro|r)?",
    "mar(?:ch)?|mar(?:s|zo|ço)|märz|mrz|maart",
    "apr(?:il)?|aprile|avr(?:il)?|abr(?:il)?",
    "may|ma[iy]o?|maggio|mei",
    "june?|juni[o]?|juin|giugno|junho",
    "july?|juli[o]?|juil(?:let)?|luglio|julho",
    "aug(?:ust)?|augustus|ao[ûu]t|agosto",
    "sept?(?:ember|embre|iembre)?|settembre|setembro",
    "oct(?:ober|obre|ubre)?|okt(?:ober)?|ottobre|outubro",
    "nov(?:ember|embre|iembre|embro)?",
    "dec(?:ember)?|de[zc](?:ember|embro|embre)?|déc(?:embre)?|dic(?:iembre|embre)?",
)
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})\b\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th|er|º|°)?\.?"
_GAP = r"(?: of | de |[ /-]+)"
_ALONE = r"(?<![\w–—/.-])(?<![-–—/] )"  # "July–August 2026" names no month, nor "2/3 May" a day
_TIME = (
    r"(?:(?:T|,?\s+)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::\d{2}(?:[.,]\d+)?)?"
    r"\s*(?P<zone>(?:GMT|UTC?)?[+-]\d{2}:?(?:\d{2})?|[A-Z]{1,4}\b)?)?"
)
_DAYS = tuple(
    re.compile(_ALONE + pattern, re.IGNORECASE)
    for pattern in (
        rf"(?P<year>\d{{4}})-(?P<number>\d{{1,2}})-(?P<day>\d{{1,2}}){_TIME}(?!\d)",
        rf"(?P<year>\d{{4}})/(?P<number>\d{{1,2}})/(?P<day>\d{{1,2}}){_TIME}(?!\d)",
        r"(?P<year>(?:19|20)\d\d)(?P<number>[01]\d)(?P<day>[0-3]\d)(?!\d)",
        rf"{_DAY}{_GAP}{_MONTH},?{_GAP}(?P<year>\d{{4}}){_TIME}(?!\d)",
        # RFC 822 had years of two digits; without a time they might be the day.
        rf"(?P<day>\d{{1,2}})[ -]{_MONTH}[ -](?P<year>\d\d)(?=\s+\d\d:){_TIME}",
        rf"{_MONTH} (?P<day>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<year>\d{{4}}){_TIME}(?!\d)",
        rf"{_MONTH} +(?P<day>\d{{1,2}}) \d\d:\d\d(?::\d\d)? (?:[A-Z]+ )?(?P<year>\d{{4}})(?!\d)",
        rf"(?P<year>\d{{4}})[ -]{_MONTH}[ -](?P<day>\d{{1,2}})(?![\d–—-])",
        r"(?P<day>\d{1,2})\.(?P<number>\d{1,2})\.(?P<year>\d{4})(?!\d)",
        r"(?P<year>\d{4})\.(?P<number>\d{1,2})\.(?P<day>\d{1,2})(?![\d.])",
        r"(?P<year>\d{4}) ?[年년] ?(?P<number>\d{1,2}) ?[月월] ?(?P<day>\d{1,2}) ?[日일]",
    )
)
_SLASHED = re.compile(rf"{_ALONE}(\d{{1,2}})([/-])(\d{{1,2}})\2(\d{{4}})(?!\d)")
_MONTH_ONLY = tuple(
    re.compile(_ALONE + pattern, re.IGNORECASE)
    for pattern in (
        rf"{_MONTH},? (?P<year>\d{{4}})(?!\d)",
        rf"(?P<year>\d{{4}}) {_MONTH}(?!\s*[\d–—/-])",
        r"(?P<year>\d{4})-(?P<number>\d{2})(?![\d–—/-])",
    )
)
_HOURS = {
    name: hours
    for hours, names in {-4: "EDT", -5: "EST CDT", -6: "CST MDT", -7: "MST PDT", -8: "PST"}.items()
    for name in names.split()
} | {"CET": 1, "CEST": 2, "MSK": 3, "JST": 9}
"""Zones by name, in hours from UTC (RFC 822, 5.1, and some more)."""

_OFFSET = re.compile(r"(?:GMT|UTC?)?([+-])(\d{2}):?(\d{2})?", re.IGNORECASE)
_FIRST_YEAR = 1600
_NONE = frozenset({date(1970, 1, 1)})
"""What programs write that have no date."""


@lru_cache(maxsize=1024)  # the entries of a feed share a few days
def find_day(text: str) -> date | None:
    """The day that a text names, in UTC if it names a time and a zone; None if it is not sure.

    ``3/8/2026`` is not sure; ``30/11/2026`` is, and ``3.8.2026`` has the day first.
    """
    for pattern in _DAYS:
        if (match := pattern.search(text)) is not None:
            return _plausible(_in_utc(match))
    if (slashed := _SLASHED.search(text)) is not None:
        first, second, year = map(int, slashed.group(1, 3, 4))
        if max(first, second) > len(_MONTHS) or first == second:
            return _plausible(_date(year, min(first, second), max(first, second)))
    return None


def find_month(text: str) -> date | None:
    """The first day of the month that a text names without a day; None if there is none."""
    for pattern in _MONTH_ONLY:
        if (match := pattern.search(text)) is not None:
            return _plausible(_date(int(match["year"]), _month(match), 1))
    return None


def _plausible(day: date | None) -> date | None:
    return None if day is None or day.year < _FIRST_YEAR or day in _NONE else day


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _month(match: re.Match[str]) -> int:
    named = match.groupdict()
    if named.get("month"):
        month = match["month"]
        return next(
            n for n, names in enumerate(_MONTHS, 1) if re.fullmatch(names, month, re.IGNORECASE)
        )
    return int(match["number"])


def _in_utc(match: re.Match[str]) -> date | None:
    """The day of a match; in UTC if its time and zone are known."""
    named = match.groupdict()
    year = int(f"20{match['year']}"[-4:])
    day = _date(year, _month(match), int(match["day"]))
    zone = _zone(named.get("zone") or "")
    if day is None or zone is None or int(named["hour"]) >= 24:  # noqa: PLR2004 - hours of a day
        return day
    time = datetime(day.year, day.month, day.day, int(named["hour"]), tzinfo=zone)
    try:
        return (time + timedelta(minutes=min(int(named["minute"]), 59))).astimezone(UTC).date()
    except OverflowError:
        return day


def _zone(name: str) -> timezone | None:
    offset = _OFFSET.fullmatch(name)
    if offset is None:
        hours = _HOURS.get(name.upper())
        return None if hours is None else timezone(timedelta(hours=hours))
    away = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
    if away >= timedelta(days=1):
        return None
    return timezone(-away if offset[1] == "-" else away)
