"""Every rule of :class:`newsletter.ports.Transport`, tested on every transport."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

import newsletter.transports
from newsletter.delivery.delivering import DeliveryRun
from newsletter.errors import StoreError, TransportError
from newsletter.model import (
    RECEIPT,
    Accepted,
    Claim,
    Counts,
    Deferred,
    Envelope,
    Letter,
    NotSent,
    Outcome,
    Refused,
    Unknown,
)
from newsletter.ports import Store, Transport
from newsletter.stores import open_store
from newsletter.transports.folder import file_name
from tests.support import receivers
from tests.support.adapters import implementations
from tests.support.clocks import SkippingClock
from tests.support.databases import new_sqlite_store
from tests.support.factories import DAY
from tests.support.frozen_issues import freeze_one_issue
from tests.support.outgoing import DeliveryRecorder, MemoryTransport, letter, letters
from tests.support.receivers import Receiver

OpenReceiver = Callable[[Path], contextlib.AbstractAsyncContextManager[Receiver]]

ANSWERING: list[OpenReceiver] = [receivers.smtp, receivers.smtp_pipelined, receivers.http]
"""Receivers that answer for each letter, and can refuse one or lose it."""

REMOTE: list[OpenReceiver] = [receivers.folder, *ANSWERING]
"""Receivers that may be out of reach."""

RECEIVERS: list[OpenReceiver] = [receivers.memory, *REMOTE]
"""Every transport. Add yours here, and to the lists above if its receiver can do that."""


def test_every_transport_has_a_receiver() -> None:
    known = {each for each in vars(receivers).values() if isinstance(each, type)}
    for transport in implementations(Transport, newsletter.transports):
        assert transport in known, f"tests/support/receivers.py opens no {transport.__name__}"


every_transport = pytest.mark.parametrize("open_receiver", RECEIVERS)
every_answering = pytest.mark.parametrize("open_receiver", ANSWERING)
every_remote = pytest.mark.parametrize("open_receiver", REMOTE)

Scene = Callable[[Receiver], Awaitable[None]]


def play(open_receiver: OpenReceiver, folder: Path, scenario: Scene) -> None:
    """Run a scenario with an open receiver."""

    async def playing() -> None:
        async with asyncio.timeout(60), open_receiver(folder) as receiver:
            await scenario(receiver)

    asyncio.run(playing())


async def send(receiver: Receiver, counter: DeliveryRecorder, sent: list[Letter]) -> None:
    """Send these letters."""
    await receiver.transport.send(counter.stream(sent), counter.mark, counter.settle)


def as_files(sent: list[Letter]) -> list[tuple[str, bytes]]:
    """What the receiver has when all of these arrived."""
    envelopes = [one.envelope for one in sent]
    return sorted((file_name(one.recipient), b"".join(one.content)) for one in envelopes)


def settled_once(counter: DeliveryRecorder, count: int) -> bool:
    """Whether this many different letters were settled."""
    return len(counter.settled) == len(dict(counter.settled)) == count


def kinds(counter: DeliveryRecorder) -> list[str]:
    """The outcomes by name, sorted."""
    return sorted(type(outcome).__name__ for _, outcome in counter.settled)


@every_transport
class TestDelivering:
    """Letters arrive once, unchanged, after their mark."""

    def test_every_letter_arrives_once_and_unchanged(
        self, open_receiver: OpenReceiver, tmp_path: Path
    ) -> None:
        async def scenario(receiver: Receiver) -> None:
            sent = letters(20)
            await send(receiver, DeliveryRecorder(), sent)
            assert sorted(receiver.arrived()) == as_files(sent)

        play(open_receiver, tmp_path, scenario)

    def test_each_is_marked_before_it_arrives_and_settled_once(
        self, open_receiver: OpenReceiver, tmp_path: Path
    ) -> None:
        async def scenario(receiver: Receiver) -> None:
            def not_there_yet(recipient: str) -> None:
                assert file_name(recipient) not in dict(receiver.arrived())

            counter = DeliveryRecorder(before_mark=not_there_yet)
            await send(receiver, counter, letters(20))
            everyone = sorted(one.envelope.recipient for one in letters(20))
            assert sorted(counter.marked) == everyone
            assert sorted(name for name, _ in counter.settled) == everyone

        play(open_receiver, tmp_path, scenario)

    def test_an_accepted_reply_is_a_proof(
        self, open_receiver: OpenReceiver, tmp_path: Path
    ) -> None:
        async def scenario(receiver: Receiver) -> None:
            counter = DeliveryRecorder()
            await send(receiver, counter, letters(5))
            for _, outcome in counter.settled:
                assert isinstance(outcome, Accepted)
                assert outcome.reply.startswith(("2", RECEIPT))
                assert outcome.reply.isprintable()

        play(open_receiver, tmp_path, scenario)

    def test_an_empty_stream_is_nothing_to_do(
        self, open_receiver: OpenReceiver, tmp_path: Path
    ) -> None:
        async def scenario(receiver: Receiver) -> None:
            counter = DeliveryRecorder()
            await send(receiver, counter, [])
            assert (receiver.arrived(), counter.settled) == ([], [])

        play(open_receiver, tmp_path, scenario)


@every_transport
class TestMarking:
    """Without a mark a letter does not leave."""

    def test_a_refused_mark_delivers_and_settles_nothing(
        self, open_receiver: OpenReceiver, tmp_path: Path
    ) -> None:
        async def scenario(receiver: Receiver) -> None:
            counter = DeliveryRecorder(refuse=frozenset({"reader2@example.org"}))
            await send(receiver, counter, letters(4))
            rest = [one for one in letters(4) if one.envelope.recipient not in counter.refuse]
            assert sorted(name for name, _ in counter.settled) == [
                one.envelope.recipient for one in rest
            ]
            accepted = [name for name, outcome in counter.settled if isinstance(outcome, Accepted)]
            there = [one for one in rest if one.envelope.recipient in accepted]
            assert sorted(receiver.arrived()) == as_files(there)
            assert set(kinds(counter)) <= {"Accepted", "NotSent"}
            assert len(there) >= 2, "at most the letter prepared with it comes back"

        play(open_receiver, tmp_path, scenario)

    def test_failing_mark_is_raised_and_sends_nothing(
        self, open_receiver: OpenReceiver, tmp_path: Path
    ) -> None:
        async def scenario(receiver: Receiver) -> None:
            def broken(_recipient: str) -> None:
                raise LookupError("the ledger is gone")

            counter = DeliveryRecorder(before_mark=broken)
            with pytest.raises(LookupError, match="the ledger is gone"):
                await send(receiver, counter, letters(30))
            assert receiver.arrived() == []
            assert settled_once(counter, counter.streamed)
            assert {type(outcome) for _, outcome in counter.settled} == {NotSent}
            assert counter.streamed <= receiver.most_in_hand

        play(open_receiver, tmp_path, scenario)


@every_transport
class TestTaking:
    """The stream is asked for one letter at a time, and for few in all."""

    def test_the_stream_is_never_asked_twice_at_once(
        self, open_receiver: OpenReceiver, tmp_path: Path
    ) -> None:
        async def slowly() -> AsyncIterator[Iterator[Letter]]:
            for one in letters(20):
                await SkippingClock().sleep(0)  # Python refuses a second anext() meanwhile
                yield iter([one])

        async def scenario(receiver: Receiver) -> None:
            counter = DeliveryRecorder()
            await receiver.transport.send(slowly(), counter.mark, counter.settle)
            assert settled_once(counter, 20)

        play(open_receiver, tmp_path, scenario)

    def test_few_letters_are_in_hand_at_once(
        self, open_receiver: OpenReceiver, tmp_path: Path
    ) -> None:
        async def scenario(receiver: Receiver) -> None:
            counter = DeliveryRecorder()
            most = 0

            def count(_recipient: str) -> None:
                nonlocal most
                most = max(most, counter.streamed - len(counter.settled))

            counter.before_mark = count
            await send(receiver, counter, letters(60))
            assert 1 <= most <= receiver.most_in_hand

        play(open_receiver, tmp_path, scenario)

    @pytest.mark.parametrize("in_batch", [True, False])
    def test_a_failing_stream_is_raised_after_the_letters_in_hand(
        self,
        open_receiver: OpenReceiver,
        tmp_path: Path,
        in_batch: bool,  # noqa: FBT001 - the case
    ) -> None:
        def batch() -> Iterator[Letter]:
            yield from letters(7)
            if in_batch:
                raise StoreError("the disk is full")

        async def failing() -> AsyncIterator[Iterator[Letter]]:
            yield batch()
            raise StoreError("the disk is full")

        async def scenario(receiver: Receiver) -> None:
            counter = DeliveryRecorder()
            with pytest.raises(StoreError, match="the disk is full"):
                await receiver.transport.send(failing(), counter.mark, counter.settle)
            assert settled_once(counter, 7)
            assert sorted(receiver.arrived()) == as_files(letters(7))

        play(open_receiver, tmp_path, scenario)


@every_answering
class TestOutcomes:
    """What the receiver does to one letter is that letter's outcome alone."""

    @pytest.mark.parametrize(("fate", "kind"), [("refused", Refused), ("deferred", Deferred)])
    def test_one_letter_is_refused_or_deferred_alone(
        self,
        open_receiver: OpenReceiver,
        fate: receivers.Fate,
        kind: type[Refused | Deferred],
        tmp_path: Path,
    ) -> None:
        async def scenario(receiver: Receiver) -> None:
            counter = DeliveryRecorder()
            receiver.treat_next(fate)
            await send(receiver, counter, letters(10))
            assert settled_once(counter, 10)
            (odd,) = [o for _, o in counter.settled if not isinstance(o, Accepted)]
            assert isinstance(odd, kind)
            assert odd.reply[:1] in {"4", "5"}
            assert len(receiver.arrived()) == 9

        play(open_receiver, tmp_path, scenario)

    def test_a_letter_without_an_answer_is_unknown(
        self, open_receiver: OpenReceiver, tmp_path: Path
    ) -> None:
        async def scenario(receiver: Receiver) -> None:
            counter = DeliveryRecorder()
            receiver.treat_next("lost")
            await send(receiver, counter, letters(1))
            (outcome,) = [outcome for _, outcome in counter.settled]
            assert isinstance(outcome, Unknown)
            assert outcome.reason
            assert len(receiver.arrived()) == 1

        play(open_receiver, tmp_path, scenario)


