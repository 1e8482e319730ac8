"""What an operator does about one reader; every change is recorded as an act.

The commands, the operator's page and the API use these, each under its own name (``who``).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Protocol, get_args

from newsletter.errors import UsageError
from newsletter.model import (
    LEFT,
    SUBSCRIBER_FIELDS,
    WEEKDAYS,
    Consent,
    Delivery,
    FieldChange,
    OperatorAct,
    Reader,
    Rule,
    Status,
    Subscriber,
    field_changes,
)
from newsletter.model.closed_sets import complete
from newsletter.model.zones import load_zone
from newsletter.ports import Issues, Operator, Pages
from newsletter.readers.due import (
    DefaultSchedule,
    Due,
    earliest_instant,
    is_paused,
    local_instant,
    next_due,
)
from newsletter.readers.erasing import is_erased, without_erased
from newsletter.readers.service import Note, ReaderService, SendNote, keep_fields

COMMAND_LINE, OPERATORS_PAGE = "command line", "operator's page"
"""Who acts; an API token acts under its own name."""

LETTERS_SHOWN = 10  # how many of a reader's last letters a description has
ACTS_SHOWN = 20  # how many acts about a reader

STATUS_WORDS: Mapping[Status, str] = complete(
    "STATUS_WORDS",
    get_args(Status),
    {
        "unconfirmed": "has not confirmed the address",
        "waiting": "waits for your approval",
        "confirmed": "is subscribed",
        "unsubscribed": "has unsubscribed",
        "blocked": "is blocked",
        "removed": "was removed from the readers' file",
    },
)
"""A reader's status in words that follow the address."""


class OperatedStore(Pages, Issues, Operator, Protocol):
    """What these use cases need of the store."""


@dataclass(frozen=True, slots=True)
class ReaderDescription:
    """What an operator wants to know of a reader.

    Attributes:
        why_blocked: in words; empty if they are not blocked.
        consents: oldest first.
        letters: the last ones, newest first, with the servers' replies.
        next_letter: the next issue that is due for them; None if none is.
        acts: what the operator did to them, newest first.
    """

    reader: Reader
    why_blocked: str
    consents: Sequence[Consent]
    letters: Sequence[Delivery]
    next_letter: Due | None
    acts: Sequence[OperatorAct]


