"""Refuses a store in the place of the one that this newsletter was sent from.

Another address in ``store:``, a deleted file or a backup under another name would send the day
again to everybody, also to those who left. The send journal knows better.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from hashlib import blake2b
from pathlib import Path

from newsletter.app.files import store_file, store_place
from newsletter.config.fields import masked
from newsletter.errors import ConfigurationError
from newsletter.letter.links import Keyring, keyed_hash
from newsletter.stores import Journaled, SendJournal

MOVED = "moved to"
"""The fact of a store that ``newsletter store move`` has left: the address of the other one."""

COPY_OF = "copy of"
"""The fact of a store that a move which has not ended has filled: the address of the other one."""

RECORDED_IN = "journal"
"""The fact of a store that names the folder in which what it sent was last recorded."""


SIGNED_WITH = "signed with"
"""The fact of a store that has the fingerprints of the keys that signed for it, never a key."""

SENT_FROM = "sent from"
"""The fact of a store that has the addresses it was sent from: they are part of each signature."""


def open_journal(
    url: str, state: Path, config: Path, keyring: Callable[[], Keyring]
) -> SendJournal:
    """The record of what was sent from the store at an address; each has a folder of its own."""

    def names(email: str) -> tuple[str, ...]:
        """An address as the journal names it, under each key; the newest key first."""
        return tuple(keyed_hash(f"witness:{email.lower()}", one)[:32] for one in keyring().each)

    name = blake2b(store_place(url).encode(), digest_size=6).hexdigest()
    return SendJournal(
        state / "witness" / name,
        names,
        store=masked(url),
        config=str(config),
        file=store_file(url, config.parent),
    )


def refuse_missing_file(journal: SendJournal, config: str) -> None:
    """Refuse to create a store's file if what was sent before is on record.

    Raises:
        ConfigurationError: it is.
    """
    if not journal.file or _has_content(Path(journal.file)):
        return
    for other in _records(journal, lambda: ()):
        if other.says_anything and not journal.has_taken_over(other):
            raise _refused(journal, other, "does not exist, but there are emails", config)


def check_store(journal: SendJournal, store: Journaled, config: str) -> None:
    """Check that a store knows what this newsletter has sent, from whichever store that was.

    Raises:
        ConfigurationError: it does not, or the newsletter has moved from it to another one.
    """
    facts = store.facts()
    if moved := facts.get(MOVED):
        raise ConfigurationError(
            f"{journal.store} was left by `newsletter store move`: write `store: {moved}`. To use "
            "the old one all the same, run `newsletter store new`",
            file=config,
            where="store",
        )
    if facts.get(COPY_OF):  # the configuration names it, so the move has ended
        store.record_fact(COPY_OF, "")
    for other in _records(journal, store.emails):
        own = other.folder == journal.folder
        # A store that has readers may be an old backup, which sends nothing before `restored`.
        is_old = own and (store.issue_days() or store.emails())
        if is_old or journal.has_taken_over(other):
            continue
        if lacking := store.lacks(other):
            raise _refused(journal, other, f"does not have {lacking}", config)
        if not own:
            journal.take_over(other)
    if journal.exists and facts.get(RECORDED_IN) != str(journal.folder):
        store.record_fact(RECORDED_IN, str(journal.folder))


def check_keys(store: Journaled, keys: Keyring, config: str) -> Keyring:
    """Check that every key that signed for a store still verifies.

    Returns the keys, which accept links of emails from every address that they were sent from.

    Raises:
        ConfigurationError: a key is missing, and somebody has links that it signed.
    """
    facts = store.facts()
    signed = facts.get(SIGNED_WITH, "").split()
    missing = [key for key in signed if key not in keys.fingerprints]
    if missing and _has_signed(store):
        raise ConfigurationError(
            f"emails were signed with a secret that is no longer there (its fingerprint is "
            f"{', '.join(missing)}): their links would not work, unsubscribe links included, and "
            "readers who left or were erased would not be known. Put it back, as the last in the "
            "list `secret:`, or as the file `secret` in the folder `state`. If it is lost, or "
            f"somebody else knows it: `newsletter secret forget {missing[0]}`",
            file=config,
            where="secret",
        )
    record_keys(store, dict.fromkeys((*(k for k in signed if k not in missing), keys.fingerprint)))
    senders = facts.get(SENT_FROM, "").split()
    if keys.audience not in senders:
        store.record_fact(SENT_FROM, " ".join((*senders, keys.audience)))
    return replace(keys, former=tuple(each for each in senders if each != keys.audience))


def record_keys(store: Journaled, fingerprints: Iterable[str]) -> None:
    """Record which keys have signed for a store, if that is new."""
    said = " ".join(fingerprints)
    if said != store.facts().get(SIGNED_WITH, ""):
        store.record_fact(SIGNED_WITH, said)


def _has_signed(store: Journaled) -> bool:
    """Whether somebody may have a link: letters were sent, or a reader has used the pages."""
    return bool(store.issue_days()) or any(
        reader.origin == "store" or reader.status != "confirmed" for reader in store.each_reader()
    )


def refuse_copy(journal: SendJournal, store: Journaled, config: str) -> None:
    """Refuse to send from a copy of a folder, or of a store, while the original is there.

    Raises:
        ConfigurationError: this is such a copy, or the journal is in another folder.
    """
    if original := journal.original():
        raise ConfigurationError(
            f"{journal.file} is a copy of {original}, which is still there: both would send the "
            f"same emails to the same readers. If the newsletter has moved here, rename {original} "
            "or delete it; to make this copy a newsletter of its own, run `newsletter store new`",
            file=config,
            where="store",
        )
    last = store.facts().get(RECORDED_IN, "")
    elsewhere, here = Path(last).parent.parent, journal.folder.parent.parent
    if not journal.exists and last and elsewhere != here and Path(last).is_dir():
        raise ConfigurationError(
            f"is new, but what was sent so far is on record in {elsewhere}. If the newsletter has "
            f"moved here, copy that: cp -a {elsewhere}/. {here}/. If not, it would send everything "
            "a second time; to send all the same, run `newsletter store new`",
            file=str(here),
        )


def begin_anew(journal: SendJournal, store: Journaled, now: datetime) -> list[str]:
    """Accept a store although it does not know what was sent before.

    Returns the addresses of the stores that this was sent from.
    """
    left = [*journal.relatives(store.emails)]
    store.record_fact(MOVED, "")
    store.record_fact(RECORDED_IN, "")
    for other in left:
        journal.take_over(other, copy=False)
    journal.record_restoration(now)
    journal.reidentify()
    return [other.store for other in left]


def _records(journal: SendJournal, emails: Callable[[], Iterable[str]]) -> Iterator[SendJournal]:
    """The journals of this newsletter that have something on record; its store's own one first."""
    if not journal.is_empty:
        yield journal
    yield from journal.relatives(emails)


def _has_content(file: Path) -> bool:
    return file.exists() and file.stat().st_size > 0


def _refused(
    journal: SendJournal, other: SendJournal, lacking: str, config: str
) -> ConfigurationError:
    here, there = journal.store, other.store or "another store"
    put_back = (
        f"put {journal.file or 'its content'} back"
        if other.folder == journal.folder
        else f"write `store: {there}` again, and move with `newsletter store move {here}`"
    )
    return ConfigurationError(
        f"{here} {lacking} that this newsletter sent from {there} (on record in {other.folder}): "
        f"from here everybody would get emails again, even readers who left. Either {put_back}; "
        "or, if that store is lost, run `newsletter store restored`, so that nothing is sent "
        "twice; or, to start over anyway, run `newsletter store new`",
        file=config,
        where="store",
    )
