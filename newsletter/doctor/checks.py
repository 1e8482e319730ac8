"""The checks, in the order in which a newcomer mends things."""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from newsletter.app import event_loop
from newsletter.app.app import App, open_app
from newsletter.doctor.dns import Ask, sender_records
from newsletter.doctor.findings import Finding, unchecked, well, wrong
from newsletter.errors import ConfigurationError, StoreError, TransportError, UsageError
from newsletter.publisher.reporting import report, so_far

PATIENCE = 10.0
"""Seconds a server gets."""

SCARCE = 500 * 1024 * 1024
"""Octets of free disk below which the store may not live through the week."""

SILENT = timedelta(minutes=5)
"""So long without a sign of life, and the daemon is not well."""

SKEW = timedelta(minutes=2)
"""How far clocks may differ."""


def examine(config: Path, ask: Ask | None) -> Iterator[Finding]:
    """Look at everything, one finding after the other.

    Args:
        config: the configuration file.
        ask: the DNS; None where there is no name server to ask.
    """
    with ExitStack() as stack:
        try:
            app = stack.enter_context(open_app(config))
            readers = len(app.listed_subscribers)
        except ConfigurationError as error:
            yield wrong("configuration", str(error), "mend it; newsletter config check tells more")
            return
        yield well("configuration", f"{config.name}, {readers} readers in the file")
        yield from _of_house(app, ask)


def _of_house(app: App, ask: Ask | None) -> Iterator[Finding]:
    yield _templates(app)
    store = _store(app)
    yield store
    yield _smtp(app)
    yield from _sender(app.settings.publication.domain, ask)
    url, date = _public_url(app.settings.url)
    yield url
    yield _bounces(app)
    yield clock(app, date, stored=store.state == "ok")
    yield _disk(app)
    yield well("event loop", event_loop.named())
    if store.state == "ok":
        yield _last_run(app)
        yield _last_issue(app)


def _templates(app: App) -> Finding:
    try:
        _ = app.templates
    except ConfigurationError as error:
        return wrong("templates", str(error), "mend the template, or take templates: out")
    return well("templates", app.settings.templates or "those that ship")


def _store(app: App) -> Finding:
    try:
        days = app.store.days()
    except StoreError as error:
        return wrong("store", str(error), "mend store: or what it names")
    return well("store", f"newest issue {days[0]}" if days else "no issue yet")


def _smtp(app: App) -> Finding:
    smtp = app.settings.smtp
    place = f"{smtp.host}:{smtp.port}"
    try:
        event_loop.run(app.try_smtp(PATIENCE))
    except TransportError as error:
        said, _, fix = str(error).partition("; ")
        return wrong("SMTP", said, fix)
    login = f"logged in as {smtp.username}" if smtp.username else "without a login"
    return well("SMTP", f"{place}, security {smtp.security}, {login}")


def _sender(domain: str, ask: Ask | None) -> tuple[Finding, ...]:
    if ask is None:
        said = "this machine knows no name server"
        return tuple(unchecked(name, said) for name in ("SPF", "DKIM", "DMARC"))
    return sender_records(domain, ask)


def _public_url(url: str | None) -> tuple[Finding, datetime | None]:
    """How the readers' pages are, and the time their server gave."""
    name = "public URL"
    if url is None:
        return unchecked(name, "no url: is set; letters carry mailto: links alone"), None
    parts = urlsplit(url)
    if parts.scheme != "https" and not _is_here(parts.hostname or ""):
        said = f"{url} is not https: mail programs offer no one-click unsubscribe (RFC 8058)"
        return wrong(name, said, "put the pages behind https, and write so in url:"), None
    fix = "see that it leads to this newsletter's pages, and to nothing that fails"
    try:
        answer = httpx2.get(url, timeout=PATIENCE)
    except httpx2.HTTPError as error:
        return wrong(name, f"{url} does not answer: {error}", fix), None
    if answer.is_server_error:
        return wrong(name, f"{url} answers {answer.status_code}", fix), None
    return well(name, f"{url} answers {answer.status_code}"), http_date(answer.headers.get("Date"))


def http_date(header: str | None) -> datetime | None:
    """The instant of a Date header (RFC 9110); None where it says none."""
    if header is None or not header.endswith(" GMT"):
        return None
    try:
        return parsedate_to_datetime(header)
    except ValueError:
        return None


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def clock(app: App, told: datetime | None, *, stored: bool) -> Finding:
    """This machine's clock beside that of a server, and beside what the store remembers."""
    now = app.clock.now()
    fix = "set the clock, and keep it with NTP (timedatectl set-ntp true)"
    if told is not None and abs(now - told) > SKEW:
        return wrong("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC here, {told:%H:%M:%S} elsewhere", fix)
    known = [beat.seen for beat in app.store.heartbeats()] if stored else []
    latest = max(known, default=now)
    if latest - now > SKEW:
        return wrong("clock", f"it is behind {latest:%Y-%m-%d %H:%M} UTC, which has been", fix)
    return well("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC; zone {app.settings.timezone}")


def _bounces(app: App) -> Finding:
    """Whether what comes back by mail is read, and can be put away."""
    name = "bounces"
    if app.settings.bounces is None:
        said = "no bounces: is set; what comes back goes to the sender, and nobody counts it"
        return unchecked(name, said)
    maildir = app.maildir
    if maildir is None:
        said = "no bounces.maildir is set; newsletter bounces read takes an mbox or a pipe"
        return unchecked(name, said)
    fix = "let the mail server deliver there, as the newsletter's user"
    try:
        waiting = len(maildir.unread())
    except UsageError as error:
        return wrong(name, str(error), fix)
    if not os.access(maildir.path / "new", os.W_OK) or not os.access(maildir.path / "cur", os.W_OK):
        return wrong(name, f"{maildir.path}: what is read there cannot be put away", fix)
    return well(name, f"{maildir.path}, {waiting} mails waiting")


def _disk(app: App) -> Finding:
    try:
        folder = app.own_folder
        free = shutil.disk_usage(folder).free
        (folder / "doctor").touch()
        (folder / "doctor").unlink()
    except OSError as error:
        fix = f"let the newsletter's user write in {app.folder}"
        return wrong("disk", f"{app.folder}: {error.strerror}", fix)
    said = f"{free // 2**20} MB free in {app.folder}"
    if free < SCARCE:
        return wrong("disk", said, "make room: a full disk stops letters before they leave")
    return well("disk", said)


def _last_run(app: App) -> Finding:
    name = "last run"
    last = next(iter(app.store.heartbeats()), None)
    if last is None:
        return unchecked(name, "newsletter run has not run here; cron and send need none")
    told = f"{last.name}, last awake {last.seen:%Y-%m-%d %H:%M} UTC"
    if last.said == "stopped":
        return well(name, f"{told}, then stopped")
    if last.said:
        return wrong(name, f"{told}: {last.said}", "mend that; the next look tries again")
    if app.clock.now() - last.seen > SILENT:
        return wrong(name, f"{told}, and silent since", "start newsletter run again; see its log")
    return well(name, told)


def _last_issue(app: App) -> Finding:
    name = "last issue"
    day = next(so_far(app.store, app.clock.now()), None)
    if day is None:
        return unchecked(name, "there is none yet; newsletter send or run makes one")
    found = report(app.store, day)
    counts = found.counts
    said = f"{found.day} is {found.state}: {counts.accepted} of {counts.planned} accepted"
    if found.troubled:
        return wrong(name, said, "newsletter status names the readers and what the server said")
    return well(name, said)
