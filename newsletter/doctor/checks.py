"""The checks of ``newsletter doctor``, in the order in which a new operator fixes things."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from newsletter.app import event_loop
from newsletter.app.files import cron_line
from newsletter.app.mailboxes import mailboxes_of
from newsletter.app.store_waiting import place_warning
from newsletter.app.wiring import App, open_app
from newsletter.doctor.findings import Finding, Lookup, not_checked, ok, wrong
from newsletter.doctor.sending import SERVER_TIMEOUT, examine_sending
from newsletter.errors import ConfigurationError, MailboxError, StoreError, UsageError
from newsletter.model import INCOMPLETE_STATES
from newsletter.model.windows import MAX_SILENCE
from newsletter.publisher.drafting import known_gaps
from newsletter.publisher.reporting import known_health, line_of, report, reported_days
from newsletter.readers.stored_settings import find_fault

MIN_FREE_BYTES = 500 * 1024 * 1024  # with less free space, the disk may be full within a week
MAX_NAMED = 5  # how many faults a finding names; the rest are only counted

MAX_CLOCK_SKEW = timedelta(minutes=2)


def examine(config: Path, lookup: Lookup | None) -> Iterator[Finding]:
    """Run every check; if the configuration is wrong, only that is reported.

    Args:
        config: the configuration file.
        lookup: the DNS; None if this machine has no name server.
    """
    name = "configuration"
    with ExitStack() as stack:
        try:
            app = stack.enter_context(open_app(config))
            readers = len(app.listed_subscribers)
        except ConfigurationError as error:
            yield wrong(name, str(error), "fix it; `newsletter config check` shows all mistakes")
            return
        yield ok(name, f"{config.name}, {readers} readers in the file")
        yield from _examine_app(app, lookup)


def _examine_app(app: App, lookup: Lookup | None) -> Iterator[Finding]:
    yield _templates(app)
    store = _store(app)
    yield store
    if warning := place_warning(app):
        said, _, fix = warning.partition(". ")
        yield wrong("store's disk", said, fix)
    yield from examine_sending(app, lookup)
    url, server_time = _public_url(app.settings.url)
    yield url
    bounces = app.settings.bounces
    if bounces is None or bounces.address is not None:
        yield _bounces(app, store_is_open=store.state == "ok")
    if bounces is not None and bounces.webhooks is not None:
        yield _webhooks(app.settings.url or "", bounces.webhooks.services)
    yield clock(app, server_time, store_is_open=store.state == "ok")
    yield _disk(app)
    yield ok("event loop", event_loop.loop_name())
    if store.state == "ok":
        yield _readers(app)
        yield _sources(app)
        yield _last_run(app)
        yield _last_issue(app)


def _templates(app: App) -> Finding:
    try:
        _ = app.templates
    except ConfigurationError as error:
        return wrong("templates", str(error), "fix the template, or remove `templates:`")
    return ok("templates", app.settings.templates or "the bundled ones")


def _store(app: App) -> Finding:
    try:
        days = app.store.issue_days()
    except (StoreError, ConfigurationError) as error:
        return wrong("store", str(error), "fix `store:` or the database it names")
    return ok("store", f"newest issue {days[0]}" if days else "no issue yet")


def _public_url(url: str | None) -> tuple[Finding, datetime | None]:
    """Check the readers' pages; also return the time that their server gave."""
    name = "public URL"
    if url is None:
        return not_checked(name, "no `url:` is set; emails carry only mailto: links"), None
    parts = urlsplit(url)
    if parts.scheme != "https" and not _is_loopback(parts.hostname or ""):
        said = f"{url} is not https: mail programs offer no one-click unsubscribe (RFC 8058)"
        return wrong(name, said, "serve the pages over https, and change `url:`"), None
    fix = "make this address lead to the newsletter's pages"
    try:
        answer = httpx2.get(url, timeout=SERVER_TIMEOUT)
    except httpx2.HTTPError as error:
        return wrong(name, f"{url} does not answer: {error}", fix), None
    said = f"{url} answers {answer.status_code}"
    if answer.is_server_error:
        return wrong(name, said, fix), None
    return ok(name, said), http_date(answer.headers.get("Date"))


def http_date(header: str | None) -> datetime | None:
    """The time in a Date header (RFC 9110, 5.6.7); None if it is missing or malformed."""
    if header is None or not header.endswith(" GMT"):
        return None
    try:
        return parsedate_to_datetime(header)
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bounces(app: App, *, store_is_open: bool) -> Finding:
    name = "bounces"
    if app.settings.bounces is None:
        said = "no `bounces:` is set; returned mail goes to the sender and is not counted"
        return not_checked(name, said)
    mailboxes = list(mailboxes_of(app))
    if not mailboxes:
        said = "no mailbox is set; pass an mbox or a pipe to newsletter bounces read"
        return not_checked(name, said)
    fix = "let the mail server deliver there, as the newsletter's user"
    waiting = []
    try:
        for mailbox in mailboxes:
            known = app.store.known_mails(mailbox.name) if store_is_open else {}
            with mailbox.open() as opened:
                new = opened.count_new(known)
            waiting.append(f"{mailbox.name}, {new} mails waiting")
    except (UsageError, MailboxError) as error:
        return wrong(name, str(error), fix)
    if left := app.store.left_mails() if store_is_open else ():
        fix = "newsletter status lists them; deal with each, then delete it"
        return wrong(name, f"{len(left)} mails need a person", fix)
    return ok(name, "; ".join(waiting))


