"""The checks of ``newsletter doctor``, in the order in which a new operator fixes things."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import date, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from newsletter.app import event_loop
from newsletter.app.files import cron_line, load_engine
from newsletter.app.ping import pings_of
from newsletter.app.store_waiting import place_warning
from newsletter.app.wiring import App, open_app
from newsletter.doctor import files, issues, returned_mail
from newsletter.doctor.findings import Finding, Lookup, is_loopback, not_checked, ok, some, wrong
from newsletter.doctor.sending import SERVER_TIMEOUT, examine_sending
from newsletter.errors import ConfigurationError, OldStoreError, StoreError
from newsletter.letter.links import sign_token
from newsletter.model import INCOMPLETE_STATES, Coverage, ReaderFault
from newsletter.model.zones import load_zone
from newsletter.publisher.reporting import fault_lines, known_gaps, known_health
from newsletter.readers.due import is_paused
from newsletter.readers.stored_settings import FORMERLY, find_fault

MAX_CLOCK_SKEW = timedelta(minutes=2)
MAX_UNASKED = timedelta(days=8)  # a weekly newsletter asks its sources as seldom as that


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
            number = len(app.listed_subscribers)
        except ConfigurationError as error:
            yield wrong(name, str(error), "fix it; `newsletter config check` shows all mistakes")
            return
        yield ok(name, f"{config.name}, {number} reader{'' if number == 1 else 's'} in the file")
        yield from _examine_app(app, lookup)


def _examine_app(app: App, lookup: Lookup | None) -> Iterator[Finding]:
    yield _templates(app)
    yield _matching(app)
    yield files.modes(app)
    store, is_open = _store(app)
    yield store
    if warning := place_warning(app):
        said, _, fix = warning.partition(". ")
        yield wrong("store's disk", said, fix)
    yield from examine_sending(app, lookup)
    yield _ping(app)
    yield ok("event loop", event_loop.loop_name())
    try:
        url, server_time = public_url(app, store_is_open=is_open)
        yield url
        yield from _returned_mail(app, store_is_open=is_open)
        yield clock(app, server_time, store_is_open=is_open)
        yield files.disk(app, store_is_open=is_open)
        if is_open:
            yield from _what_is_stored(app)
    except StoreError as error:  # it went away, or a part of it cannot be read
        yield _unreadable(error)


def _what_is_stored(app: App) -> Iterator[Finding]:
    yield _readers(app)
    yield sources(app)
    yield issues.last_run(app)
    yield from issues.configurations(app)
    yield issues.last_issue(app)
    yield issues.letters(app)
    yield issues.blocked(app)


def _returned_mail(app: App, *, store_is_open: bool) -> Iterator[Finding]:
    bounces = app.settings.bounces
    yield returned_mail.unsubscribing(app)
    if bounces is None or bounces.address is not None:
        yield returned_mail.bounces(app, store_is_open=store_is_open)
    if bounces is not None and bounces.webhooks is not None:
        yield returned_mail.webhooks(app.settings.url or "", bounces.webhooks.services)


def _templates(app: App) -> Finding:
    try:
        _ = app.templates
    except ConfigurationError as error:
        return wrong("templates", str(error), "fix the template, or remove `templates:`")
    return ok("templates", app.settings.templates or "the bundled ones")


def _matching(app: App) -> Finding:
    if app.settings.matching == "rules":
        return ok("matching", "by words alone")
    try:
        load_engine()
    except ConfigurationError as error:
        said, _, fix = str(error).rpartition("; ")
        return wrong("matching", said, f"{fix}; until then no new issue is made")
    return ok("matching", "by meaning and by words")


def _store(app: App) -> tuple[Finding, bool]:
    """Check the store; also return whether it can be read."""
    name = "store"
    try:
        days = app.store.issue_days()
        app.store.check_journal(now=app.clock.now())
        warning = app.restore_warning
    except OldStoreError as error:
        said, command, rest = str(error).partition("`newsletter")
        return wrong(name, said.strip(), command + rest), True
    except ConfigurationError as error:
        said, _, ways = str(error).partition(" Either ")
        return wrong(name, said, ways or "until then nothing is sent"), False
    except StoreError as error:
        return _unreadable(error), False
    if warning:
        said, _, fix = warning.partition(". ")
        return wrong(name, said, fix), True
    return ok(name, f"newest issue {days[0]}" if days else "no issue yet"), True


def _unreadable(error: StoreError) -> Finding:
    said, _, fix = str(error).partition(". ")
    fix = fix[:1].lower() + fix[1:].removesuffix(".")
    return wrong("store", said, fix or "fix `store:` or the database it names")


def _ping(app: App) -> Finding:
    """Whether the service that hears of each issue takes pings; one that says nothing is sent."""
    name = "ping"
    if app.settings.ping is None:
        said = "no `ping:` is set: if this machine or its mail is down, you are not told"
        return not_checked(name, said)
    if problem := event_loop.run(pings_of(app).send("log", "newsletter doctor")):
        return wrong(name, problem, "correct `ping:`, or see whether the service is up")
    return ok(name, "the service takes pings")


def public_url(app: App, *, store_is_open: bool) -> tuple[Finding, datetime | None]:
    """Check the readers' pages; also return the time that their server gave."""
    name, url = "public URL", app.settings.url
    if url is None:
        return not_checked(name, "no `url:` is set; emails carry only mailto: links"), None
    parts = urlsplit(url)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        said = f"{url} is not https: mail programs offer no one-click unsubscribe (RFC 8058)"
        return wrong(name, said, "serve the pages over https, and change `url:`"), None
    fix = "make this address lead to the newsletter's pages"
    try:
        answer = httpx2.get(url, timeout=SERVER_TIMEOUT)
        link = _leaving_link(app, url) if store_is_open else None
        leaving = answer if link is None else httpx2.get(link, timeout=SERVER_TIMEOUT)
    except httpx2.HTTPError as error:
        return wrong(name, f"{url} does not answer: {error}", fix), None
    said = f"{url} answers {answer.status_code}"
    if answer.is_error:
        return wrong(name, said, fix), None
    if leaving.is_error:
        said = f"{said}, but a reader's unsubscribe link {leaving.status_code}"
        return wrong(name, said, f"{fix}, which must use the same secret"), None
    return ok(name, said), http_date(answer.headers.get("Date"))


