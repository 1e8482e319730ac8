"""Mailboxes with returned mail: a Maildir, an mbox file, a stream."""

import contextlib
import mailbox
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO

from newsletter.errors import UsageError

MAX_BYTES = 2**20  # bytes of a mail that are read; a report stands before the letter it returns


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail: its name in the mailbox, its first bytes, and how to mark it as processed."""

    name: str
    content: bytes
    mark_seen: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Maildir:
    """A Maildir. Mails in ``new``, and in ``cur`` without the flag S, are unread.

    A processed mail moves to ``cur`` with the flag S, which every mail program understands.
    """

    path: Path

    def mails(self, skip: Collection[str] = ()) -> Iterator[Mail]:
        """The unread mails, oldest first, except those with these names.

        Raises:
            UsageError: there is no Maildir, or it cannot be read.
        """
        for path in self.unread():
            name = path.name.partition(":")[0]
            if name in skip:
                continue
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                yield Mail(name, _read(path), partial(_mark_seen, path))

    def unread(self) -> list[Path]:
        """The files of unread mails, oldest first.

        Raises:
            UsageError: there is no Maildir, or it cannot be read.
        """
        try:
            new, cur = (
                [path for path in (self.path / folder).iterdir() if path.is_file()]
                for folder in ("new", "cur")
            )
        except OSError as error:
            raise UsageError(
                f"{self.path}: no Maildir can be read there ({error.strerror}); "
                "it has the folders new, cur and tmp, and the newsletter's user can write to them"
            ) from error
        unread = [*new, *(path for path in cur if "S" not in _flags(path))]
        mails = (path for path in unread if not path.name.startswith("."))
        return sorted(mails, key=attrgetter("name"))


def _flags(path: Path) -> str:
    return path.name.partition(":2,")[2]


def _read(path: Path) -> bytes:
    """A mail's first bytes; none if reading is not permitted."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES)
    except PermissionError:
        return b""


def _mark_seen(path: Path) -> None:
    flags = "".join(sorted({*_flags(path), "S"}))
    name = path.name.partition(":")[0]
    try:
        path.rename(path.parents[1] / "cur" / f"{name}:2,{flags}")
    except FileNotFoundError:
        return  # another process was faster
    except OSError as error:
        raise UsageError(
            f"{path}: was counted and cannot be marked as seen ({error.strerror}); "
            "let the newsletter's user write in new and cur"
        ) from error


def mbox_mails(path: Path) -> Iterator[Mail]:
    """All mails of an mbox file, which is never changed.

    Raises:
        UsageError: there is no mbox, or it cannot be read.
    """
    try:
        with contextlib.closing(mailbox.mbox(path, create=False)) as box:
            contents = [box.get_bytes(key) for key in box.iterkeys()]
    except (OSError, mailbox.Error) as error:
        raise UsageError(f"{path}: no mbox can be read there: {error}") from error
    if not contents and path.stat().st_size:
        raise UsageError(f"{path} is not an mbox: no line of it begins with 'From '")
    for number, content in enumerate(contents, 1):
        yield Mail(f"{path.name}#{number}", content[:MAX_BYTES])


def stream_mails(stream: BinaryIO) -> Iterator[Mail]:
    """The one mail on a stream, as mail servers pipe it into a command; none if it is empty."""
    if content := stream.read(MAX_BYTES):
        yield Mail("standard input", content)
