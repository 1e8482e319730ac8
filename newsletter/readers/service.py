"""What readers do about their own subscription, and the signed links that let them do it."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Literal

from newsletter.errors import EndedSubscriptionError
from newsletter.letter.links import MAX_AGE, Keyring, Purpose, keyed_hash, sign_token, verify_token
from newsletter.model import (
    SUBSCRIBER_FIELDS,
    Consent,
    Delivery,
    MailEvent,
    Publication,
    Reader,
    RequestLimits,
    Subscriber,
    field_values,
    subscriber_with,
)
from newsletter.model.windows import UNCONFIRMED_KEPT
from newsletter.ports import Pages
from newsletter.readers.due import USUAL_SCHEDULE, DefaultSchedule
from newsletter.readers.erasing import alias_of, is_erased
from newsletter.readers.joining import OPEN_TO_ALL, Joining, TooManyRequests
from newsletter.text import clean

ASKED = frozenset(name for name, way in SUBSCRIBER_FIELDS.items() if way != "fixed")
"""The fields that the preferences ask for."""

CONSENT_TEXT = (
    "I want to get {name} by email. I can unsubscribe at any time with the link in every email."
)
"""What a reader agrees to. It is stored with the consent."""

CONSENT_METHODS = {
    "": "by the link in the confirmation email",
    "back": "by the link in the farewell email",
}
"""How a reader agreed, by what a confirmation link carries besides the reader's id. Stored."""

MAX_REASON = 1000  # characters of a reason to unsubscribe; the rest is cut off
EXPORTED_REASONS = 100  # how many of a reader's own reasons to unsubscribe an export contains


@dataclass(frozen=True, slots=True)
class Note:
    """A short letter that belongs to no issue, the link it carries, and the topics it names.

    ``schedule`` says in words when letters come, where the note says that.
    The kinds are explained at :data:`newsletter.letter.rendering.NOTES`.
    """

    kind: Literal["added", "confirm", "farewell", "known", "lost", "move", "waiting", "welcome"]
    reader: Reader
    link: str
    schedule: str = ""
    topics: tuple[str, ...] = ()

    @property
    def asks_to_confirm(self) -> bool:
        """Whether nobody has agreed yet to get mail at this address."""
        return self.kind in {"confirm", "move"}


SendNote = Callable[[Note], None]


