"""The mailboxes that a newsletter's returned mail is read from."""

from collections.abc import Iterator

from newsletter.app.wiring import App
from newsletter.bounces.mailboxes import Mailbox, Maildir


def mailboxes_of(app: App) -> Iterator[Mailbox]:
    """The configured mailboxes in which bounces arrive, and the one of kept mails."""
    bounces, kept = app.settings.bounces, kept_mails(app)
    if bounces is not None and bounces.maildir is not None:
        yield Maildir(app.folder / bounces.maildir)
    if kept.path.exists():
        yield kept


def kept_mails(app: App) -> Maildir:
    """The mails that came through a pipe and need a person."""
    return Maildir(app.own_folder / "kept")
