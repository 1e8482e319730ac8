"""Processes returned mails: finds the reader each is about, and updates the store."""

import contextlib
import hashlib
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Literal

from newsletter.bounces.known_readers import KnownReaders
from newsletter.bounces.mailboxes import Mail
from newsletter.bounces.parsing import Meaning, ParsedMail, parse
from newsletter.bounces.requests import WISHES
from newsletter.errors import Isolated, TokenError, UsageError, describe
from newsletter.letter.links import (
    MAX_AGE,
    BounceTag,
    Keyring,
    Purpose,
    read_bounce_tag,
    readers_by_letter_tag,
    signed_at,
    verify_token,
)
from newsletter.model import (
    MailEvent,
    MailEventEffect,
    MailEventKind,
    Publication,
    Reader,
)
from newsletter.ports import Pages
from newsletter.readers.service import ReaderService

_log = logging.getLogger(__name__)

_TAG = r"\+u?(\d{1,20}-[0-9a-f]{16})@"  # with a u: the address to unsubscribe at
_LETTER_ID = re.compile(r"<(\d{4}-\d\d-\d\d)\.([0-9a-f]{16})@")
_MAX_SAID = 500  # characters of a server's words that are stored
_UNKNOWN = "an address of before"  # in place of an address that is known not to be the reader's

Counted = MailEventKind | Literal["wish"]
"""What a mail means that is about a reader."""

AT_ONCE = 20  # mails that are recorded together; each may have a megabyte

PAUSE = timedelta(weeks=2)
"""How long letters pause if a reader asks for it by mail, and until when a request is fulfilled."""

Effect = MailEventEffect | Literal["refused", "changed", "aside", "left"]
"""What a mail led to.

``refused``: no more notes go to an address that nobody confirmed. ``changed``: the reader's wish
is fulfilled. ``aside``: nothing to do. ``left``: not processed, it needs a person.
"""

EFFECTS: dict[Effect, str] = {
    "noted": "counted",
    "suppressed": "blocked",
    "unsubscribed": "unsubscribed",
    "elsewhere": "counted for nobody: it is about another address",
    "mass": "not counted: too many at once, they speak of the sender",
    "refused": "no more notes to this address",
    "changed": "done as asked",
    "again": "counted before",
    "aside": "set aside",
    "left": "left in place",
}
"""The effects in the order in which they are reported, in words."""

_MEANINGS: dict[Meaning, str] = {
    "hard": "hard bounce",
    "soft": "soft bounce",
    "complaint": "complaint",
    "unsubscribe": "unsubscribe",
    "wish": "request",
    "aside": "nothing to do",
    "unreadable": "unreadable",
}


@dataclass(frozen=True, slots=True)
class BounceResult:
    """What became of one mail.

    Attributes:
        reader: the address of the reader; empty if unknown.
        said: the server's words, or why the mail was left.
        address: the address that the letter was sent to, where it is known.
    """

    name: str
    meaning: Meaning
    effect: Effect
    reader: str = ""
    said: str = ""
    address: str = ""


def result_line(result: BounceResult) -> str:
    """A result in one line, for the operator."""
    reader = result.reader or "unknown reader"
    if result.address.lower() not in {"", reader.lower()}:
        reader = f"{reader} ({result.address})"
    said = f": {result.said}" if result.said else ""
    return f"{result.name}: {_MEANINGS[result.meaning]}, {reader}, {EFFECTS[result.effect]}{said}"


@dataclass(frozen=True, slots=True)
class _Subject:
    """What a mail is about: the reader, and what it carries that was signed here.

    Attributes:
        tag: that of the return path.
        letter: the day of the letter that came back.
    """

    reader: Reader
    tag: BounceTag | None = None
    letter: date | None = None