def _webhooks(url: str, services: Iterable[str]) -> Finding:
    """Whether mail services can reach the addresses of their webhooks."""
    name = "webhooks"
    addresses = (f"{url.rstrip('/')}/bounces/{service}" for service in services)
    fix = (
        "set `url:` to the public address of the readers' pages, and `web:` so that they are served"
    )
    if not url:
        return wrong(name, "`url:` is not set, so no service can reach them", fix)
    if _is_loopback(urlsplit(url).hostname or ""):
        return wrong(name, f"`url:` is {url}, which services cannot reach", fix)
    return ok(name, f"enter at the services: {', '.join(addresses)}")


def clock(app: App, server_time: datetime | None, *, store_is_open: bool) -> Finding:
    """Compare this machine's clock with a web server's, and with the newest time in the store."""
    name, fix = "clock", "set the clock, and keep it right with NTP (timedatectl set-ntp true)"
    now = app.clock.now()
    here = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    if server_time is not None and abs(now - server_time) > MAX_CLOCK_SKEW:
        return wrong(name, f"{here} here, {server_time:%H:%M:%S} on a web server", fix)
    recorded = [heartbeat.seen for heartbeat in app.store.heartbeats()] if store_is_open else []
    latest = max(recorded, default=now)
    if latest - now > MAX_CLOCK_SKEW:
        said = f"{here} is earlier than the last activity, {latest:%Y-%m-%d %H:%M} UTC"
        return wrong(name, said, fix)
    return ok(name, f"{here}; time zone {app.settings.timezone}")


def _disk(app: App) -> Finding:
    try:
        folder = app.own_folder
        free = shutil.disk_usage(folder).free
        (folder / "doctor").touch()
        (folder / "doctor").unlink()
    except ConfigurationError as error:
        said, _, fix = str(error).partition("; ")
        return wrong("disk", said, fix)
    except OSError as error:
        fix = f"let the newsletter's user write in {folder}, or set `state:`"
        return wrong("disk", f"{folder}: {error.strerror}", fix)
    said = f"{free // 2**20} MB free in {folder}"
    if free < MIN_FREE_BYTES:
        return wrong("disk", said, "free some space: with a full disk no email is sent")
    return ok("disk", said)


def _sources(app: App) -> Finding:
    sources = known_health(app)
    failed = [source for source in sources if source.state in INCOMPLETE_STATES]
    if failed:
        said = "; ".join(f"{source.name}: {source.detail}" for source in failed)
        return wrong("sources", said, "run newsletter fetch to try again")
    if not sources:
        return not_checked("sources", "not fetched yet; run newsletter fetch")
    if gaps := [gap for gap in known_gaps(app) if gap.state == "missing"]:
        first = f"{gaps[-1].source} of {gaps[-1].day}"
        more = f" and {len(gaps) - 1} more" if len(gaps) > 1 else ""
        return wrong("sources", f"not read: {first}{more}", "run newsletter fetch to try again")
    return ok("sources", f"{len(sources)} answered when they were last fetched")


def _last_run(app: App) -> Finding:
    name = "last run"
    last = next(iter(app.store.heartbeats()), None)
    if last is None:
        said = "newsletter run was never started; it is not needed with cron, for example: "
        return not_checked(name, said + cron_line(app.folder))
    said = f"{last.name}, last active {last.seen:%Y-%m-%d %H:%M} UTC"
    if last.said == "stopped":
        return ok(name, f"{said}, then stopped")
    if last.said:
        return wrong(name, f"{said}: {last.said}", "fix that; newsletter run keeps trying")
    if app.clock.now() - last.seen > MAX_SILENCE:
        said = f"{said}, no sign of life since"
        return wrong(name, said, "restart newsletter run and read its log")
    return ok(name, said)


def _some(lines: Sequence[str]) -> str:
    """The first lines, and the number of the others."""
    more = len(lines) - MAX_NAMED
    return "; ".join((*lines[:MAX_NAMED], *([f"and {more} more"] if more > 0 else [])))


def _readers(app: App) -> Finding:
    """Check whether the stored settings of every reader can be used."""
    topics, count, lines = app.known_topics, 0, list[str]()
    for reader in app.store.each_reader():
        if reader.status == "confirmed":
            count += 1
            if (fault := find_fault(reader, topics)) is not None:
                lines.append(line_of(fault))
    if lines:
        fix = "newsletter subscribers import, or the reader's own page, stores settings anew"
        return wrong("readers", _some(lines), fix)
    return ok("readers", f"{count} get emails")


def _last_issue(app: App) -> Finding:
    name = "last issue"
    day = next(reported_days(app.store, app.clock.now()), None)
    if day is None:
        return not_checked(name, "no issue yet; run newsletter send or newsletter run")
    found = report(app, day)
    counts = found.counts
    said = f"{found.day} is {found.state}: {counts.accepted} of {counts.planned} accepted"
    if found.skipped:
        fix = "newsletter run tries again; report the error if it stays"
        return wrong(name, f"{said}; {_some(found.skipped)}", fix)
    if found.troubled:
        return wrong(name, said, "newsletter status shows the readers and the server's replies")
    return ok(name, said)
