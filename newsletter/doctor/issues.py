"""Checks of what was sent: the scheduler, the last issue, letters in trouble, blocked readers."""

from collections.abc import Iterator
from datetime import timedelta

from newsletter.app.files import cron_line
from newsletter.app.wiring import App
from newsletter.doctor.findings import Finding, not_checked, ok, some, wrong
from newsletter.model.windows import LONGEST_SLEEP, MAX_SILENCE
from newsletter.publisher.reporting import (
    letter_line,
    letters_in_error,
    mass_words,
    report,
    reported_days,
)
from newsletter.readers.due import list_due

MAX_DELAY = timedelta(hours=2)
"""After so long a due issue that does not exist is missing: a run may wait for its sources."""

NEW_FOR = timedelta(days=7)  # for so long a blocked reader is named


def last_run(app: App) -> Finding:
    """Whether the scheduler runs, if it ever did."""
    name = "last run"
    last = next((one for one in app.store.heartbeats() if one.name.startswith("run")), None)
    if last is None:
        said = "newsletter run was never started; it is not needed with cron, for example: "
        return not_checked(name, said + cron_line(app.folder))
    said = f"{last.name}, last active {last.seen:%Y-%m-%d %H:%M} UTC"
    if last.said.startswith("stopped"):
        return ok(name, f"{said}, then stopped")
    if last.said:
        return wrong(name, f"{said}: {last.said}", "fix that; newsletter run keeps trying")
    if app.clock.now() - last.seen > MAX_SILENCE:
        said = f"{said}, no sign of life since"
        return wrong(name, said, "restart newsletter run and read its log")
    return ok(name, said)


def configurations(app: App) -> Iterator[Finding]:
    """Whether a process works with other settings than those that were checked."""
    for one in app.store.heartbeats():
        if one.is_live(app.clock.now()):
            name, fix = "settings in use", "newsletter reload, or start it again"
            said = f"{one.name}: {one.changed or 'as they are in the files'}"
            yield wrong(name, said, fix) if one.changed else ok(name, said)


def last_issue(app: App) -> Finding:
    """How the last issue went, and whether a later one was due."""
    name = "last issue"
    day = next(reported_days(app.store, app.clock.now()), None)
    if day is None:
        return not_checked(name, "no issue yet; run newsletter send or newsletter run")
    found = report(app, day)
    counts = found.counts
    said = f"{found.day} is {found.state}: {counts.accepted} of {counts.planned} accepted"
    if app.relay_notice:
        said += f"; {app.relay_notice}"
    if missed := _missed(app):
        fix = f"start newsletter run and see its log, or let cron send: {cron_line(app.folder)}"
        return wrong(name, f"{said}; {missed}", fix)
    if found.skipped:
        fix = "newsletter run tries again; report the error if it stays"
        return wrong(name, f"{said}; {some(found.skipped)}", fix)
    if found.troubled:
        return wrong(name, said, "newsletter status shows the readers and the server's replies")
    return ok(name, said)


def _missed(app: App) -> str:
    """The last issue that was due and does not exist, in words; empty if there is none."""
    late, last = app.clock.now() - MAX_DELAY, max(app.store.issue_days())
    dues = list_due(
        app.store.each_reader(),
        app.default_schedule,
        lambda _day, readers: readers,
        now=late,
        since=late - LONGEST_SLEEP,
    )
    missed = [due for due in dues if due.instant <= late and due.day > last]
    if not missed:
        return ""
    count = len({reader for due in missed for reader in due.readers})
    due = missed[-1]
    return f"one was due on {due.day} at {due.instant:%H:%M} UTC; waiting for it: {count}"


def letters(app: App) -> Finding:
    """The letters that nobody sends any more, since the last issue without any."""
    name = "letters"
    if mass := app.store.mass_reports(since=(app.clock.now() - NEW_FOR).date()):
        return wrong(name, mass_words(mass[-1]), "fix that before the next issue")
    found = list(letters_in_error(app.store, app.clock.now()))
    if not found:
        return ok(name, "none failed, expired or held since the last good issue")
    fix = f"newsletter status {found[0].day} lists them with the server's replies"
    if any(letter.state == "held" for letter in found):
        fix += "; newsletter issue resolve says whether a held one arrived"
    return wrong(name, some([f"{one.day}: {letter_line(one)}" for one in found]), fix)


def blocked(app: App) -> Finding:
    """The readers who get no letters any more because of what came back, and why."""
    blocked = app.store.suppressions()
    new = [one for one in blocked if app.clock.now() - one.since <= NEW_FOR]
    said = f"{len(blocked)} in all" if blocked else "none"
    if not new:
        return ok("blocked", said)
    named = some([f"{one.email}: {one.why}" for one in new])
    fix = "newsletter subscribers unsuppress EMAIL, if one of them wants emails again"
    return Finding("blocked", "ok", f"{said}; {len(new)} in the last 7 days: {named}", fix)