def _leaving_link(app: App, url: str) -> str | None:
    """A reader's link to unsubscribe, which changes nothing when it is opened; None without one."""
    reader = next((one for one in app.store.each_reader() if one.is_served), None)
    if reader is None:
        return None
    token = sign_token(str(reader.id), "unsubscribe", app.keyring, app.clock.now())
    return f"{url.rstrip('/')}/unsubscribe/{token}"


def http_date(header: str | None) -> datetime | None:
    """The time in a Date header (RFC 9110, 5.6.7); None if it is missing or malformed."""
    if header is None or not header.endswith(" GMT"):
        return None
    try:
        return parsedate_to_datetime(header)
    except ValueError:
        return None


def clock(app: App, server_time: datetime | None, *, store_is_open: bool) -> Finding:
    """Compare this machine's clock with a web server's, and with the newest time in the store."""
    name, fix = "clock", "set the clock, and keep it right with NTP (timedatectl set-ntp true)"
    now = app.clock.now()
    here = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    if server_time is not None and abs(now - server_time) > MAX_CLOCK_SKEW:
        return wrong(name, f"{here} here, {server_time:%H:%M:%S} on a web server", fix)
    latest = max([now, *_recorded_times(app)]) if store_is_open else now
    if latest - now > MAX_CLOCK_SKEW:
        said = f"{here} is earlier than the last activity, {latest:%Y-%m-%d %H:%M} UTC"
        return wrong(name, said, fix)
    return ok(name, f"{here}; time zone {app.settings.timezone}")


def _recorded_times(app: App) -> Iterator[datetime]:
    """When processes were last active, and sources last asked."""
    yield from (heartbeat.seen for heartbeat in app.store.heartbeats())
    yield from (source.checked for source in app.store.sources().values() if source.checked)


def sources(app: App) -> Finding:
    """Whether the sources answered lately, and which of their lists were not read."""
    name, fix = "sources", "run newsletter fetch to try again"
    known, gaps = known_health(app), known_gaps(app)
    if not known:
        return not_checked(name, "not fetched yet; run newsletter fetch")
    failed = [
        f"{source.name}: {source.detail} (last complete {_day(source.last_ok)})"
        for source in known
        if source.state in INCOMPLETE_STATES
    ]
    owed = [gap for gap in gaps if gap.state == "missing"]
    if failed or owed:
        return wrong(name, some([*failed, *_gap_lines(owed)]), fix)
    asked = max((source.checked for source in known if source.checked), default=None)
    if asked is None or app.clock.now() - asked > MAX_UNASKED:
        fix = f"start newsletter run, or let cron fetch: {cron_line(app.folder, 'fetch --quiet')}"
        return wrong(name, f"not asked since {_day(asked)}", fix)
    said = [f"{len(known)} answered when they were last asked, {asked:%Y-%m-%d %H:%M} UTC"]
    return ok(name, "; ".join([*said, *_gap_lines(gaps)]))


def _day(at: datetime | None) -> str:
    return "never" if at is None else f"{at:%Y-%m-%d}"


def _gap_lines(gaps: Sequence[Coverage]) -> list[str]:
    """For each source the lists that were not read, and since when."""
    by_source = defaultdict[tuple[str, str], list[date]](list)
    for gap in gaps:
        by_source[gap.source, gap.state].append(gap.day)
    return [
        f"{source}: {len(set(days))} lists {state} since {min(days)}"
        for (source, state), days in by_source.items()
    ]


def _readers(app: App) -> Finding:
    """Check whether the stored settings of every reader can be used."""
    name, topics = "readers", app.known_topics
    today = app.clock.now().astimezone(load_zone(app.settings.timezone)).date()
    count, paused, faults = 0, 0, list[ReaderFault]()
    for reader in app.store.each_reader():
        if reader.status == "confirmed":
            count += 1
            paused += is_paused(reader.subscriber, today)
            if (fault := find_fault(reader, topics)) is not None:
                faults.append(fault)
    if faults:
        fix = "newsletter subscribers import, or the reader's own page, saves settings again"
        return wrong(name, some(fault_lines(faults)), FORMERLY if faults[0].lost else fix)
    said = f"{count - paused} get emails" if count > paused else "no reader gets emails now"
    if not count and (listed := len(app.listed_subscribers)):
        said = f"{listed} in the file; the first command that needs them adds them to the store"
    waiting = app.store.count_readers().get("waiting", 0)
    notes = {f"paused: {paused}": paused, f"waiting for your approval: {waiting}": waiting}
    return ok(name, "; ".join([said, *(note for note, number in notes.items() if number)]))
