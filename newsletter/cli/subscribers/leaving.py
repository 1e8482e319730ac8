"""``newsletter subscribers remove``, ``erase``, ``unsuppress``: who leaves, and comes back."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from newsletter.app.app import open_app
from newsletter.cli.command import command
from newsletter.cli.output import Output, counted
from newsletter.cli.subscribers.common import Email, app, is_theirs, known_as
from newsletter.config.subscribers import same_mailbox
from newsletter.errors import UsageError


@command(app)
def remove(
    config: Path,
    output: Output,
    email: Email,
) -> int:
    """End a subscription, whoever it belongs to. The departure outlives the file.

    Example: newsletter subscribers remove ada@example.org
    """
    with open_app(config) as app:
        emails = [reader.subscriber.email for reader in known_as(app, email)]
        for found in emails:
            app.store.set_status(found, "unsubscribed", now=app.clock.now())
        listed = any(is_theirs(subscriber, email) for subscriber in app.listed_subscribers)
    output.give({"removed": emails}, lambda: "\n".join(f"{one}: unsubscribed" for one in emails))
    if listed:
        output.say(f"{app.settings.subscribers} still lists them; they get no letters all the same")
    return 0


@command(app)
def erase(
    config: Path,
    output: Output,
    email: Email,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> int:
    """Forget a reader: no more letters, and their address and choices erased. It is for good.

    Example: newsletter subscribers erase ada@example.org

    A hash made with the secret stays, so that neither the file nor an import brings them back.
    """
    with open_app(config) as app:
        found = known_as(app, email)
        if not (yes or _agreed(email)):
            found = []
        for reader in found:
            app.reader_service.erase(reader, app.clock.now())
    output.give({"erased": len(found)}, lambda: f"{counted(len(found), 'reader')} erased")
    return 0


def _agreed(email: str) -> bool:
    """Ask whether it is meant.

    Raises:
        UsageError: there is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise UsageError("erasing cannot be undone; say --yes")
    return typer.confirm(f"Erase all that is known of {email}?", err=True)


@command(app)
def unsuppress(
    config: Path,
    output: Output,
    email: Email,
) -> int:
    """Send to a blocked reader again; what came back from them so far counts no longer.

    Example: newsletter subscribers unsuppress ada@example.org

    Only who was blocked, by bounces or a complaint, comes back so; never who unsubscribed.
    """
    with open_app(config) as app:
        app.readers()
        blocked = {same_mailbox(one.email): one for one in app.store.suppressed()}
        found = blocked.get(same_mailbox(email))
        if found is None or not app.store.unsuppress(found.email, now=app.clock.now()):
            raise UsageError(
                f"{email} is not blocked; `newsletter subscribers list` shows who is, and "
                "`add --again` lets back who left and asks for it"
            )
        app.sync_subscribers_file()  # who was struck from the file meanwhile stays struck
    document = {"unsuppressed": found.email, "why_blocked": found.why}
    output.give(document, lambda: f"{found.email}: gets letters again (was blocked: {found.why})")
    return 0
