"""What the operator is told by email: each event with a key under which it is told once.

The keys have no addresses in them: they stay in the store when a reader is erased.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby, islice, takewhile
from operator import attrgetter

from newsletter.letter.links import keyed_hash
from newsletter.model import ERRORS, STOPPED_ISSUE, DailyGrowth, ReaderFault
from newsletter.model.windows import SEARCHED_ISSUES
from newsletter.model.zones import load_zone
from newsletter.ports import Issues
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.publishing import NO_SOURCE
from newsletter.publisher.reporting import (
    ERROR_WORDS,
    IssueReport,
    find_reader_faults,
    is_in,
    known_gaps,
    known_health,
    letter_line,
    mass_words,
    report,
    reported_days,
)
from newsletter.publisher.ticking import local_date
from newsletter.readers.operating import waiting_notice
from newsletter.readers.stored_settings import FORMERLY, lost_topic_lines
from newsletter.text import clean

NEWS_FOR = timedelta(days=2)  # the operator gets no email about older issues and sources

LETTERS_FOR = timedelta(days=8)
"""How long letters that nobody sends any more are told: those of a weekend without power, too."""

BLOCKED_FOR = timedelta(days=30)  # how long a blocked reader is told
GROWTH_FOR = timedelta(days=60)  # how far back the readers who joined and left are counted

SHOWN = 20  # how many readers, letters or lists an email names; the rest are only counted

_MAX_EVENT = 500  # characters of an event that the email quotes


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell: the key under which it is told once, its words, and what it is one of."""

    key: str
    words: str
    kind: str = ""


def list_events(publisher: Publisher, paused: Mapping[date, str]) -> Iterator[Event]:
    """What has happened; ``paused`` says why delivery is paused, by date."""
    for day, why in paused.items():
        words = f"{day}: delivery is paused and will be tried again: {_short(why)}"
        yield Event(f"{day}: paused", words)
    now = publisher.clock.now()
    for found in publisher.store.mass_reports(since=now.date() - NEWS_FOR):
        yield Event(f"{found.letter}: mass reports", mass_words(found))
    days = _recent_issues(publisher, now)
    for day in reversed(days):
        yield from _letter_events(publisher, day)
    newest = days[0] if days and days[0] >= now.date() - NEWS_FOR else None
    yield from _newest_events(publisher, newest, now)
    yield from _blocked_events(publisher, now)
    yield from _waiting_events(publisher)
    yield from _gap_events(publisher, now)


def reader_news(publisher: Publisher, day: date) -> Iterator[Event]:
    """Of :func:`list_events` what is about letters and blocked readers, with an issue's own."""
    now = publisher.clock.now()
    for each in sorted({day, *_recent_issues(publisher, now)}):
        yield from _letter_events(publisher, each)
    yield from _blocked_events(publisher, now)


def _recent_issues(publisher: Publisher, now: datetime) -> Sequence[date]:
    oldest = now.date() - LETTERS_FOR
    recent = takewhile(lambda day: day >= oldest, reported_days(publisher.store, now))
    return [*islice(recent, SEARCHED_ISSUES)]


def _newest_events(publisher: Publisher, newest: date | None, now: datetime) -> Iterator[Event]:
    """What the newest issue, its readers and its sources have to tell; None without one."""
    if newest is None:
        today = local_date(publisher, now)
        yield from _reader_events(today, find_reader_faults(publisher, today))
        return
    current = report(publisher, newest)
    yield from _issue_events(current)
    yield from _reader_events(newest, current.reader_faults)
    zone = load_zone(publisher.publication.timezone)
    for source in known_health(publisher):
        for_this_issue = source.checked and source.checked.astimezone(zone).date() == newest
        if for_this_issue and source.state in {"failed", "partial", "stale"}:
            detail = f": {_short(source.detail)}" if source.detail else ""
            name = _short(source.name)
            words = f"{newest}: source {name} is {source.state}{detail}"
            yield Event(f"{newest}: source {name} {source.state}", words)


def _letter_events(publisher: Publisher, day: date) -> Iterator[Event]:
    """The letters of an issue that nobody sends any more, once it is done.

    Beyond :data:`SHOWN` they are told anew whenever there are more.
    """
    store = publisher.store
    if not is_in(store, day, {"done_with_errors"}):
        return
    counts = store.counts(day)
    number = counts.of(ERRORS)
    errors = {word: counts.of({state}) for state, word in ERROR_WORDS.items()}
    listed = ", ".join(f"{count} {error}" for error, count in errors.items() if count)
    key = f"{day}: letters" if number <= SHOWN else f"{day}: {number} letters"
    words = f"{day}: of {counts.planned} emails {listed}; newsletter status {day} names them"
    yield Event(key, words)
    for letter in store.deliveries(day, states=ERRORS, limit=SHOWN):
        name = f"{key} {_hash(publisher, letter.email)} {letter.state}"
        yield Event(name, f"{day}: {_short(letter_line(letter))}")


