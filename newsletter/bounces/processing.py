"""Take what came back: whose letter it is about, and what the store makes of it."""

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
from newsletter.model import MailEvent, MailEventEffect, Publication
from newsletter.ports import Readers

_TAG = r"\+(\d{1,20}-[0-9a-f]{16})@"
_LETTER = re.compile(r"<(\d{4}-\d\d-\d\d)\.([0-9a-f]{16})@")

Effect = MailEventEffect | Literal["aside", "left"]
"""What was done about a mail; ``aside``: it asked for nothing; ``left``: it lies where it lay."""


@dataclass(frozen=True, slots=True)
class BounceResult:
    """What became of one mail.

    Attributes:
        name: what it is called where it lies.
        meaning: what it means.
        effect: what was done about it.
        reader: the address of the reader it is about; empty where nobody knows.
        said: the server's words, or why it was left.
    """

    name: str
    meaning: Meaning
    effect: Effect
    reader: str = ""
    said: str = ""


def in_words(taking: BounceResult) -> str:
    """A taking in a line, for a person."""
    who = taking.reader or "nobody we know"
    said = f": {taking.said}" if taking.said else ""
    return f"{taking.name}: {_MEANINGS[taking.meaning]}, {who}, {_EFFECTS[taking.effect]}{said}"


_MEANINGS: dict[Meaning, str] = {
    "hard": "hard bounce",
    "soft": "soft bounce",
    "complaint": "complaint",
    "unsubscribe": "unsubscribe",
    "wish": "wish",
    "aside": "nothing to do",
    "unreadable": "unreadable",
}

_EFFECTS: dict[Effect, str] = {
    "again": "counted before",
    "noted": "counted",
    "suppressed": "blocked",
    "unsubscribed": "unsubscribed",
    "aside": "put away",
    "left": "left where it is",
}


class BounceProcessor:
    """Takes mails that came back, for one newsletter.

    Nobody is believed who says whom a mail is about: it counts only with what was signed here,
    the return path or the Message-ID of a letter, or the token of a link.

    Args:
        store: where readers are.
        publication: the newsletter; its return paths and Message-IDs are looked for.
        keys: what those were signed with.
    """

    def __init__(self, store: Readers, publication: Publication, keys: Keyring) -> None:
        self._store, self._keys = store, keys
        mailbox = publication.bounces or publication.sender_email
        local, _, domain = mailbox.rpartition("@")
        self._path = re.compile(re.escape(local) + _TAG + re.escape(domain), re.IGNORECASE)
        self._letters: dict[date, dict[str, int]] = {}

    def take_all(self, mails: Iterable[Mail], now: datetime) -> Iterator[BounceResult]:
        """Take mails one by one; what was dealt with is put away.

        Raises:
            StoreError: the store cannot be read or written; the mail at hand is not put away.
        """
        for mail in mails:
            taking = self.take(mail.name, mail.content, now)
            if taking.effect != "left":
                mail.done()
            yield taking

    def take(self, name: str, content: bytes, now: datetime) -> BounceResult:
        """Take one mail.

        Raises:
            StoreError: the store cannot be read or written.
        """
        came = parse(content)
        if came.meaning == "aside":
            return BounceResult(name, "aside", "aside", said=came.said)
        if came.meaning == "unreadable":
            return BounceResult(name, "unreadable", "left", said=came.said)
        try:
            number = self._reader(came, now)
        except TokenError as error:
            return BounceResult(name, came.meaning, "left", said=str(error))
        reader = self._store.reader_by_id(number)
        if reader is None:
            said = "it is about no letter of this newsletter to a reader it knows"
            return BounceResult(name, came.meaning, "left", said=said)
        if came.meaning == "wish":
            said = f"{came.said}; change it in the readers' file, and put this mail away"
            return BounceResult(name, "wish", "left", reader.subscriber.email, said)
        digest = hashlib.blake2b(f"{number} {came.name}".encode(), digest_size=16).hexdigest()
        day = (min(came.sent, now) if came.sent else now).date()
        returned = MailEvent(digest, came.meaning, number, day, came.said[:_LONGEST])
        effect = self._store.record_mail_event(returned, now=now)
        return BounceResult(
            name,
            came.meaning,
            "left" if effect == "unknown" else effect,
            reader.subscriber.email,
            came.said,
        )

    def _reader(self, came: ParsedMail, now: datetime) -> int:
        """Whom a mail is about.

        Raises:
            TokenError: nothing in it was signed here.
        """
        if came.token:
            purpose: Purpose = "unsubscribe" if came.meaning == "unsubscribe" else "preferences"
            return int(verify_token(came.token, purpose, self._keys, now, MAX_AGE[purpose]))
        for text in came.addresses:
            for found in self._path.finditer(text):
                with contextlib.suppress(TokenError):
                    return read_bounce_tag(found[1], self._keys)
        for text in came.letters:
            if (letter := _LETTER.match(text)) and letter[2] in (tags := self._tags(letter[1])):
                return tags[letter[2]]
        raise TokenError("it carries no return path and no Message-ID of this newsletter")

    def _tags(self, day: str) -> dict[str, int]:
        """The readers of a day's letters, by what names these."""
        try:
            that = date.fromisoformat(day)
        except ValueError:
            return {}
        if that not in self._letters:
            self._letters[that] = readers_by_letter_tag(
                that, self._store.planned_readers(that), self._keys
            )
        return self._letters[that]


_LONGEST = 500
"""Characters of a server's words that are kept."""
