"""Processes returned mails: finds the reader each is about, and updates the store."""

import contextlib
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from newsletter.bounces.mailboxes import Mail
from newsletter.bounces.parsing import Meaning, ParsedMail, parse
from newsletter.errors import TokenError
from newsletter.letter.links import (
    MAX_AGE,
    Keyring,
    Purpose,
    read_bounce_tag,
    readers_by_letter_tag,
    verify_token,
)
from newsletter.model import MailEvent, MailEventEffect, Publication, Reader
from newsletter.ports import Readers

_TAG = r"\+u?(\d{1,20}-[0-9a-f]{16})@"  # with a u: the address to unsubscribe at
_LETTER_ID = re.compile(r"<(\d{4}-\d\d-\d\d)\.([0-9a-f]{16})@")
_MAX_SAID = 500  # characters of a server's words that are stored

Effect = MailEventEffect | Literal["aside", "left"]
"""What a mail led to. ``aside``: nothing to do; ``left``: not processed, it stays unread."""

EFFECTS: dict[Effect, str] = {
    "noted": "counted",
    "suppressed": "blocked",
    "unsubscribed": "unsubscribed",
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
    """

    name: str
    meaning: Meaning
    effect: Effect
    reader: str = ""
    said: str = ""


def result_line(result: BounceResult) -> str:
    """A result in one line, for the operator."""
    reader = result.reader or "unknown reader"
    said = f": {result.said}" if result.said else ""
    return f"{result.name}: {_MEANINGS[result.meaning]}, {reader}, {EFFECTS[result.effect]}{said}"


class BounceProcessor:
    """Processes the returned mails of one newsletter.

    A mail counts only if it carries something signed here: the return path or the Message-ID of
    a letter, or the token of a link. An address that it merely names is not believed.
    """

    def __init__(self, store: Readers, publication: Publication, keys: Keyring) -> None:
        self._store, self._keys = store, keys
        mailbox = publication.bounces or publication.sender_email
        local, _, domain = mailbox.rpartition("@")
        self._return_path = re.compile(re.escape(local) + _TAG + re.escape(domain), re.IGNORECASE)
        self._tags_by_day: dict[date, dict[str, int]] = {}

    def process_all(self, mails: Iterable[Mail], now: datetime) -> Iterator[BounceResult]:
        """Process mails one by one, and mark as seen those that are not left in place.

        Raises:
            StoreError: the store cannot be read or written; the mail stays unread.
        """
        for mail in mails:
            result = self.process(mail.name, mail.content, now)
            if result.effect != "left":
                mail.mark_seen()
            yield result

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
        if mail.meaning == "aside":
            return BounceResult(name, "aside", "aside", said=mail.said)
        if mail.meaning == "unreadable":
            return BounceResult(name, "unreadable", "left", said=mail.said)
        reader = self._find_reader(mail, now, trusted=trusted)
        if isinstance(reader, str):
            return BounceResult(name, mail.meaning, "left", said=reader)
        number, email = reader.id, reader.subscriber.email
        if mail.meaning == "wish":
            said = f"{mail.said}; change it in the subscribers file, and mark this mail as seen"
            return BounceResult(name, "wish", "left", email, said)
        digest = hashlib.blake2b(f"{number} {mail.id}".encode(), digest_size=16).hexdigest()
        day = (min(mail.sent, now) if mail.sent else now).date()
        address = next(iter(mail.recipients), email)
        event = MailEvent(digest, mail.meaning, number, day, mail.said[:_MAX_SAID], address)
        effect = self._store.record_mail_event(event, now=now)
        # "unknown": the reader was erased in the meantime
        done: Effect = "left" if effect == "unknown" else effect
        return BounceResult(name, mail.meaning, done, email, mail.said)

    def _find_reader(self, mail: ParsedMail, now: datetime, *, trusted: bool) -> Reader | str:
        """The reader that a mail is about, or why there is none."""
        try:
            reader = self._store.reader_by_id(self._reader_number(mail, now))
        except TokenError as error:
            named = self._store.readers(emails=mail.recipients) if trusted else ()
            return named[0] if len(named) == 1 else str(error)
        return reader or "it is not about a letter of this newsletter to a known reader"

    def _reader_number(self, mail: ParsedMail, now: datetime) -> int:
        """The id of the reader that a mail is about.

        Raises:
            TokenError: nothing in the mail was signed here.
        """
        if mail.token:
            purpose: Purpose = "unsubscribe" if mail.meaning == "unsubscribe" else "preferences"
            return int(verify_token(mail.token, purpose, self._keys, now, MAX_AGE[purpose]))
        for text in mail.address_fields:
            for match in self._return_path.finditer(text):
                with contextlib.suppress(TokenError):
                    return read_bounce_tag(match[1], self._keys)
        for text in mail.letter_ids:
            letter_id = _LETTER_ID.match(text)
            if letter_id and letter_id[2] in (tags := self._tags(letter_id[1])):
                return tags[letter_id[2]]
        raise TokenError("it carries no return path and no Message-ID of this newsletter")

    def _tags(self, text: str) -> dict[str, int]:
        """The readers of a day's letters, by the tags in their Message-IDs."""
        try:
            day = date.fromisoformat(text)
        except ValueError:
            return {}
        if day not in self._tags_by_day:
            planned = self._store.planned_readers(day)
            self._tags_by_day[day] = readers_by_letter_tag(day, planned, self._keys)
        return self._tags_by_day[day]
