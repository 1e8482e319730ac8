"""Checks of what comes back by email: requests to unsubscribe, bounces, events of mail services."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from newsletter.app.files import cron_line
from newsletter.app.mailboxes import mailboxes_of
from newsletter.app.store_waiting import requests_warning
from newsletter.app.wiring import App
from newsletter.bounces.mailboxes import Mailbox
from newsletter.bounces.reading import PIPE
from newsletter.doctor.findings import Finding, is_loopback, not_checked, ok, wrong
from newsletter.errors import MailboxError, UsageError

MAX_UNREAD = timedelta(days=2)
"""After so long without a reading of the mailbox, those who ask to leave wait too long."""


def unsubscribing(app: App) -> Finding:
    """Whether anything reads the address at which readers unsubscribe by email."""
    name, publication = "unsubscribe", app.settings.publication
    to, leaving = publication.requests_to, "newsletter subscribers remove EMAIL"
    if publication.bounces is not None:
        return ok(name, f"requests by email go to {to}, as bounces do")
    if publication.url is not None:
        said = f"links lead to {publication.url}; some mail programs write to {to} instead"
        return not_checked(name, f"{said}: read it and run {leaving}, or set `bounces:`")
    if warning := requests_warning(app):
        said, _, fix = warning.partition("; ")
        return wrong(name, said, fix)
    said = f"a person has to read {to} and run {leaving} for each request"
    return not_checked(name, f"{said}; `url:` or `bounces:` would do that")


def bounces(app: App, *, store_is_open: bool) -> Finding:
    """Whether the mailboxes can be read and are read, and no mail waits for a person."""
    name = "bounces"
    if app.settings.bounces is None:
        said = "no `bounces:` is set; returned mail goes to the sender and is not counted"
        return not_checked(name, said)
    reads = app.store.mailbox_reads() if store_is_open else {}
    mailboxes = list(mailboxes_of(app))
    if not mailboxes:
        return _piped(name, reads.get(PIPE))
    known = app.store.known_mails if store_is_open else lambda _mailbox: {}
    try:
        found = [
            _waiting(mailbox, known(mailbox.name), reads.get(mailbox.name), app.clock.now())
            for mailbox in mailboxes
        ]
    except (UsageError, MailboxError) as error:
        fix = "let the mail server deliver there, as the newsletter's user"
        return wrong(name, str(error), fix)
    if unread := [said for said, is_unread in found if is_unread]:
        line = cron_line(app.folder, "bounces read --quiet", at="*/10 *")
        return wrong(name, "; ".join(unread), f"start newsletter run, or let cron read: {line}")
    if left := app.store.left_mails() if store_is_open else ():
        fix = "newsletter status lists them; deal with each, then delete it"
        return wrong(name, f"{len(left)} mails need a person", fix)
    return ok(name, "; ".join(said for said, _ in found))


def _piped(name: str, last: datetime | None) -> Finding:
    """What is known without a mailbox: whether mails come on standard input."""
    if last is None:
        said = "nothing has come back yet: no mailbox is set, so returned mail and requests to "
        return not_checked(name, f"{said}unsubscribe count only through newsletter bounces read")
    return ok(name, f"mails come through a pipe, the last one at {last:%Y-%m-%d %H:%M} UTC")


def _waiting(
    mailbox: Mailbox, known: Mapping[str, str], read: datetime | None, now: datetime
) -> tuple[str, bool]:
    """How many mails of a mailbox wait, since when it was read; and whether that is too long."""
    with mailbox.open() as opened:
        new = opened.count_new(known)
    since = f"last read at {read:%Y-%m-%d %H:%M} UTC" if read is not None else "never read"
    is_late = read is None or now - read > MAX_UNREAD
    return f"{mailbox.name}, {new} mails waiting, {since}", is_late and new > 0


def webhooks(url: str, services: Iterable[str]) -> Finding:
    """Whether mail services can reach the addresses of their webhooks."""
    name = "webhooks"
    addresses = (f"{url.rstrip('/')}/bounces/{service}" for service in services)
    fix = (
        "set `url:` to the public address of the readers' pages, and `web:` so that they are served"
    )
    if not url:
        return wrong(name, "`url:` is not set, so no service can reach them", fix)
    if is_loopback(urlsplit(url).hostname or ""):
        return wrong(name, f"`url:` is {url}, which services cannot reach", fix)
    return ok(name, f"enter at the services: {', '.join(addresses)}")
