"""Where the mail that came back lies: a Maildir, an mbox, a stream.

Each gives its mails one by one. A mail that was read is told so by ``done``: a Maildir puts it
among the seen ones; an mbox and a stream stay as they are.
"""

import contextlib
import mailbox
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from newsletter.errors import UsageError

LARGEST = 2**20
"""Octets of a mail that are read; its reports stand before the letter it brings back."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail: what it is called where it lies, its first octets, and how to put it away."""

    name: str
    content: bytes
    done: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Maildir:
    """A Maildir: mails in ``new``, and in ``cur`` without the flag S, are not read yet.

    A read mail is renamed into ``cur`` with the flag S, as every mail program knows it.
    """

    path: Path

    def mails(self, passed: Collection[str] = ()) -> Iterator[Mail]:
        """The mails that are not read yet, oldest first, but for those called as in ``passed``.

        Raises:
            UsageError: there is no Maildir, or it cannot be read.
        """
        for path in self.unread():
            name = path.name.partition(":")[0]
            if name in passed:
                continue
            with contextlib.suppress(FileNotFoundError):  # another reader was faster
                yield Mail(name, _first(path), partial(_seen, path))

    def unread(self) -> list[Path]:
        """The files of mails that are not read yet, oldest first.

        Raises:
            UsageError: there is no Maildir, or it cannot be read.
        """
        try:
            new = [path for path in (self.path / "new").iterdir() if _is_mail(path)]
            cur = [path for path in (self.path / "cur").iterdir() if _is_mail(path)]
        except OSError as error:
            raise UsageError(
                f"{self.path}: no Maildir can be read there ({error.strerror}); "
                "it has the folders new, cur and tmp, all of them ours to write"
            ) from error
        return sorted([*new, *(path for path in cur if "S" not in _flags(path))], key=_name)


def _name(path: Path) -> str:
    return path.name


def _is_mail(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".")


def _flags(path: Path) -> str:
    return path.name.partition(":2,")[2]


def _first(path: Path) -> bytes:
    """A mail's first octets; none where it is not ours to read."""
    try:
        with path.open("rb") as file:
            return file.read(LARGEST)
    except PermissionError:
        return b""


def _seen(path: Path) -> None:
    flags = "".join(sorted({*_flags(path), "S"}))
    name = path.name.partition(":")[0]
    try:
        path.rename(path.parents[1] / "cur" / f"{name}:2,{flags}")
    except FileNotFoundError:
        return  # another reader was faster
    except OSError as error:
        raise UsageError(
            f"{path}: was counted and cannot be put away ({error.strerror}); "
            "let the newsletter's user write in new and cur"
        ) from error


@dataclass(frozen=True, slots=True)
class Mbox:
    """An mbox file; it is never written to."""

    path: Path

    def mails(self) -> Iterator[Mail]:
        """All mails.

        Raises:
            UsageError: there is no mbox, or it cannot be read.
        """
        try:
            with contextlib.closing(mailbox.mbox(self.path, create=False)) as box:
                found = [
                    (str(number), box.get_bytes(key))
                    for number, key in enumerate(box.iterkeys(), 1)
                ]
        except (OSError, mailbox.Error) as error:
            raise UsageError(f"{self.path}: no mbox can be read there: {error}") from error
        if not found and self.path.stat().st_size:
            raise UsageError(f"{self.path} is no mbox: no line of it begins with 'From '")
        for number, content in found:
            yield Mail(f"{self.path.name}#{number}", content[:LARGEST], _stays)


@dataclass(frozen=True, slots=True)
class Stream:
    """One mail on a stream, as mail servers pipe it into a command."""

    stream: BinaryIO

    def mails(self) -> Iterator[Mail]:
        """The mail, unless the stream is empty."""
        if content := self.stream.read(LARGEST):
            yield Mail("standard input", content, _stays)


def _stays() -> None:
    """Leave it where it is."""
