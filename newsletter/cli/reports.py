"""How issues, sources and their counts are shown, as JSON and for a person."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from newsletter.app.app import App
from newsletter.cli.command import issue_day
from newsletter.cli.output import counted, table
from newsletter.model import Heartbeat, SourceReport
from newsletter.publisher.reporting import IssueReport, so_far

SOURCE_FAILED = 4
DELIVERIES_FAILED = 5


def issue_document(report: IssueReport) -> dict[str, Any]:
    """An issue's report as ``send --json`` and ``status --json`` give it."""
    return {
        "issue": report.day.isoformat(),
        "state": report.state,
        "reason": report.reason,
        "papers": report.papers,
        "planned": report.counts.planned,
        **asdict(report.counts),
        "open": report.counts.open,
        "sources": [source_document(source) for source in report.sources],
    }


def missing_lines(sources: Sequence[SourceReport]) -> list[str]:
    """A line for each source that did not answer, or not with a listing: why."""
    return [f"{source.name}: {source.detail}" for source in sources if source.missing]


def source_document(source: SourceReport) -> dict[str, Any]:
    """A source's report as JSON."""
    return {
        "name": source.name,
        "state": source.state,
        "new": source.new,
        "seen": source.seen,
        "revised": source.revised,
        "detail": source.detail,
    }


def shown_day(app: App, issue: str | None) -> date:
    """The date of the issue that is asked for, or of the newest; today's where there is none.

    Raises:
        UsageError: what is asked for is no date.
    """
    day = issue_day(issue, app.clock, app.settings.timezone)
    return day if issue else next(so_far(app.store, app.clock.now()), day)


def issue_lines(report: IssueReport) -> str:
    """An issue's report for a person: its state, each state that has deliveries, what to decide."""
    if report.state is None:
        return f"{report.day}: no issue yet"
    counts = {"planned": report.counts.planned, **asdict(report.counts)}
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    reason = f" ({report.reason})" if report.reason else ""
    papers = counted(report.papers, "paper")
    held = f"\n`newsletter issue resolve {report.day}` says what became of those held"
    stands = f"{report.day}: {report.state}{reason}, {papers}; {told or 'no letters'}"
    return stands + (held if report.counts.held else "")


def source_lines(sources: Sequence[SourceReport]) -> str:
    """The sources in a table."""
    rows = [(s.name, s.state, s.new, s.seen, s.revised, s.detail) for s in sources]
    return table(("source", "state", "new", "seen", "revised", ""), rows) if rows else ""


def health_lines(sources: Sequence[SourceReport]) -> str:
    """How the sources are, in a table; what they brought is not remembered."""
    rows = [(s.name, s.state, s.detail) for s in sources]
    return table(("source", "state", ""), rows) if rows else ""


def heartbeat_document(heartbeat: Heartbeat) -> dict[str, str]:
    """A sign of life as JSON."""
    return {
        "name": heartbeat.name,
        "started": heartbeat.started.isoformat(),
        "seen": heartbeat.seen.isoformat(),
        "said": heartbeat.said,
    }


def heartbeat_lines(heartbeats: Sequence[Heartbeat]) -> str:
    """Who was last awake, a line each."""
    return "\n".join(
        f"{one.name}: last awake {one.seen:%Y-%m-%d %H:%M:%S} UTC{one.said and f' ({one.said})'}"
        for one in heartbeats
    )


def exit_code(report: IssueReport, sources: Sequence[SourceReport]) -> int:
    """What a run ends with: deliveries in trouble weigh more than a missing source."""
    if report.troubled:
        return DELIVERIES_FAILED
    return SOURCE_FAILED if any(source.missing for source in sources) else 0