@dataclass(frozen=True, slots=True)
class ReaderService:
    """The newsletter as its readers use it: subscribe, choose, pause, unsubscribe, be erased.

    ``keys`` sign and verify the readers' links; ``joining`` says who may subscribe.
    """

    publication: Publication
    store: Pages
    keys: Keyring
    joining: Joining = OPEN_TO_ALL
    default_schedule: DefaultSchedule = USUAL_SCHEDULE

    def page_url(self, path: str) -> str:
        """The address of one of the readers' pages."""
        return f"{(self.publication.url or '').rstrip('/')}/{path}"

    @property
    def contact(self) -> str:
        """The address at which readers reach the operator."""
        publication = self.publication
        return publication.reply_to or publication.operator or publication.sender_email

    def preferences_url(self, reader: Reader, now: datetime) -> str:
        """A reader's link to the preferences, signed now."""
        return self.signed_url("preferences", str(reader.id), now)

    def data_url(self, reader: Reader, now: datetime) -> str:
        """The place in the preferences where a reader downloads or deletes their data."""
        return f"{self.preferences_url(reader, now)}#data"

    def feed_url(self, reader: Reader, now: datetime) -> str:
        """A reader's own feed, without the ending that says its format."""
        return self.page_url(f"mine/{sign_token(str(reader.id), 'feed', self.keys, now)}/feed")

    def signed_url(self, purpose: Purpose, payload: str, now: datetime) -> str:
        """The page of that name, for the reader whose id the payload begins with."""
        return self.page_url(f"{purpose}/{sign_token(payload, purpose, self.keys, now)}")

    def verify_link(self, token: str, purpose: Purpose, now: datetime) -> tuple[Reader, str]:
        """The reader a link was made for, and what else it carries.

        Raises:
            TokenError: the link is forged, too old or for another purpose, or its reader was
                erased.
        """
        reader, rest = self._find_reader(token, purpose, now)
        if reader is None:
            raise EndedSubscriptionError("This subscription no longer exists.")
        return reader, rest

    def _find_reader(
        self, token: str, purpose: Purpose, now: datetime
    ) -> tuple[Reader | None, str]:
        payload = verify_token(token, purpose, self.keys, now, MAX_AGE[purpose])
        number, _, rest = payload.partition("/")
        reader = self.store.reader_by_id(int(number))
        return None if reader is None or is_erased(reader) else reader, rest

    def count_sign_up(self, client: str, now: datetime) -> TooManyRequests | None:
        """Count a request from this network address; if there were too many, say until when.

        The answer depends on nothing else, so it may be shown: it tells of no address whether it is
        a reader's.
        """
        limits, name = (
            self.joining.limits(is_reader=False),
            keyed_hash(f"client:{client}", self.keys),
        )
        if self.store.record_request("", name, limits, now=now):
            return None
        return TooManyRequests(*self.store.next_request(name, limits, now=now))

    def subscribe(
        self,
        wanted: Subscriber,
        client: str | None,
        send: SendNote,
        now: datetime,
        *,
        keep: bool = False,
    ) -> None:
        """Send one note to an address, which may not be that of the person who filled in the form.

        Nothing else happens until the link in the note is followed. The caller learns nothing, so
        that a page cannot tell whether an address is a reader's. The limits count the address and
        the ``client``, the network address of the request; None if that was counted already. With
        ``keep`` what an address chose before stays: somebody asks for a new link only.
        """
        self.store.forget_unconfirmed(before=now - UNCONFIRMED_KEPT)
        known = self.store.reader_by_email(wanted.email)
        if self.is_refused(wanted.email, now) or not self.joining.may_join(wanted.email):
            return
        agreed = known is not None and known.status in {"confirmed", "waiting"}
        limits = self.joining.limits(is_reader=agreed)
        if not self._count_request(f"address:{wanted.email}", client, limits, now):
            return
        if known is not None and agreed:
            kind: Literal["known", "waiting"] = (
                "known" if known.status == "confirmed" else "waiting"
            )
            send(Note(kind, known, self.preferences_url(known, now)))
        elif known is None or known.status != "blocked":
            reader = known if known and keep else self._save_unconfirmed(known, wanted, now)
            send(Note("confirm", reader, self.signed_url("confirm", str(reader.id), now)))

    def _save_unconfirmed(self, known: Reader | None, wanted: Subscriber, now: datetime) -> Reader:
        """Save what somebody wants; a reader who unsubscribed stays unsubscribed for now."""
        if known is None:
            return self.store.save_reader(wanted, status="unconfirmed", now=now)
        spelled = replace(wanted, email=known.subscriber.email)
        return self.store.save_reader(spelled, status=known.status, now=now)

    def confirm(self, token: str, now: datetime, welcome: Callable[[Reader], None]) -> Reader:
        """Record the consent of a link's reader; ``welcome`` is called if they get letters now.

        Not if they did before, nor if they wait for the operator's approval. Who comes back by the
        link of a farewell was a reader until then, and does not wait.

        Raises:
            TokenError: as for :meth:`verify_link`, or the address is blocked.
        """
        reader, method = self.verify_link(token, "confirm", now)
        text = CONSENT_TEXT.format(name=self.publication.name)
        consent = Consent(now, CONSENT_METHODS[method], text)
        waits = not method and self.joining.needs_approval(reader.subscriber.email)
        is_new = self.store.record_consent(
            reader.id, consent, status="waiting" if waits else "confirmed"
        )
        reader, _ = self.verify_link(token, "confirm", now)
        email = reader.subscriber.email
        self.accept_address(email)
        # Whoever confirms has read the email: the limits protect those who asked for nothing.
        names = (self._request_name(f"{kind}:{email}") for kind in ("address", "back"))
        self.store.forget_requests([*names])
        if reader.status not in {"confirmed", "waiting"}:
            raise EndedSubscriptionError(
                f"We can't send email to this address. Ask for help at {self.contact}."
            )
        if is_new and reader.status == "confirmed":
            welcome(reader)
        return reader

    def request_new_email(
        self, reader: Reader, email: str, client: str | None, send: SendNote, now: datetime
    ) -> None:
        """Send a note to a reader's new address that asks to confirm it.

        If the address has a subscription of its own, its owner gets the note of :meth:`subscribe`
        and can change that one. The caller does not learn which note was sent.
        """
        known = self.store.reader_by_email(email)
        if known is not None and not _gives_way(known):
            wanted = replace(reader.subscriber, email=email, name="")
            self.subscribe(wanted, client, send, now)
        elif not self.is_refused(email, now) and self._count_request(
            f"address:{email}", client, self.joining.limits(is_reader=False), now
        ):
            moved = replace(reader, subscriber=replace(reader.subscriber, email=email))
            send(Note("move", moved, self.signed_url("move", f"{reader.id}/{email}", now)))

    def confirm_new_email(self, token: str, now: datetime) -> Reader:
        """Give a link's reader the address that the link was sent to.

        An earlier subscription of that address that gets no letters is erased.

        Raises:
            TokenError: as for :meth:`verify_link`, or the address has become another reader's.
        """
        reader, email = self.verify_link(token, "move", now)
        known = self.store.reader_by_email(email)
        if known is not None and known.id != reader.id and _gives_way(known):
            self.erase(known, now)
        if reader.subscriber.email != email and not self.store.change_email(
            reader.id, email, now=now
        ):
            raise EndedSubscriptionError("This address already has a subscription of its own.")
        self.accept_address(email)
        return self.verify_link(token, "move", now)[0]

    def refuse_address(self, email: str, now: datetime, *, lasting: bool) -> None:
        """Write no more notes to an address that nobody confirmed: it is gone, or complained."""
        (newest, *_) = _address_names(email, self.keys)
        self.store.refuse_address(newest, lasting=lasting, now=now)

    def accept_address(self, email: str) -> bool:
        """Write notes to this address again; returns whether it was refused."""
        return self.store.accept_address(_address_names(email, self.keys))

    def is_refused(self, email: str, now: datetime) -> bool:
        """Whether no more notes are written to this address; see :meth:`refuse_address`."""
        return self.store.is_refused(_address_names(email, self.keys), now=now)

    def _count_request(
        self, address: str, client: str | None, limits: RequestLimits, now: datetime
    ) -> bool:
        """Whether the limits allow one more note; if so, it is counted, for the client too if any.

        The names say what is counted, so that requests for confirmations do not use up the
        farewells, nor the other way round.
        """
        hashed = "" if client is None else keyed_hash(f"client:{client}", self.keys)
        return self.store.record_request(self._request_name(address), hashed, limits, now=now)

    def _request_name(self, address: str) -> str:
        return keyed_hash(address.lower(), self.keys)

    def choose(
        self, reader: Reader, wanted: Subscriber, now: datetime, names: Collection[str] = ASKED
    ) -> Reader:
        """Save a reader's choices in the fields ``names``; what is stored in the others stays.

        Topics that were chosen before keep their order, and new ones follow.
        """
        had, chosen = reader.subscriber.filter.topics, wanted.filter.topics
        kept = tuple(topic for topic in had if topic in chosen)
        topics = (*kept, *(topic for topic in chosen if topic not in had))
        ordered = replace(wanted, filter=replace(wanted.filter, topics=topics))
        return self.store.change_settings(reader.id, ordered, names, now=now)

    def pause(self, reader: Reader, until: date | None, now: datetime) -> Reader:
        """Pause a reader until a day, or end every pause (None)."""
        ends = until is None and reader.subscriber.cadence == "paused"
        wanted = replace(reader.subscriber, paused_until=until, cadence=None)
        names = {"paused_until", "cadence"} if ends else {"paused_until"}
        return self.choose(reader, wanted, now, names)

    def choose_weekly(self, reader: Reader, now: datetime) -> Reader:
        """Give a reader one letter a week."""
        wanted = replace(reader.subscriber, cadence="weekly")
        return self.choose(reader, wanted, now, {"cadence"})

    def export(
        self, reader: Reader
    ) -> tuple[tuple[Consent, ...], tuple[Delivery, ...], tuple[MailEvent, ...]]:
        """Everything that is stored about a reader: consents, letters, reasons to unsubscribe."""
        return (
            self.store.consents(reader.id),
            self.store.deliveries_to(reader.id),
            self.store.leaving_reasons(limit=EXPORTED_REASONS, reader=reader.id),
        )

    def find_leaving(self, token: str, now: datetime) -> Reader | None:
        """The reader whom an unsubscribe link is for; None if they were erased.

        Raises:
            TokenError: this is not a valid unsubscribe link.
        """
        return self._find_reader(token, "unsubscribe", now)[0]

    def unsubscribe(self, token: str, now: datetime) -> Reader | None:
        """Unsubscribe a link's reader, who may be unsubscribed already.

        Returns:
            The reader as they were before; None if they were erased.

        Raises:
            TokenError: this is not a valid unsubscribe link.
        """
        reader = self.find_leaving(token, now)
        if reader is not None and reader.status not in {"unsubscribed", "blocked"}:
            self.store.set_status(reader.subscriber.email, "unsubscribed", now=now)
        return reader

    def send_farewell(self, before: Reader, client: str, send: SendNote, now: datetime) -> None:
        """Tell a reader who unsubscribed on the page that they did, and how to come back.

        Only readers who were getting letters get one, if the limits allow it. The link back is a
        confirmation link and is valid as long as one. ``before`` is what :meth:`unsubscribe`
        returned.
        """
        address, client = f"farewell:{before.subscriber.email}", f"leaving:{client}"
        if before.status == "confirmed" and self._count_request(
            address, client, self.joining.limits(is_reader=True), now
        ):
            send(Note("farewell", before, self.signed_url("confirm", f"{before.id}/back", now)))

    def ask_back(self, left: Reader, now: datetime) -> Note | None:
        """The note that asks a reader who unsubscribed to confirm; their choices stay.

        As with :meth:`subscribe`, nothing happens until the link in it is followed. It is counted
        apart from sign-ups and farewells. None if the limits or the rules for joining allow no
        note; the reader came by a signed link, so they may be told.
        """
        email = left.subscriber.email
        limits = self.joining.limits(is_reader=False)
        if (
            self.is_refused(email, now)
            or not self.joining.may_join(email)
            or not self._count_request(f"back:{email}", None, limits, now)
        ):
            return None
        return Note("confirm", left, self.signed_url("confirm", str(left.id), now))

    def record_reason(self, token: str, reason: str, now: datetime) -> None:
        """Store why a link's reader unsubscribed, for the operator; one reason a day is kept.

        Raises:
            TokenError: this is not a valid unsubscribe link.
        """
        reader, text = self.find_leaving(token, now), clean(reason)[:MAX_REASON]
        if reader is not None and reader.status == "unsubscribed" and text:
            name = keyed_hash(f"farewell:{reader.id}:{now.date()}", self.keys)
            event = MailEvent(name, "unsubscribe", reader.id, now.date(), text)
            self.store.record_mail_event(event, now=now)

    def erase(self, reader: Reader, now: datetime) -> None:
        """Replace a reader's address by an alias: a keyed hash, so that no list re-adds them."""
        self.store.erase(reader.id, alias_of(reader, self.keys), now=now)


def _gives_way(known: Reader) -> bool:
    """Whether a reader who moves to this one's address takes its place, once the owner confirms.

    Somebody who gets letters, is blocked or is in the operator's file does not.
    """
    return known.origin == "store" and known.status in {"unconfirmed", "unsubscribed"}


def keep_fields(before: Subscriber, wanted: Subscriber, names: Collection[str]) -> Subscriber:
    """``wanted``, but with these fields of ``before``; they may be the filter's fields, too."""
    kept = field_values(before)
    return subscriber_with(field_values(wanted) | {name: kept[name] for name in names})


def _address_names(email: str, keys: Keyring) -> list[str]:
    """An address as the store names it, under each key; the newest key first."""
    return [keyed_hash(f"refused:{email.lower()}", ring) for ring in keys.each]
