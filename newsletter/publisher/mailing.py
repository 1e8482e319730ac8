"""Turn editions and notes into messages that can be sent."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache

from newsletter.letter.fragments import IssueFragments
from newsletter.letter.links import Keyring, keyed_hash
from newsletter.letter.message import MessageBuilder, build_note, return_path
from newsletter.letter.rendering import LetterTemplates, render_note
from newsletter.model import Claim, Edition, Envelope, Reader, Rendering
from newsletter.model.windows import CONFIRM_LINK_VALID
from newsletter.ports import Issues
from newsletter.readers.due import choice_words
from newsletter.readers.service import Note, ReaderService

LINK_NAMES = ("back", "confirm", "preferences")
"""The names that templates have for the link of a note; each kind knows it by one of them."""

WAVES_KEPT = 3
"""Waves whose letters are built in turns; with hundreds of papers, each takes some 25 MB."""

CONFIRM_HOURS = str(CONFIRM_LINK_VALID // timedelta(hours=1))
"""How long a link in a note works, as templates write it."""


class IssueMailer:
    """Builds the letters of frozen waves; only a few waves are in memory at a time."""

    def __init__(self, store: Issues, keys: Keyring) -> None:
        self._store, self._keys = store, keys
        self._builder = lru_cache(maxsize=WAVES_KEPT)(self._make_builder)

    def envelope(self, claim: Claim) -> Envelope:
        """The letter that a claim gives the right to send.

        Raises:
            RenderError: this reader's letter cannot be built.
        """
        return self._builder(claim.wave).build(claim.edition)

    def letter(self, wave: int, edition: Edition) -> tuple[Rendering, Envelope]:
        """A letter of a wave, as it is read and as it is sent; raises as :meth:`envelope`."""
        builder = self._builder(wave)
        return builder.render(edition), builder.build(edition)

    def _make_builder(self, wave: int) -> MessageBuilder:
        fragments = IssueFragments.load(self._store.wave(wave).pieces)
        return MessageBuilder(fragments, self._keys)


def reader_words(reader: Reader, service: ReaderService, now: datetime) -> dict[str, str]:
    """The variables of notes that are the same in every kind: the reader's own, and the contact."""
    return {
        "hours": CONFIRM_HOURS,
        "email": reader.subscriber.email,
        "choices": choice_words(reader.subscriber, service.default_schedule),
        "contact": service.contact,
        "data": service.data_url(reader, now),
        "unsubscribe": service.signed_url("unsubscribe", str(reader.id), now),
    }


def build_reader_note(
    note: Note, service: ReaderService, templates: Mapping[str, LetterTemplates], now: datetime
) -> Envelope:
    """A note to a reader, ready to be sent. It contains no words of the person who caused it.

    ``templates`` has those of each kind of note.
    """
    email = note.reader.subscriber.email
    words = {
        **dict.fromkeys(LINK_NAMES, note.link),
        **reader_words(note.reader, service, now),
        "schedule": note.schedule,
        "topics": ", ".join(note.topics),
    }
    name = keyed_hash(f"{now.isoformat()}:{email}", service.keys)[:24]
    return build_note(
        service.publication,
        render_note(note.kind, templates[note.kind], service.publication, words),
        email,
        name=f"note.{name}",
        at=now,
        sender=return_path(
            service.publication, note.reader.id, email, service.keys, note=note.asks_to_confirm
        ),
    )
