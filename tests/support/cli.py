"""A whole newsletter in a folder for acceptance tests, with its real command.

A test writes a configuration, serves listings, runs a command and reads the letters.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.processes import run_command

SHARED = Path(__file__).parents[3] / "shared"
"""Recorded listings that are not part of the repository; tests that read them may be skipped."""


@dataclass
class Newsletter:
    """A newsletter's folder and its command."""

    folder: Path
    smtp_port: int = 1

    def configure(self, **settings: object) -> None:
        """Write newsletter.yaml (YAML holds JSON) with these settings over plain ones."""
        plain = {
            "name": "Daily Papers",
            "sender": "Daily Papers <papers@example.org>",
            "postal_address": "1 Example Street, Example",
            "timezone": "UTC",
            "schedule": {"at": "07:00", "days": "daily"},
            "store": "sqlite:///newsletter.db",
            "subscribers": "subscribers.yaml",
            "smtp": {"host": "127.0.0.1", "port": self.smtp_port, "security": "none"},
            "sources": [],
        }
        text = json.dumps({**plain, **settings}, indent=1)
        (self.folder / "newsletter.yaml").write_text(text, encoding="utf-8")

    def subscribe(self, *subscribers: Mapping[str, object]) -> None:
        """Write subscribers.yaml."""
        text = json.dumps({"subscribers": list(subscribers)}, indent=1)
        (self.folder / "subscribers.yaml").write_text(text, encoding="utf-8")

    def run(self, *words: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run the real command in the folder; ``code`` is the expected exit code, None for any."""
        done = run_command(words, self.folder, {**os.environ, "NO_COLOR": "1"})
        assert code is None or done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done

    def json(self, *words: str, code: int | None = 0) -> Any:  # noqa: ANN401 - any JSON
        """Run the command with --json and read its answer."""
        return json.loads(self.run(*words, "--json", code=code).stdout)

    def send(self, day: str, *words: str, code: int | None = 0) -> Any:  # noqa: ANN401 - any JSON
        """Send the issue of a day."""
        return self.json("send", "--date", day, "--yes", *words, code=code)
