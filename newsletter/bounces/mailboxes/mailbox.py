"""What every kind of mailbox has in common."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

MAX_BYTES = 2**20  # bytes of a mail that are read; a report stands before the letter it returns


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail of a mailbox.

    Attributes:
        name: its name for people.
        content: its first bytes.
        mark_seen: marks it as processed, for people.
        key: a name that stays the same as long as the mail is there, and that no other mail gets;
            empty if that is the ``name``.
    """

    name: str
    content: bytes
    mark_seen: Callable[[], None] = lambda: None
    key: str = ""


class OpenMailbox(Protocol):
    """A mailbox that can be read now."""

    def mails(self, known: Collection[str] = (), again: Collection[str] = ()) -> Iterator[Mail]:
        """The mails except those with ``known`` keys, oldest first, but with those of ``again``.

        Raises:
            UsageError: there is no such mailbox, or it may not be read.
            MailboxError: the server cannot be read from now.
        """

    def count_new(self, known: Collection[str]) -> int:
        """How many mails wait to be read.

        Raises: as for :meth:`mails`.
        """

    def look(self, keys: Collection[str]) -> Mapping[str, bool]:
        """Which of these keys must stay known, and whether a person has seen the mail of each.

        Raises: as for :meth:`mails`.
        """


class Mailbox(Protocol):
    """A place where returned mail arrives."""

    @property
    def name(self) -> str:
        """Its name in the store and in messages; it contains no password."""

    def open(self) -> AbstractContextManager[OpenMailbox]:
        """Connect, where there is a server.

        Raises:
            MailboxError: the server cannot be read from now.
        """
