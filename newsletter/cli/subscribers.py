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
from newsletter.config.subscribers import (
    mailbox_key,
    read_addresses,
    read_csv,
    read_subscribers,
    subscriber_from_entry,
    to_entry,
    to_listed_entry,
    write_csv,
    write_yaml,
)
from newsletter.config.yaml_file import Value
from newsletter.errors import UsageError
from newsletter.model import LEFT, Consent, ListedReader, ListedStatus, Reader, Subscriber
from newsletter.readers.service import is_erased, without_erased

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
        }
        for reader in readers
    ]
    rows = [(r.subscriber.email, r.status, r.origin, _interests(r.subscriber)) for r in readers]
    for email, reason in reasons.items():
        output.message(f"{email} is blocked: {reason}")
    output.result(document, table(("reader", "status", "from", "wants"), rows))
    return 0


def _interests(subscriber: Subscriber) -> str:
    wants = subscriber.filter
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
        subscriber = subscriber_from_entry(entry, app.topic_names)
        _save(app, [ListedReader(subscriber)], again=again)
    output.result({"added": [subscriber.email]}, f"{subscriber.email}: confirmed")
    return 0


@command(subscribers_group, "import")
def import_readers(
    config: Path,
    output: Output,
    file: Annotated[Path, typer.Argument(help="A .csv, .yaml or .txt file.")],
    *,
    again: Again = False,
    status: Annotated[
        ListedStatus | None, typer.Option(help="What happened to readers listed without a status.")
    ] = None,
) -> int:
    """Add all readers of a file to the store; if the file has a mistake, none.

    Example: newsletter subscribers import left.txt --status unsubscribed

    Readers whose status in the file is unsubscribed or blocked leave, and are never added as
    confirmed later. A .txt file has one address a line.
    """
    with open_app(config) as app:
        topics = app.topic_names
        content = read_file(file, "name a CSV, YAML or text file of readers")
        if file.suffix.lower() == ".txt":
            listed = read_addresses(content, str(file))
        elif _form_of(file) is Form.CSV:
            listed = read_csv(content, str(file), topics)
        else:
            listed = read_subscribers(content, str(file), topics, app.environment)
        if status is not None:
            listed = tuple(_with_status(reader, status) for reader in listed)
        subscribed = [reader for reader in listed if reader.status == "confirmed"]
        departed = [reader for reader in listed if reader.status != "confirmed"]
        saved = _save(app, subscribed, again=again)
        gone = [r.subscriber.email for r in departed if _record_departure(app, r)]
    left_out = len(subscribed) - len(saved)
    document = {"added": saved, "left_out": left_out, "departed": gone}
    more = f", {len(gone)} recorded as unsubscribed or blocked" if departed else ""
    output.result(document, f"{count_of(len(saved), 'reader')} added{more}")
    if left_out:
        output.message(f"{left_out} not added because they left before; pass --again to add them")
    return 0


def _form_of(file: Path) -> Form:
    return Form.CSV if file.suffix.lower() == ".csv" else Form.YAML


def _with_status(reader: ListedReader, status: ListedStatus) -> ListedReader:
    return replace(reader, status=status) if reader.status == "confirmed" else reader


def _record_departure(app: App, listed: ListedReader) -> bool:
    return app.store.import_departure(listed, now=app.clock.now())


def _save(app: App, listed: Sequence[ListedReader], *, again: bool) -> list[str]:
    """Store readers; those who left before only with ``again``. Return the addresses stored.

    A reader known by another spelling of the address keeps the known one. It is one mailbox: it
    must not get two emails, and a capital letter must not undo an unsubscribe.

    Raises:
        UsageError: there is only one reader, who left before.
    """
    readers = app.readers()
    known = {mailbox_key(reader.subscriber.email): reader for reader in readers}
    agreed = {reader.subscriber.email: reader.consented for reader in listed}
    wanted = [reader.subscriber for reader in listed]
    if not again:
        wanted = without_erased(wanted, readers, app.reader_service.keys)
    saved = []
    for subscriber in wanted:
        before = known.get(mailbox_key(subscriber.email))
        if before is not None and before.status in LEFT and not again:
            continue
        email = subscriber.email if before is None else before.subscriber.email
        spelled = replace(subscriber, email=email)
        reader = app.store.save_reader(spelled, status="confirmed", now=app.clock.now())
        if consented := agreed[subscriber.email]:
            app.store.keep_consent(reader.id, Consent(consented, IMPORTED, ""))
        saved.append(email)
    if len(listed) == 1 and not saved:
        email = listed[0].subscriber.email
        raise UsageError(f"{email} left before; if they ask to come back, pass --again")
    return saved


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
        file.write_text(text, encoding="utf-8")
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
        emails = _emails_of(find_readers(app.readers(), [email]))
        for found in emails:
            app.store.set_status(found, "unsubscribed", now=app.clock.now())
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
            app.reader_service.erase(reader, app.clock.now())
    output.result({"erased": len(readers)}, f"{count_of(len(readers), 'reader')} erased")
    return 0


@command(subscribers_group)
def unsuppress(config: Path, output: Output, email: Email) -> int:
    """Send to a blocked reader again; their bounces and complaints so far no longer count.

    Example: newsletter subscribers unsuppress ada@example.org

    This is for readers blocked by bounces or a complaint, not for readers who unsubscribed.
    """
    with open_app(config) as app:
        app.readers()
        blocked = {
            mailbox_key(suppressed.email): suppressed for suppressed in app.store.suppressions()
        }
        found = blocked.get(mailbox_key(email))
        if found is None or not app.store.unsuppress(found.email, now=app.clock.now()):
            raise UsageError(
                f"{email} is not blocked; `newsletter subscribers list` shows the blocked readers,"
                " and `add --again` adds a reader who left and asks to come back"
            )
        # Unblocking must not activate a reader who was deleted from the file meanwhile.
        app.sync_subscribers_file()
    document = {"unsuppressed": found.email, "why_blocked": found.why}
    output.result(document, f"{found.email}: gets emails again (was blocked: {found.why})")
    return 0
