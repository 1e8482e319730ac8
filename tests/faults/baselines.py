"""Two usual ways to remember what was sent, as programs to compare the newsletter with.

``python -m tests.faults.baselines cursor|after DATABASE PORT CONNECTIONS``

*cursor* moves a cursor when it fetches a batch, as newsletter engines do; *after* records each
letter once it is sent, as feed mailers do. Both send what is not recorded as sent, and end.
"""

import sqlite3
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from smtplib import SMTP

BATCH = 100
MESSAGE = (
    "From: papers@example.org\r\nTo: {email}\r\nSubject: Issue\r\n"
    "Message-ID: <issue.{email}>\r\n\r\n" + ("y" * 74 + "\r\n") * 400
)


def create_database(path: Path, letters: int) -> None:
    """Create a database with this many readers and nothing sent."""
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE readers (id INTEGER PRIMARY KEY, email TEXT, sent INTEGER)")
        database.execute("CREATE TABLE cursor (at INTEGER)")
        database.execute("INSERT INTO cursor VALUES (0)")
        rows = ((n + 1, f"reader{n}@example.org") for n in range(letters))
        database.executemany("INSERT INTO readers VALUES (?, ?, 0)", rows)
    database.close()


class Scheme:
    """One way to remember what was sent, in one database."""

    def __init__(self, name: str, path: str, port: int, connections: int) -> None:
        self.name, self.port, self.connections = name, port, connections
        self.database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self.database.execute("PRAGMA synchronous=FULL")
        self.lock = threading.Lock()
        self.local = threading.local()

    def run(self) -> None:
        """Send everything that is not recorded as sent."""
        with ThreadPoolExecutor(self.connections) as hands:
            for batch in self.batches():
                list(hands.map(self.send, batch))

    def batches(self) -> Iterator[list[tuple[int, str]]]:
        """Yield the readers without a recorded letter, in batches."""
        after = self.name == "after"
        left = (
            "SELECT id, email FROM readers WHERE sent = 0 ORDER BY id LIMIT ?"
            if after
            else "SELECT id, email FROM readers WHERE id > (SELECT at FROM cursor) LIMIT ?"
        )
        while batch := self.database.execute(left, (BATCH,)).fetchall():
            if not after:
                self.database.execute("UPDATE cursor SET at = ?", (batch[-1][0],))
            yield batch

    def send(self, reader: tuple[int, str]) -> None:
        """Send one letter over this thread's connection; ``after`` records it."""
        number, email = reader
        if not hasattr(self.local, "smtp"):
            self.local.smtp = SMTP("127.0.0.1", self.port)
        self.local.smtp.sendmail("papers@example.org", [email], MESSAGE.format(email=email))
        if self.name == "after":
            with self.lock:
                self.database.execute("UPDATE readers SET sent = 1 WHERE id = ?", (number,))


if __name__ == "__main__":
    Scheme(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])).run()
