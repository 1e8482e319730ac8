"""What readers do about their own subscription: join, confirm, follow, pause, leave, be forgotten.

Each is one call over the store; who may make it is proved by a signed link (:mod:`tokens`). Time
and the way letters leave by are arguments.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal

from newsletter.errors import TokenError
from newsletter.model import Caps, Consent, Delivery, Publication, Reader, Returned, Subscriber
from newsletter.ports import Store
from newsletter.text import clean
from newsletter.tokens import MAX_AGE, Keyring, Purpose, keyed_hash, read, sign

NEWCOMERS = Caps(a_day=1, ever=3, client_an_hour=10, all_an_hour=500)
"""What may be asked for on behalf of an address that nobody has confirmed."""

KNOWN = replace(NEWCOMERS, ever=50)
"""The same for a reader, who may lose the link to the preferences now and then."""

WORDS = "I want to get {name} by mail. I can leave at any time by a link in every letter."
"""What a reader agrees to, which is kept with the consent."""

UNCONFIRMED = timedelta(days=7)
"""How long somebody who never confirms is remembered."""

LONGEST_FAREWELL = 1000
"""Characters of a reason to leave."""

KEPT_FAREWELLS = 100
"""Of one reader, those that are exported."""

HOW = "by the link in the confirmation letter"
ERASED = "@erased.invalid"
"""What the aliases of erased readers end in: a domain that never is (RFC 2606)."""


@dataclass(frozen=True, slots=True)
class Reception:
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
    ``welcome`` greets a newcomer for whom the day has no letter.
    """

    kind: Literal["confirm", "known", "move", "welcome"]
    reader: Reader
    link: str


@dataclass(frozen=True, slots=True)
class Record:
    """All that is kept of a reader."""

    reader: Reader
    consents: tuple[Consent, ...]
    letters: tuple[Delivery, ...]
    farewells: tuple[Returned, ...]


def join(
    here: Reception, wanted: Subscriber, client: str, post: Callable[[Note], None], now: datetime
) -> None:
    """Somebody wants the letters sent to an address, which may or may not be theirs.

    One note goes there, as far as the caps allow; nothing else happens until its link is
    followed. Who asks is told the same whatever comes of it.
    """
    here.store.forget_unconfirmed(before=now - UNCONFIRMED)
    known = here.store.reader_at(wanted.email)
    reads = known is not None and known.status == "confirmed"
    if not _admitted(here, wanted.email, client, KNOWN if reads else NEWCOMERS, now):
        return
    if known is not None and reads:
        post(Note("known", known, preferences(here, known, now)))
    elif known is None or known.status != "blocked":
        reader = _expected(here, known, wanted, now)
        token = sign(str(reader.id), "confirm", here.keys, now)
        post(Note("confirm", reader, here.page(f"confirm/{token}")))


def _admitted(here: Reception, email: str, client: str, caps: Caps, now: datetime) -> bool:
    """Whether one more note may go to an address; it is counted."""
    address = keyed_hash(f"address:{email.lower()}", here.keys)
    return here.store.admit(address, keyed_hash(f"client:{client}", here.keys), caps, now=now)


def _expected(here: Reception, known: Reader | None, wanted: Subscriber, now: datetime) -> Reader:
    """The reader-to-be with what they want; one who left keeps having left."""
    if known is None:
        return here.store.save_reader(wanted, status="unconfirmed", now=now)
    spelt = replace(wanted, email=known.subscriber.email)
    return here.store.save_reader(spelt, status=known.status, now=now)


def whose(here: Reception, token: str, purpose: Purpose, now: datetime) -> tuple[Reader, str]:
    """The reader a link was made for, and what else it carries.

    Raises:
        TokenError: it is no link for this purpose, is too old, or its reader was erased.
    """
    number, _, rest = read(token, purpose, here.keys, now, MAX_AGE[purpose]).partition("/")
    reader = here.store.reader(int(number))
    if reader is None or is_erased(reader):
        raise TokenError("This link leads to a reader who is not here any more.")
    return reader, rest


def confirm(
    here: Reception, token: str, now: datetime, welcome: Callable[[Reader], None]
) -> Reader:
    """The reader of this link agrees to get the letters; who was none before is welcomed, once.

    Raises:
        TokenError: as for :func:`whose`, or no letters may go to this address.
    """
    reader, _ = whose(here, token, "confirm", now)
    words = WORDS.format(name=here.publication.name)
    new = here.store.consent(reader.id, Consent(now, HOW, words))
    reader, _ = whose(here, token, "confirm", now)
    if reader.status != "confirmed":
        raise TokenError("No letters go to this address any more; ask the editor.")
    if new:
        welcome(reader)
    return reader


def preferences(here: Reception, reader: Reader, now: datetime) -> str:
    """The address of a reader's preferences, from now on."""
    return here.page(f"preferences/{sign(str(reader.id), 'preferences', here.keys, now)}")


def way_out(here: Reception, reader: Reader, now: datetime) -> str:
    """The address a reader leaves by."""
    return here.page(f"unsubscribe/{sign(str(reader.id), 'unsubscribe', here.keys, now)}")


