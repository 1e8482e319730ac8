"""How many letters a connection sends per round trip to a distant server.

``python -m bench.latency [--rtt MS] [--letters N] [--connections N] [--rounds N] [--json FILE]``

A proxy on loopback between the sender and our own server delays data by half the round trip in each
direction. The real round trip is measured with a command that the server answers at once, because
the proxy's timers fire a little late. The clock runs from before the first connection to the last
QUIT. If a letter waits for the reply to the one before, one letter per round trip is the maximum;
the obvious way waits for the reply to every command.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.sending import OBVIOUS
from bench.servers import sink
from bench.turns import Turn, freeze, ours, turn

FEW = 20
"""Letters that the obvious way sends over its single connection."""

PINGS = 20
"""The number of commands that measure the round trip."""

BAR = 0.9
"""Letters per round trip and connection."""


@dataclass(frozen=True, slots=True)
class Row:
    """The medians of one contender."""

    contender: str
    connections: int
    rtt_ms: float
    rate: float
    a_round_trip: float


class Half(asyncio.Protocol):
    """One end of a connection, which forwards data to the other end after a delay."""

    def __init__(self, delay: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._delay = delay
        self._pieces: deque[bytes] = deque()
        self.transport: asyncio.Transport | None = None
        self.other: Half | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, to write to it later."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Hold the data for the delay."""
        self._pieces.append(data)
        self._loop.call_later(self._delay, self._pass)

    def connection_lost(self, exc: Exception | None) -> None:
        """Delay the end of the connection like data."""
        del exc
        self.data_received(b"")

    def _pass(self) -> None:
        """Forward the oldest piece; an empty piece is the end of the connection."""
        assert self.other is not None
        assert self.other.transport is not None
        piece = self._pieces.popleft()
        if piece:
            self.other.transport.write(piece)
        else:
            self.other.transport.close()


class Near(Half):
    """The sender's end, which connects to the server before it forwards anything."""

    def __init__(self, delay: float, upstream: int) -> None:
        super().__init__(delay)
        self._upstream = upstream

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connect to the server."""
        super().connection_made(transport)
        assert self.transport is not None
        self.transport.pause_reading()
        self._connecting = asyncio.create_task(self._connect(self.transport))

    async def _connect(self, transport: asyncio.Transport) -> None:
        self.other = Half(self._delay)
        self.other.other = self
        far = self.other
        await self._loop.create_connection(lambda: far, "127.0.0.1", self._upstream)
        transport.resume_reading()


@contextlib.asynccontextmanager
async def far_away(upstream: int, rtt: float) -> AsyncIterator[int]:
    """The port of a proxy that delays by this many seconds per round trip."""
    listening = await asyncio.get_running_loop().create_server(
        lambda: Near(rtt / 2, upstream), "127.0.0.1", 0
    )
    async with listening:
        yield listening.sockets[0].getsockname()[1]


async def round_trip(port: int) -> float:
    """The median of the seconds that a command and its reply take."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await reader.readline()
    taken = []
    for _ in range(PINGS):
        start = time.perf_counter()
        writer.write(b"RSET\r\n")
        await reader.readline()
        taken.append(time.perf_counter() - start)
    writer.write(b"QUIT\r\n")
    await reader.read()
    writer.close()
    return statistics.median(taken)


async def measure(wanted: argparse.Namespace) -> list[Row]:
    """Run the rounds; return a row per contender."""
    turns, trips = dict[str, list[Turn]](), list[float]()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        freeze(folder, wanted.letters)
        for _ in range(wanted.rounds):
            for contender in (*ours(), OBVIOUS):
                letters = FEW if contender == OBVIOUS else wanted.letters
                with sink(folder) as (port, taken):
                    async with far_away(port, wanted.rtt / 1e3) as seeming:
                        trips.append(await round_trip(seeming))
                        done = await asyncio.to_thread(
                            turn, contender, folder, seeming, wanted.connections, letters
                        )
                assert taken == [done.letters], "the server counted others"
                turns.setdefault(contender, []).append(done)
    rtt = statistics.median(trips)
    return [_row(name, done, rtt, wanted.connections) for name, done in turns.items()]


def _row(contender: str, done: Sequence[Turn], rtt: float, connections: int) -> Row:
    over = 1 if contender == OBVIOUS else connections
    rate = statistics.median(one.rate for one in done)
    return Row(contender, over, rtt * 1e3, rate, rate * rtt / over)


def table(rows: Sequence[Row], rtt: float) -> str:
    """The lines of the table."""
    head = (
        f"{'contender':18} {'connections':>11} {'RTT ms':>7} {'letters/s':>10} {'a round trip':>13}"
    )
    lines = [
        f"{rtt:g} ms there and back; letters a round trip and connection, to reach {BAR}:",
        head,
    ]
    for row in rows:
        figures = (
            f"{row.connections:11} {row.rtt_ms:7.1f} {row.rate:10.1f} {row.a_round_trip:13.2f}"
        )
        lines.append(f"{row.contender:18} {figures}")
    return "\n".join(lines)


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rtt", type=float, default=50.0, help="milliseconds")
    parser.add_argument("--letters", type=int, default=2000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    rows = asyncio.run(measure(wanted))
    sys.stdout.write(table(rows, wanted.rtt) + "\n")
    if wanted.json:
        wanted.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    main()
