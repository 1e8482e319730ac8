"""The disk: what is written swiftly follows there in a thread, so that no letter waits for it."""

import os
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread

from newsletter.errors import StoreError

REST = 0.01
"""Seconds from one time the disk is written to until the next."""


class Disk:
    """Brings an SQLite file's journal to the disk soon after something was written to it.

    In the mode NORMAL a commit reaches the system, where a killed process cannot lose it, and
    SQLite syncs the journal some time later (https://www.sqlite.org/pragma.html#pragma_synchronous).

    Args:
        journal: the write-ahead log of an SQLite file.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        # The letters pay a call for either: all waiting is done outside of Python. The lock is
        # held until this is closed.
        self._written, self._closed = SimpleQueue[None](), Lock()
        self._failure: OSError | None = None
        self._thread: Thread | None = None

    def check(self) -> None:
        """See that the disk takes what it is given.

        Raises:
            StoreError: it did not take what was written before. That holds for good: a system may
                forget what it could not write, and call the next try a success.
        """
        if self._failure is not None:
            raise StoreError(
                f"{self._journal} does not reach the disk: {self._failure}. See whether the disk "
                "is full, over a quota or failing, mend that, and start this again: what did not "
                "reach it once is not known to be there, so nothing more is sent until then."
            ) from self._failure

    def follow(self) -> None:
        """Let the disk have what was committed until now, soon."""
        if self._closed.acquire(blocking=False):  # one of those who come first
            self._thread = Thread(target=self._run, name="disk", daemon=True)
            self._thread.start()
        if self._written.empty():
            self._written.put(None)

    def close(self) -> None:
        """Wait until all of it is there."""
        if self._thread is not None:
            self._closed.release()
            self._written.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while not self._closed.acquire(timeout=REST):
            self._written.get()
            self._bring()
        self._closed.release()
        self._bring()

    def _bring(self) -> None:
        try:
            _sync(self._journal)
        except FileNotFoundError:
            pass  # SQLite has put all of it into the file itself
        except OSError as error:
            self._failure = error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
