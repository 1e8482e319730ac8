"""``newsletter subscribers add | import | export``: readers one by one and in lists."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from newsletter.app import event_loop
from newsletter.app.files import read_file
from newsletter.app.reader_notes import greet_added
from newsletter.app.wiring import App, open_app
from newsletter.cli.command import (
    FIELD_OPTIONS,
    Yes,
    command,
    find_readers,
    read_options,
)
from newsletter.cli.output import Output, confirm, count_of
from newsletter.cli.reports import DELIVERIES_FAILED
from newsletter.cli.subscribers import Email, commands, subscribers_group
from newsletter.config.reader_lists import ReaderList, read_csv, read_zip, write_csv
from newsletter.config.rules import rule_warnings
from newsletter.config.subscribers import (
    is_address,
    plain_value,
    read_subscribers,
    to_listed_entry,
    write_yaml,
)
from newsletter.errors import TransportError, UsageError
from newsletter.model import ListedReader, ListedStatus, OperatorAct, Reader
from newsletter.readers.importing import STORED, Decision, Kind, count, plan_import
from newsletter.readers.operating import COMMAND_LINE, describe_change

__all__ = ["commands"]

Again = Annotated[
    bool, typer.Option("--again", help="Add readers even if they left, or were blocked or erased.")
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace settings that known readers have.")
]
Welcome = Annotated[
    bool, typer.Option("--welcome", help="Tell the new readers who added them and what they get.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; store nothing.")]

_MORE: Mapping[Kind, str] = {"overwritten": "overwritten", "leaves": "unsubscribed or blocked"}
"""What else is counted, where there is some."""

SHOWN = 20  # readers that are named in a message; --json names all

_ACTS: Mapping[Kind, str] = {
    "new": "added",
    "back": "added again",
    "overwritten": "overwritten by a list",
    "leaves": "recorded as left",
}
"""How the acts of an import are recorded."""


class Form(StrEnum):
    """The formats that a file of readers can have."""

    CSV = "csv"
    YAML = "yaml"


@command(subscribers_group, options=FIELD_OPTIONS)
def add(
    config: Path,
    output: Output,
    /,
    email: Email,
    *,
    again: Again = False,
    overwrite: Overwrite = False,
    dry_run: DryRun = False,
    welcome: Welcome = False,
    yes: Yes = False,
    **fields: object,
) -> int:
    """Add a confirmed reader to the store; subscribers.yaml is not changed.

    Example: newsletter subscribers add ada@example.org --topics Reasoning --include LoRA

    A known reader's own settings stay. --overwrite replaces those that you name, after asking.
    """
    with open_app(config) as app:
        listed = read_options(email, fields, app.known_topics, app.matcher)
        for warning in rule_warnings(listed.subscriber, app.settings.paper_fields, app.matcher):
            output.message(f"warning: {warning}")
        import_ = _Import(app, output, plan(app, [listed], again=again, overwrite=overwrite))
        if count(import_.decisions, "away"):
            advice = "if they ask to come back, pass --again"
            raise UsageError(f"{listed.subscriber.email} left before; {advice}")
        questions = [each for each in import_.decisions if each.kind == "overwritten"]
        if dry_run or import_.may_touch(questions, yes=yes):
            (one,) = import_.decisions
            said = "known and unchanged" if one.kind == "unchanged" else "confirmed"
            import_.finish([f"{one.email}: {said}", *import_.left_alone()], dry_run=dry_run)
            import_.greet(wanted=welcome and not dry_run)
    return 0


@command(subscribers_group, "import")
def import_readers(
    config: Path,
    output: Output,
    file: Annotated[Path, typer.Argument(help="A .csv, .yaml, .txt or .zip file.")],
    *,
    again: Again = False,
    overwrite: Overwrite = False,
    status: Annotated[
        ListedStatus | None, typer.Option(help="What happened to readers listed without a status.")
    ] = None,
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="Leave out rows with mistakes; add the others.")
    ] = False,
    dry_run: DryRun = False,
    welcome: Welcome = False,
    yes: Yes = False,
) -> int:
    """Add all readers of a file to the store; if the file has a mistake, none.

    Example: newsletter subscribers import left.txt --status unsubscribed

    Reads YAML, CSV of any spreadsheet, lists of addresses, and the exports of Mailchimp, listmonk,
    Ghost, Buttondown and Substack. Readers that the file lists as unsubscribed or blocked are
    unsubscribed, and never added as confirmed later. A known reader's own settings stay. Before an
    import changes what known readers chose (--overwrite, --again, or a file that unsubscribes
    them), it names them and asks.
    """
    with open_app(config) as app:
        listed = _listed(app, output, file, skip_invalid=skip_invalid)
        if status is not None:
            listed = [_with_status(reader, status) for reader in listed]
        import_ = _Import(app, output, plan(app, listed, again=again, overwrite=overwrite))
        questions = [
            each
            for each in import_.decisions
            if each.touches_a_choice and (each.kind != "leaves" or status is None)
        ]
        if dry_run or import_.may_touch(questions, yes=yes):
            import_.finish([*import_.lines()], dry_run=dry_run)
            import_.greet(wanted=welcome and not dry_run)
    return 0


def _listed(app: App, output: Output, file: Path, *, skip_invalid: bool) -> Sequence[ListedReader]:
    """The readers of a file, with or without the rows that have a mistake."""
    found = _read_list(app, file)
    for note in found.notes:
        output.message(note)
    if not skip_invalid:
        return found.checked()
    for mistake in found.mistakes:
        output.message(f"left out: {mistake}")
    return found.readers


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


def _with_status(reader: ListedReader, status: ListedStatus) -> ListedReader:
    return replace(reader, status=status) if reader.status == "confirmed" else reader


def greet(app: App, output: Output, readers: Sequence[Reader]) -> Sequence[Reader]:
    """Email readers that they were added, each once; returns and names whom it did not reach."""
    unsent: Sequence[Reader] = readers
    try:
        unsent = event_loop.run(greet_added(app, readers))
    except TransportError as error:
        output.message(str(error))
    for line in _shortened([each.subscriber.email for each in unsent]):
        output.message(f"{line}: not welcomed; newsletter subscribers welcome tries again")
    return unsent


@command(subscribers_group)
def welcome(
    config: Path,
    output: Output,
    email: Annotated[list[str], typer.Argument(help="The readers' addresses.")],
) -> int:
    """Tell readers you added what they get, when, and how to unsubscribe; once each.

    Example: newsletter subscribers welcome ada@example.org
    """
    with open_app(config) as app:
        readers = [each for each in find_readers(app.readers(), email) if each.is_served]
        unsent = greet(app, output, readers)
    emails = [reader.subscriber.email for reader in readers if reader not in unsent]
    output.result({"welcomed": emails}, "\n".join(f"{each}: welcomed" for each in emails))
    return DELIVERIES_FAILED if unsent else 0


def plan(
    app: App, listed: Sequence[ListedReader], *, again: bool, overwrite: bool
) -> tuple[Decision, ...]:
    """What becomes of these readers; nothing is stored."""
    keys = app.reader_service.keys
    return plan_import(listed, app.readers(), keys, again=again, overwrite=overwrite)


@dataclass(frozen=True, slots=True)
class _Import:
    """Readers about to be stored, or not."""

    app: App
    output: Output
    decisions: Sequence[Decision]

    def may_touch(self, decisions: Sequence[Decision], *, yes: bool) -> bool:
        """Name the readers whose choices change, and ask; True without any."""
        if not decisions:
            return True
        for line in _shortened([_touched(each) for each in decisions]):
            self.output.message(line)
        question = f"Change what {count_of(len(decisions), 'reader')} chose?"
        if yes or confirm(question):
            return True
        self.output.message("nothing was stored")
        return False

    def finish(self, lines: Sequence[str], *, dry_run: bool) -> None:
        """Store the readers, unless it is a dry run, and print what was, or would be, done."""
        if not dry_run:
            self._store()
        self.output.result(self._document(), "\n".join(lines))
        if away := count(self.decisions, "away"):
            advice = "not added because they left before; pass --again to add them"
            self.output.message(f"{away} {advice}")
        if dry_run:
            self.output.message("dry run: nothing was stored")

    def greet(self, *, wanted: bool) -> None:
        """Email those who are new, if that is wanted."""
        emails = [each.email for each in self.decisions if each.kind in {"new", "back"}]
        if wanted and emails:
            greet(self.app, self.output, self.app.store.readers(emails=emails))

    def _store(self) -> None:
        """All in one transaction; of those who stay as they are, only the dates of consents."""
        now = self.app.clock.now()
        stored = [each for each in self.decisions if each.kind in STORED]
        same = [each for each in self.decisions if each.kind == "unchanged"]
        agreed = [each.listed for each in same if each.listed.consented is not None]
        ids = self.app.store.import_readers([*(e.listed for e in stored), *agreed], now=now)
        acts = [
            OperatorAct(now, COMMAND_LINE, _ACTS[each.kind], ids[each.email], _act_detail(each))
            for each in stored
        ]
        self.app.store.record_acts(acts)

    def _document(self) -> dict[str, Any]:
        def named(*kinds: Kind) -> list[str]:
            return [each.email for each in self.decisions if each.kind in kinds]

        return {
            "added": named("new", "back"),
            "unchanged": count(self.decisions, "unchanged"),
            "differs": [_difference(each) for each in self.decisions if each.is_left_alone],
            "overwritten": named("overwritten"),
            "left_out": count(self.decisions, "away"),
            "departed": named("leaves"),
        }

    def lines(self) -> Iterator[str]:
        """How many are new, known, and otherwise; and who is left alone."""
        new, differing = count(self.decisions, "new", "back"), count(self.decisions, "differs")
        unchanged = count(self.decisions, "unchanged")
        said = [f"{new} new", f"{unchanged} known and unchanged"]
        said.append(f"{differing} differs" if differing == 1 else f"{differing} differ")
        said += [
            f"{count(self.decisions, kind)} {word}"
            for kind, word in _MORE.items()
            if count(self.decisions, kind)
        ]
        yield ", ".join(said)
        yield from self.left_alone()

    def left_alone(self) -> list[str]:
        """Who stays as they are although the list says otherwise, and in what."""
        kept = [each for each in self.decisions if each.is_left_alone]
        return _shortened([f"{each.email} keeps: {_detail(each)}" for each in kept])


def _difference(decision: Decision) -> dict[str, Any]:
    """A reader whose values differ from the list's, as JSON."""
    fields = {
        each.field: {
            "stored": plain_value(each.field, each.before),
            "listed": plain_value(each.field, each.after),
        }
        for each in decision.differences
    }
    fault = decision.before.fault if decision.before else ""
    return {"reader": decision.email, "fault": fault, "fields": fields}


