"""A note to a reader as a message: one short letter to one person, outside any issue."""

from collections.abc import Mapping
from datetime import datetime

from newsletter.letter.links import keyed_hash
from newsletter.letter.message import build_note as message
from newsletter.letter.message import return_path
from newsletter.letter.rendering import LetterTemplates
from newsletter.letter.rendering import render_note as rendering
from newsletter.model import Envelope
from newsletter.readers.service import Note, ReaderService

LINKS = {
    "confirm": "confirm",
    "farewell": "back",
    "known": "preferences",
    "move": "confirm",
    "welcome": "preferences",
}
"""For each kind of note what its templates call the link it carries."""

HOURS = "48"
"""How long a link to confirm by is good, as templates say it."""


def written(
    note: Note, here: ReaderService, stationery: Mapping[str, LetterTemplates], now: datetime
) -> Envelope:
    """A note ready for the wire. Nothing in it is in the words of whoever asked for it.

    Args:
        note: whom it is to, and the link it carries.
        here: whose note it is.
        stationery: the templates of each kind.
        now: its date.
    """
    email = note.reader.subscriber.email
    words = {
        LINKS[note.kind]: note.link,
        "hours": HOURS,
        "email": email,
        "unsubscribe": here.unsubscribe_url(note.reader, now),
    }
    name = keyed_hash(f"{now.isoformat()}:{email}", here.keys)[:24]
    return message(
        here.publication,
        rendering(note.kind, stationery[note.kind], here.publication, words),
        email,
        name=f"note.{name}",
        at=now,
        sender=return_path(here.publication, note.reader.id, here.keys),
    )
