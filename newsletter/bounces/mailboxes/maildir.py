"""A Maildir: one file a mail, in the folders new and cur."""

import contextlib
import mailbox
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path

from typing_extensions import override

from newsletter.bounces.mailboxes.mailbox import MAX_BYTES, Mail, Mailbox, OpenMailbox
from newsletter.errors import UsageError

_FORBIDDEN = " (not readable)"


@dataclass(frozen=True, slots=True)
class Maildir(Mailbox, OpenMailbox):
    """A Maildir. A processed mail moves to ``cur`` with the flag S, which mail programs show."""

    path: Path

    @property
    @override
    def name(self) -> str:
        return f"maildir:{self.path.absolute()}"

    @override
    @contextlib.contextmanager
    def open(self) -> Iterator["Maildir"]:
        yield self

    @override
    def mails(self, known: Collection[str] = (), again: Collection[str] = ()) -> Iterator[Mail]:
        for path in self.files():
            name = _name(path)
            if name in known and name not in again:
                continue
            try:
                with path.open("rb") as file:
                    content = file.read(MAX_BYTES)
            except FileNotFoundError:  # another process was faster
                continue
            except PermissionError:  # under another name: it is read once it may be
                name, content = name + _FORBIDDEN, b""
                if name in known and name not in again:
                    continue
            yield Mail(name, content, partial(_mark_seen, path))

    @override
    def count_new(self, known: Collection[str]) -> int:
        return sum(_name(path) not in known for path in self.files())

    @override
    def look(self, keys: Collection[str]) -> Mapping[str, bool]:
        seen = {_name(path): "S" in _flags(path) for path in self.files()}
        seen |= {name + _FORBIDDEN: False for name in seen if name not in keys}
        return {key: seen[key] for key in keys if key in seen}

    def files(self) -> list[Path]:
        """The files of all mails, oldest first.

        Raises:
            UsageError: there is no Maildir, or it cannot be read.
        """
        try:
            paths = [p for folder in ("new", "cur") for p in (self.path / folder).iterdir()]
        except OSError as error:
            raise UsageError(
                f"{self.path}: no Maildir can be read there ({error.strerror}); "
                "it has the folders new, cur and tmp, and the newsletter's user can write to them"
            ) from error
        mails = (path for path in paths if not path.name.startswith(".") and path.is_file())
        return sorted(mails, key=attrgetter("name"))

    def keep(self, content: bytes) -> str:
        """Put a mail into the Maildir, which is made if need be; the mail's name.

        Raises:
            OSError: it cannot be written.
        """
        for folder in ("tmp", "new", "cur"):
            (self.path / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.closing(mailbox.Maildir(self.path)) as box:
            return box.add(content)


def _name(path: Path) -> str:
    return path.name.partition(":")[0]


def _flags(path: Path) -> str:
    return path.name.partition(":2,")[2]


def _mark_seen(path: Path) -> None:
    flags = "".join(sorted({*_flags(path), "S"}))
    try:
        path.rename(path.parents[1] / "cur" / f"{_name(path)}:2,{flags}")
    except FileNotFoundError:
        return  # another process was faster
    except OSError as error:
        raise UsageError(
            f"{path}: was counted and cannot be marked as seen ({error.strerror}); "
            "let the newsletter's user write in new and cur"
        ) from error
