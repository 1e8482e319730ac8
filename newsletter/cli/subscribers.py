"""``newsletter subscribers``: list, add, remove, import, export and erase readers."""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from newsletter.app.files import read_file
from newsletter.app.wiring import App, open_app
from newsletter.cli.command import Yes, command, command_list, find_readers, group
from newsletter.cli.output import Output, confirm, count_of, table
from newsletter.config.reader_lists import ReaderList, read_csv, read_zip, write_csv
from newsletter.config.subscribers import (
    mailbox_key,
    read_subscribers,
    subscriber_from_entry,
    to_entry,
    to_listed_entry,
    write_yaml,
)
from newsletter.config.yaml_file import Value
from newsletter.errors import UsageError
from newsletter.model import (
    LEFT,
    SUBSCRIBER_FIELDS,
    Consent,
    ListedReader,
    ListedStatus,
    OperatorAct,
    Reader,
)
from newsletter.readers.operating import COMMAND_LINE
from newsletter.readers.service import is_erased, keep_fields, without_erased

commands = command_list()
subscribers_group = group(
    commands,
    "subscribers",
    """List, add, remove, import, export and erase readers.

    Example: newsletter subscribers add ada@example.org --topics Reasoning
    """,
)

Email = Annotated[str, typer.Argument(help="The reader's address.")]
Values = Annotated[list[str] | None, typer.Option(help="Repeat for more than one.")]
Again = Annotated[bool, typer.Option("--again", help="Add readers even if they left before.")]

IMPORTED = "in another list, from which the reader was imported"
"""How an imported reader agreed to get the letters, as it is stored."""


class Form(StrEnum):
    """The formats that a file of readers can have."""

    CSV = "csv"
    YAML = "yaml"


@command(subscribers_group, "list")
def list_readers(config: Path, output: Output) -> int:
    """List every reader, of the file and of the store, with status and interests.

    Example: newsletter subscribers list --json
    """
    with open_app(config) as app:
        readers = [reader for reader in app.readers() if not is_erased(reader)]
        reasons = {blocked.email: blocked.why for blocked in app.store.suppressions()}
    document = [
        {
            **to_entry(reader.subscriber),
            "status": reader.status,
            "origin": reader.origin,
            "why_blocked": reasons.get(reader.subscriber.email, ""),
            "fault": reader.fault or reader.fallback,
        }
        for reader in readers
    ]
    rows = [(r.subscriber.email, r.status, r.origin, _interests(r)) for r in readers]
    for email, reason in reasons.items():
        output.message(f"{email} is blocked: {reason}")
    header = ("reader", "status", "from", "wants")
    output.result(document, table(header, rows) or "  ".join(header))
    return 0


def _interests(reader: Reader) -> str:
    if reader.fault:
        return reader.fault
    wants = reader.subscriber.filter
    rules = [rule.text for rule in wants.include] + [f"not {rule.text}" for rule in wants.exclude]
    return ", ".join((*wants.topics, *rules)) or "everything"


@command(subscribers_group)
def add(
    config: Path,
    output: Output,
    email: Email,
    *,
    name: Annotated[str, typer.Option(help="The reader's name.")] = "",
    topics: Values = None,
    include: Values = None,
    exclude: Values = None,
    again: Again = False,
) -> int:
    """Add a confirmed reader to the store; subscribers.yaml is not changed.

    Example: newsletter subscribers add ada@example.org --topics Reasoning --include LoRA
    """
    entry: dict[str, Value] = {"email": email, "name": name}
    lists = {"topics": topics, "include": include, "exclude": exclude}
    entry |= {key: [*values] for key, values in lists.items() if values}
    with open_app(config) as app:
        subscriber = subscriber_from_entry(entry, app.known_topics)
        _save(app, _to_save(app, [ListedReader(subscriber)], again=again))
    output.result({"added": [subscriber.email]}, f"{subscriber.email}: confirmed")
    return 0