@every_remote
def test_a_lost_receiver_is_raised_and_blames_nobody(
    open_receiver: OpenReceiver, tmp_path: Path
) -> None:
    async def scenario(receiver: Receiver) -> None:
        counter = DeliveryRecorder()
        await receiver.go_away()
        with pytest.raises(TransportError, match=r": .+; "):
            await send(receiver, counter, letters(30))
        assert settled_once(counter, counter.streamed)
        assert {type(outcome) for _, outcome in counter.settled} <= {NotSent, Deferred}
        assert 1 <= counter.streamed <= receiver.most_in_hand
        await receiver.come_back()
        await send(receiver, again := DeliveryRecorder(), letters(3))
        assert kinds(again) == ["Accepted"] * 3
        assert sorted(receiver.arrived()) == as_files(letters(3))

    play(open_receiver, tmp_path, scenario)


async def cancel(sending: asyncio.Task[None]) -> None:
    """Cancel it and wait until it ends; it must end as cancelled."""
    sending.cancel()
    await asyncio.wait({sending})
    assert sending.cancelled()


@every_transport
def test_cancelled_before_the_mark_a_letter_is_not_sent(
    open_receiver: OpenReceiver, tmp_path: Path
) -> None:
    async def scenario(receiver: Receiver) -> None:
        counter, marking = DeliveryRecorder(), asyncio.Event()

        async def stuck(_letter: Letter) -> bool:
            marking.set()
            await asyncio.Event().wait()
            return True

        stream = counter.stream(letters(30))
        sending = asyncio.create_task(receiver.transport.send(stream, stuck, counter.settle))
        await marking.wait()
        await cancel(sending)
        assert settled_once(counter, counter.streamed)
        assert set(kinds(counter)) == {"NotSent"}
        assert receiver.arrived() == []

    play(open_receiver, tmp_path, scenario)


