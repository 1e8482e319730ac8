"""``newsletter subscribers list``, ``add``, ``import``, ``export``: who reads, in and out."""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from newsletter.app.app import App, open_app
from newsletter.app.files import read
from newsletter.cli.command import command
from newsletter.cli.output import Output, counted, table
from newsletter.cli.subscribers.common import GONE, Email, Words, app
from newsletter.config.subscribers import (
    as_entry,
    one_subscriber,
    read_csv,
    read_subscribers,
    same_mailbox,
    write_csv,
    write_yaml,
)
from newsletter.config.yaml_file import Value
from newsletter.errors import UsageError
from newsletter.model import Reader, Subscriber
from newsletter.readers.service import is_erased, without_erased


class Form(StrEnum):
    """How readers are written down."""

    CSV = "csv"
    YAML = "yaml"


@command(app, "list")
def list_readers(config: Path, output: Output) -> int:
    """Every reader: the file's and those added here, with where their subscription stands.

    Example: newsletter subscribers list --json
    """
    with open_app(config) as app:
        found = [reader for reader in app.readers() if not is_erased(reader)]
        why = {one.email: one.why for one in app.store.suppressed()}
    document = [
        {
            **as_entry(r.subscriber),
            "status": r.status,
            "origin": r.origin,
            "why_blocked": why.get(r.subscriber.email, ""),
        }
        for r in found
    ]
    rows = [(r.subscriber.email, r.status, r.origin, _wants(r.subscriber)) for r in found]
    for email, reason in why.items():
        output.say(f"{email} is blocked: {reason}")
    output.give(document, lambda: table(("reader", "status", "from", "wants"), rows))
    return 0


def _wants(subscriber: Subscriber) -> str:
    wants = subscriber.filter
    rules = [rule.text for rule in wants.include] + [f"not {rule.text}" for rule in wants.exclude]
    return ", ".join((*wants.topics, *rules)) or "everything"


@command(app)
def add(
    config: Path,
    output: Output,
    email: Email,
    *,
    name: Annotated[str, typer.Option(help="What to call them.")] = "",
    topics: Words = None,
    include: Words = None,
    exclude: Words = None,
    again: Annotated[bool, typer.Option("--again", help="Even if they left before.")] = False,
) -> int:
    """Add a reader to the store, confirmed; subscribers.yaml stays as it is.

    Example: newsletter subscribers add ada@example.org --topics Reasoning --include LoRA
    """
    entry: dict[str, Value] = {"email": email, "name": name}
    lists = {"topics": topics, "include": include, "exclude": exclude}
    entry |= {key: [*words] for key, words in lists.items() if words}
    with open_app(config) as app:
        subscriber = one_subscriber(entry, app.topic_names)
        _save(app, [subscriber], again=again)
    output.give({"added": [subscriber.email]}, lambda: f"{subscriber.email}: confirmed")
    return 0


@command(app, "import")
def import_readers(
    config: Path,
    output: Output,
    file: Annotated[Path, typer.Argument(help="A .csv or .yaml file.")],
    *,
    again: Annotated[bool, typer.Option("--again", help="Even those who left before.")] = False,
) -> int:
    """Add all readers of a file to the store, confirmed; all of them or, on a mistake, none.

    Example: newsletter subscribers import readers.csv
    """
    with open_app(config) as app:
        names = app.topic_names
        content = read(file, "name a CSV or YAML file of readers")
        if _form(file) is Form.CSV:
            found = read_csv(content, str(file), names)
        else:
            found = read_subscribers(content, str(file), names, app.environment)
        saved = _save(app, found, again=again)
    left = len(found) - len(saved)
    output.give(
        {"added": saved, "left_out": left}, lambda: f"{counted(len(saved), 'reader')} added"
    )
    if left:
        output.say(f"{left} left before and stay away; --again adds them")
    return 0


def _form(file: Path) -> Form:
    return Form.CSV if file.suffix.lower() == ".csv" else Form.YAML


def _save(app: App, asked: Sequence[Subscriber], *, again: bool) -> list[str]:
    """Store readers, those who left only if asked to; the addresses stored.

    A reader known by another spelling of the address keeps that one: it is one mailbox, and
    must neither get two letters nor come back by a capital letter.

    Raises:
        UsageError: the only one left before.
    """
    readers = app.readers()
    known = {same_mailbox(reader.subscriber.email): reader for reader in readers}
    found = asked if again else without_erased(asked, readers, app.reader_service.keys)
    welcome = [
        subscriber if before is None else replace(subscriber, email=before.subscriber.email)
        for subscriber in found
        if not _left(before := known.get(same_mailbox(subscriber.email))) or again
    ]
    if len(asked) == 1 and not welcome:
        raise UsageError(f"{asked[0].email} left; --again adds them if they asked for it")
    for subscriber in welcome:
        app.store.save_reader(subscriber, status="confirmed", now=app.clock.now())
    return [subscriber.email for subscriber in welcome]


def _left(reader: Reader | None) -> bool:
    return reader is not None and reader.status in GONE


@command(app)
def export(
    config: Path,
    output: Output,
    file: Annotated[
        Path | None, typer.Argument(help="A .csv or .yaml file; YAML on standard output.")
    ] = None,
    *,
    form: Annotated[
        Form | None, typer.Option("--format", help="Whatever the file's suffix; yaml without one.")
    ] = None,
) -> int:
    """Write the confirmed readers as CSV or YAML, in the form `import` reads.

    Example: newsletter subscribers export readers.csv
    """
    with open_app(config) as app:
        found = [r.subscriber for r in app.readers() if r.status == "confirmed"]
    form = form or (_form(file) if file else Form.YAML)
    text = write_csv(found) if form is Form.CSV else write_yaml(found)
    if file is None:
        output.give([as_entry(subscriber) for subscriber in found], text.rstrip)
        return 0
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file}: cannot be written: {error.strerror}") from error
    output.give({"file": str(file), "readers": len(found)}, str)
    output.say(f"{counted(len(found), 'reader')} in {file}")
    return 0