def _detail(decision: Decision) -> str:
    faults = [decision.before.fault] if decision.before and decision.before.fault else []
    return "; ".join([*faults, *map(describe_change, decision.differences)])


def _act_detail(decision: Decision) -> str:
    return (
        decision.listed.status
        if decision.kind == "leaves"
        else _detail(decision) * decision.overwritten
    )


def _touched(decision: Decision) -> str:
    """Whom an import touches, and how."""
    match decision.kind:
        case "back":
            before = "left" if decision.before is None else decision.before.status
            return f"{decision.email} gets emails again, and was {before}"
        case "leaves":
            return f"{decision.email} gets no more emails: {decision.listed.status} by the list"
        case _:
            return f"{decision.email}: {_detail(decision)}"


def _shortened(lines: Sequence[str]) -> list[str]:
    more = len(lines) - SHOWN
    return [*lines[:SHOWN], *([f"… and {more} more; --json names all"] if more > 0 else [])]


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

    Readers who left or are blocked are included, with their status and its date, so that no import
    subscribes them again; `--status confirmed` leaves them out.
    """
    with open_app(config) as app:
        app.sync_readers()
        known = [r for r in app.store.listed_readers() if status in (None, r.status)]
    listed = [reader for reader in known if is_address(reader.subscriber.email)]
    for email in sorted({r.subscriber.email for r in known} - {r.subscriber.email for r in listed}):
        output.message(f"left out: {email!r} is stored as an address but is not one")
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


def _form_of(file: Path) -> Form:
    return Form.CSV if file.suffix.lower() == ".csv" else Form.YAML