@every_answering
def test_cancelled_before_the_answer_a_letter_is_unknown(
    open_receiver: OpenReceiver, tmp_path: Path
) -> None:
    async def scenario(receiver: Receiver) -> None:
        counter = DeliveryRecorder()
        receiver.treat_next("stalled")
        sending = asyncio.create_task(send(receiver, counter, letters(1)))
        while not receiver.arrived():
            await SkippingClock().sleep(0)
        await cancel(sending)
        assert kinds(counter) == ["Unknown"]

    play(open_receiver, tmp_path, scenario)


@every_transport
def test_two_sends_run_at_once(open_receiver: OpenReceiver, tmp_path: Path) -> None:
    async def scenario(receiver: Receiver) -> None:
        first, second = DeliveryRecorder(), DeliveryRecorder()
        some, others = letters(20)[:10], letters(20)[10:]
        await asyncio.gather(send(receiver, first, some), send(receiver, second, others))
        assert sorted(receiver.arrived()) == as_files([*some, *others])
        assert settled_once(first, 10)
        assert settled_once(second, 10)

    play(open_receiver, tmp_path, scenario)


def address(claim: Claim) -> Envelope:
    """The letter of a claim."""
    return letter(claim.edition.to.email, number=claim.reader).envelope


def frozen(folder: Path) -> Store:
    """A store with an issue for twenty readers."""
    store = open_store(new_sqlite_store(folder))
    freeze_one_issue(store, *(f"reader{n}" for n in range(20)))
    return store


