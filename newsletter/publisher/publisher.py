"""The desk: everything the use cases are given, gathered in one frozen value."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from newsletter.letter.links import Keyring
from newsletter.letter.rendering import LetterTemplates
from newsletter.model import Days, Publication, Topic
from newsletter.ports import Clock, Matcher, Source, Store


def keyring(keys: tuple[str, ...], publication: Publication) -> Keyring:
    """The keys of a newsletter; its sender tells it from others that share them."""
    return Keyring(keys, audience=publication.sender_email)


@dataclass(frozen=True, slots=True)
class Publisher:
    """A newsletter ready to work.

    Attributes:
        publication: what the newsletter is called, and by whom it is sent.
        topics: the sections, in their order.
        cadence: the days of readers who chose none.
        max_items: the cap of readers who set none.
        when_empty: whether a reader without a paper gets a letter that says so.
        keys: what signs links, newest first.
        in_doubt: whether a letter that may have left is sent again, once, or held.
    """

    publication: Publication
    topics: tuple[Topic, ...]
    cadence: Days
    max_items: int
    when_empty: Literal["skip", "send"]
    keys: tuple[str, ...]
    templates: LetterTemplates
    sources: Sequence[Source]
    store: Store
    matcher: Matcher
    clock: Clock
    in_doubt: Literal["resend", "hold"] = "resend"

    @property
    def keyring(self) -> Keyring:
        """The keys that sign this newsletter's links and name its letters."""
        return keyring(self.keys, self.publication)
