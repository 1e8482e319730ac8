"""``newsletter status`` and ``newsletter audit``: the state of an issue, and the proof of it."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, get_args

import typer

from newsletter.app.wiring import App, open_app
from newsletter.cli.command import command, command_list, issue_day
from newsletter.cli.output import Output, table
from newsletter.cli.reports import (
    DELIVERIES_FAILED,
    gap_lines,
    gaps_document,
    issue_document,
    issue_lines,
)
from newsletter.model import Audit, Delivery, DeliveryState, Heartbeat
from newsletter.model.zones import load_zone
from newsletter.publisher.reporting import (
    DETAILS_REMOVED,
    audit_issue,
    known_gaps,
    mass_words,
    report,
    reported_days,
)

commands = command_list()

BROKEN = 1
MASS_SHOWN_FOR = timedelta(days=7)
LISTED_STATES = frozenset(get_args(DeliveryState)) - {"accepted", "empty", "pending"}
"""States of deliveries that ``status`` lists by reader."""

Issue = Annotated[
    str | None, typer.Argument(metavar="YYYY-MM-DD", help="Date of the issue. Default: the newest.")
]


@command(commands)
def status(config: Path, output: Output, issue: Issue = None) -> int:
    """Show an issue's state, its deliveries in counts, and its sources.

    Example: newsletter status 2026-08-03

    It lists the readers whose email failed, waits or is in doubt, says when `newsletter run` was
    last active and whether its files have changed since, which returned mails need a person, and
    until when the SMTP server takes nothing because its limit for the hour or day is reached. The
    sources are shown only with the newest issue. Lists of papers that could not be read are shown
    until they are read or given up, and for a month after that.
    """
    with open_app(config) as app:
        app.sync_readers()
        day = _chosen_day(app, issue)
        found, gaps = report(app, day), known_gaps(app)
        heartbeats = app.store.heartbeats()
        deliveries = app.store.deliveries(day, states=LISTED_STATES)
        left_mails = app.store.left_mails()
        mass_reports = app.store.mass_reports(since=day - MASS_SHOWN_FOR)
        relay, removed = app.relay_notice, app.store.has_no_details(day)
    document = {
        **issue_document(found),
        "readers": [_delivery_document(each) for each in deliveries],
        "gaps": gaps_document(gaps),
        "removed": removed,
        "server": relay,
        "awake": [_heartbeat_document(heartbeat) for heartbeat in heartbeats],
        "left_mails": [asdict(mail) | {"since": mail.since.isoformat()} for mail in left_mails],
        "mass_reports": [asdict(one) | {"letter": str(one.letter)} for one in mass_reports],
    }
    if removed:
        output.message(DETAILS_REMOVED.format(day))
    parts = (
        "\n".join(filter(None, (issue_lines(found), relay))),
        "\n".join(map(_heartbeat_line, heartbeats)),
        table(("source", "state", ""), [(s.name, s.state, s.detail) for s in found.sources]),
        gap_lines(gaps),
        delivery_lines(deliveries, app.settings.timezone),
        "\n".join(map(mass_words, mass_reports)),
        table(
            ("mail that needs a person", "in", "why"),
            [(m.name, m.mailbox, m.why) for m in left_mails],
        ),
    )
    output.result(document, "\n\n".join(part for part in parts if part))
    return 0


@command(commands)
def audit(config: Path, output: Output, issue: Issue = None) -> int:
    """Check from the ledger that an issue was delivered as promised; list readers in doubt.

    Example: newsletter audit 2026-08-03

    Each invariant is checked by a query. Lists of papers that are still missing are shown, too.
    Exit code 1: an invariant is broken. Exit code 5: emails are in doubt; `newsletter issue
    resolve` ends the doubt.
    """
    with open_app(config) as app:
        found = audit_issue(app.publisher, _chosen_day(app, issue))
        removed = app.store.has_no_details(found.day)
        gaps = known_gaps(app)
    document = {
        "issue": found.day.isoformat(),
        "ok": found.ok,
        "invariants": [{"id": p.id, "ok": p.ok, "rows": list(p.rows)} for p in found.proofs],
        "in_doubt": list(found.in_doubt),
        "removed": removed,
        "gaps": gaps_document(gaps),
    }
    if removed:
        output.message(DETAILS_REMOVED.format(found.day))
    output.result(document, "\n\n".join(filter(None, (_audit_lines(found), gap_lines(gaps)))))
    if not found.ok:
        return BROKEN
    return DELIVERIES_FAILED if found.in_doubt else 0


def _chosen_day(app: App, issue: str | None) -> date:
    """The date asked for, otherwise the newest issue's, otherwise today.

    Raises:
        UsageError: the text asked for is not a date.
    """
    day = issue_day(issue, app.clock, app.settings.timezone)
    return day if issue else next(reported_days(app.store, app.clock.now()), day)


def _delivery_document(delivery: Delivery) -> dict[str, object]:
    next_try = None if delivery.next_try is None else delivery.next_try.isoformat()
    return {
        "email": delivery.email,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "reply": delivery.reply,
        "next_try": next_try,
    }


def delivery_lines(deliveries: Sequence[Delivery], timezone: str) -> str:
    """The readers whose email has not arrived, in a table; a deferred one has its next try."""
    zone = load_zone(timezone)
    rows = [
        (
            each.email,
            each.state,
            each.attempts,
            each.next_try.astimezone(zone).strftime("%a %H:%M") if each.next_try else "",
            each.reply,
        )
        for each in deliveries
    ]
    return table(("reader", "state", "attempts", "next try", "server reply"), rows)


def _heartbeat_document(heartbeat: Heartbeat) -> dict[str, str]:
    return {
        "name": heartbeat.name,
        "started": heartbeat.started.isoformat(),
        "seen": heartbeat.seen.isoformat(),
        "said": heartbeat.said,
        "configuration": heartbeat.configuration,
        "changed": heartbeat.changed,
    }


def _heartbeat_line(heartbeat: Heartbeat) -> str:
    words = "; ".join(filter(None, (heartbeat.said, heartbeat.changed)))
    note = f" ({words})" if words else ""
    return f"{heartbeat.name}: last active {heartbeat.seen:%Y-%m-%d %H:%M:%S} UTC{note}"


def _audit_lines(found: Audit) -> str:
    rows = [(proof.id, "holds" if proof.ok else "BROKEN", proof.law) for proof in found.proofs]
    broken = [f"{proof.id}: {row}" for proof in found.proofs for row in proof.rows]
    in_doubt = [f"in doubt: {email}" for email in found.in_doubt]
    return "\n".join((table((f"{found.day}", "", "promise"), rows), *broken, *in_doubt))
