"""``newsletter subscribers``: list, add, remove, import, export and erase readers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from newsletter.app.wiring import open_app
from newsletter.cli.command import Yes, command, command_list, find_readers, group
from newsletter.cli.output import Output, confirm, count_of, table
from newsletter.config.subscribers import (
    mailbox_key,
    to_entry,
)
from newsletter.errors import UsageError
from newsletter.model import (
    Reader,
)
from newsletter.readers.operating import COMMAND_LINE
from newsletter.readers.service import is_erased

commands = command_list()
subscribers_group = group(
    commands,
    "subscribers",
    """List, add, remove, import, export and erase readers.

    Example: newsletter subscribers add ada@example.org --topics Reasoning
    """,
)

Email = Annotated[str, typer.Argument(help="The reader's address.")]


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
