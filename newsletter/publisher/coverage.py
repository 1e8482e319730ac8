"""Which lists a source is asked for, and what its answers mean for the papers that are owed.

Pure functions over the rows of the coverage record (:class:`newsletter.model.Coverage`).
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from statistics import median

from newsletter.model import (
    Calendar,
    Coverage,
    CoverageState,
    Identity,
    Item,
    Listing,
    ListRequest,
)
from newsletter.ports import Source

_FINGERPRINTS = 100  # papers of a list whose hashes are kept to recognise it

SATURDAY = 5

LOST_SHOWN = 2 * Calendar().kept
"""How long after its date a lost list is shown: for a month after it was given up."""

MAX_NAMED = 3  # dates of a source that a letter names; of the others it gives the number

_COMPARED, _FAR_OFF = 10, 5  # lists that one is compared with, and the factor that is odd

STALE = "an earlier day's list again"
_GIVEN_UP = "it could not be read while the source had it"
_FELL_OUT = "entries may have fallen out of the feed before it was read"

Rows = Mapping[tuple[str, date], Coverage]
"""The coverage record of one source, by part and date."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a request: listings, or the reason why there are none.

    ``identities`` are those of all papers that were listed, in their order.
    """

    request: ListRequest
    listings: tuple[Listing, ...] = ()
    identities: tuple[Identity, ...] = ()
    failure: str = ""

    @property
    def listed_items(self) -> Iterator[tuple[Listing, Item]]:
        """All papers that were listed, old entries of a feed too, each with its listing."""
        return ((listing, item) for listing in self.listings for item in listing.items)

    @property
    def items(self) -> tuple[Item, ...]:
        """All papers that were listed."""
        return tuple(item for _, item in self.listed_items)

    @property
    def missing(self) -> str:
        """Why some papers of the lists are missing, although the others came."""
        return "; ".join(one.missing for one in self.listings if one.missing)

    @property
    def unreadable(self) -> str:
        """How many entries could not be read and were left out; empty if there are none."""
        count = sum(one.unreadable for one in self.listings)
        return f"entries that could not be read: {count}" if count else ""


def open_requests(
    source: Source, rows: Rows, now: datetime, since: date | None = None
) -> list[ListRequest]:
    """The lists of a source to ask for now, the newest first.

    These are the lists that may still grow, and those that are missing. A source that was never
    asked owes nothing but its present list and those before it that still grow. With ``since``,
    every list from that date on is asked for.
    """
    if not source.calendar.past:
        return [ListRequest(part, source.calendar.today(now), now) for part in source.parts]
    requests = [
        ListRequest(part, day, now)
        for part in source.parts
        for day in _dates(source.calendar, [d for p, d in rows if p == part], now, since)
        if since is not None or (part, day) not in rows or rows[part, day].is_open
        if since is not None or not source.calendar.is_given_up(day, now)
    ]
    requests.sort(key=lambda request: request.day, reverse=True)
    return requests


def _dates(
    calendar: Calendar, known: Sequence[date], now: datetime, since: date | None
) -> Iterator[date]:
    today = calendar.today(now)
    growing = today
    while not calendar.is_settled(growing - timedelta(days=1), now):
        growing -= timedelta(days=1)
    return calendar.days(since or min(known, default=growing), now)


def update_rows(
    source: Source,
    rows: Rows,
    replies: Sequence[Reply],
    now: datetime,
    since: date | None = None,
) -> list[Coverage]:
    """The rows of the coverage record that change with these replies."""
    if source.calendar.past:
        first = since or first_owed(rows, replies)
        changed = [_dated(source, rows, one, now) for one in replies if one.request.day >= first]
        changed += _given_up(source, rows, {(row.part, row.day) for row in changed}, now)
    else:
        changed = [row for reply in replies for row in _stream(source, rows, reply, now)]
    return [row for row in changed if rows.get((row.part, row.day)) != row]


def first_owed(rows: Rows, replies: Sequence[Reply]) -> date:
    """The date from which on readers are owed a source's papers: that of its first list.

    In a first poll it is the newest date with papers: nobody is owed what was listed before the
    source was added.
    """
    if rows:
        return date.min
    asked = [reply.request.day for reply in replies]
    return max(
        (one.request.day for one in replies if one.items), default=max(asked, default=date.min)
    )


def _dated(source: Source, rows: Rows, reply: Reply, now: datetime) -> Coverage:
    """The row of one date's list after a reply."""
    part, day = reply.request.part, reply.request.day
    before = rows.get((part, day), Coverage(source.name, part, day, "missing"))
    over = source.calendar.is_over(day, now)
    if reply.failure:
        failed: CoverageState = "missing" if before.answered is None else before.state
        return replace(before, state=failed, checked=now, detail=reply.failure)
    if is_stale(source.calendar, rows, reply):
        state: CoverageState = "missing" if over and before.answered is None else "growing"
        return replace(before, state=state, checked=now, detail=STALE)
    complete = any(one.complete for one in reply.listings) or source.calendar.is_settled(day, now)
    late = over and bool(rows) and before.state in {"missing", "lost"}
    state = "growing" if not complete else "filled" if late else "covered"
    if reply.missing:
        state = "missing" if over else "growing"
    if before.papers and not reply.items:
        emptied = f"the list is empty now, but had papers before ({before.papers})"
        return replace(before, state=state, checked=now, detail=emptied)
    return replace(
        before,
        state=state,
        papers=len(reply.items),
        digest=fingerprints(source.calendar, reply.items),
        checked=now,
        # An empty list that may still grow says nothing yet.
        answered=now if complete or reply.items else before.answered,
        detail=reply.missing or reply.unreadable or (_odd_count(rows, reply) if complete else ""),
    )


