"""Who is tortured: the newsletter itself, and the usual ways beside it."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.schemes import prepared

ROOT = Path(__file__).parents[1]
DAY = "2026-08-12"
LISTING = ROOT / "newsletter" / "data" / "demo" / "listing.json"

Words = list[str]
"""A command line."""


class Contender(Protocol):
    """A sender that can be killed and run again."""

    @property
    def name(self) -> str:
        """What the table calls it."""

    def prepare(self, folder: Path, port: int, letters: int, connections: int) -> list[Words]:
        """Write its files; the commands to run before it is tortured."""

    def sending(self) -> Words:
        """The command that sends what is left."""

    def is_done(self, output: bytes) -> bool:
        """Whether a run that ended by itself says that nothing is left."""

    def asking(self) -> Words | None:
        """The command that names the readers in doubt; None where there is none."""

    def named(self, output: bytes) -> set[str]:
        """The readers it names as not served, or in doubt."""


@dataclass(frozen=True, slots=True)
class Newsletter:
    """The newsletter's own command."""

    name: str = "newsletter"

    def prepare(self, folder: Path, port: int, letters: int, connections: int) -> list[Words]:
        """The newsletter's files: the demo's listing and as many readers as letters."""
        smtp = {"host": "127.0.0.1", "port": port, "security": "none", "connections": connections}
        settings = {
            "name": "Torture",
            "sender": "papers@example.org",
            "schedule": {"days": "daily"},
            "smtp": smtp,
            "sources": [{"kind": "huggingface", "path": str(LISTING)}],
        }
        (folder / "newsletter.yaml").write_text(json.dumps(settings), encoding="utf-8")
        (folder / "subscribers.yaml").write_text("subscribers: []", encoding="utf-8")
        readers = "\n".join(f"reader{n}@example.org" for n in range(letters))
        (folder / "readers.csv").write_text(f"email\n{readers}\n", encoding="utf-8")
        return [self._command("subscribers", "import", "readers.csv")]

    def sending(self) -> Words:
        """``newsletter send``, as cron would run it."""
        return self._command("send", "--date", DAY, "--yes", "--json")

    def is_done(self, output: bytes) -> bool:
        """By the issue's state."""
        return json.loads(output)["state"] in {"done", "done_with_errors"}

    def asking(self) -> Words | None:
        """``newsletter status``."""
        return self._command("status", DAY, "--json")

    def named(self, output: bytes) -> set[str]:
        """The readers that the status names."""
        return {reader["email"] for reader in json.loads(output)["readers"]}

    def _command(self, *words: str) -> Words:
        return [sys.executable, "-m", "newsletter", *words]


@dataclass
class Usual:
    """One of the usual ways; it names nobody, since it knows of nobody."""

    name: str

    def prepare(self, folder: Path, port: int, letters: int, connections: int) -> list[Words]:
        """A database of readers."""
        prepared(folder / "scheme.db", letters)
        self._words = [self.name, "scheme.db", str(port), str(connections)]
        return []

    def sending(self) -> Words:
        """The scheme's program."""
        return [sys.executable, "-m", "bench.schemes", *self._words]

    def is_done(self, output: bytes) -> bool:
        """It ends when nothing is left."""
        del output
        return True

    def asking(self) -> Words | None:
        """It cannot be asked."""
        return None

    def named(self, output: bytes) -> set[str]:
        """Nobody."""
        del output
        return set()


CONTENDERS: dict[str, Contender] = {
    "newsletter": Newsletter(),
    "cursor": Usual("cursor"),
    "after": Usual("after"),
}
