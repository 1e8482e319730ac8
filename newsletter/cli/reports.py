"""How issues and sources are shown: as JSON, and as text for a person."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from newsletter.cli.output import count_of, table
from newsletter.model import Coverage, SourceReport
from newsletter.publisher.reporting import IssueReport

SOURCE_FAILED = 4
DELIVERIES_FAILED = 5


def issue_document(report: IssueReport) -> dict[str, Any]:
    """An issue's report as ``send --json`` and ``status --json`` print it."""
    return {
        "issue": report.day.isoformat(),
        "state": report.state,
        "reason": report.reason,
        "papers": report.papers,
        "planned": report.counts.planned,
        **asdict(report.counts),
        "open": report.counts.open,
        "faults": list(report.skipped),
        "notes": list(report.notes),
        "sources": [asdict(source) for source in report.sources],
    }


def issue_lines(report: IssueReport) -> str:
    """An issue's state and its counts above 0, with the command that resolves held emails."""
    notes = (f"skipped: {each}" for each in report.skipped)
    more = (*notes, *(f"note: {each}" for each in report.notes))
    if report.state is None:
        return "\n".join((f"{report.day}: no issue yet", *more))
    counts = {"planned": report.counts.planned, **asdict(report.counts)}
    deliveries = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    reason = f" ({report.reason})" if report.reason else ""
    papers = count_of(report.papers, "paper")
    line = f"{report.day}: {report.state}{reason}, {papers}; {deliveries or 'no emails'}"
    if report.counts.held:
        line += f"\n`newsletter issue resolve {report.day}` says whether the held emails arrived"
    return "\n".join((line, *more))


def source_lines(sources: Sequence[SourceReport]) -> str:
    """A table of the sources with the papers each brought in this run."""
    rows = [(s.name, s.state, s.new, s.seen, s.revised, s.detail) for s in sources]
    return table(("source", "state", "new", "seen", "revised", ""), rows)


def gaps_document(gaps: Sequence[Coverage]) -> list[dict[str, Any]]:
    """The lists that were not read, as ``status --json`` and ``audit --json`` print them."""
    return [
        {
            "source": gap.source,
            "part": gap.part,
            "date": gap.day.isoformat(),
            "state": gap.state,
            "checked": None if gap.checked is None else gap.checked.isoformat(),
            "detail": gap.detail,
        }
        for gap in gaps
    ]


def gap_lines(gaps: Sequence[Coverage]) -> str:
    """A table of the lists that were not read; empty if there are none."""
    rows = [
        (gap.source, gap.part, gap.day, gap.state, gap.detail or "not asked yet") for gap in gaps
    ]
    return table(("list not read", "part", "date", "state", ""), rows) if rows else ""


def missing_lines(sources: Sequence[SourceReport]) -> list[str]:
    """A line with the reason for each source that gave no listing."""
    return [f"{source.name}: {source.detail}" for source in sources if source.missing]


def exit_code(report: IssueReport, sources: Sequence[SourceReport]) -> int:
    """The exit code of a run: deliveries in trouble take precedence over a failed source."""
    if report.troubled or any(not fault.served for fault in report.reader_faults):
        return DELIVERIES_FAILED
    return SOURCE_FAILED if any(source.missing for source in sources) else 0
