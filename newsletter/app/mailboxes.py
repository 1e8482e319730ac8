"""The mailboxes that a newsletter's returned mail is read from."""

from collections.abc import Iterator
from datetime import timedelta

from newsletter.app.wiring import App
from newsletter.bounces.mailboxes import ImapFolder, Mailbox, Maildir, MailServer, Pop3Mailbox
from newsletter.config import MailboxSettings

FIRST_READ = timedelta(days=90)
"""How old mails are read from a folder that was never read: older bounces count no more."""


def mailboxes_of(app: App) -> Iterator[Mailbox]:
    """The configured mailboxes in which bounces arrive, and the one of kept mails."""
    bounces, kept = app.settings.bounces, kept_mails(app)
    if bounces is not None and bounces.maildir is not None:
        yield Maildir(app.folder / bounces.maildir)
    if bounces is not None and bounces.imap is not None:
        server = _server(app, bounces.imap, "bounces.imap")
        since = (app.clock.now() - FIRST_READ).date()
        yield from (ImapFolder(server, folder, since) for folder in bounces.imap.folders)
    if bounces is not None and bounces.pop3 is not None:
        yield Pop3Mailbox(_server(app, bounces.pop3, "bounces.pop3"))
    if kept.path.exists():
        yield kept


def kept_mails(app: App) -> Maildir:
    """The mails that came through a pipe and need a person."""
    return Maildir(app.own_folder / "kept")


def _server(app: App, settings: MailboxSettings, setting: str) -> MailServer:
    oauth, password = settings.oauth, settings.password
    return MailServer(
        setting=setting,
        host=settings.host,
        port=settings.server_port,
        security=settings.security,
        username=settings.username,
        password="" if password is None else password.get_secret_value(),
        ca_file="" if settings.ca_file is None else str(app.folder / settings.ca_file),
        access_token=None if oauth is None else app.access_tokens(oauth, f"{setting}.oauth").get,
    )
