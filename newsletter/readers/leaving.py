"""Leave, say why, be forgotten."""

from collections.abc import Callable, Iterable
from datetime import datetime

from newsletter.letter.links import MAX_AGE, Keyring, keyed_hash, read, sign
from newsletter.model import MailEvent, Reader, Subscriber
from newsletter.readers.joining import KNOWN
from newsletter.readers.service import ERASED, Note, ReaderService, admitted, is_erased
from newsletter.text import clean

FAREWELLS = KNOWN
"""How many farewell letters an address may get: somebody else may hold one of its way-out links."""

LONGEST_FAREWELL = 1000
"""Characters of a reason to leave."""


def leave(here: ReaderService, token: str, now: datetime) -> Reader | None:
    """The reader of this link leaves. Twice is once.

    Returns:
        Who left, as they were before; None where they were erased.

    Raises:
        TokenError: it is no link to leave by.
    """
    reader = leaving(here, token, now)
    if reader is not None and reader.status not in {"unsubscribed", "blocked"}:
        here.store.set_status(reader.subscriber.email, "unsubscribed", now=now)
    return reader


def leaving(here: ReaderService, token: str, now: datetime) -> Reader | None:
    """Who would leave by this link, as :func:`leave` takes it; nothing changes."""
    number = read(token, "unsubscribe", here.keys, now, MAX_AGE["unsubscribe"])
    reader = here.store.reader(int(number))
    return None if reader is None or is_erased(reader) else reader


def bid_farewell(
    here: ReaderService, left: Reader, client: str, post: Callable[[Note], None], now: datetime
) -> None:
    """Tell somebody who left by the button of the page that they did, and how to come back.

    Nobody is written to who got no letters before: who left already, was blocked, or was struck
    from the operator's file. The link back is a confirmation, good as long as one.

    Args:
        here: where they left.
        left: who they were before, as :func:`leave` says.
        client: who pressed the button, as far as caps go.
        post: takes the letter.
        now: when.
    """
    whom, by = f"farewell:{left.subscriber.email}", f"leaving:{client}"
    if left.status == "confirmed" and admitted(here, whom, by, FAREWELLS, now):
        token = sign(f"{left.id}/back", "confirm", here.keys, now)
        post(Note("farewell", left, here.page(f"confirm/{token}")))


def say_why(here: ReaderService, token: str, said: str, now: datetime) -> None:
    """The reader of this link, who has left, says why; once a day is kept, for the operator.

    Raises:
        TokenError: it is no link to leave by.
    """
    reader, words = leaving(here, token, now), clean(said)[:LONGEST_FAREWELL]
    if reader is not None and reader.status == "unsubscribed" and words:
        name = keyed_hash(f"farewell:{reader.id}:{now.date()}", here.keys)
        here.store.record_mail_event(
            MailEvent(name, "unsubscribe", reader.id, now.date(), words), now=now
        )


def erase(here: ReaderService, reader: Reader, now: datetime) -> None:
    """Forget who a reader is; a keyed hash stays, so that no list brings them back."""
    alias = f"{_mark(reader.subscriber.email, here.keys)}.{reader.id}{ERASED}"
    here.store.erase(reader.id, alias, now=now)


def not_erased(
    listed_subscribers: Iterable[Subscriber], readers: Iterable[Reader], keys: Keyring
) -> list[Subscriber]:
    """Those of a list who may be on it: not who was erased and has not come back since."""
    emails = [reader.subscriber.email for reader in readers]
    marks = {email.partition(".")[0] for email in emails if email.endswith(ERASED)}
    if not marks:
        return list(listed_subscribers)
    here = {email.lower() for email in emails}
    rings = [Keyring((secret,), keys.audience) for secret in keys.secrets]
    return [
        subscriber
        for subscriber in listed_subscribers
        if subscriber.email.lower() in here
        or not any(_mark(subscriber.email, ring) in marks for ring in rings)
    ]


def _mark(email: str, keys: Keyring) -> str:
    return keyed_hash(f"erased:{email.lower()}", keys)[:40]
