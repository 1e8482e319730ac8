"""The writers of an SQLite file, one after the other.

SQLite lets one write at a time, and who waits looks again after 1, 2, 5, 10 … 100 milliseconds
(https://www.sqlite.org/src/file/src/main.c, ``sqliteDefaultBusyCallback``): of two senders, whose
transactions take less than one, each waits for longer than the other writes. So they queue for an
operating-system lock before they ask SQLite, and look for it more often.

The queue makes nothing safe, it only saves time: that one writes at a time SQLite sees to.
"""

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from threading import Event

PAUSE = 0.0002
"""Seconds between two looks, the first time; a letter's own transaction takes a few of these."""

LONGEST_PAUSE = 0.002
"""Seconds between two looks after some in vain."""

PATIENCE = 0.5
"""Seconds in the queue. Who holds it for longer writes much, or is stopped: then SQLite is asked,
whose own patience ends with an error."""


class Writers:
    """The queue for an SQLite file: an empty file beside it, which is locked by who writes.

    The lock ends with its process. Where the file cannot be made or locked (a folder that is not
    ours to write in, a file system that knows no such locks), nobody queues. It may be deleted at
    any time.

    Args:
        database: the SQLite file.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self._path = f"{database}-queue"

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for one's turn, at most ``PATIENCE``, and keep it until the block ends.

        Each turn opens the file for itself: so the threads of one process queue, too.
        """
        with contextlib.ExitStack() as turn:
            with contextlib.suppress(OSError):
                descriptor = self._opened()
                turn.callback(os.close, descriptor)
                _wait(descriptor)
            yield

    def _opened(self) -> int:
        with contextlib.suppress(FileNotFoundError):
            return os.open(self._path, os.O_RDONLY)
        return self._made()

    def _made(self) -> int:
        """The file, made as SQLite makes its own beside a database: for those who may use that."""
        like = self._database.stat()
        descriptor = os.open(self._path, os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with contextlib.suppress(OSError):
            os.fchown(descriptor, like.st_uid, like.st_gid)
        with contextlib.suppress(OSError):
            os.fchmod(descriptor, stat.S_IMODE(like.st_mode))
        return descriptor


def _wait(descriptor: int) -> None:
    """Lock it, or give up: as soon as it is known that it cannot be, or after ``PATIENCE``."""
    waited, pause = 0.0, PAUSE
    while waited < PATIENCE:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            Event().wait(pause)
            waited, pause = waited + pause, min(2 * pause, LONGEST_PAUSE)
        except OSError:
            return
        else:
            return
