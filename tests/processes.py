"""The command as a process of its own, forked from one that has imported it already.

Importing takes most of the time of a command that does little, and a test runs several.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_PATIENCE = 120
"""Seconds until a command is taken for one that hangs."""

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.forking"])


def run_command(
    words: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run ``newsletter`` with these words in a folder; what it said, and its exit code."""
    with tempfile.TemporaryDirectory() as kept:
        out, err = Path(kept) / "out", Path(kept) / "err"
        command = _FORKS.Process(
            target=_run, args=([*words], str(folder), dict(environment), str(out), str(err))
        )
        command.start()
        command.join(_PATIENCE)
        if command.is_alive():
            command.kill()
            command.join()
        code = command.exitcode
        command.close()
        assert code is not None
        return subprocess.CompletedProcess(
            ["newsletter", *words], code, out.read_text("utf-8"), err.read_text("utf-8")
        )


def _run(
    words: Sequence[str], folder: str, environment: Mapping[str, str], out: str, err: str
) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for path, streams in ((os.devnull, 0), (out, 1), (err, 2)):
        opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(opened, streams)
        os.close(opened)
    sys.argv = ["newsletter", *words]
    from newsletter.__main__ import main  # noqa: PLC0415 - as the command itself does

    main()
