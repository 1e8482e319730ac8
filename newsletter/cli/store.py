"""``newsletter store``."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from newsletter.app.app import App, open_app
from newsletter.cli.command import command, group, issue_day
from newsletter.cli.output import Output, counted
from newsletter.cli.reports import DELIVERIES_FAILED
from newsletter.errors import UsageError
from newsletter.publisher.issue_control import hold
from newsletter.stores import Journaled, Restoration

app = group()

UNWITNESSED = "the store was restored, and nothing says what left since the backup"


@app.callback()
def store_commands() -> None:
    """Copy the store while it is at work; say that it was restored from a copy.

    Example: newsletter store copy backup.db
    """


@command(app, "copy")
def copy_store(
    config: Path,
    output: Output,
    file: Annotated[Path, typer.Argument(help="A file that is not there yet.")],
) -> int:
    """Copy the store into a file as it is at this instant, also while letters leave.

    Example: newsletter store copy backup.db

    For SQLite. A PostgreSQL server copies itself, by pg_dump.
    """
    if file.exists():
        raise UsageError(f"{file} is there already; name a file that is not")
    with open_app(config) as app:
        app.copy_store(file)
    output.give({"file": str(file)}, lambda: f"copied into {file}")
    return 0


@command(app, "restored")
def store_restored(config: Path, output: Output) -> int:
    """Say that the store was restored from a backup: what left since is not sent again.

    Example: newsletter store restored

    What left is taken from .newsletter/witness: letters the server answered for end as it said,
    the others are held for `newsletter issue resolve`. Where that folder is gone, today's issue
    and those that are open are held; `newsletter issue release` or `cancel` decides. Ends with 5
    where something is held.
    """
    with open_app(config) as app:
        app.readers()
        today = issue_day(None, app.clock, app.settings.timezone)
        held = () if app.journal.is_there else _hold(app, today)
        store = app.store
        if not isinstance(store, Journaled):
            raise UsageError("a store in memory ends with its process; it cannot be restored")
        found = store.recover_from_journal(now=app.clock.now())
    output.give(_document(found, held), lambda: "\n".join(_lines(found, held)))
    return DELIVERIES_FAILED if found.held or held else 0


def _document(found: Restoration, held: Sequence[date]) -> dict[str, object]:
    return {
        "issues": [day.isoformat() for day in found.issues],
        "accepted": found.accepted,
        "failed": found.failed,
        "held": found.held,
        "gone": found.gone,
        "left": list(found.left),
        "erased": list(found.erased),
        "held_issues": [day.isoformat() for day in held],
    }


def _lines(found: Restoration, held: Sequence[date]) -> list[str]:
    told = (
        f"taken up: {counted(found.accepted, 'letter')} accepted, {found.failed} failed, "
        f"{found.held} held, {found.gone} of readers this store does not know"
    )
    return [
        *(f"{day}: taken up; newsletter status {day}" for day in found.issues),
        told,
        *(f"{email} had left, and has left again" for email in found.left),
        *(
            f"{email} had been erased: newsletter subscribers erase {email}"
            for email in found.erased
        ),
        *(f"{day}: held; newsletter issue release {day}, or cancel" for day in held),
    ]


def _hold(app: App, today: date) -> tuple[date, ...]:
    """Hold today's issue and those that have open letters."""
    there = [day for day in app.store.days() if app.store.counts(day).open]
    days = sorted({today, *there})
    return tuple(day for day in days if hold(app.store, day, reason=UNWITNESSED))
