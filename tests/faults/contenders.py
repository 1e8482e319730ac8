"""The senders to torture: the newsletter itself, and two simpler programs to compare with."""

import contextlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import create_engine, make_url, select

from newsletter.stores import open_store
from newsletter.stores.sql.schema import deliveries, readers
from tests.faults.baselines import create_database

ROOT = Path(__file__).parents[2]
DAY = "2026-08-12"
LISTING = ROOT / "newsletter" / "data" / "demo" / "listing.json"


@dataclass(frozen=True, slots=True)
class Call:
    """The words of a command, with controls of :mod:`tests.faults.command` if there are any."""

    words: tuple[str, ...]
    controls: Mapping[str, Any] | None = None
    module: str = "newsletter"

    @property
    def line(self) -> list[str]:
        """The command line that runs it."""
        if self.controls is None:
            return [sys.executable, "-m", self.module, *self.words]
        controls = json.dumps(self.controls)
        return [sys.executable, "-m", "tests.faults.command", controls, *self.words]


LedgerEntry = tuple[str, int]
"""The state of a letter, and how often it was in doubt."""


class Size(Protocol):
    """The number of letters of an issue and the number of connections."""

    @property
    def letters(self) -> int:
        """How many readers there are."""

    @property
    def connections(self) -> int:
        """How many letters are under way at once."""


class Contender(Protocol):
    """A sender that can be killed and run again."""

    @property
    def name(self) -> str:
        """The heading of its column."""

    def prepare(self, folder: Path, port: int, size: Size, store: str) -> list[Call]:
        """Write its files and return the commands to run before the torture."""

    def send_command(self, controls: Mapping[str, Any] | None) -> Call:
        """The command that sends the rest, under these controls if there are any."""

    def is_done(self, output: bytes) -> bool:
        """Whether the output of a run says that nothing is left to send."""

    def ledger(self, store: str) -> Mapping[str, LedgerEntry]:
        """Its record of each letter by address; empty if it keeps none."""

    def broken(self, store: str) -> set[str]:
        """The broken invariants of its record, in words."""

    def report_command(self) -> Call | None:
        """The command that names the readers in doubt; None if there is none."""

    def unserved(self, output: bytes) -> set[str]:
        """The readers that the output of :meth:`report_command` names as not served or in doubt."""


@dataclass(frozen=True, slots=True)
class Newsletter:
    """The newsletter's own command."""

    name: str = "newsletter"

    def prepare(self, folder: Path, port: int, size: Size, store: str) -> list[Call]:
        """Write a newsletter with the demo's listing and one reader per letter."""
        smtp = {"host": "127.0.0.1", "port": port, "security": "none"}
        settings = {
            "name": "Torture",
            "sender": "papers@example.org",
            "reply_to": "editor@example.org",
            "schedule": {"days": "daily"},
            "store": store,
            "smtp": {**smtp, "connections": size.connections},
            "sources": [{"kind": "huggingface", "path": str(LISTING)}],
        }
        (folder / "newsletter.yaml").write_text(json.dumps(settings), encoding="utf-8")
        (folder / "subscribers.yaml").write_text("subscribers: []", encoding="utf-8")
        readers = "\n".join(f"reader{n}@example.org" for n in range(size.letters))
        (folder / "readers.csv").write_text(f"email\n{readers}\n", encoding="utf-8")
        return [Call(("subscribers", "import", "readers.csv"))]

    def send_command(self, controls: Mapping[str, Any] | None) -> Call:
        """The command ``newsletter send``, as cron would run it."""
        return Call(("send", "--date", DAY, "--yes", "--json"), controls)

    def is_done(self, output: bytes) -> bool:
        """True once the issue is done."""
        return json.loads(output)["state"] in {"done", "done_with_errors"}

    def ledger(self, store: str) -> Mapping[str, LedgerEntry]:
        """The rows of its table of deliveries."""
        query = select(readers.c.email, deliveries.c.state, deliveries.c.doubts).join(
            deliveries, deliveries.c.reader == readers.c.id
        )
        url = make_url(store)
        driver = "sqlite" if url.drivername == "sqlite" else "postgresql+psycopg"
        engine = create_engine(url.set(drivername=driver))
        with engine.begin() as connection:
            found = {row.email: (row.state, row.doubts) for row in connection.execute(query)}
        engine.dispose()
        return found

    def broken(self, store: str) -> set[str]:
        """The violations that ``newsletter audit`` would list."""
        with contextlib.closing(open_store(store)) as opened:
            if not opened.waves(day := date.fromisoformat(DAY)):
                return set()
            proofs = opened.audit(day).proofs
        return {f"{proof.id}: {row}" for proof in proofs for row in proof.rows}

    def report_command(self) -> Call | None:
        """The command ``newsletter status``."""
        return Call(("status", DAY, "--json"))

    def unserved(self, output: bytes) -> set[str]:
        """The readers in the output of ``newsletter status``."""
        return {reader["email"] for reader in json.loads(output)["readers"]}


@dataclass
class Baseline:
    """A program of :mod:`tests.faults.baselines`; it keeps no record of single letters."""

    name: str

    def prepare(self, folder: Path, port: int, size: Size, store: str) -> list[Call]:
        """Create its database of readers."""
        del store
        create_database(folder / "scheme.db", size.letters)
        self._words = (self.name, "scheme.db", str(port), str(size.connections))
        return []

    def send_command(self, controls: Mapping[str, Any] | None) -> Call:
        """The command that runs it."""
        del controls
        return Call(self._words, module="tests.faults.baselines")

    def is_done(self, output: bytes) -> bool:
        """Always true: it ends only when nothing is left."""
        del output
        return True

    def ledger(self, store: str) -> Mapping[str, LedgerEntry]:
        """Empty: it keeps no record that could be read."""
        del store
        return {}

    def broken(self, store: str) -> set[str]:
        """Empty: it promises nothing."""
        del store
        return set()

    def report_command(self) -> Call | None:
        """None: it cannot report."""
        return None

    def unserved(self, output: bytes) -> set[str]:
        """Nobody."""
        del output
        return set()


CONTENDERS: dict[str, Contender] = {
    "newsletter": Newsletter(),
    "cursor": Baseline("cursor"),
    "after": Baseline("after"),
}