def _odd_count(rows: Rows, reply: Reply) -> str:
    """What is odd about a list that is far shorter or longer than the last ones; else empty.

    Lists of weekends are compared with those of weekends.
    """
    part, day, papers = reply.request.part, reply.request.day, len(reply.items)
    lengths = [
        rows[one, d].papers
        for one, d in sorted(rows)
        if one == part and d < day and (d.weekday() < SATURDAY) == (day.weekday() < SATURDAY)
    ]
    known = list(filter(None, lengths))[-_COMPARED:]
    if len(known) < _COMPARED or median(known) / _FAR_OFF <= papers <= median(known) * _FAR_OFF:
        return ""
    return f"papers listed: {papers}; usually: {median(known):g}"


def _given_up(
    source: Source, rows: Rows, asked: set[tuple[str, date]], now: datetime
) -> Iterator[Coverage]:
    """The rows of lists that are too old to be asked for, and of dates that were never asked."""
    for part in source.parts:
        first = min((day for one, day in rows if one == part), default=None)
        if first is None:
            continue
        for day in source.calendar.days(first, now):
            row = rows.get((part, day), Coverage(source.name, part, day, "missing"))
            if not row.is_open or (part, day) in asked:
                continue
            if source.calendar.is_given_up(day, now):
                yield replace(row, state="lost", detail=row.detail or _GIVEN_UP)
            elif (part, day) not in rows:
                yield row


def _stream(source: Source, rows: Rows, reply: Reply, now: datetime) -> Iterator[Coverage]:
    """The rows of a feed after a reply, which tells of all days since the last one."""
    part, today = reply.request.part, reply.request.day
    row = rows.get((part, today), Coverage(source.name, part, today, "missing"))
    before = last_answer(rows, part)
    first = min((day for one, day in rows if one == part), default=today)
    days = [day for day in source.calendar.days(first, now) if day < today]
    earlier = [rows.get((part, day), Coverage(source.name, part, day, "missing")) for day in days]
    emptied = before is not None and before.papers > 0 and not reply.items
    if reply.failure or emptied:
        # An empty list says nothing of the entries since; the next one is compared with the last.
        detail = reply.failure or "the feed is empty now"
        unknown = row.state == "missing" and not reply.failure
        state: CoverageState = "growing" if unknown else row.state
        yield from (*earlier, replace(row, state=state, checked=now, detail=detail))
        return
    fell_out = _may_have_lost(source.calendar, before, reply)
    yield from (_closed(one, now, fell_out=fell_out) for one in earlier if one.is_open)
    lost = fell_out or row.state == "lost"
    yield replace(
        row,
        state="lost" if lost else "growing",
        papers=len(reply.items),
        digest=fingerprints(source.calendar, reply.items),
        checked=now,
        answered=now,
        detail=_FELL_OUT if lost else "",
    )


def _closed(row: Coverage, now: datetime, *, fell_out: bool) -> Coverage:
    """The row of a feed's past day, once the feed has answered on a later one."""
    if fell_out:
        return replace(row, state="lost", detail=_FELL_OUT)
    if row.answered is not None:
        return replace(row, state="covered", detail="")
    return replace(row, state="filled", checked=now, answered=now, detail="")


def _may_have_lost(calendar: Calendar, before: Coverage | None, reply: Reply) -> bool:
    """Whether entries of a feed may have come and fallen out since it was read last.

    None did if its oldest entry was there then, and with this date: a later one is that of a new
    version, unless a feed has but one date, that of its making. A feed that is longer now may have
    older entries too.
    """
    if not calendar.overlaps or before is None or not before.digest or not reply.items:
        return False
    prints = before.digest.split()
    dates = dict(entry.partition(".")[::2] for entry in prints)
    one_date = len({item.published for item in reply.items}) == 1
    partly = len(reply.items) > before.papers or len(prints) == _FINGERPRINTS
    compared = reply.items if partly else _oldest(reply.items)
    for entry in fingerprints(calendar, compared).split():
        name, _, day = entry.partition(".")
        if name in dates and (one_date or not dates[name] or day <= dates[name]):
            return False
    return True


