"""How fast personal letters leave, ledger included, against one constant message.

``python -m bench.send [--letters N] [--connections N] [--rounds N] [--rtt MS] [--only NAME]
[--json FILE]``

Contenders take turns within each round, each a process of its own, into the same server: a small
one of ours compiled from ``bench/sink.c``, and Postfix' ``smtp-sink`` where it is installed. What
the server counted must be what the ledger counts. Medians of the rounds.
"""

import argparse
import contextlib
import json
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.sending import STORE, prepare

ROOT = Path(__file__).parents[1]
SIZE = 48_000
"""Bytes of the constant message, what the letters of this workload have in the mean."""

OBVIOUS = 60
"""Letters the obvious way sends in a round; it is too slow for more."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one contender did in one round."""

    letters: int
    seconds: float
    cpu: float
    peak_mb: float = 0.0

    @property
    def rate(self) -> float:
        """Letters a second."""
        return self.letters / self.seconds

    @property
    def cpu_us(self) -> float:
        """CPU a letter, in microseconds."""
        return self.cpu / self.letters * 1e6


@dataclass(frozen=True, slots=True)
class Row:
    """A contender's medians into one server."""

    server: str
    contender: str
    rate: float
    cpu_us: float
    peak_mb: float


@contextlib.contextmanager
def sink(folder: Path, rtt: float) -> Iterator[tuple[int, list[int]]]:
    """Our own server; its port, and, once the block has ended, how many messages it took."""
    program = folder / "sink"
    if not program.exists():
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            raise SystemExit("bench.send needs a C compiler (cc) for its server")
        subprocess.run(  # noqa: S603 - our own source
            [compiler, "-O2", "-o", program, ROOT / "bench" / "sink.c"], check=True
        )
    taken: list[int] = []
    with subprocess.Popen(  # noqa: S603 - as above
        [program, "0", str(rtt)], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        yield int(server.stdout.readline()), taken
        server.send_signal(signal.SIGTERM)
        taken.append(int(server.stdout.read()))


@contextlib.contextmanager
def postfix_sink(folder: Path, rtt: float) -> Iterator[tuple[int, list[int]]]:
    """Postfix' own; it tells no count."""
    del folder, rtt
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen(  # noqa: S603 - Postfix' own program
        [*_postfix("smtp-sink"), "-u", "nobody", f"127.0.0.1:{port}", "512"]
    ) as server:
        _wait_for(port)
        yield port, []
        server.terminate()


def _postfix(name: str) -> list[str]:
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin")
    return [found] if found else []


def _wait_for(port: int) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return


def turn(contender: str, folder: Path, port: int, wanted: argparse.Namespace) -> Turn:
    """Let one contender send."""
    if contender == "smtp-source":
        return _source(port, wanted)
    letters = OBVIOUS if contender == "obvious" else wanted.letters
    if contender == "newsletter":
        for file in folder.glob(f"{STORE}*"):
            file.unlink()
        shutil.copy(folder / "frozen.db", folder / STORE)
    words = [contender, str(folder), str(port), str(wanted.connections), str(letters)]
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "bench.sending", *words], capture_output=True, check=True, cwd=ROOT
    )
    return Turn(**json.loads(done.stdout))


def _source(port: int, wanted: argparse.Namespace) -> Turn:
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    words = ["-s", wanted.connections, "-m", wanted.letters, "-l", SIZE, f"127.0.0.1:{port}"]
    subprocess.run([*_postfix("smtp-source"), *map(str, words)], check=True)  # noqa: S603 - Postfix' own
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Turn(wanted.letters, seconds, cpu)


def measure(wanted: argparse.Namespace) -> list[Row]:
    """Run the rounds; a row a server and contender."""
    servers = {"sink": sink} | ({"smtp-sink": postfix_sink} if _postfix("smtp-sink") else {})
    contenders = ["newsletter", "obvious", *(["smtp-source"] if _postfix("smtp-source") else [])]
    contenders = [one for one in contenders if wanted.only in {None, one}]
    turns: dict[tuple[str, str], list[Turn]] = {}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        prepare(folder, wanted.letters)
        (folder / STORE).rename(folder / "frozen.db")
        for _ in range(wanted.rounds):
            for server, opened in servers.items():
                for contender in contenders:
                    with opened(folder, wanted.rtt) as (port, taken):
                        done = turn(contender, folder, port, wanted)
                    assert taken in ([], [done.letters]), "the server counted others"
                    turns.setdefault((server, contender), []).append(done)
    return [_row(server, contender, done) for (server, contender), done in turns.items()]


def _row(server: str, contender: str, done: list[Turn]) -> Row:
    return Row(
        server,
        contender,
        statistics.median(one.rate for one in done),
        statistics.median(one.cpu_us for one in done),
        max(one.peak_mb for one in done),
    )


def table(rows: list[Row]) -> str:
    """The rows for a person, with what ours is of the others."""
    ours = {row.server: row.rate for row in rows if row.contender == "newsletter"}
    lines = [
        f"{'server':10} {'contender':12} {'letters/s':>10} {'CPU µs':>8} {'MB':>5} {'ours ÷':>7}"
    ]
    for row in rows:
        ratio = ours.get(row.server, 0.0) / row.rate
        figures = f"{row.rate:10.0f} {row.cpu_us:8.0f} {row.peak_mb:5.0f} {ratio:7.2f}"
        lines.append(f"{row.server:10} {row.contender:12} {figures}")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--letters", type=int, default=5000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rtt", type=float, default=0.0, help="milliseconds, at our own server")
    parser.add_argument("--only", help="one contender alone")
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    rows = measure(wanted)
    sys.stdout.write(table(rows) + "\n")
    if wanted.json:
        wanted.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    main()