@dataclass(frozen=True, slots=True)
class _Recorded:
    """An event that is to be recorded, and the mail's result apart from its effect."""

    without_effect: BounceResult
    event: MailEvent

    def result(self, effect: MailEventEffect) -> BounceResult:
        """The mail's result with this effect; ``unknown``: the reader was erased meanwhile."""
        return replace(self.without_effect, effect="left" if effect == "unknown" else effect)


class BounceProcessor:
    """Processes the returned mails of one newsletter.

    A mail counts only if it carries something signed here: the return path or the Message-ID of
    a letter, or the token of a link. An address that it merely names is not believed.
    """

    _readers: KnownReaders  # those of the mails that are being recorded

    def __init__(self, store: Pages, publication: Publication, keys: Keyring) -> None:
        self._store, self._keys = store, keys
        self._service = ReaderService(publication, store, keys)
        mailbox = publication.bounces or publication.sender_email
        local, _, domain = mailbox.rpartition("@")
        self._return_path = re.compile(re.escape(local) + _TAG + re.escape(domain), re.IGNORECASE)
        self._tags_by_day: dict[date, dict[str, int]] = {}

    def process_all(self, mails: Iterable[Mail], now: datetime) -> Iterator[BounceResult]:
        """Process mails one by one, and mark as seen those that are not left in place.

        A mail that meets an unexpected error is left; those behind it are processed.

        Raises:
            StoreError: the store cannot be read or written; the mail stays unread.
        """
        rest = iter(mails)
        while some := list(islice(rest, AT_ONCE)):
            for mail, result in zip(some, self._process_some(some, now), strict=True):
                if result.effect != "left":
                    _mark_seen(mail)
                yield result

    def _process_some(self, mails: Sequence[Mail], now: datetime) -> Iterable[BounceResult]:
        """Process mails in few transactions; if one of them fails, one by one."""
        with Isolated() as attempt:
            return self.record_all([(mail.name, parse(mail.content)) for mail in mails], now)
        if len(mails) > 1:
            return (result for mail in mails for result in self._process_some([mail], now))
        name, said = mails[0].name, describe(attempt.error)
        _log.error("mail %s: %s", name, said, exc_info=attempt.error)
        return [BounceResult(name, "unreadable", "left", said=said)]

    def process(self, name: str, content: bytes, now: datetime) -> BounceResult:
        """Process one mail.

        Raises:
            StoreError: the store cannot be read or written.
        """
        return self.record(name, parse(content), now)

    def record(
        self, name: str, mail: ParsedMail, now: datetime, *, trusted: bool = False
    ) -> BounceResult:
        """Record what a mail means, or the event of a webhook.

        A ``trusted`` sender has proven itself: it may name the reader by the address alone.

        Raises:
            StoreError: the store cannot be read or written.
        """
        (result,) = self.record_all([(name, mail)], now, trusted=trusted)
        return result

    def record_all(
        self, mails: Sequence[tuple[str, ParsedMail]], now: datetime, *, trusted: bool = False
    ) -> list[BounceResult]:
        """Record several mails or events with their names, in few transactions.

        Raises:
            StoreError: the store cannot be read or written.
        """
        self._readers = KnownReaders(self._store, [mail for _, mail in mails])
        judged = [self._judge(name, mail, now, trusted=trusted) for name, mail in mails]
        events = [result for result in judged if isinstance(result, _Recorded)]
        effects = iter(self._store.record_mail_events([each.event for each in events], now=now))
        return [
            each.result(next(effects)) if isinstance(each, _Recorded) else each for each in judged
        ]

    def _judge(
        self, name: str, mail: ParsedMail, now: datetime, *, trusted: bool
    ) -> "BounceResult | _Recorded":
        """What a mail leads to, or the event that is to be recorded of it."""
        if mail.meaning == "aside":
            return BounceResult(name, "aside", "aside", said=mail.said)
        if mail.meaning == "unreadable":
            return BounceResult(name, "unreadable", "left", said=mail.said)
        try:
            subject = self._find_subject(mail, now)
        except TokenError as error:
            trusted_subject = self._find_by_address(mail, now) if trusted else None
            if trusted_subject is None:
                return BounceResult(name, mail.meaning, "left", said=str(error))
            subject = trusted_subject
        return self._judge_about(name, mail, mail.meaning, subject, now)

    def _judge_about(
        self, name: str, mail: ParsedMail, meaning: Counted, subject: _Subject, now: datetime
    ) -> "BounceResult | _Recorded":
        email = subject.reader.subscriber.email
        if meaning == "wish":
            effect, said = self._fulfil(mail, subject.reader, now)
            return BounceResult(name, "wish", effect, email, said)
        address = self._address_of(mail, subject, now)
        result = BounceResult(name, mail.meaning, "aside", email, mail.said, address)
        if not mail.token and self._is_note(mail, subject, address):
            return replace(result, effect=self._refuse(meaning, address, now))
        if meaning == "unsubscribe" and self._came_back_since(subject.reader.id, mail):
            return result
        return _Recorded(result, self._event(mail, meaning, subject, address, now))

    def _event(
        self, mail: ParsedMail, kind: MailEventKind, about: _Subject, address: str, now: datetime
    ) -> MailEvent:
        number, day = about.reader.id, _day_of(mail, now)
        digest = hashlib.blake2b(f"{number} {mail.id}".encode(), digest_size=16).hexdigest()
        letter = about.letter
        if letter is None and (last := self._readers.last_letter(number, by=day)):
            letter = last.day
        return MailEvent(digest, kind, number, day, mail.said[:_MAX_SAID], address, letter)

    def _came_back_since(self, reader: int, mail: ParsedMail) -> bool:
        """Whether a reader agreed to get the letters after this mail and its token were written.

        So an old mailbox, read for the first time, ends no newer subscription.
        """
        if mail.sent is None:
            return False
        written = max(mail.sent, signed_at(mail.token)) if mail.token else mail.sent
        consent = self._readers.last_consent(reader)
        return consent is not None and consent > written

    # -- which reader --------------------------------------------------------------------------

    def _find_subject(self, mail: ParsedMail, now: datetime) -> _Subject:
        """What a mail is about.

        Raises:
            TokenError: nothing in the mail was signed here, or the reader is not known.
        """
        if mail.token:
            purpose: Purpose = "unsubscribe" if mail.meaning == "unsubscribe" else "preferences"
            payload = verify_token(mail.token, purpose, self._keys, now, MAX_AGE[purpose])
            return _Subject(self._reader(int(payload)))
        letter, reader = next(self._letters(mail), (None, None))
        for text in mail.address_fields:
            for match in self._return_path.finditer(text):
                with contextlib.suppress(TokenError):
                    tag = read_bounce_tag(match[1], self._keys)
                    own = letter if reader == tag.reader else None
                    return _Subject(self._reader(tag.reader), tag, own)
        if reader is None:
            raise TokenError("it carries no return path and no Message-ID of this newsletter")
        return _Subject(self._reader(reader), letter=letter)

    def _find_by_address(self, mail: ParsedMail, now: datetime) -> _Subject | None:
        """The reader who has or had an address that the mail names, if something was sent there.

        A mail service may send for others, too, whose mail its events are about.
        """
        newest = (now + timedelta(days=1)).date()  # it is tomorrow already in the east
        for reader in self._readers.named(mail):
            letter = self._readers.last_letter(reader.id, by=newest)
            if letter is not None or reader.status in {"unconfirmed", "waiting"}:
                return _Subject(reader)
        return None

    def _reader(self, number: int) -> Reader:
        reader = self._readers.reader(number)
        if reader is None:
            raise TokenError("it is not about a letter of this newsletter to a known reader")
        return reader

    def _letters(self, mail: ParsedMail) -> Iterator[tuple[date, int]]:
        """The days and readers of the letters that a mail returns."""
        for text in mail.letter_ids:
            if (found := _LETTER_ID.match(text)) is None:
                continue
            with contextlib.suppress(ValueError):  # no date
                day = date.fromisoformat(found[1])
                # A letter is mostly the one to the address that is named: that is quick to see.
                named = [reader.id for reader in self._readers.named(mail)]
                tags = readers_by_letter_tag(day, named, self._keys)
                if found[2] in tags or found[2] in (tags := self._tags(day)):
                    yield day, tags[found[2]]

    def _tags(self, day: date) -> dict[str, int]:
        """The readers of a day's letters, by the tags in their Message-IDs."""
        if day not in self._tags_by_day:
            planned = self._store.planned_readers(day)
            self._tags_by_day[day] = readers_by_letter_tag(day, planned, self._keys)
        return self._tags_by_day[day]

    # -- which address -------------------------------------------------------------------------

    def _address_of(self, mail: ParsedMail, about: _Subject, now: datetime) -> str:
        """The address that the returned mail was sent to.

        Return paths say it since they carry a hash of it. Those of earlier versions do not: then
        it is an address that the report names, if the reader has or had it, or else the one that
        the letter was sent to. A report may also name an address that the reader forwards to.
        """
        email, tag = about.reader.subscriber.email, about.tag
        former = self._readers.former_addresses(about.reader.id)
        known = {address.lower(): address for address in (*former, email)}
        if tag is not None and tag.address:
            candidates = (email, *former, *mail.recipients)
            return next((one for one in candidates if tag.is_for(one, self._keys)), _UNKNOWN)
        if _returns_note(mail):
            return next(iter(mail.recipients), _UNKNOWN)
        for recipient in mail.recipients:
            if recipient in known:
                return known[recipient]
        last = self._readers.last_letter(about.reader.id, by=about.letter or _day_of(mail, now))
        return email if last is None else last.address

    def _is_note(self, mail: ParsedMail, about: _Subject, address: str) -> bool:
        """Whether a mail returns a note to an address that nobody has confirmed."""
        reader = about.reader
        if reader.status == "confirmed" and address.lower() == reader.subscriber.email.lower():
            return False
        is_note = about.tag.note if about.tag is not None and about.tag.address else False
        return is_note or reader.status in {"unconfirmed", "waiting"} or _returns_note(mail)

    def _refuse(self, kind: MailEventKind, address: str, now: datetime) -> Effect:
        """Write no more notes to an address that is gone, or whose owner does not want them."""
        if kind == "soft" or address == _UNKNOWN:
            return "elsewhere"
        self._service.refuse_address(address, now, lasting=kind != "hard")
        return "refused"

    # -- wishes --------------------------------------------------------------------------------

    def _fulfil(self, mail: ParsedMail, reader: Reader, now: datetime) -> tuple[Effect, str]:
        """Do what a reader asks for by a signed token; the effect, and words for the operator."""
        sent = min(mail.sent, now) if mail.sent else now
        if mail.said == WISHES["preferences"]:
            return "left", f"{mail.said}; change it in the subscribers file, then delete this mail"
        if now - sent > PAUSE:
            return "left", f"{mail.said}, but long ago; ask them, then delete this mail"
        if mail.said == WISHES["pause"]:
            self._service.pause(reader, (sent + PAUSE).date(), now)
        else:
            self._service.choose_weekly(reader, now)
        return "changed", mail.said


def _mark_seen(mail: Mail) -> None:
    try:
        mail.mark_seen()
    except UsageError as error:  # the store knows that it was read
        _log.warning("%s", error)


def _returns_note(mail: ParsedMail) -> bool:
    return any(name.startswith("<note.") for name in mail.letter_ids)


def _day_of(mail: ParsedMail, now: datetime) -> date:
    """A mail's own date; one in the future counts as today."""
    return (min(mail.sent, now) if mail.sent else now).date()
