"""The operator's page and its numbers for Prometheus: read-only, behind a password."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import get_args

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from newsletter.model import DailyGrowth, DeliveryState, ListingState, Suppression
from newsletter.model.closed_sets import complete
from newsletter.ports import Issues
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.reporting import (
    find_reader_faults,
    known_gaps,
    known_health,
    quarantined_papers,
    reported_days,
)
from newsletter.web.context import PageContext

Metric = tuple[str, str, str, Iterable[tuple[str, float]]]
"""A metric's name, its help text, the name of its label, and its values by label."""

ISSUES_SHOWN = 14  # issues in the table and the plot
ENTRIES_SHOWN = 20  # reasons to unsubscribe, and blocked readers, that are shown
WEEKS_SHOWN = 26  # weeks in the plot of the growth

WEEK = timedelta(weeks=1)

_BEFORE_DATE = re.compile(r"(?:, last)? on \d{4}-")

HEALTHY: frozenset[ListingState] = frozenset({"ok", "quiet", "holiday"})  # a source that works


@dataclass(frozen=True, slots=True)
class WeekRow:
    """How many readers came and left in a week, and how many there were at its end."""

    monday: date
    came: int
    left: int
    readers: int


COLUMNS: Mapping[str, tuple[DeliveryState, ...]] = {
    "Sent": ("accepted",),
    "Waiting": ("pending", "claimed", "committing", "deferred"),
    "Failed": ("failed", "expired"),
    "In doubt": ("unknown", "held"),
    "Unsubscribed": ("suppressed",),
    "No papers": ("empty",),
}
"""The columns of the table of issues; each delivery is counted in one of them."""

complete(
    "COLUMNS",
    get_args(DeliveryState),
    {state: column for column, states in COLUMNS.items() for state in states},
)


@dataclass(frozen=True, slots=True)
class IssueRow:
    """An issue in the table: how many emails it has, and how many are in each of the columns."""

    day: date
    state: str
    emails: int
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OperatorPages:
    """The operator's page and the metrics."""

    context: PageContext

    def overview(self, _request: Request) -> Response:
        """The state of readers, issues, sources and running processes."""
        store = self.context.publisher.store
        days, today = store.issue_days()[:ISSUES_SHOWN], self.context.now.date()
        newest = next(reported_days(store, self.context.now), today)
        return self.context.templates.page(
            "operator",
            tally=store.count_readers(),
            growth=count_growth(store.daily_growth(), today),
            span=WEEKS_SHOWN,
            columns=COLUMNS,
            issues=[_issue_row(store, day) for day in days],
            sources=known_health(self.context.publisher),
            gaps=known_gaps(self.context.publisher),
            heartbeats=store.heartbeats(),
            blocked=_list_blocked(store.suppressions()),
            farewells=store.leaving_reasons(limit=ENTRIES_SHOWN),
            faulty=find_reader_faults(self.context.publisher, newest)[:ENTRIES_SHOWN],
            quarantined=quarantined_papers(store, days[0]) if days else (),
        )

    def metrics(self, _request: Request) -> Response:
        """The same in Prometheus's text format."""
        return expose_metrics(self.context.publisher, self.context.now)


def _issue_row(store: Issues, day: date) -> IssueRow:
    state, _ = store.issue_state(day) or ("", "")
    counts = store.counts(day)
    columns = tuple(counts.of(states) for states in COLUMNS.values())
    return IssueRow(day, state.replace("_", " "), counts.planned, columns)


def _list_blocked(suppressed: Iterable[Suppression]) -> list[tuple[date, str]]:
    """Since when readers are blocked and why, newest first.

    The reason is cut at its colon, since what a server says after it may contain an address, and
    before its date.
    """
    newest = sorted(suppressed, key=lambda each: each.since, reverse=True)[:ENTRIES_SHOWN]
    return [
        (each.since.date(), _BEFORE_DATE.split(each.why.partition(":")[0])[0]) for each in newest
    ]


def count_growth(daily_growth: Sequence[DailyGrowth], today: date) -> tuple[WeekRow, ...]:
    """The last weeks since the first reader came, oldest first, summed up from single days."""
    this_week = _monday(today)
    first = min((_monday(each.day) for each in daily_growth), default=this_week + WEEK)
    mondays = [first + n * WEEK for n in range((this_week - first) // WEEK + 1)]
    came = dict.fromkeys(mondays, 0)
    left = dict.fromkeys(mondays, 0)
    for each in daily_growth:
        came[_monday(each.day)] += each.came
        left[_monday(each.day)] += each.left
    totals = accumulate(came[monday] - left[monday] for monday in mondays)
    return tuple(
        WeekRow(monday, came[monday], left[monday], readers)
        for monday, readers in zip(mondays, totals, strict=True)
    )[-WEEKS_SHOWN:]


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def expose_metrics(publisher: Publisher, now: datetime) -> Response:
    """The metrics in Prometheus's text format, read from the store on each request.

    Raises:
        HTTPException: the library that writes the format is not installed (501).
    """
    try:
        import prometheus_client  # noqa: PLC0415 - an extra that may not be installed
    except ImportError as error:
        raise HTTPException(
            501,
            "Metrics need an extra. Install it with pip install 'daily-papers-newsletter[metrics]',"
            " then restart the newsletter.",
        ) from error

    registry = prometheus_client.CollectorRegistry()
    for name, text, label, values in _list_metrics(publisher, now):
        gauge = prometheus_client.Gauge(f"newsletter_{name}", text, [label], registry=registry)
        for key, value in values:
            gauge.labels(key).set(value)
    headers = {"Content-Type": prometheus_client.CONTENT_TYPE_LATEST}
    return Response(prometheus_client.generate_latest(registry), headers=headers)


def _list_metrics(publisher: Publisher, now: datetime) -> Iterator[Metric]:
    store = publisher.store
    yield "readers", "Readers by status.", "status", store.count_readers().items()
    day = next(reported_days(store, now), None)
    if day is not None:
        counts = asdict(store.counts(day)).items()
        yield "letters", "Emails of the last issue by state.", "state", counts
        waves = store.wave_heads(day)
        if waves:
            frozen = [(day.isoformat(), waves[-1].frozen_at.timestamp())]
            yield "issue_frozen_seconds", "When the last issue was frozen.", "day", frozen
    sources = known_health(publisher)
    healthy = [(each.name, each.state in HEALTHY) for each in sources]
    yield "source_ok", "Whether a source worked when last asked.", "source", healthy
    last = [(each.name, each.last_ok.timestamp()) for each in sources if each.last_ok is not None]
    yield "source_last_ok_seconds", "When a source last worked.", "source", last
    gaps = Counter(gap.source for gap in known_gaps(publisher) if gap.state == "missing")
    missing = [(each.name, gaps[each.name]) for each in publisher.sources]
    yield "source_lists_missing", "Lists of a source that are still to be read.", "source", missing
    seen = [(each.name, each.seen.timestamp()) for each in store.heartbeats()]
    yield "heartbeat_seconds", "When a daemon last ticked.", "name", seen
