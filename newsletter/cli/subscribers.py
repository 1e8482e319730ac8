"""``newsletter subscribers``: what the operator does about single readers."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from newsletter.app import event_loop
from newsletter.app.reader_notes import send_first_letter
from newsletter.app.wiring import App, open_app
from newsletter.cli.command import (
    FIELD_OPTIONS,
    Yes,
    command,
    command_list,
    find_readers,
    given_fields,
    group,
    issue_day,
    read_options,
)
from newsletter.cli.output import Output, confirm, count_of, table
from newsletter.cli.reader_reports import choice_lines, description_document, description_lines
from newsletter.config.rules import rule_warnings
from newsletter.config.subscribers import mailbox_key, to_entry
from newsletter.errors import TransportError, UsageError
from newsletter.model import SUBSCRIBER_FIELDS, Reader, field_changes
from newsletter.model.zones import load_zone
from newsletter.papers.topics import names_to_choose
from newsletter.readers.erasing import is_erased
from newsletter.readers.operating import COMMAND_LINE, OperatorService, describe_change
from newsletter.readers.service import keep_fields

commands = command_list()
subscribers_group = group(
    commands,
    "subscribers",
    """List, show, add, change, import and erase readers.

    Example: newsletter subscribers add ada@example.org --topics Reasoning
    """,
)

Email = Annotated[str, typer.Argument(help="The reader's address.")]

SETTINGS = [name for name in SUBSCRIBER_FIELDS if name != "email"]
"""The settings of a reader, as `--clear` names them."""


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
def show(config: Path, output: Output, email: Email) -> int:
    """Show one reader: status, choices, consent, last and next email, and what you did.

    Example: newsletter subscribers show ada@example.org
    """
    with open_app(config) as app:
        reader = find_readers(app.readers(), [email])[0]
        found = app.operator_service(COMMAND_LINE).describe(reader, app.clock.now())
        zone = load_zone(reader.subscriber.timezone or app.settings.timezone)
    output.result(description_document(found), "\n".join(description_lines(found, zone)))
    return 0


@command(subscribers_group, "set", options=FIELD_OPTIONS)
def set_choices(
    config: Path,
    output: Output,
    /,
    email: Email,
    *,
    clear: Annotated[
        list[str] | None,
        typer.Option(metavar="SETTING", help="Put a setting, for example topics, to its default."),
    ] = None,
    yes: Yes = False,
    **given: object,
) -> int:
    """Change settings of one reader, after showing the old and new values.

    Example: newsletter subscribers set ada@example.org --topics Reasoning --at 08:00

    For a reader in the readers' file, a setting holds until the file changes it.
    """
    names = {each.replace("-", "_") for each in clear or ()}
    if unknown := names.difference(SETTINGS):
        raise UsageError(f"--clear {min(unknown)}: write one of {', '.join(SETTINGS)}")
    entry = {name: value for name, value in given_fields(given).items() if name not in names}
    if not entry and not names:
        raise UsageError("name a setting to change, for example --at 08:00, or --clear topics")
    with open_app(config) as app:
        reader = find_readers(app.readers(), [email])[0]
        names_known = names_to_choose(reader.subscriber.filter.topics, app.known_topics)
        listed = read_options(reader.subscriber.email, entry, names_known, app.matcher)
        for warning in rule_warnings(listed.subscriber, app.settings.paper_fields, app.matcher):
            output.message(f"warning: {warning}")
        unsaid = SUBSCRIBER_FIELDS.keys() - entry.keys() - names
        wanted = keep_fields(reader.subscriber, listed.subscriber, unsaid)
        changed = field_changes(reader.subscriber, wanted)
        for each in changed:
            output.message(describe_change(each))
        if not changed and not reader.fault:
            output.message("nothing to change")
        elif yes or confirm(f"Change these settings of {reader.subscriber.email}?"):
            service = app.operator_service(COMMAND_LINE)
            reader = service.set_choices(reader, wanted, app.clock.now())
            if reader.origin == "file":
                output.message(
                    f"{app.settings.subscribers} overrides these settings when it changes them"
                )
    lines = [reader.subscriber.email, *choice_lines(reader.subscriber)]
    output.result(to_entry(reader.subscriber), "\n".join(lines))
    return 0


@command(subscribers_group)
def pause(
    config: Path,
    output: Output,
    email: Email,
    *,
    until: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="The first day with an email.")],
) -> int:
    """Send a reader nothing until a day.

    Example: newsletter subscribers pause ada@example.org --until 2026-09-01
    """
    with open_app(config) as app:
        day = issue_day(until, app.clock, app.settings.timezone)
        return _act(
            app, output, email, lambda o, r, now: o.pause(r, day, now), f"paused until {day}"
        )


@command(subscribers_group)
def resume(config: Path, output: Output, email: Email) -> int:
    """End a reader's pause.

    Example: newsletter subscribers resume ada@example.org
    """
    with open_app(config) as app:
        return _act(app, output, email, lambda o, r, now: o.resume(r, now), "resumed")


@command(subscribers_group)
def block(
    config: Path,
    output: Output,
    email: Email,
    *,
    why: Annotated[str, typer.Option(help="The reason, for your own record.")] = "",
) -> int:
    """Block a reader: no emails, whatever they do on the pages; `unsuppress` undoes it.

    Example: newsletter subscribers block ada@example.org --why "asked for by phone"
    """
    with open_app(config) as app:
        return _act(app, output, email, lambda o, r, now: o.block(r, now, why), "blocked")


@command(subscribers_group)
def decline(config: Path, output: Output, email: Email) -> int:
    """Decline a reader who waits for your approval; they are not told.

    Example: newsletter subscribers decline ada@example.org
    """
    with open_app(config) as app:
        return _act(app, output, email, lambda o, r, now: o.decline(r, now), "declined")


@command(subscribers_group)
def approve(
    config: Path,
    output: Output,
    email: Annotated[list[str], typer.Argument(help="The readers' addresses.")],
) -> int:
    """Approve readers who wait (`joining: {mode: approval}`), and send them their first email.

    Example: newsletter subscribers approve ada@example.org
    """
    approved: list[Reader] = []
    with open_app(config) as app:
        service = app.operator_service(COMMAND_LINE)
        for reader in find_readers(app.readers(), email):
            service.approve(reader, app.clock.now(), approved.append)
        for reader in approved:
            try:
                sent = event_loop.run(send_first_letter(app, reader))
            except TransportError as error:
                sent = False
                output.message(str(error))
            if not sent:
                output.message(f"{reader.subscriber.email}: the first email could not be sent")
    emails = _emails_of(approved)
    output.result({"approved": emails}, "\n".join(f"{each}: approved" for each in emails))
    return 0


def _act(
    app: App,
    output: Output,
    email: str,
    act: Callable[[OperatorService, Reader, datetime], Reader],
    done: str,
) -> int:
    """Do something to one reader, and print it."""
    reader = find_readers(app.readers(), [email])[0]
    after = act(app.operator_service(COMMAND_LINE), reader, app.clock.now())
    document = {"reader": after.subscriber.email, "status": after.status, "done": done}
    output.result(document, f"{after.subscriber.email}: {done}")
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
        app.sync_readers(again=True)
    document = {"unsuppressed": found.email, "why_blocked": found.why}
    output.result(document, f"{found.email}: gets emails again (was blocked: {found.why})")
    return 0
