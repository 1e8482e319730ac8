"""``newsletter status``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, get_args

import typer

from newsletter.app.app import open_app
from newsletter.cli.command import command
from newsletter.cli.output import Output, table
from newsletter.cli.reports import (
    health_lines,
    heartbeat_document,
    heartbeat_lines,
    issue_document,
    issue_lines,
    shown_day,
)
from newsletter.model import Delivery, DeliveryState
from newsletter.publisher.reporting import report

app = typer.Typer(rich_markup_mode=None, add_completion=False)

ILL = frozenset(get_args(DeliveryState)) - {"accepted", "empty", "pending"}


@command(app)
def status(
    config: Path,
    output: Output,
    issue: Annotated[str | None, typer.Argument(metavar="YYYY-MM-DD", help="The newest.")] = None,
) -> int:
    """Where an issue stands: its state, its deliveries in counts, its sources.

    Example: newsletter status 2026-08-03

    Readers whose letter failed, is in doubt or waits are named, and who was last awake. What the
    sources said last is shown with the newest issue alone.
    """
    with open_app(config) as app:
        day = shown_day(app, issue)
        found = report(app.store, day)
        awake = app.store.heartbeats()
        troubled = app.store.deliveries(day, states=ILL)
    document = {
        **issue_document(found),
        "readers": [
            {"email": d.email, "state": d.state, "attempts": d.attempts, "reply": d.reply}
            for d in troubled
        ],
        "awake": [heartbeat_document(heartbeat) for heartbeat in awake],
    }
    parts = (
        issue_lines(found),
        heartbeat_lines(awake),
        health_lines(found.sources),
        _readers(troubled),
    )
    output.give(document, lambda: "\n\n".join(part for part in parts if part))
    return 0


def _readers(troubled: Sequence[Delivery]) -> str:
    rows = [(d.email, d.state, d.attempts, d.reply) for d in troubled]
    return table(("reader", "state", "attempts", "the server said"), rows) if rows else ""