def _issue_events(report: IssueReport) -> Iterator[Event]:
    day = report.day
    if report.state == "held":
        yield Event(f"{day}: held", f"{day}: held: {_short(report.reason)}")
    elif report.reason == NO_SOURCE:
        yield Event(f"{day}: {NO_SOURCE}", f"{day}: {NO_SOURCE}; nothing is sent until one does")
    for fault in report.faults:
        yield Event(f"{day}: {fault.partition(': ')[0]}", f"{day}: {_short(fault)}", "faults")


def _reader_events(day: date, faults: Sequence[ReaderFault]) -> Iterator[Event]:
    """What is reported of readers: once a day of one who is skipped, once of one who is served.

    Lost topics are reported every day, each with its readers.
    """
    for line in lost_topic_lines(faults):
        key = f"{day}: {line.partition(', but ')[0]}"
        yield Event(key, f"{day}: {_short(line)}; {FORMERLY}", "readers")
    for fault in faults:
        if fault.lost:
            continue
        said = _short(fault.words)
        if fault.served:
            yield Event(f"reader {fault.id}: {said}", f"reader {fault.email}: {said}", "readers")
        else:
            words = f"{day}: reader {fault.email} was skipped: {said}; tried again until it works"
            yield Event(f"{day}: reader {fault.id}", words, "readers")


def _blocked_events(publisher: Publisher, now: datetime) -> Iterator[Event]:
    for one in publisher.store.suppressions():
        if now - one.since <= BLOCKED_FOR:
            key = f"blocked {_hash(publisher, one.email)} {one.since.isoformat()}"
            words = f"reader {one.email} gets no more emails: {_short(one.why)}"
            yield Event(key, words, "blocked readers")


def _waiting_events(publisher: Publisher) -> Iterator[Event]:
    for reader in publisher.store.search_readers("", status="waiting", limit=SHOWN):
        words = f"reader {reader.subscriber.email} waits for your approval"
        yield Event(waiting_notice(reader), words, "readers who wait")


def _gap_events(publisher: Publisher, now: datetime) -> Iterator[Event]:
    """The lists that are still not read a day later: the next polls did not bring them."""
    yesterday = local_date(publisher, now) - timedelta(days=1)
    for gap in known_gaps(publisher):
        if gap.day < yesterday:
            name = _short(" ".join(filter(None, (gap.source, gap.part))))
            why = f": {_short(gap.detail)}" if gap.detail else ""
            words = f"source {name}: the list of {gap.day} is {gap.state}{why}"
            yield Event(f"gap {name} {gap.day}", words, "lists")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a day went as it should, in words without addresses."""

    is_good: bool
    words: str


def judge(store: Issues, day: date) -> Verdict | None:
    """How the issue of a day went; None while its letters are still being sent.

    Single letters that fail are no failure of the day, more of them than were accepted are. Some
    deferred letters may still be open: a full mailbox keeps one for twenty hours.
    """
    found = store.issue_state(day)
    if found is None:
        return Verdict(is_good=True, words=f"{day}: no issue was due")
    (state, reason), counts = found, store.counts(day)
    errors = counts.of(ERRORS)
    why = f" ({reason})" if reason else ""
    words = f"{day} is {state}{why}: {counts.accepted} of {counts.planned} accepted"
    words += f", {errors} failed" if errors else ""
    if state == "held" or reason == NO_SOURCE or errors > counts.accepted:
        return Verdict(is_good=False, words=words)
    is_sent = counts.open == counts.deferred <= counts.accepted
    return Verdict(is_good=True, words=words) if is_sent or state in STOPPED_ISSUE else None


def capped(events: Iterable[Event]) -> list[str]:
    """The words of events, in their order; of many of one kind some, and the number of the rest."""
    lines = list[str]()
    for kind, found in groupby(events, key=attrgetter("kind")):
        words = [event.words for event in found]
        most = SHOWN if kind else len(words)
        lines += words[:most]
        if len(words) > most:
            lines.append(f"and {len(words) - most} more {kind}: newsletter status, doctor")
    return lines


def recent_growth(publisher: Publisher) -> Mapping[str, DailyGrowth]:
    """How many readers joined and left on each of the last days that are over, by the day's key."""
    today = publisher.clock.now().date()
    return {
        f"growth {growth.day}": growth
        for growth in publisher.store.daily_growth()
        if today - GROWTH_FOR <= growth.day < today
    }


def growth_line(growth: Sequence[DailyGrowth]) -> str:
    """How many readers joined and left on these days."""
    came, left = sum(each.came for each in growth), sum(each.left for each in growth)
    return f"since {growth[0].day}: {came} readers joined, {left} left"


def _hash(publisher: Publisher, email: str) -> str:
    return keyed_hash(f"notice:{email}", publisher.keyring)[:16]


def _short(words: str) -> str:
    return clean(words)[:_MAX_EVENT]
