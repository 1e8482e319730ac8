"""Where readers are received: whose links lead there, what is sent outside any issue."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from newsletter.errors import TokenError
from newsletter.letter.links import MAX_AGE, Keyring, Purpose, keyed_hash, read, sign
from newsletter.model import Caps, Publication, Reader
from newsletter.ports import Store

ERASED = "@erased.invalid"
"""What the aliases of erased readers end in: a domain that never is (RFC 2606)."""


@dataclass(frozen=True, slots=True)
class ReaderService:
    """Where readers are received: the newsletter, who reads it, what signs its links."""

    publication: Publication
    store: Store
    keys: Keyring

    def page(self, path: str) -> str:
        """The address of a readers' page."""
        return f"{(self.publication.url or '').rstrip('/')}/{path}"


@dataclass(frozen=True, slots=True)
class Note:
    """A short letter outside any issue, and the link it carries.

    ``confirm`` asks whether it was them; ``known`` tells somebody who reads already where their
    preferences are; ``move`` asks whether a reader's letters are to come to this address;
    ``welcome`` greets a newcomer for whom the day has no letter; ``farewell`` tells somebody that
    they left, and how to come back.
    """

    kind: Literal["confirm", "farewell", "known", "move", "welcome"]
    reader: Reader
    link: str


def admitted(here: ReaderService, whom: str, client: str, caps: Caps, now: datetime) -> bool:
    """Whether one more note may go to whom it concerns, at this client's wish; it is counted.

    ``whom`` and ``client`` begin with what is counted: a farewell is not kept back because somebody
    asked for confirmations before, nor the other way round.
    """
    address, asking = (keyed_hash(text, here.keys) for text in (whom.lower(), client))
    return here.store.admit(address, asking, caps, now=now)


def whose(here: ReaderService, token: str, purpose: Purpose, now: datetime) -> tuple[Reader, str]:
    """The reader a link was made for, and what else it carries.

    Raises:
        TokenError: it is no link for this purpose, is too old, or its reader was erased.
    """
    number, _, rest = read(token, purpose, here.keys, now, MAX_AGE[purpose]).partition("/")
    reader = here.store.reader(int(number))
    if reader is None or is_erased(reader):
        raise TokenError("This link leads to a reader who is not here any more.")
    return reader, rest


def preferences(here: ReaderService, reader: Reader, now: datetime) -> str:
    """The address of a reader's preferences, from now on."""
    return here.page(f"preferences/{sign(str(reader.id), 'preferences', here.keys, now)}")


def way_out(here: ReaderService, reader: Reader, now: datetime) -> str:
    """The address a reader leaves by."""
    return here.page(f"unsubscribe/{sign(str(reader.id), 'unsubscribe', here.keys, now)}")


def feed(here: ReaderService, reader: Reader, now: datetime) -> str:
    """The address of a reader's own feed, without the ending that says its format."""
    return here.page(f"mine/{sign(str(reader.id), 'feed', here.keys, now)}/feed")


def is_erased(reader: Reader) -> bool:
    """Whether all that is left of a reader is an alias."""
    return reader.subscriber.email.endswith(ERASED)
