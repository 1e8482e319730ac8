"""The queue of an SQLite file's writers: order, fallback without it, and the file it leaves."""

import contextlib
import fcntl
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from newsletter.stores import open_store
from newsletter.stores.sql.engine import Database
from newsletter.stores.sql.sqlite_files import WriteQueue
from tests.support.databases import new_sqlite_store
from tests.support.factories import NOON, subscriber

HOLDER_SCRIPT = """
import fcntl, sys
queue = open(sys.argv[1])
fcntl.flock(queue, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return Path(new_sqlite_store(tmp_path).removeprefix("sqlite:///"))


@contextlib.contextmanager
def other_writer(queue: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds a queue, until the block ends: then it is killed."""
    pipe = subprocess.PIPE
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", HOLDER_SCRIPT, queue], stdin=pipe, stdout=pipe
    ) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == b"held\n"
            yield other
        finally:
            other.kill()


def queue_file(file: Path) -> Path:
    return file.with_name(f"{file.name}-queue")


def is_held(queue: Path) -> bool:
    with queue.open() as ours:
        try:
            fcntl.flock(ours, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def write(file: Path, email: str = "ada@example.org") -> None:
    """Write in a transaction, and check that it is stored."""
    store = open_store(f"sqlite:///{file}")
    store.sync_subscribers([subscriber(email)], now=NOON)
    assert [reader.subscriber.email for reader in store.readers(emails=[email])] == [email]
    store.close()


def test_writers_queue_with_any_user_of_the_database(
    file: Path,
) -> None:
    file.chmod(0o640)
    database = Database(f"sqlite:///{file}")
    for writing in (database.writing, database.writing_fast):
        with writing():
            assert is_held(queue_file(file))
        assert not is_held(queue_file(file))
    assert stat.S_IMODE(queue_file(file).stat().st_mode) == 0o640
    database.close()


def test_readers_do_not_queue(file: Path) -> None:
    database = Database(f"sqlite:///{file}")
    with database.reading():
        assert not queue_file(file).exists()
    database.close()


def test_queue_file_may_be_deleted_at_any_time(file: Path) -> None:
    write(file)
    queue_file(file).unlink()
    write(file, "grace@example.org")
    assert queue_file(file).exists()


def test_threads_of_one_process_queue_too(file: Path) -> None:
    writers, order = WriteQueue(file), list[str]()

    def second() -> None:
        with writers.turn():
            order.append("second")

    with writers.turn():
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.05)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_nested_transaction_of_one_thread_does_not_hang(file: Path) -> None:
    writers = WriteQueue(file)
    with writers.turn(), writers.turn():
        assert is_held(queue_file(file))


def test_suspended_process_in_the_queue_blocks_nobody(file: Path) -> None:
    write(file)
    with other_writer(queue_file(file)) as other:
        os.kill(other.pid, signal.SIGSTOP)
        write(file, "grace@example.org")
        assert is_held(queue_file(file))


def test_dead_process_leaves_the_queue(file: Path) -> None:
    write(file)
    with other_writer(queue_file(file)) as other:
        assert is_held(queue_file(file))
        other.kill()
        other.wait()
        assert not is_held(queue_file(file))


def test_writes_work_where_no_queue_can_be_made(file: Path) -> None:
    queue_file(file).symlink_to("nowhere/at/all")
    write(file)
    assert not queue_file(file).exists()
