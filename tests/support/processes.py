"""Run the command in its own process, forked from one that has imported it already.

Importing takes most of the time of a short command, and one test runs several.
"""

import asyncio
import contextlib
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

_PATIENCE = 120
"""Seconds after which a command counts as hanging."""

CONTROLS = "TEST_CONTROLS"
"""The variable with the controls of :mod:`tests.faults.command`, if a command is to have some."""

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.support.fork_preload"])


@dataclass(frozen=True, slots=True)
class Command:
    """A running command."""

    process: BaseProcess
    out: Path
    err: Path

    @property
    def exit_code(self) -> int | None:
        """Its exit code, or the negative number of the signal that ended it; None while it runs."""
        return self.process.exitcode

    @property
    def stderr(self) -> str:
        """What it has written to standard error so far."""
        return self.err.read_text("utf-8")

    @property
    def pid(self) -> int:
        """The id of its process."""
        assert self.process.pid is not None
        return self.process.pid

    def wait(self) -> int:
        """Wait until it ends, kill it if it hangs, and return its exit code."""
        self.process.join(_PATIENCE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        assert self.exit_code is not None
        return self.exit_code


@contextlib.contextmanager
def running_command(
    words: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    terminal: str | None = None,
) -> Iterator[Command]:
    """Run ``newsletter`` with these words in a folder; kill it when the block ends.

    Its standard streams are the terminal with this path, if one is given.
    """
    with tempfile.TemporaryDirectory() as kept:
        out, err = Path(kept) / "out", Path(kept) / "err"
        err.touch()
        streams = (terminal,) * 3 if terminal else (os.devnull, str(out), str(err))
        process = _FORKS.Process(
            target=_run, args=([*words], str(folder), dict(environment), streams)
        )
        process.start()
        try:
            yield Command(process, out, err)
        finally:
            process.kill()
            process.join()
            process.close()


class AwaitedCommand:
    """A running command for which an event loop waits; it is killed once nobody has it any more."""

    def __init__(
        self, words: Sequence[str], folder: Path, controls: Mapping[str, object] | None = None
    ) -> None:
        environment = {**os.environ}
        if controls is not None:
            environment[CONTROLS] = json.dumps(controls)
        self._running = contextlib.ExitStack()
        self.command = self._running.enter_context(running_command(words, folder, environment))
        self.returncode: int | None = None

    async def communicate(self) -> tuple[str, str]:
        """Wait until it ends; return what it wrote to standard output and to standard error."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self.command.process.sentinel, ended.set)
        try:
            await asyncio.wait_for(ended.wait(), _PATIENCE)
        finally:
            loop.remove_reader(self.command.process.sentinel)
        with self._running:
            self.returncode = self.command.wait()
            return self.command.out.read_text("utf-8"), self.command.stderr


def run_command(
    words: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run ``newsletter`` with these words in a folder until it ends."""
    with running_command(words, folder, environment) as command:
        code = command.wait()
        return subprocess.CompletedProcess(
            ["newsletter", *words], code, command.out.read_text("utf-8"), command.stderr
        )


def _run(
    words: Sequence[str], folder: str, environment: Mapping[str, str], streams: Sequence[str]
) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    if streams[0] != os.devnull:
        os.setsid()  # the terminal becomes its own, where it asks for passwords
    for number, path in enumerate(streams):
        opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    # multiprocessing has replaced stdin, and stdout buffers as for a file
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.argv = ["newsletter", *words]
    if controls := environment.get(CONTROLS):
        from tests.faults.command import apply_controls  # noqa: PLC0415 - few tests step the clock

        apply_controls(json.loads(controls))
    from newsletter.__main__ import main  # noqa: PLC0415 - as the command itself does

    main()