@dataclass(frozen=True, slots=True)
class OperatorService:
    """The readers as the operator manages them, and the record of what was done.

    Attributes:
        service: what readers do themselves; an operator acts by the same rules.
        default_schedule: for the readers who chose no other time.
        who: whose acts these are.
    """

    service: ReaderService
    store: OperatedStore
    default_schedule: DefaultSchedule
    who: str

    def record(
        self, now: datetime, what: str, reader: Reader | None = None, detail: str = ""
    ) -> None:
        """Record an act; see :class:`OperatorAct`."""
        number = None if reader is None else reader.id
        self.store.record_acts([OperatorAct(now, self.who, what, number, detail)])

    def find(self, email: str) -> Reader:
        """The reader with this address, compared without case; domains are in their ASCII form.

        Raises:
            UsageError: there is none.
        """
        reader = self.store.reader_by_email(email)
        if reader is None or is_erased(reader):
            raise UsageError(f"no reader has the address {email}")
        return reader

    def describe(self, reader: Reader, now: datetime) -> ReaderDescription:
        """Everything about a reader that helps to answer their question."""
        reasons = {blocked.email: blocked.why for blocked in self.store.suppressions()}
        return ReaderDescription(
            reader,
            reasons.get(reader.subscriber.email, ""),
            self.store.consents(reader.id),
            self.store.deliveries_to(reader.id)[: -LETTERS_SHOWN - 1 : -1],
            self.next_letter(reader, now),
            self.store.operator_acts(limit=ACTS_SHOWN, reader=reader.id),
        )

    def next_letter(self, reader: Reader, now: datetime) -> Due | None:
        """The next issue that is due for a reader, by the scheduler's own rule.

        An issue that the operator has cancelled is none.
        """

        def unplanned(day: date, readers: Sequence[int]) -> Sequence[int]:
            state = self.store.issue_state(day)
            if state is not None and state[0] == "cancelled":
                return ()
            planned = self.store.planned_readers(day, among=readers)
            return [number for number in readers if number not in planned]

        since = earliest_instant(now, asleep_since=None)
        return next_due(reader, self.default_schedule, unplanned, now=now, since=since)

    # -- choices -----------------------------------------------------------------------------

    def set_choices(self, reader: Reader, wanted: Subscriber, now: datetime) -> Reader:
        """Save a reader's choices as the operator wants them, without the address.

        Of a reader of the file they last until the file says something else about a field.

        Raises:
            UsageError: they have changed since ``reader`` was read.
        """
        wanted = keep_fields(reader.subscriber, wanted, ["email"])
        changed = field_changes(reader.subscriber, wanted)
        if not changed and not reader.fault:
            return reader
        names = SUBSCRIBER_FIELDS if reader.fault else [each.field for each in changed]
        seen = None if reader.fault else reader.subscriber
        saved = self.store.change_settings(reader.id, wanted, names, seen=seen, now=now)
        if field_changes(saved.subscriber, wanted, names):
            raise UsageError(f"{wanted.email} has changed the choices meanwhile; look again")
        self.record(now, "changed choices", saved, "; ".join(map(describe_change, changed)))
        return saved

    def pause(self, reader: Reader, until: date, now: datetime) -> Reader:
        """Pause a reader until a day.

        Raises:
            UsageError: the day has begun already for them.
        """
        zone = reader.subscriber.timezone or self.default_schedule.timezone
        if until.year < now.year or local_instant(until, time.min, zone) <= now:
            raise UsageError(f"a pause has to end after today; {until} has begun already")
        paused = self.service.pause(reader, until, now)
        self.record(now, "paused", paused, f"until {until}")
        return paused

    def resume(self, reader: Reader, now: datetime) -> Reader:
        """End a reader's pause.

        Raises:
            UsageError: they have not paused.
        """
        zone = reader.subscriber.timezone or self.default_schedule.timezone
        if not is_paused(reader.subscriber, now.astimezone(load_zone(zone)).date()):
            raise UsageError(f"{reader.subscriber.email} has not paused")
        resumed = self.service.pause(reader, None, now)
        self.record(now, "resumed", resumed)
        return resumed

    # -- a new reader -------------------------------------------------------------------------

    def subscribe(
        self,
        wanted: Subscriber,
        consent: Consent,
        now: datetime,
        welcome: Callable[[Reader], None],
    ) -> tuple[Reader, bool]:
        """Subscribe somebody who agreed elsewhere; returns the reader, and whether they are new.

        A reader who gets emails already stays as they are. ``welcome`` sends a new one the first.

        Raises:
            UsageError: they left, were erased or are blocked, or the address takes no emails.
        """
        known = self.store.reader_by_email(wanted.email)
        if known is not None and known.status == "confirmed":
            return known, False
        if known is not None and known.status in LEFT:
            self._require(known, {"confirmed"}, "subscribed by others")
        aliases = self.store.erased_aliases()
        erased = not without_erased([wanted], aliases, self.service.keys)
        if (erased and known is None) or self.service.is_refused(wanted.email, now):
            raise UsageError(
                f"{wanted.email} cannot be subscribed by others: it was erased, or refused emails"
            )
        if known is None or known.status == "unconfirmed":
            known = self.store.save_reader(wanted, status="unconfirmed", now=now)
        self.store.record_consent(known.id, consent)
        self.store.remove_notices([waiting_notice(known)])
        self.record(now, "subscribed", known, consent.how)
        welcome(reader := self._again(known))
        return reader, True

    # -- status ------------------------------------------------------------------------------

    def unsubscribe(self, reader: Reader, now: datetime) -> Reader:
        """Unsubscribe a reader; the readers' file cannot subscribe them again."""
        return self._set_status(reader, "unsubscribed", "unsubscribed", now)

    def block(self, reader: Reader, now: datetime, why: str = "") -> Reader:
        """Send nothing to a reader any more, whatever they do on the pages.

        Raises:
            UsageError: they get no emails now; unblocking would subscribe them.
        """
        self._require(reader, {"confirmed", "waiting"}, "blocked")
        return self._set_status(reader, "blocked", "blocked", now, why)

    def unblock(self, reader: Reader, now: datetime) -> Reader:
        """Send to a blocked reader again; bounces and complaints so far no longer count.

        Raises:
            UsageError: they are not blocked.
        """
        why = self.describe(reader, now).why_blocked
        if not self.store.unsuppress(reader.subscriber.email, now=now):
            raise UsageError(f"{reader.subscriber.email} is not blocked")
        self.record(now, "unblocked", reader, why)
        return self._again(reader)

    def resend_confirmation(self, reader: Reader, send: SendNote, now: datetime) -> None:
        """Send the confirmation note again to somebody who has not followed its link.

        Raises:
            UsageError: they have confirmed already, or have left.
        """
        self._require(reader, {"unconfirmed"}, "asked to confirm")
        link = self.service.signed_url("confirm", str(reader.id), now)
        send(Note("confirm", reader, link))
        self.record(now, "sent the confirmation again", reader)

    def approve(self, reader: Reader, now: datetime, welcome: Callable[[Reader], None]) -> Reader:
        """Let a reader who waits get emails; ``welcome`` sends the first.

        Raises:
            UsageError: they do not wait.
        """
        self._require(reader, {"waiting"}, "approved")
        self.store.approve(reader.id, now=now)
        self.store.remove_notices([waiting_notice(reader)])
        self.record(now, "approved", reader)
        welcome(approved := self._again(reader))
        return approved

    def decline(self, reader: Reader, now: datetime) -> Reader:
        """Unsubscribe a reader who waits for approval; they are not told.

        Raises:
            UsageError: they do not wait.
        """
        self._require(reader, {"waiting"}, "declined")
        self.store.remove_notices([waiting_notice(reader)])
        return self._set_status(reader, "unsubscribed", "declined", now)

    def erase(self, reader: Reader, now: datetime) -> None:
        """Unsubscribe a reader and erase their address, choices and the details of all acts."""
        self.service.erase(reader, now)
        self.record(now, "erased", reader)

    def _require(self, reader: Reader, statuses: set[Status], done: str) -> None:
        if reader.status not in statuses:
            email, status = reader.subscriber.email, STATUS_WORDS[reader.status]
            raise UsageError(f"{email} cannot be {done}: the reader {status}")

    def _set_status(
        self, reader: Reader, status: Status, what: str, now: datetime, detail: str = ""
    ) -> Reader:
        if reader.status == status:
            return reader
        self.store.set_status(reader.subscriber.email, status, now=now)
        self.record(now, what, reader, detail)
        return self._again(reader)

    def _again(self, reader: Reader) -> Reader:
        return self.store.reader_by_id(reader.id) or replace(reader, status="unsubscribed")


def waiting_notice(reader: Reader) -> str:
    """The event under which the operator is told, once, that a reader waits for approval."""
    return f"waiting {reader.id}"


def describe_change(change: FieldChange) -> str:
    """A change in words: ``at: 07:00 → 08:00``."""
    return f"{change.field}: {_shown(change, change.before)} → {_shown(change, change.after)}"


def _shown(change: FieldChange, value: object) -> str:
    match value:
        case None | "" | ():
            return "not set"
        case tuple():
            return ", ".join(each.text if isinstance(each, Rule) else str(each) for each in value)
        case int() if change.field == "day":
            return WEEKDAYS[value]
        case _:
            return str(value)
