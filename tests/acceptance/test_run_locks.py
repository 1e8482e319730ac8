"""Run locks: they end with their process, and show which runs have ended."""

import subprocess
import sys
from pathlib import Path

from newsletter.app.locks import FileRunLock

ROOT = Path(__file__).parents[2]
HOLD = """
import sys, time
from pathlib import Path
from newsletter.app.locks import FileRunLock
with FileRunLock(Path(sys.argv[1]), "other").holding() as owner:
    print(owner.name, flush=True)
    sys.stdin.read()
"""


def test_killed_process_is_gone_at_once(tmp_path: Path) -> None:
    with FileRunLock(tmp_path, "mine").holding() as mine:
        other = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", HOLD, str(tmp_path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with other:
            assert other.stdout is not None
            name = other.stdout.readline().strip()
            assert mine.gone([mine.name, name]) == frozenset()
            other.kill()
            other.wait()
            assert mine.gone([mine.name, name]) == {name}
        assert mine.gone([name]) == {name}
    assert not list(tmp_path.iterdir())


def test_runs_elsewhere_are_left_to_their_leases(tmp_path: Path) -> None:
    with (
        FileRunLock(tmp_path / "one", "run").holding() as one,
        FileRunLock(tmp_path / "two", "run").holding() as two,
    ):
        assert one.gone([two.name, "elsewhere-run"]) == frozenset()
        assert "." not in one.name
