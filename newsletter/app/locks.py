"""Which runs are still alive: each holds a lock of the operating system that ends with its process.

So a process that died on this machine is known at once. Runs of other machines, or of other
folders, are known to be over only when their leases in the store have ended.
"""

import contextlib
import fcntl
import hashlib
import os
import socket
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path


class FileRunLock:
    """A :class:`newsletter.ports.RunLock` that locks a file in a folder which all runs share.

    Attributes:
        name: the run's name; it begins with a hash of the machine and folder.

    ``command`` is what the process does, for :func:`live_processes`.
    """

    def __init__(self, folder: Path, run: str, command: str = "") -> None:
        place = f"{socket.gethostname()}:{folder.absolute()}"
        # Runs that share this hash of machine and folder can see each other's locks.
        self._family = hashlib.blake2b(place.encode(), digest_size=6).hexdigest()
        self._folder = folder
        self._command = command
        self.name = f"{self._family}-{run}"

    @contextlib.contextmanager
    def holding(self) -> Iterator["FileRunLock"]:
        """Hold the lock until the block ends."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(self.name)
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(f"{os.getpid()} {_namespace()} {self._command}")
            file.flush()
            try:
                yield self
            finally:
                path.unlink(missing_ok=True)

    def gone(self, runs: Collection[str]) -> frozenset[str]:
        """Those of these runs whose process on this machine has ended."""
        family = (run for run in runs if run.startswith(f"{self._family}-"))
        return frozenset(run for run in family if run != self.name and not self._is_held(run))

    def _is_held(self, run: str) -> bool:
        try:
            with self._path(run).open("r+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        self._path(run).unlink(missing_ok=True)
        return False

    def _path(self, run: str) -> Path:
        return self._folder / f"{run}.lock"


@dataclass(frozen=True, slots=True)
class LiveProcess:
    """A process that holds a lock.

    Attributes:
        id: its number; in another container, the number there.
        command: what it does, such as ``run``.
        is_here: whether its number is that of a process here, and not in another container.
    """

    id: int
    command: str
    is_here: bool


def live_processes(folder: Path) -> list[LiveProcess]:
    """The processes of this machine that hold a lock in a folder now, each once."""
    found = set()
    for path in folder.glob("*.lock"):
        with contextlib.suppress(FileNotFoundError), path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                number, _, rest = file.read().partition(" ")
                namespace, _, command = rest.partition(" ")
                if number.isdecimal():
                    found.add(LiveProcess(int(number), command, namespace == _namespace()))
    return sorted(found, key=lambda each: each.id)


def _namespace() -> str:
    """What tells the numbers of processes here from those of another container (Linux)."""
    with contextlib.suppress(OSError):
        return str(Path("/proc/self/ns/pid").readlink())
    return socket.gethostname()
