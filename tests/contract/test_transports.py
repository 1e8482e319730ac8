"""The law of :class:`newsletter.ports.Transport`, over every transport."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from newsletter.model import Accepted, Refused
from newsletter.ports import Transport
from newsletter.transports.folder import FolderTransport, file_name
from newsletter.transports.smtp import SmtpSettings, SmtpTransport
from tests.support.clocks import QuickClock
from tests.support.outgoing import Counter, MemoryTransport, letter, letters
from tests.support.smtp_servers import good


@dataclass(frozen=True, slots=True)
class Door:
    """A transport, and what has come out behind it: contents by file name of the recipient."""

    transport: Transport
    arrived: Callable[[], list[tuple[str, bytes]]]


@contextlib.asynccontextmanager
async def memory(_folder: Path) -> AsyncIterator[Door]:
    transport = MemoryTransport()

    def arrived() -> list[tuple[str, bytes]]:
        sent = [one.envelope for one in transport.letters]
        return [(file_name(e.recipient), b"".join(e.content)) for e in sent]

    yield Door(transport, arrived)


@contextlib.asynccontextmanager
async def folder(folder: Path) -> AsyncIterator[Door]:
    def arrived() -> list[tuple[str, bytes]]:
        return [(path.name, path.read_bytes()) for path in (folder / "out").glob("*.eml")]

    yield Door(FolderTransport(folder / "out"), arrived)


@contextlib.asynccontextmanager
async def smtp(_folder: Path) -> AsyncIterator[Door]:
    async with good() as server:
        settings = SmtpSettings(server.host, server.port, "none", connections=3)

        def arrived() -> list[tuple[str, bytes]]:
            return [(file_name(one.recipient), one.content) for one in server.taken]

        yield Door(SmtpTransport(settings, QuickClock()), arrived)


OpenDoor = Callable[[Path], contextlib.AbstractAsyncContextManager[Door]]
every_transport = pytest.mark.parametrize("open_transport", [memory, folder, smtp])


@every_transport
def test_it_delivers_every_letter_once_and_byte_for_byte(
    open_transport: OpenDoor, tmp_path: Path
) -> None:
    async def scene() -> None:
        counter, sent = Counter(), letters(20)
        async with open_transport(tmp_path) as door:
            await door.transport.send(counter.stream(sent), counter.mark, counter.settle)
            assert sorted(door.arrived()) == sorted(
                (file_name(one.envelope.recipient), b"".join(one.envelope.content)) for one in sent
            )

    asyncio.run(scene())


@every_transport
def test_it_marks_once_before_the_letter_can_arrive_and_settles_once(
    open_transport: OpenDoor, tmp_path: Path
) -> None:
    async def scene() -> None:
        async with open_transport(tmp_path) as door:

            def not_there_yet(recipient: str) -> None:
                assert file_name(recipient) not in dict(door.arrived())

            counter = Counter(before_mark=not_there_yet)
            await door.transport.send(counter.stream(letters(20)), counter.mark, counter.settle)
        everyone = sorted(one.envelope.recipient for one in letters(20))
        assert sorted(counter.marked) == everyone
        assert sorted(name for name, _ in counter.settled) == everyone
        assert all(isinstance(outcome, Accepted) for _, outcome in counter.settled)

    asyncio.run(scene())


@every_transport
def test_it_neither_delivers_nor_settles_a_letter_that_may_not_be_sent(
    open_transport: OpenDoor, tmp_path: Path
) -> None:
    async def scene() -> None:
        counter = Counter(refuse=frozenset({"reader2@example.org"}))
        async with open_transport(tmp_path) as door:
            await door.transport.send(counter.stream(letters(4)), counter.mark, counter.settle)
            names = sorted(name for name, _ in door.arrived())
        rest = ["reader1@example.org", "reader3@example.org", "reader4@example.org"]
        assert names == [file_name(name) for name in rest]
        assert sorted(name for name, _ in counter.settled) == rest

    asyncio.run(scene())


@every_transport
def test_it_has_nothing_to_do_for_no_letters(open_transport: OpenDoor, tmp_path: Path) -> None:
    async def scene() -> None:
        counter = Counter()
        async with open_transport(tmp_path) as door:
            await door.transport.send(counter.stream([]), counter.mark, counter.settle)
            assert door.arrived() == []
        assert counter.settled == []

    asyncio.run(scene())


@every_transport
def test_it_says_whose_failure_it_was_when_the_mark_fails(
    open_transport: OpenDoor, tmp_path: Path
) -> None:
    async def scene() -> None:
        def broken(_recipient: str) -> None:
            raise LookupError("the ledger is gone")

        counter = Counter(before_mark=broken)
        async with open_transport(tmp_path) as door:
            with pytest.raises(LookupError, match="the ledger is gone"):
                await door.transport.send(counter.stream(letters(9)), counter.mark, counter.settle)
            assert door.arrived() == []
        assert counter.taken <= 3

    asyncio.run(scene())


def test_memory_answers_as_it_is_told() -> None:
    async def scene() -> None:
        refusal = Refused("550 no such user")
        counter, transport = Counter(), MemoryTransport({"ada@example.org": refusal})
        await transport.send(counter.stream([letter()]), counter.mark, counter.settle)
        assert counter.outcome() == refusal
        assert transport.letters == []

    asyncio.run(scene())
