"""Keeps the servers' raw answers of the last days in a SQLite file of their own.

They have two uses. A request names the version that is kept, so that a server whose list is the
same may say so (RFC 9110, 13.1); and a parser that was mended can read an earlier day again. If
the file fails (a full disk, a lock, damaged bytes), answers are requested in full; no fetch fails.
"""

import asyncio
import hashlib
import json
import logging
import sqlite3
import threading
import zlib
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TypeVar

from newsletter.ports import Clock

KEPT_FOR = timedelta(days=7)
"""An answer is deleted this long after it was last given."""

KEPT_BYTES = 200 * 1024 * 1024
"""All answers together, compressed; the oldest are deleted first."""

_LOCK_WAIT = 2.0  # seconds to wait for another process that is writing

_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    first REAL NOT NULL,
    last REAL NOT NULL,
    size INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    digest BLOB NOT NULL,
    status INTEGER NOT NULL,
    url TEXT NOT NULL,
    headers TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS by_key ON answers (key);
CREATE INDEX IF NOT EXISTS by_age ON answers (last, id, size);
"""
"""``first`` and ``last``: when the body came first, and when the server last said the same, in
seconds since 1970. ``accepted``: 0 if it was no listing that could be read."""

_PRUNE = """
DELETE FROM answers WHERE last < ? OR id IN (
    SELECT id FROM (SELECT id, sum(size) OVER (ORDER BY last DESC, id DESC) AS total FROM answers)
    WHERE total > ?)
"""

_LAST = """
SELECT id, status, headers, url, accepted, last FROM answers WHERE key = ? ORDER BY id DESC LIMIT 1
"""

_LAST_BETWEEN = """
SELECT id, status, headers, url, body FROM answers WHERE key = ? AND last >= ? AND first < ?
ORDER BY accepted DESC, id DESC LIMIT 1
"""

_log = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's answer, its body decoded; ``url`` is the address it came from, after redirects."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """The kept answer that a server is asked to compare with; its body stays in the file."""

    row: int
    answer: Answer

    def validators(self, url: str) -> Mapping[str, str]:
        """The headers that make a request to this address conditional; none for another one."""
        if url != self.answer.url:
            return {}
        names = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}
        headers = self.answer.headers
        return {names[name]: headers[name] for name in names if headers.get(name)}


def answer_key(url: str, headers: Mapping[str, str]) -> str:
    """What an answer is kept under: the address and the source's own headers, as a digest."""
    named = sorted((name.lower(), value) for name, value in headers.items())
    return hashlib.blake2b(json.dumps([url, named]).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class KeptAnswers:
    """The answers in one file; several processes may use it at once. Without a path, none."""

    path: Path | None
    clock: Clock
    max_bytes: int = KEPT_BYTES
    _lock: threading.Lock = field(default_factory=threading.Lock)

    async def version(self, key: str) -> Version | None:
        """The last answer under a key, without its body; None if it was refused.

        Also None if it was given on an earlier day (UTC): some servers call a list unchanged
        although it is not, so once a day it is asked for in full.
        """

        def read(db: sqlite3.Connection) -> Version | None:
            row = db.execute(_LAST, (key,)).fetchone()
            if not row or not row[4]:
                return None
            given = datetime.fromtimestamp(row[5], UTC).date()
            return Version(row[0], _answer(row, b"")) if given == self.clock.now().date() else None

        return await self._run(read)

    async def again(self, version: Version, headers: Mapping[str, str]) -> Answer | None:
        """The answer that has not changed, as the server says, with the headers it sent now.

        None if it was deleted meanwhile.
        """

        def read(db: sqlite3.Connection) -> bytes | None:
            query = "SELECT body FROM answers WHERE id = ?"
            row = db.execute(query, (version.row,)).fetchone()
            return zlib.decompress(row[0]) if row else None

        body = await self._run(read)
        # Headers about the body, which was not sent, may be wrong (RFC 9110, 15.4.5).
        newer = {name: text for name, text in headers.items() if not name.startswith("content-")}
        answer = replace(version.answer, headers={**version.answer.headers, **newer})
        return None if body is None else replace(answer, body=body)

    async def on(self, key: str, day: date) -> Answer | None:
        """The last answer that was given on a day (UTC); a refused one only if there is no other.

        An answer that came again unchanged was given on all the days between.
        """
        start = datetime.combine(day, time(), UTC)

        def read(db: sqlite3.Connection) -> Answer | None:
            times = start.timestamp(), (start + timedelta(days=1)).timestamp()
            row = db.execute(_LAST_BETWEEN, (key, *times)).fetchone()
            return _answer(row, zlib.decompress(row[4])) if row else None

        return await self._run(read)

    async def keep(self, key: str, answer: Answer, *, accepted: bool) -> None:
        """Keep an answer. After a refused one, the next request names none to the server."""

        def write(db: sqlite3.Connection) -> None:
            now = self.clock.now().timestamp()
            digest = hashlib.blake2b(answer.body, digest_size=16).digest()
            facts = (now, accepted, answer.status, answer.url, json.dumps(dict(answer.headers)))
            query = "SELECT id, digest FROM answers WHERE key = ? ORDER BY id DESC"
            row = db.execute(query, (key,)).fetchone()
            if row and row[1] == digest:
                db.execute(
                    "UPDATE answers SET last = ?, accepted = ?, status = ?, url = ?, headers = ?"
                    " WHERE id = ?",
                    (*facts, row[0]),
                )
                return
            body = zlib.compress(answer.body)
            db.execute(
                "INSERT INTO answers (last, accepted, status, url, headers, key, first, size,"
                " digest, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*facts, key, now, len(body), digest, body),
            )
            db.execute(_PRUNE, (now - KEPT_FOR.total_seconds(), self.max_bytes))

        await self._run(write)

    async def _run(self, action: Callable[[sqlite3.Connection], Result]) -> Result | None:
        """The result of one transaction, in a thread; None if the file fails."""
        if self.path is None:
            return None
        return await asyncio.to_thread(self._transaction, self.path, action)

    def _transaction(
        self, path: Path, action: Callable[[sqlite3.Connection], Result]
    ) -> Result | None:
        try:
            path.touch(mode=0o600)  # addresses in it may carry a key of the operator's
            with self._lock, closing(sqlite3.connect(path, timeout=_LOCK_WAIT)) as db, db:
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = OFF")  # the file may be lost
                db.executescript(_SCHEMA)
                return action(db)
        except (OSError, sqlite3.OperationalError) as error:  # locked, full, or read-only
            _log.debug("%s: %s", path, error)
        except (sqlite3.DatabaseError, zlib.error, ValueError) as error:
            _log.debug("%s is damaged, and a new one begins: %s", path, error)
            for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
                name.unlink(missing_ok=True)
        return None


def _answer(row: tuple[int, int, str, str], body: bytes) -> Answer:
    return Answer(row[1], json.loads(row[2]), body, row[3])
