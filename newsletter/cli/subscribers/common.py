"""What the commands about readers share."""

from typing import Annotated

import typer

from newsletter.app.app import App
from newsletter.cli.command import group
from newsletter.config.subscribers import same_mailbox
from newsletter.errors import UsageError
from newsletter.model import Reader, Subscriber

app = group()

Email = Annotated[str, typer.Argument(help="The reader's address.")]
Words = Annotated[list[str] | None, typer.Option(help="May be given again.")]
GONE = frozenset({"unsubscribed", "blocked"})


@app.callback()
def subscribers_commands() -> None:
    """List, add, remove, import, export and erase readers.

    Example: newsletter subscribers add ada@example.org --topics Reasoning
    """


def is_theirs(subscriber: Subscriber, email: str) -> bool:
    """Whether an address, however it is spelt, is this reader's."""
    return same_mailbox(subscriber.email) == same_mailbox(email)


def known_as(app: App, email: str) -> list[Reader]:
    """The readers whose address this is, however it is spelt, the file's included.

    Raises:
        UsageError: there is none.
    """
    found = [reader for reader in app.readers() if is_theirs(reader.subscriber, email)]
    if not found:
        raise UsageError(f"there is no reader {email}; `newsletter subscribers list` names them")
    return found
