"""What SQLite needs beside its own files: a thread that syncs, and a queue for writers.

Sync: a mark is committed in SQLite's mode NORMAL, which hands it to the operating system, where a
killed process cannot lose it. A thread syncs the journal to the disk a moment later, so that no
letter waits for the disk (https://www.sqlite.org/pragma.html#pragma_synchronous).

Queue: SQLite admits one writer at a time; the others look again after 1, 2, 5, 10 … 100
milliseconds (https://www.sqlite.org/src/file/src/main.c, ``sqliteDefaultBusyCallback``). Two
senders with transactions of less than a millisecond would mostly wait. So they queue for a lock of
the operating system first, and look for it more often. The queue only saves time: SQLite itself
keeps writers apart.
"""

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Lock, Thread

from newsletter.errors import StoreError

SYNC_PAUSE = 0.01  # seconds between two syncs

FIRST_PAUSE = 0.0002
"""Seconds before the second look for the lock; a letter's own transaction takes a few of these."""

LONGEST_PAUSE = 0.002  # the longest pause between two looks, in seconds

QUEUE_TIMEOUT = 0.5
"""The longest wait in the queue, in seconds. A process that holds the lock longer writes much, or
is suspended. The writer then asks SQLite anyway, whose own timeout raises an error."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str | None:
    """The first half of the UUID of this start of the machine (random(4)); None without one."""
    try:
        return _BOOT_ID.read_text(encoding="ascii")[:18]
    except OSError:
        return None


class DiskSync:
    """Syncs an SQLite file's journal to the disk soon after each commit.

    Args:
        journal: the write-ahead log of an SQLite file.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        # All waiting is done outside of Python, because letters pay for each call. The lock is
        # held until this is closed.
        self._written, self._closed = SimpleQueue[None](), Lock()
        self._failure: OSError | None = None
        self._thread: Thread | None = None

    def check(self) -> None:
        """Check that everything written before has reached the disk.

        Raises:
            StoreError: a sync has failed. That is final: a system may forget what it could not
                write, and report success the next time.
        """
        if self._failure is not None:
            raise StoreError(
                f"{self._journal} cannot be written to the disk: {self._failure}. See whether the "
                "disk is full, over a quota or failing, and start again. Until then nothing more "
                "is sent, because the last records may be lost."
            ) from self._failure

    def request(self) -> None:
        """Let the thread sync soon; the first call starts the thread."""
        if self._closed.acquire(blocking=False):  # only one of several first callers succeeds
            self._thread = Thread(target=self._run, name="disk", daemon=True)
            self._thread.start()
        if self._written.empty():
            self._written.put(None)

    def close(self) -> None:
        """Wait until everything is on the disk, and end the thread."""
        if self._thread is not None:
            self._closed.release()
            self._written.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while not self._closed.acquire(timeout=SYNC_PAUSE):
            self._written.get()
            self._sync()
        self._closed.release()
        self._sync()

    def _sync(self) -> None:
        try:
            descriptor = os.open(self._journal, os.O_RDWR)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            pass  # SQLite has moved the whole journal into the database
        except OSError as error:
            self._failure = error


class WriteQueue:
    """The queue for the writers of an SQLite file: the lock of an empty file beside it.

    The lock ends with its process. If the file cannot be made or locked (a read-only folder, a file
    system without such locks), there is no queue. The file may be deleted at any time.

    Args:
        database: the SQLite file.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self._path = f"{database}-queue"

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Wait at most ``QUEUE_TIMEOUT`` for the lock, and hold it during the block.

        Each call opens the file again, so the threads of one process queue, too.
        """
        try:
            descriptor = self._open()
        except OSError:
            yield
            return
        try:
            _wait_for_lock(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        try:
            return os.open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return self._create()

    def _create(self) -> int:
        """Create the file with the owner and mode of the database, as SQLite does with its own."""
        like = self._database.stat()
        descriptor = os.open(self._path, os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with contextlib.suppress(OSError):
            os.fchown(descriptor, like.st_uid, like.st_gid)
        with contextlib.suppress(OSError):
            os.fchmod(descriptor, stat.S_IMODE(like.st_mode))
        return descriptor


def _wait_for_lock(descriptor: int) -> None:
    """Lock the file, or give up after ``QUEUE_TIMEOUT``, or at once if it cannot be locked."""
    waited, pause = 0.0, FIRST_PAUSE
    while waited < QUEUE_TIMEOUT:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            Event().wait(pause)
            waited, pause = waited + pause, min(2 * pause, LONGEST_PAUSE)
        except OSError:
            return
        else:
            return
