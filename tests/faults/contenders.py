"""Who is tortured: the newsletter itself, and the usual ways beside it."""

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

Words = list[str]
"""A command line."""

LedgerEntry = tuple[str, int]
"""What a record says of a letter: its state, and how often it was in doubt."""


class Size(Protocol):
    """How large an issue is, and over how many connections it goes."""

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
        """What the table calls it."""

    def prepare(self, folder: Path, port: int, size: Size, store: str) -> list[Words]:
        """Write its files; the commands to run before it is tortured."""

    def sending(self, hands: Mapping[str, Any] | None) -> Words:
        """The command that sends the rest, under these controls if there are any."""

    def is_done(self, output: bytes) -> bool:
        """Whether a run that ended by itself says that nothing is left."""

    def ledger(self, store: str) -> Mapping[str, LedgerEntry]:
        """What its record says of each letter, by address; nothing where it keeps none."""

    def broken(self, store: str) -> set[str]:
        """What of its promise its record breaks, in words; nothing where it promises nothing."""

    def asking(self) -> Words | None:
        """The command that names the readers in doubt; None where there is none."""

    def named(self, output: bytes) -> set[str]:
        """The readers it names as not served, or in doubt."""


@dataclass(frozen=True, slots=True)
class Newsletter:
    """The newsletter's own command."""

    name: str = "newsletter"

    def prepare(self, folder: Path, port: int, size: Size, store: str) -> list[Words]:
        """The newsletter's files: the demo's listing and as many readers as letters."""
        smtp = {"host": "127.0.0.1", "port": port, "security": "none"}
        settings = {
            "name": "Torture",
            "sender": "papers@example.org",
            "schedule": {"days": "daily"},
            "store": store,
            "smtp": {**smtp, "connections": size.connections},
            "sources": [{"kind": "huggingface", "path": str(LISTING)}],
        }
        (folder / "newsletter.yaml").write_text(json.dumps(settings), encoding="utf-8")
        (folder / "subscribers.yaml").write_text("subscribers: []", encoding="utf-8")
        readers = "\n".join(f"reader{n}@example.org" for n in range(size.letters))
        (folder / "readers.csv").write_text(f"email\n{readers}\n", encoding="utf-8")
        return [self._command("subscribers", "import", "readers.csv")]

    def sending(self, hands: Mapping[str, Any] | None) -> Words:
        """``newsletter send``, as cron would run it."""
        words = ["send", "--date", DAY, "--yes", "--json"]
        return self._command(*words) if hands is None else controlled_command(hands, *words)

    def is_done(self, output: bytes) -> bool:
        """By the issue's state."""
        return json.loads(output)["state"] in {"done", "done_with_errors"}

    def ledger(self, store: str) -> Mapping[str, LedgerEntry]:
        """Its deliveries."""
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
        """What ``newsletter audit`` would find."""
        with contextlib.closing(open_store(store)) as opened:
            if not opened.waves(day := date.fromisoformat(DAY)):
                return set()
            proofs = opened.audit(day).proofs
        return {f"{proof.id}: {row}" for proof in proofs for row in proof.rows}

    def asking(self) -> Words | None:
        """``newsletter status``."""
        return self._command("status", DAY, "--json")

    def named(self, output: bytes) -> set[str]:
        """The readers that the status names."""
        return {reader["email"] for reader in json.loads(output)["readers"]}

    def _command(self, *words: str) -> Words:
        return [sys.executable, "-m", "newsletter", *words]


@dataclass
class Baseline:
    """One of the usual ways; it names nobody, since it knows of nobody."""

    name: str

    def prepare(self, folder: Path, port: int, size: Size, store: str) -> list[Words]:
        """A database of readers."""
        del store
        create_database(folder / "scheme.db", size.letters)
        self._words = [self.name, "scheme.db", str(port), str(size.connections)]
        return []

    def sending(self, hands: Mapping[str, Any] | None) -> Words:
        """The scheme's program."""
        del hands
        return [sys.executable, "-m", "tests.faults.baselines", *self._words]

    def is_done(self, output: bytes) -> bool:
        """It ends when nothing is left."""
        del output
        return True

    def ledger(self, store: str) -> Mapping[str, LedgerEntry]:
        """It keeps none that could be read."""
        del store
        return {}

    def broken(self, store: str) -> set[str]:
        """It promises nothing."""
        del store
        return set()

    def asking(self) -> Words | None:
        """It cannot be asked."""
        return None

    def named(self, output: bytes) -> set[str]:
        """Nobody."""
        del output
        return set()


def controlled_command(hands: Mapping[str, Any], *words: str) -> Words:
    """The newsletter's command under these controls of :mod:`tests.faults.command`."""
    return [sys.executable, "-m", "tests.faults.command", json.dumps(hands), *words]


CONTENDERS: dict[str, Contender] = {
    "newsletter": Newsletter(),
    "cursor": Baseline("cursor"),
    "after": Baseline("after"),
}