@every_transport
class TestAudit:
    """The audit of a store is clean whatever transport its letters left through."""

    def test_a_delivered_issue_is_proved(self, open_receiver: OpenReceiver, tmp_path: Path) -> None:
        async def scenario(receiver: Receiver) -> None:
            store = frozen(tmp_path)
            counts = await DeliveryRun(
                store, receiver.transport, SkippingClock(), DAY, address, run="run"
            ).deliver()
            assert counts == Counts(accepted=20)
            assert store.audit(DAY).ok, store.audit(DAY)
            store.close()

        play(open_receiver, tmp_path, scenario)

    def test_so_is_one_with_troubles(self, open_receiver: OpenReceiver, tmp_path: Path) -> None:
        async def scenario(receiver: Receiver) -> None:
            store, clock = frozen(tmp_path), SkippingClock()
            if open_receiver in REMOTE:
                await receiver.go_away()
                with pytest.raises(TransportError):
                    await DeliveryRun(
                        store, receiver.transport, clock, DAY, address, run="down"
                    ).deliver()
                await receiver.come_back()
            if open_receiver in ANSWERING:
                receiver.treat_next("accepted", "refused", "deferred", "lost")
            await DeliveryRun(store, receiver.transport, clock, DAY, address, run="first").deliver()
            await clock.sleep(3600)
            counts = await DeliveryRun(
                store, receiver.transport, clock, DAY, address, run="second"
            ).deliver()
            refused = int(open_receiver in ANSWERING)
            assert counts == Counts(accepted=20 - refused, failed=refused)
            assert store.audit(DAY).ok, store.audit(DAY)
            store.close()

        play(open_receiver, tmp_path, scenario)


def test_memory_transport_gives_the_chosen_answers() -> None:
    async def scenario() -> None:
        refusal: Outcome = Refused("550 no such user")
        counter, transport = DeliveryRecorder(), MemoryTransport({"ada@example.org": refusal})
        await transport.send(counter.stream([letter()]), counter.mark, counter.settle)
        assert counter.outcome() == refusal
        assert transport.letters == []

    asyncio.run(scenario())
