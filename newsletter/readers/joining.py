"""Join and confirm; have the letters at another address."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from newsletter.errors import TokenError
from newsletter.letter.links import sign
from newsletter.model import Caps, Consent, Reader, Subscriber
from newsletter.readers.service import Note, ReaderService, admitted, preferences, whose

NEWCOMERS = Caps(a_day=1, ever=3, client_an_hour=10, all_an_hour=500)
"""What may be asked for on behalf of an address that nobody has confirmed."""

KNOWN = replace(NEWCOMERS, ever=50)
"""The same for a reader, who may lose the link to the preferences now and then."""

WORDS = "I want to get {name} by mail. I can leave at any time by a link in every letter."
"""What a reader agrees to, which is kept with the consent."""

UNCONFIRMED = timedelta(days=7)
"""How long somebody who never confirms is remembered."""

HOWS = {
    "": "by the link in the confirmation letter",
    "back": "by the link in the farewell letter",
}
"""How they agreed, by what the link says of itself besides whose it is."""


def join(
    here: ReaderService,
    wanted: Subscriber,
    client: str,
    post: Callable[[Note], None],
    now: datetime,
) -> None:
    """Somebody wants the letters sent to an address, which may or may not be theirs.

    One note goes there, as far as the caps allow; nothing else happens until its link is
    followed. Who asks is told the same whatever comes of it.
    """
    here.store.forget_unconfirmed(before=now - UNCONFIRMED)
    known = here.store.reader_at(wanted.email)
    reads = known is not None and known.status == "confirmed"
    if not admitted(
        here, f"address:{wanted.email}", f"client:{client}", KNOWN if reads else NEWCOMERS, now
    ):
        return
    if known is not None and reads:
        post(Note("known", known, preferences(here, known, now)))
    elif known is None or known.status != "blocked":
        reader = _expected(here, known, wanted, now)
        token = sign(str(reader.id), "confirm", here.keys, now)
        post(Note("confirm", reader, here.page(f"confirm/{token}")))


def _expected(
    here: ReaderService, known: Reader | None, wanted: Subscriber, now: datetime
) -> Reader:
    """The reader-to-be with what they want; one who left keeps having left."""
    if known is None:
        return here.store.save_reader(wanted, status="unconfirmed", now=now)
    spelt = replace(wanted, email=known.subscriber.email)
    return here.store.save_reader(spelt, status=known.status, now=now)


def confirm(
    here: ReaderService, token: str, now: datetime, welcome: Callable[[Reader], None]
) -> Reader:
    """The reader of this link agrees to get the letters; who was none before is welcomed, once.

    Raises:
        TokenError: as for :func:`whose`, or no letters may go to this address.
    """
    reader, by = whose(here, token, "confirm", now)
    words = WORDS.format(name=here.publication.name)
    new = here.store.consent(reader.id, Consent(now, HOWS[by], words))
    reader, _ = whose(here, token, "confirm", now)
    if reader.status != "confirmed":
        raise TokenError("No letters go to this address any more; ask the editor.")
    if new:
        welcome(reader)
    return reader


def ask_move(
    here: ReaderService,
    reader: Reader,
    email: str,
    client: str,
    post: Callable[[Note], None],
    now: datetime,
) -> None:
    """A reader wants the letters at another address: a note there asks whether it is theirs.

    An address that is somebody's gets none; the reader is told the same.
    """
    if here.store.reader_at(email) is None and admitted(
        here, f"address:{email}", f"client:{client}", NEWCOMERS, now
    ):
        there = replace(reader, subscriber=replace(reader.subscriber, email=email))
        token = sign(f"{reader.id}/{email}", "move", here.keys, now)
        post(Note("move", there, here.page(f"move/{token}")))


def move(here: ReaderService, token: str, now: datetime) -> Reader:
    """The reader of this link has their letters at the address it was sent to, from now on.

    Raises:
        TokenError: as for :func:`whose`, or the address became somebody's since.
    """
    reader, email = whose(here, token, "move", now)
    if reader.subscriber.email != email and not here.store.move(reader.id, email, now=now):
        raise TokenError("Letters to this address belong to somebody already.")
    return whose(here, token, "move", now)[0]