def _oldest(items: Sequence[Item]) -> Sequence[Item]:
    """The items with the oldest date; without dates those at both ends, as the order may be any."""
    dates = [item.published for item in items if item.published is not None]
    if not dates:
        return (items[0], items[-1])
    return [item for item in items if item.published == min(dates)]


def last_answer(rows: Rows, part: str) -> Coverage | None:
    """The row of a part that was answered last."""
    answered = [row for (one, _), row in rows.items() if one == part and row.answered is not None]
    return max(answered, key=lambda row: row.day, default=None)


def is_stale(calendar: Calendar, rows: Rows, reply: Reply) -> bool:
    """Whether a date's list is an earlier one, by its own date or because it was there then."""
    if not (digest := fingerprints(calendar, reply.items)):
        return False
    part, day = reply.request.part, reply.request.day
    shown = max(one.day for one in reply.listings if one.items)
    if shown < day and _is_list_of(calendar, rows, reply, shown):
        return True
    return any(one == part and d < day and row.digest == digest for (one, d), row in rows.items())


def _is_list_of(calendar: Calendar, rows: Rows, reply: Reply, shown: date) -> bool:
    """Whether a reply is the list of the earlier date that it says.

    The date may be wrong. It is right if that date's list is known and has the same papers; or if
    it is not known, and no later list is known either.
    """
    part, day = reply.request.part, reply.request.day
    if known := (row.digest if (row := rows.get((part, shown))) else ""):
        return _are_mostly_same(known.split(), fingerprints(calendar, reply.items).split())
    later = any(one == part and shown < d < day and row.papers for (one, d), row in rows.items())
    return not later and (bool(rows) or shown == calendar.last_before(day))


def _are_mostly_same(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether most fingerprints of the shorter list are also in the other; both may be cut."""
    ends = [prints[-1] for prints in (one, other) if len(prints) == _FINGERPRINTS]
    kept = [{p for p in prints if p <= min(ends, default=p)} for prints in (one, other)]
    return 2 * len(kept[0] & kept[1]) >= max(1, min(map(len, kept)))


def is_fresh(calendar: Calendar, rows: Rows, reply: Reply, now: datetime) -> bool:
    """Whether a reply has papers, and they were not the same on an earlier day."""
    present = [item for one in reply.listings if not one.past for item in one.items]
    if not present or is_stale(calendar, rows, reply):
        return False
    row = rows.get((reply.request.part, reply.request.day))
    if row is None and not calendar.past:
        row = last_answer(rows, reply.request.part)
    if row is None or row.answered is None or row.digest != fingerprints(calendar, reply.items):
        return True
    return calendar.today(row.answered) == calendar.today(now)


def fingerprints(calendar: Calendar, items: Sequence[Item]) -> str:
    """Short hashes of the papers of a list, sorted, to compare it with other lists.

    The time at which a feed was built does not count, nor do a feed's addresses, which may change
    by themselves. In the list of a date a paper is known by its first id, too: an "Editorial" of
    another date is another one. An entry of a feed has its date beside the hash.
    """
    return " ".join(sorted({_fingerprint(calendar, item) for item in items})[:_FINGERPRINTS])


def _fingerprint(calendar: Calendar, item: Item) -> str:
    name = f"{item.title.casefold()} {item.ids[0] if calendar.past and item.ids else ''}"
    short = hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=4).hexdigest()
    return f"{short}.{item.published}" if calendar.overlaps and item.published else short


def was_written_ahead(calendar: Calendar, row: Coverage, now: datetime) -> bool:
    """Whether a row was written while the clock was ahead: it knows what is still to come."""
    given_up = row.state == "lost" and calendar.past
    return (
        (row.checked is not None and row.checked > now)
        or row.day > calendar.today(now)
        or (given_up and not calendar.is_given_up(row.day, now))
    )


def select_gaps(
    sources: Sequence[Source], rows: Sequence[Coverage], now: datetime
) -> tuple[Coverage, ...]:
    """The lists that these sources owe, in the rows' order.

    A source or a part that is no longer configured owes nothing.
    """
    calendars = {
        (source.name, part): source.calendar for source in sources for part in source.parts
    }
    return tuple(
        row
        for row in rows
        if (calendar := calendars.get((row.source, row.part)))
        and not was_written_ahead(calendar, row, now)
    )


def name_gaps(source: Source, gaps: Sequence[Coverage], now: datetime) -> str:
    """How letters name a source whose lists are missing; empty if none is missing.

    The dates are named unless only the present list is missing.
    """
    days = sorted({row.day for row in gaps if row.source == source.name and row.state == "missing"})
    if not days or days == [source.calendar.today(now)]:
        return source.name if days else ""
    named = [f"{day.day} {day:%B}" for day in days[:MAX_NAMED]]
    more = [f"{len(days) - MAX_NAMED} more dates"] if len(days) > MAX_NAMED else []
    return f"{source.name} ({', '.join((*named, *more))})"