@command(subscribers_group, "import")
def import_readers(
    config: Path,
    output: Output,
    file: Annotated[Path, typer.Argument(help="A .csv, .yaml, .txt or .zip file.")],
    *,
    again: Again = False,
    status: Annotated[
        ListedStatus | None, typer.Option(help="What happened to readers listed without a status.")
    ] = None,
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="Leave out rows with mistakes; add the others.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; store nothing.")
    ] = False,
) -> int:
    """Add all readers of a file to the store; if the file has a mistake, none.

    Example: newsletter subscribers import left.txt --status unsubscribed

    Reads YAML, CSV of any spreadsheet, lists of addresses, and the exports of Mailchimp, listmonk,
    Ghost, Buttondown and Substack. Readers whose status in the file is unsubscribed or blocked
    leave, and are never added as confirmed later.
    """
    with open_app(config) as app:
        found = _read_list(app, file)
        for note in found.notes:
            output.message(note)
        if skip_invalid:
            for mistake in found.mistakes:
                output.message(f"left out: {mistake}")
        listed = found.readers if skip_invalid else found.checked()
        if status is not None:
            listed = tuple(_with_status(reader, status) for reader in listed)
        departed = [reader for reader in listed if reader.status != "confirmed"]
        subscribed = [reader for reader in listed if reader.status == "confirmed"]
        to_save = _to_save(app, subscribed, again=again)
        gone = [r for r in departed if _record_departure(app, r, dry_run=dry_run)]
        if not dry_run:
            _save(app, to_save)
    _report(output, to_save, len(subscribed) - len(to_save), gone, dry_run=dry_run)
    return 0


def _read_list(app: App, file: Path) -> ReaderList:
    content = read_file(file, "name a file of readers: CSV, YAML, text or ZIP")
    match file.suffix.lower():
        case ".csv" | ".tsv" | ".txt" | ".xls" | ".xlsx" | ".ods":
            return read_csv(content, str(file), app.known_topics)
        case ".zip":
            return read_zip(content, str(file), app.known_topics)
        case _:
            listed = read_subscribers(content, str(file), app.known_topics, app.environment)
            return ReaderList(listed)


def _report(
    output: Output,
    saved: Sequence[ListedReader],
    left_out: int,
    gone: Sequence[ListedReader],
    *,
    dry_run: bool,
) -> None:
    """Print what an import did, or would do."""
    document = {
        "added": [reader.subscriber.email for reader in saved],
        "left_out": left_out,
        "departed": [reader.subscriber.email for reader in gone],
    }
    text = f"{count_of(len(saved), 'reader')} {'would be ' * dry_run}added"
    if gone:
        text += f", {len(gone)} recorded as unsubscribed or blocked"
    output.result(document, text)
    if left_out:
        output.message(f"{left_out} not added because they left before; pass --again to add them")


def _form_of(file: Path) -> Form:
    return Form.CSV if file.suffix.lower() == ".csv" else Form.YAML


def _with_status(reader: ListedReader, status: ListedStatus) -> ListedReader:
    return replace(reader, status=status) if reader.status == "confirmed" else reader


def _record_departure(app: App, listed: ListedReader, *, dry_run: bool) -> bool:
    """Store a departure; whether it changes anything, as far as a dry run can know."""
    before = app.store.reader_by_email(listed.subscriber.email)
    if dry_run:
        return before is None or before.status not in LEFT
    changed = app.store.import_departure(listed, now=app.clock.now())
    reader = app.store.reader_by_email(listed.subscriber.email)
    if before is None and reader is not None:
        _keep_consent(app, reader, listed)
    if changed:
        what = f"imported as {listed.status}"
        app.operator_service(COMMAND_LINE).record(app.clock.now(), what, reader)
    return changed


def _to_save(app: App, listed: Sequence[ListedReader], *, again: bool) -> list[ListedReader]:
    """The readers to store: those who left before only with ``again``.

    A reader known by another spelling of the address keeps the known one. It is one mailbox: it
    must not get two emails, and a capital letter must not undo an unsubscribe. A known reader
    keeps the choices that the list does not say.

    Raises:
        UsageError: there is only one reader, who left before.
    """
    readers = app.readers()
    known = {mailbox_key(reader.subscriber.email): reader for reader in readers}
    by_email = {reader.subscriber.email: reader for reader in listed}
    wanted = [reader.subscriber for reader in listed]
    if not again:
        wanted = without_erased(wanted, readers, app.reader_service.keys)
    found = []
    for subscriber in wanted:
        before = known.get(mailbox_key(subscriber.email))
        if before is None:
            found.append(by_email[subscriber.email])
        elif again or before.status not in LEFT:
            unsaid = {"email", *SUBSCRIBER_FIELDS} - (to_entry(subscriber).keys() - {"email"})
            merged = keep_fields(before.subscriber, subscriber, unsaid)
            found.append(replace(by_email[subscriber.email], subscriber=merged))
    if len(listed) == 1 and not found:
        email = listed[0].subscriber.email
        raise UsageError(f"{email} left before; if they ask to come back, pass --again")
    return found


def _save(app: App, listed: Sequence[ListedReader]) -> None:
    """Store readers as confirmed, with the date of a consent that they gave elsewhere."""
    now, acts = app.clock.now(), []
    for each in listed:
        reader = app.store.save_reader(each.subscriber, status="confirmed", now=now)
        _keep_consent(app, reader, each)
        acts.append(OperatorAct(now, COMMAND_LINE, "added", reader.id))
    app.store.record_acts(acts)