def ask_move(
    here: Reception,
    reader: Reader,
    email: str,
    client: str,
    post: Callable[[Note], None],
    now: datetime,
) -> None:
    """A reader wants the letters at another address: a note there asks whether it is theirs.

    An address that is somebody's gets none; the reader is told the same.
    """
    if here.store.reader_at(email) is None and _admitted(here, email, client, NEWCOMERS, now):
        there = replace(reader, subscriber=replace(reader.subscriber, email=email))
        token = sign(f"{reader.id}/{email}", "move", here.keys, now)
        post(Note("move", there, here.page(f"move/{token}")))


def move(here: Reception, token: str, now: datetime) -> Reader:
    """The reader of this link has their letters at the address it was sent to, from now on.

    Raises:
        TokenError: as for :func:`whose`, or the address became somebody's since.
    """
    reader, email = whose(here, token, "move", now)
    if reader.subscriber.email != email and not here.store.move(reader.id, email, now=now):
        raise TokenError("Letters to this address belong to somebody already.")
    return whose(here, token, "move", now)[0]


def feed(here: Reception, reader: Reader, now: datetime) -> str:
    """The address of a reader's own feed, without the ending that says its format."""
    return here.page(f"mine/{sign(str(reader.id), 'feed', here.keys, now)}/feed")


def follow(here: Reception, reader: Reader, wanted: Subscriber, now: datetime) -> Reader:
    """A reader wants something else from now on; address, name and status stay."""
    subscriber = reader.subscriber
    changed = replace(wanted, email=subscriber.email, name=subscriber.name)
    return here.store.save_reader(changed, status=reader.status, now=now)


def choose(here: Reception, reader: Reader, wanted: Subscriber, now: datetime) -> Reader:
    """A reader chose anew; a pause that has an end goes on, topics keep the reader's order."""
    before = reader.subscriber
    had, chosen = before.filter.topics, wanted.filter.topics
    kept = tuple(topic for topic in had if topic in chosen)
    topics = (*kept, *(topic for topic in chosen if topic not in had))
    wants = replace(wanted.filter, topics=topics)
    return follow(
        here, reader, replace(wanted, filter=wants, paused_until=before.paused_until), now
    )


def pause(here: Reception, reader: Reader, until: date | None, now: datetime) -> Reader:
    """A reader wants nothing until a day, or (None) wants letters again."""
    subscriber = replace(reader.subscriber, paused_until=until)
    if until is None and subscriber.cadence == "paused":
        subscriber = replace(subscriber, cadence=None)
    return follow(here, reader, subscriber, now)


def weeks_from(today: date, weeks: int) -> date:
    """The day on which a pause of so many weeks ends."""
    return today + timedelta(weeks=weeks)


def leave(here: Reception, token: str, now: datetime) -> Reader | None:
    """The reader of this link leaves; None where they were erased before. Twice is once.

    Raises:
        TokenError: it is no link to leave by.
    """
    reader = leaving(here, token, now)
    if reader is not None and reader.status not in {"unsubscribed", "blocked"}:
        here.store.set_status(reader.subscriber.email, "unsubscribed", now=now)
    return reader


def leaving(here: Reception, token: str, now: datetime) -> Reader | None:
    """Who would leave by this link, as :func:`leave` takes it; nothing changes."""
    number = read(token, "unsubscribe", here.keys, now, MAX_AGE["unsubscribe"])
    reader = here.store.reader(int(number))
    return None if reader is None or is_erased(reader) else reader


def say_why(here: Reception, token: str, said: str, now: datetime) -> None:
    """The reader of this link, who has left, says why; once a day is kept, for the operator.

    Raises:
        TokenError: it is no link to leave by.
    """
    reader, words = leaving(here, token, now), clean(said)[:LONGEST_FAREWELL]
    if reader is not None and reader.status == "unsubscribed" and words:
        name = keyed_hash(f"farewell:{reader.id}:{now.date()}", here.keys)
        here.store.take_return(Returned(name, "unsubscribe", reader.id, now.date(), words), now=now)


def export(here: Reception, reader: Reader) -> Record:
    """All that is kept of a reader."""
    store = here.store
    return Record(
        reader,
        store.consents(reader.id),
        store.letters(reader.id),
        store.farewells(limit=KEPT_FAREWELLS, reader=reader.id),
    )


def erase(here: Reception, reader: Reader, now: datetime) -> None:
    """Forget who a reader is; a keyed hash stays, so that no list brings them back."""
    alias = f"{_mark(reader.subscriber.email, here.keys)}.{reader.id}{ERASED}"
    here.store.erase(reader.id, alias, now=now)


def is_erased(reader: Reader) -> bool:
    """Whether all that is left of a reader is an alias."""
    return reader.subscriber.email.endswith(ERASED)


def not_erased(
    roster: Iterable[Subscriber], readers: Iterable[Reader], keys: Keyring
) -> list[Subscriber]:
    """Those of a list who may be on it: not who was erased and has not come back since."""
    emails = [reader.subscriber.email for reader in readers]
    marks = {email.partition(".")[0] for email in emails if email.endswith(ERASED)}
    if not marks:
        return list(roster)
    here = {email.lower() for email in emails}
    rings = [Keyring((secret,), keys.audience) for secret in keys.secrets]
    return [
        subscriber
        for subscriber in roster
        if subscriber.email.lower() in here
        or not any(_mark(subscriber.email, ring) in marks for ring in rings)
    ]


def _mark(email: str, keys: Keyring) -> str:
    return keyed_hash(f"erased:{email.lower()}", keys)[:40]
