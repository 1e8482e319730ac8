"""``newsletter note``: a note to all readers, which each of them gets once."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from newsletter.app import event_loop
from newsletter.app.files import read_file
from newsletter.app.guards import refuse_copy
from newsletter.app.wiring import App, open_app
from newsletter.cli.command import Yes, command, command_list, group
from newsletter.cli.output import Output, confirm, count_of, table
from newsletter.cli.reports import DELIVERIES_FAILED
from newsletter.cli.send import until_terminated
from newsletter.delivery.store_wait import StoreWait
from newsletter.errors import TryAgainError, UsageError
from newsletter.letter.message import BroadcastBuilder
from newsletter.model import Broadcast, BroadcastReport, Counts, Recipient
from newsletter.model.windows import STORE_WAIT
from newsletter.publisher.broadcasting import find_audience, send_broadcast, write_broadcast
from newsletter.readers.operating import COMMAND_LINE

commands = command_list()
note_group = group(
    commands,
    "note",
    """Write a note to all readers; each reader gets it once.

    Example: newsletter note preview topics.md --subject "The topics have changed" --out preview
    """,
)

File = Annotated[Path, typer.Argument(metavar="FILE.md", help="The note, in Markdown.")]
Subject = Annotated[str, typer.Option("--subject", metavar="TEXT", help="Subject and heading.")]

SPECIMEN = Recipient(0, "reader@example.org")
"""Whom a preview is for: no links of a reader are in it."""


@command(note_group, "preview")
def preview_note(
    config: Path,
    output: Output,
    file: File,
    *,
    subject: Subject,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where the note is written.")
    ] = Path("preview"),
) -> int:
    """Write the note as HTML, as text and as an email into a folder; send nothing.

    Example: newsletter note preview topics.md --subject "The topics have changed" --out preview
    """
    with open_app(config) as app:
        note = _written(app, file, subject)
        _write(app, note, SPECIMEN, out)
    output.result({"folder": str(out)}, f"note.html, note.txt and note.eml in {out}")
    return 0


@command(note_group, "send")
def send_note(
    config: Path,
    output: Output,
    file: File,
    *,
    subject: Subject,
    topic: Annotated[
        list[str] | None,
        typer.Option("--topic", metavar="NAME", help="Only readers who chose it; can be repeated."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write the email of one reader; send nothing.")
    ] = False,
    yes: Yes = False,
) -> int:
    """Send a note to all confirmed readers, paused ones too; run it again to finish what is open.

    Example: newsletter note send topics.md --subject "The topics have changed" --dry-run

    The same subject and text are the same note: a reader who has it does not get it again. It says
    how many readers get it, and asks; without a terminal it needs --yes.
    """
    with open_app(config) as app:
        note = _written(app, file, subject)
        audience = find_audience(app.publisher, note.key, topic or ())
        count = count_of(len(audience.readers), "reader")
        if topic and not (audience.readers or audience.told):
            raise UsageError(f"no reader chose {', '.join(topic)}; see `newsletter topics list`")
        document = {
            "subject": note.subject,
            "readers": len(audience.readers),
            "told": audience.told,
        }
        told = (
            f"; {count_of(audience.told, 'reader')} had it planned before" if audience.told else ""
        )
        if dry_run:
            folder = app.own_folder / "dry-run" / "note"
            first = app.store.readers_by_id(audience.readers[:1])
            _write(app, note, Recipient.of(first[0]) if first else SPECIMEN, folder)
            said = f"{count} would get it{told}; one email is in {folder}"
            output.result(document | {"folder": str(folder)}, said)
            return 0
        refuse_copy(app.journal, app.store, config.name)
        app.store.check_journal(now=app.clock.now())
        if not (yes or confirm(f"{note.subject!r} to {count}{told}. Send?")):
            return 0
        counts = _send(app, note, audience.readers, output)
    output.result(document | asdict(counts), f"{note.subject}: {_in_words(counts)}")
    return _exit_code(counts)


@command(note_group, "status")
def note_status(config: Path, output: Output) -> int:
    """Show every note that was sent, and its progress.

    Example: newsletter note status
    """
    with open_app(config) as app:
        found = app.store.broadcasts()
    rows = [(f"{one.at:%Y-%m-%d %H:%M}", one.subject, _in_words(one.counts)) for one in found]
    if not found:
        output.message("no note was sent yet")
    output.result([*map(_document, found)], table(("sent (UTC)", "subject", "emails"), rows))
    return 0


def _written(app: App, file: Path, subject: str) -> Broadcast:
    if not subject.strip():
        raise UsageError("--subject is empty; it is also the note's heading")
    try:
        source = read_file(file, "give the path of the note's text").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: not UTF-8; save it as UTF-8") from error
    if not source.strip():
        raise UsageError(f"{file} is empty")
    templates = app.notes["broadcast"]
    return write_broadcast(app.publisher, templates, subject=subject, source=source, file=file.name)


def _write(app: App, note: Broadcast, to: Recipient, folder: Path) -> None:
    """Write one reader's note into a folder, in place of an earlier one."""
    builder = BroadcastBuilder(note, app.keyring)
    made = builder.render(to.id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "note.html").write_text(made.html, encoding="utf-8")
    (folder / "note.txt").write_text(made.text, encoding="utf-8")
    (folder / "note.eml").write_bytes(b"".join(builder.build(to).content))


def _send(app: App, note: Broadcast, readers: Sequence[int], output: Output) -> Counts:
    now = app.clock.now()
    number = app.store.plan_broadcast(note, readers, now=now)
    if readers:
        detail = f"{note.subject}: {count_of(len(readers), 'reader')}"
        app.operator_service(COMMAND_LINE).record(now, "sent a note", detail=detail)
    wait = StoreWait(app.clock, STORE_WAIT)
    with output.progress("sending", len(readers)) as done, app.run_lock("note send") as run_lock:
        event_loop.run(
            until_terminated(
                send_broadcast(
                    app.publisher,
                    number,
                    app.transport(),
                    run_lock=run_lock,
                    progress=lambda counts: done(counts.planned - counts.open),
                    wait=wait,
                )
            )
        )
    return app.store.broadcast_ledger(number).counts(now.date())


def _in_words(counts: Counts) -> str:
    return ", ".join(f"{count} {state}" for state, count in asdict(counts).items() if count)


def _document(report: BroadcastReport) -> dict[str, Any]:
    at = report.at.isoformat()
    return {"subject": report.subject, "at": at, **asdict(report.counts)}


def _exit_code(counts: Counts) -> int:
    """The exit code of a run.

    Raises:
        TryAgainError: emails are open.
    """
    if counts.failed or counts.held or counts.expired:
        return DELIVERIES_FAILED
    if counts.open:
        raise TryAgainError(
            f"{count_of(counts.open, 'email')} could not be sent yet; "
            "`newsletter run` tries again, and so does the same command"
        )
    return 0
