"""``newsletter store``: back up the store, and recover after it was restored from a backup."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from newsletter.app.guards import begin_anew
from newsletter.app.moving import copy_all, move_store
from newsletter.app.wiring import App, open_app
from newsletter.cli.command import Yes, command, command_list, group, issue_day
from newsletter.cli.output import Output, confirm, count_of
from newsletter.cli.reports import DELIVERIES_FAILED
from newsletter.config.fields import masked
from newsletter.errors import UsageError
from newsletter.model.windows import SHORTEST_KEPT
from newsletter.publisher.pruning import find_prunable, prune
from newsletter.publisher.publishing import hold
from newsletter.publisher.ticking import local_date
from newsletter.readers.operating import COMMAND_LINE
from newsletter.stores import Restoration

commands = command_list()
store_group = group(
    commands,
    "store",
    """Back up the store while it is in use, or recover after a restore.

    Example: newsletter store copy backup.db
    """,
)

KEPT = "kept: counts, which paper each reader got, the archive, departures, consents, blocks"

NO_JOURNAL = "the store was restored, and no record says what was sent since the backup"


@command(store_group, "copy")
def copy_store(
    config: Path,
    output: Output,
    to: Annotated[
        str | None, typer.Argument(help="A file for a backup, or the address of another store.")
    ] = None,
    *,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="STORE", help="Copy this store into the configured one."),
    ] = None,
) -> int:
    """Copy the store: to a file as a backup, or to another store to move there.

    Example: newsletter store copy backup.db

    A backup is of a SQLite store (for PostgreSQL use pg_dump); sending may go on meanwhile. To
    move, stop the newsletter, run `newsletter store copy postgresql://user@host/name` and change
    `store:`; or change it first and run `newsletter store copy --from sqlite:///newsletter.db`.
    Readers, departures, blocks, consents, papers and what was sent come along.
    """
    if (to is None) == (source is None):
        raise UsageError("name the file or the store to copy to, or pass --from")
    with open_app(config) as app:
        if to is not None and "://" not in to:
            return _back_up(app, output, Path(to))
        copied = (app.settings.store, to) if to is not None else (source or "", app.settings.store)
        readers = copy_all(app, *copied)
    place = masked(copied[1])
    more = f"; set `store: {place}`" if to is not None else ""
    output.result(
        {"store": place, "readers": readers}, f"{count_of(readers, 'reader')} in {place}{more}"
    )
    return 0


@command(store_group, "move")
def move_to_store(
    config: Path,
    output: Output,
    to: Annotated[str, typer.Argument(metavar="STORE", help="The address of the other store.")],
) -> int:
    """Move the newsletter to another store and update newsletter.yaml.

    Example: newsletter store move postgresql://newsletter@localhost/papers

    Stop `newsletter run` and `serve` first. Everything is copied and checked: papers, readers,
    departures, consents, and what was sent. Then the old store refuses to be used. If the command
    is interrupted, run it again: until it has ended, the old store stays in use.
    """
    if "://" not in to:
        raise UsageError(f"{to} is not a store's address; write sqlite:///{to}, or postgresql://…")
    with open_app(config) as app:
        move = move_store(app, to)
    place, rows = masked(to), sum(move.rows.values())
    done = f"{config.name} names it" if move.written else f"now write `store: {place}`"
    said = f"{rows} rows, {count_of(move.rows['readers'], 'reader')} in {place}; {done}"
    output.result({"store": place, "rows": move.rows, "written": move.written}, said)
    return 0


@command(store_group, "new")
def begin_new_store(config: Path, output: Output, *, yes: Yes = False) -> int:
    """Start over with the configured store, although emails were sent from another.

    Example: newsletter store new

    A store that does not know what this newsletter sent is refused: readers would get emails
    again, even those who left. This command accepts it. It asks, or needs --yes without a
    terminal. To keep what was sent, use `newsletter store move` or `store restored` instead.
    """
    question = "Readers may get emails again, also those who had left. Begin anew?"
    left: list[str] = []
    if yes or confirm(question):
        with open_app(config) as app:
            app.admit_store()
            left = begin_anew(app.journal, app.store, app.clock.now())
            store = masked(app.settings.store)
        forgotten = f"; forgotten: {', '.join(left)}" if left else ""
        output.result({"store": store, "forgotten": left}, f"{store} is in use{forgotten}")
    return 0


def _back_up(app: App, output: Output, file: Path) -> int:
    if file.exists():
        raise UsageError(f"{file} exists already; choose another name")
    app.copy_store(file)
    output.result({"file": str(file)}, f"copied to {file}")
    return 0


@command(store_group, "prune")
def prune_store(
    config: Path,
    output: Output,
    *,
    older_than: Annotated[
        str | None,
        typer.Option(metavar="DAYS", help="For example 90d. Default: the setting keep.editions."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be removed.")
    ] = False,
    yes: Yes = False,
) -> int:
    """Remove the details of old issues, which take most of the space.

    Example: newsletter store prune --older-than 90d --dry-run

    It removes the texts of the emails, the reasons for each paper, the readers' settings of then,
    and the mail server's replies. It keeps each issue's counts, which paper each reader got (so
    that nothing is repeated), the public archive, departures, consents and blocks. Issues with
    emails that wait or are in doubt stay whole. `newsletter run` and `send` do the same once a day
    if `keep: {editions: DAYS}` is set. Sending and the pages may go on meanwhile.
    """
    with open_app(config) as app:
        days = _days(older_than, app.settings.keep.editions)
        found = find_prunable(app.store, local_date(app.publisher, app.clock.now()), days)
        issues = f"{count_of(len(found.days), 'issue')} older than {days} days"
        emails = f"{count_of(found.letters, 'email')}, {found.size / 1e6:.1f} MB"
        for day, why in found.kept.items():
            output.message(f"{day}: stays, because {why}")
        wanted = found.days and not dry_run
        if wanted and (yes or confirm(f"Remove the details of {issues} ({emails})?")):
            prune(app.store, found)
            service = app.operator_service(COMMAND_LINE)
            service.record(app.clock.now(), "removed details of issues", detail=issues)
            if not app.store.rewrite():
                output.detail("the space is used again by the next issues")
        else:
            wanted = False
    said = "removed the details of" if wanted else "would remove the details of"
    document = {
        "issues": [day.isoformat() for day in found.days],
        "emails": found.letters,
        "bytes": found.size,
        "kept": {day.isoformat(): why for day, why in found.kept.items()},
        "removed": bool(wanted),
    }
    output.result(document, f"{said} {issues} ({emails}); {KEPT}")
    return 0


def _days(text: str | None, default: int | None) -> int:
    """The days of ``--older-than``, otherwise of the setting.

    Raises:
        UsageError: it is no number of days, too small, or there is neither.
    """
    if text is None and default is None:
        raise UsageError("say how old: --older-than 90d, or the setting `keep: {editions: 90}`")
    digits = f"{default}" if text is None else text.removesuffix("d")
    if not digits.isdecimal() or int(digits) < SHORTEST_KEPT:
        least = f"at least {SHORTEST_KEPT}, because a store from a backup needs them"
        raise UsageError(f"--older-than {text}: write a number of days, such as 90d; {least}")
    return int(digits)


@command(store_group, "restored")
def store_restored(config: Path, output: Output) -> int:
    """Recover after the store was restored from a backup: emails sent since are not sent again.

    Example: newsletter store restored

    Emails sent since the backup are looked up in the folder witness of `state`. Those the server
    replied to get the state of that reply; the others are held until `newsletter issue resolve`. If
    that folder is missing, today's issue and all unfinished ones are held until
    `newsletter issue release` or `cancel`. Exit code 5: something is held.
    """
    with open_app(config) as app:
        app.admit_store()
        app.readers()
        today = issue_day(None, app.clock, app.settings.timezone)
        is_lost = not app.journal.exists and not any(app.journal.relatives(app.store.emails))
        held_issues = _hold_issues(app, today) if is_lost else ()
        restored = app.store.recover_from_journal(now=app.clock.now())
    output.result(_document(restored, held_issues), "\n".join(_lines(restored, held_issues)))
    return DELIVERIES_FAILED if restored.held or held_issues else 0


def _hold_issues(app: App, today: date) -> tuple[date, ...]:
    """Hold today's issue and every issue with unsent emails; return those that were not yet."""
    unfinished = [day for day in app.store.issue_days() if app.store.counts(day).open]
    days = sorted({today, *unfinished})
    return tuple(day for day in days if hold(app.store, day, reason=NO_JOURNAL))


def _document(restored: Restoration, held_issues: Sequence[date]) -> dict[str, object]:
    return {
        "issues": [day.isoformat() for day in restored.issues],
        "accepted": restored.accepted,
        "failed": restored.failed,
        "held": restored.held,
        "gone": restored.gone,
        "left": list(restored.left),
        "erased": list(restored.erased),
        "held_issues": [day.isoformat() for day in held_issues],
    }


def _lines(restored: Restoration, held_issues: Sequence[date]) -> list[str]:
    counts = (
        f"recovered: {count_of(restored.accepted, 'email')} accepted, {restored.failed} failed, "
        f"{restored.held} held, {restored.gone} to readers this store does not know"
    )
    return [
        *(f"{day}: recovered; see newsletter status {day}" for day in restored.issues),
        counts,
        *(f"{email} had unsubscribed; unsubscribed again" for email in restored.left),
        *(
            f"{email} had been erased; run newsletter subscribers erase {email}"
            for email in restored.erased
        ),
        *(f"{day}: held; run newsletter issue release {day}, or cancel" for day in held_issues),
    ]