def _keep_consent(app: App, reader: Reader, listed: ListedReader) -> None:
    if listed.consented is not None:
        app.store.keep_consent(reader.id, Consent(listed.consented, IMPORTED, ""))


@command(subscribers_group)
def export(
    config: Path,
    output: Output,
    file: Annotated[
        Path | None,
        typer.Argument(help="A .csv or .yaml file. Default: YAML on standard output."),
    ] = None,
    *,
    form: Annotated[
        Form | None, typer.Option("--format", help="Default: by the file's suffix, else yaml.")
    ] = None,
    status: Annotated[
        ListedStatus | None, typer.Option(help="Only readers of this status. Default: all.")
    ] = None,
) -> int:
    """Write the readers as CSV or YAML, in the form that `import` reads.

    Example: newsletter subscribers export readers.csv

    Those who left or are blocked are among them, with their status and its date, so that no import
    subscribes them again; `--status confirmed` leaves them out.
    """
    with open_app(config) as app:
        app.sync_readers()
        listed = [r for r in app.store.listed_readers() if status in (None, r.status)]
    form = form or (_form_of(file) if file else Form.YAML)
    text = write_csv(listed) if form is Form.CSV else write_yaml(listed)
    if file is None:
        output.result([to_listed_entry(reader) for reader in listed], text.rstrip())
        return 0
    try:
        file.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise UsageError(f"{file}: cannot be written: {error.strerror}") from error
    output.result({"file": str(file), "readers": len(listed)})
    output.message(f"{count_of(len(listed), 'reader')} written to {file}")
    return 0


@command(subscribers_group)
def remove(config: Path, output: Output, email: Email) -> int:
    """Unsubscribe a reader; the readers' file cannot subscribe them again.

    Example: newsletter subscribers remove ada@example.org
    """
    with open_app(config) as app:
        readers, now = find_readers(app.readers(), [email]), app.clock.now()
        for reader in readers:
            app.operator_service(COMMAND_LINE).unsubscribe(reader, now)
        emails = _emails_of(readers)
        listed = mailbox_key(email) in {mailbox_key(s.email) for s in app.listed_subscribers}
    output.result({"removed": emails}, "\n".join(f"{found}: unsubscribed" for found in emails))
    if listed:
        output.message(f"{app.settings.subscribers} still lists them, but they get no emails")
    return 0


def _emails_of(readers: Sequence[Reader]) -> list[str]:
    return [reader.subscriber.email for reader in readers]


@command(subscribers_group)
def erase(config: Path, output: Output, email: Email, *, yes: Yes = False) -> int:
    """Unsubscribe a reader and erase their address and choices; this cannot be undone.

    Example: newsletter subscribers erase ada@example.org

    A hash made with the secret is kept, so that neither the file nor an import adds them again.
    """
    with open_app(config) as app:
        readers = find_readers(app.readers(), [email])
        if not (yes or confirm(f"Erase all data of {email}? This cannot be undone.")):
            readers = []
        for reader in readers:
            app.operator_service(COMMAND_LINE).erase(reader, app.clock.now())
    output.result({"erased": len(readers)}, f"{count_of(len(readers), 'reader')} erased")
    return 0


@command(subscribers_group)
def unsuppress(config: Path, output: Output, email: Email) -> int:
    """Send to a blocked reader again; their bounces and complaints so far no longer count.

    Example: newsletter subscribers unsuppress ada@example.org

    This is for readers blocked by bounces or a complaint, not for readers who unsubscribed; and
    for addresses that get no more notes, because one came back before anybody confirmed them.
    """
    with open_app(config) as app:
        app.readers()
        blocked = {
            mailbox_key(suppressed.email): suppressed for suppressed in app.store.suppressions()
        }
        found = blocked.get(mailbox_key(email))
        if app.reader_service.accept_address(email) and found is None:
            output.result({"unsuppressed": email, "why_blocked": ""}, f"{email}: may sign up again")
            return 0
        if found is None:
            raise UsageError(
                f"{email} is not blocked; `newsletter subscribers list` shows the blocked readers,"
                " and `add --again` adds a reader who left and asks to come back"
            )
        (reader,) = find_readers(app.store.readers(emails=[found.email]), [found.email])
        app.operator_service(COMMAND_LINE).unblock(reader, app.clock.now())
        # Unblocking must not activate a reader who was deleted from the file meanwhile.
        app.sync_subscribers_file()
    document = {"unsuppressed": found.email, "why_blocked": found.why}
    output.result(document, f"{found.email}: gets emails again (was blocked: {found.why})")
    return 0
