"""Pipelined letters: each has its own outcome."""

import asyncio
from collections import Counter as Tally
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace

import pytest

from newsletter.errors import StoreError, TransportError
from newsletter.model import Accepted, Deferred, Letter, NotSent, Outcome, Refused, Unknown
from newsletter.transports.smtp import SmtpSettings, SmtpTransport
from tests.support.clocks import SkippingClock
from tests.support.outgoing import DeliveryRecorder, letter, letters
from tests.support.smtp_servers import Fault, FaultyServer, Reply, Stage, faulty_server

TAKEN = Accepted("250 2.0.0 taken")


async def send_over(
    server: FaultyServer,
    counter: DeliveryRecorder,
    sent: Sequence[Letter],
    *,
    connections: int = 1,
    per_connection: int = 1000,
) -> None:
    settings = SmtpSettings(
        host=server.host,
        port=server.port,
        security="none",
        connections=connections,
        per_connection=per_connection,
        timeout=server.timeout,
        answer_timeout=server.timeout,
    )
    transport = SmtpTransport(settings, SkippingClock())
    await transport.send(counter.stream(sent), counter.mark, counter.settle)


def outcomes(
    script: Mapping[Stage, Sequence[Reply]], sent: Sequence[Letter]
) -> tuple[dict[str, Outcome], FaultyServer]:
    """The outcomes of these letters at such a server; each is settled once."""

    async def scenario() -> tuple[dict[str, Outcome], FaultyServer]:
        counter = DeliveryRecorder()
        async with faulty_server(script, pipelining=True) as server:
            await send_over(server, counter, sent)
        assert Tally(name for name, _ in counter.settled) == Tally(
            one.envelope.recipient for one in sent
        )
        return dict(counter.settled), server

    return asyncio.run(scenario())


def recipients(server: FaultyServer) -> list[str]:
    return [one.recipient for one in server.received]


def test_next_letter_is_announced_with_the_last_dot() -> None:
    async def scenario() -> None:
        counter = DeliveryRecorder()
        async with faulty_server({}, pipelining=True) as server:
            await send_over(server, counter, letters(5))
            assert recipients(server) == [f"reader{n}@example.org" for n in range(1, 6)]
            assert server.commands.count("DATA") == 5
            assert server.connections == 1
        assert [outcome for _, outcome in counter.settled] == [TAKEN] * 5
        assert counter.marked == [name for name, _ in counter.settled]

    asyncio.run(scenario())


def test_letter_costs_one_round_trip() -> None:
    groups: list[bytes] = []

    async def dialogue(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        await reader.readline()
        writer.write(b"250-hello\r\n250 PIPELINING\r\n")
        in_content = False
        while group := await reader.read(65_536):
            groups.append(group)
            for line in group.split(b"\r\n")[:-1]:
                if in_content:
                    in_content = line != b"."
                    writer.write(b"" if in_content else b"250 taken\r\n")
                elif line == b"DATA":
                    in_content = True
                    writer.write(b"354 go on\r\n")
                else:
                    writer.write(b"221 bye\r\n" if line == b"QUIT" else b"250 ok\r\n")
        writer.close()

    async def scenario() -> None:
        counter = DeliveryRecorder()
        server = await asyncio.start_server(dialogue, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        settings = SmtpSettings(host="127.0.0.1", port=port, security="none", connections=1)
        await SmtpTransport(settings, SkippingClock()).send(
            counter.stream(letters(20)), counter.mark, counter.settle
        )
        server.close()
        assert len(counter.settled) == 20

    asyncio.run(scenario())
    assert len(groups) <= 20 + 2, "one group announces, one says goodbye"


@pytest.mark.parametrize("fault", [Fault.EOF, Fault.RESET, Fault.STALL, "xyz what", "421 busy"])
@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA"])
def test_cut_in_the_announcement_is_known_unsent(stage: Stage, fault: Reply) -> None:
    script: Mapping[Stage, Sequence[Reply]] = {stage: ["354 ok" if stage == "DATA" else "250 ok"]}
    found, server = outcomes({stage: [*script[stage], fault]}, letters(3))
    assert found["reader1@example.org"] == TAKEN
    assert isinstance(found["reader2@example.org"], NotSent)
    assert found["reader3@example.org"] == TAKEN
    assert recipients(server) == ["reader1@example.org", "reader3@example.org"]


@pytest.mark.parametrize("fault", [Fault.EOF, Fault.RESET, Fault.STALL, "xyz what", "354 go on"])
def test_cut_after_dot_leaves_announced_letter_unsent(
    fault: Reply,
) -> None:
    found, server = outcomes({"dot": [fault]}, letters(3))
    assert isinstance(found["reader1@example.org"], Unknown)
    assert isinstance(found["reader2@example.org"], NotSent)
    assert found["reader3@example.org"] == TAKEN
    assert recipients(server) == ["reader1@example.org", "reader3@example.org"]


@pytest.mark.parametrize("fault", [Fault.EOF, Fault.RESET, Fault.STALL])
def test_cut_in_the_content_is_in_doubt(fault: Fault) -> None:
    found, _ = outcomes({"body": [fault]}, letters(3))
    kinds = [type(outcome) for outcome in found.values()]
    assert sorted(kind.__name__ for kind in kinds) == ["Accepted", "NotSent", "Unknown"]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("452 4.2.2 mailbox full", Deferred("452 4.2.2 mailbox full")),
        ("554 5.6.0 no", Refused("554 5.6.0 no")),
        ("554 5.7.1 looks like spam", Deferred("554 5.7.1 looks like spam")),
    ],
)
def test_dot_reply_belongs_to_its_letter(answer: str, outcome: Outcome) -> None:
    found, server = outcomes({"dot": ["250 ok", answer]}, letters(4))
    assert found.pop("reader2@example.org") == outcome
    assert {type(other) for other in found.values()} == {Accepted}
    assert server.connections == 1


def test_server_closing_with_its_reply_is_left() -> None:
    found, server = outcomes({"dot": ["421 4.3.2 closing"]}, letters(3))
    assert found["reader1@example.org"] == Deferred("421 4.3.2 closing")
    assert isinstance(found["reader2@example.org"], NotSent)
    assert server.connections == 2


@pytest.mark.parametrize("data", ["503 5.5.1 no valid recipients", "354 go on"])
def test_refused_recipient_is_refused_alone_despite_data_reply(data: str) -> None:
    script: Mapping[Stage, Sequence[Reply]] = {
        "RCPT": ["250 ok", "550 5.1.1 no such user"],
        "DATA": ["354 go on", data],
        "dot": ["250 taken", "554 5.5.1 no valid recipients"] if data.startswith("354") else [],
    }
    found, server = outcomes(script, letters(4))
    assert found.pop("reader2@example.org") == Refused("550 5.1.1 no such user")
    assert all(isinstance(other, Accepted) for other in found.values())
    assert (server.connections, server.commands.count("RSET")) == (1, 1)
    assert len(server.received) == 3


@pytest.mark.parametrize("answer", ["503 5.5.1 what", Fault.EOF, Fault.STALL, "421 closing"])
def test_failed_reset_opens_a_new_connection(answer: Reply) -> None:
    script: Mapping[Stage, Sequence[Reply]] = {
        "RCPT": ["550 5.1.1 nobody"],
        "DATA": ["503 5.5.1 no recipients"],
        "RSET": [answer],
    }
    found, server = outcomes(script, letters(3))
    assert found["reader1@example.org"] == Refused("550 5.1.1 nobody")
    assert isinstance(found["reader2@example.org"], NotSent)
    assert found["reader3@example.org"] == TAKEN
    assert server.connections == 2


def test_refused_sender_stops_the_run_without_blame() -> None:
    async def scenario() -> None:
        counter = DeliveryRecorder()
        script: Mapping[Stage, Sequence[Reply]] = {"MAIL": ["553 5.1.8 unknown sender"]}
        async with faulty_server(script, pipelining=True) as server:
            with pytest.raises(TransportError, match=r"553 5\.1\.8 unknown sender; see bounces"):
                await send_over(server, counter, letters(3))
        assert [type(outcome) for _, outcome in counter.settled] == [NotSent]

    asyncio.run(scenario())


def test_letter_without_a_mark_never_leaves() -> None:
    async def scenario() -> None:
        counter = DeliveryRecorder(refuse=frozenset({"reader2@example.org"}))
        async with faulty_server({}, pipelining=True) as server:
            await send_over(server, counter, letters(4))
            assert "reader2@example.org" not in recipients(server)
        assert len(counter.settled) == 3
        assert "reader2@example.org" not in dict(counter.settled)

    asyncio.run(scenario())


def test_returned_letter_leaves_after_other_connections_closed() -> None:
    async def scenario() -> None:
        counter = DeliveryRecorder()
        script: dict[Stage, list[Reply]] = {
            "dot": [Fault.LATE],  # the other connection sends the rest meanwhile
            "MAIL": [*["250 ok"] * 4, "421 too many messages"],
        }
        async with faulty_server(script, pipelining=True) as server:
            settings = SmtpSettings(
                host=server.host, port=server.port, security="none", connections=2
            )
            transport = SmtpTransport(settings, SkippingClock())
            await transport.send(counter.stream(letters(6)), counter.mark, counter.settle)
            assert len(server.received) == 5
        kinds = Tally(type(outcome) for _, outcome in counter.settled)
        assert kinds == {Accepted: 5, NotSent: 1}

    asyncio.run(scenario())


def test_connection_carries_at_most_its_limit() -> None:
    async def scenario() -> None:
        counter = DeliveryRecorder()
        async with faulty_server({}, pipelining=True) as server:
            await send_over(server, counter, letters(10), per_connection=3)
            assert (len(server.received), server.connections) == (10, 4)

    asyncio.run(scenario())


def test_cancelling_settles_all_three_letters() -> None:
    async def scenario() -> None:
        counter = DeliveryRecorder()
        async with faulty_server({"dot": [Fault.STALL]}, pipelining=True) as server:
            sending = asyncio.create_task(send_over(server, counter, letters(9)))
            while not server.received:
                await SkippingClock().sleep(0)
            assert counter.streamed == 3, "the letter after the next is made while one travels"
            sending.cancel()
            await asyncio.wait({sending})
        unsent = NotSent("stopped before the letter left")
        ends = [outcome for _, outcome in counter.settled]
        assert ends == [Unknown("no answer to the final dot"), unsent, unsent]

    asyncio.run(scenario())


def test_broken_connection_decides_nothing_for_unannounced_letters() -> None:
    found, server = outcomes({"dot": [Fault.EOF]}, letters(3))
    kinds = [type(found[f"reader{n}@example.org"]) for n in (1, 2, 3)]
    assert kinds == [Unknown, NotSent, Accepted]
    assert server.connections == 2


def test_sender_without_an_address_gives_letters_back() -> None:
    one, two = letters(2)
    nameless = replace(two, envelope=replace(two.envelope, sender="papers"))

    async def scenario() -> None:
        counter = DeliveryRecorder()
        async with faulty_server({}, pipelining=True) as server:
            settings = SmtpSettings(
                host=server.host, port=server.port, security="none", connections=1
            )
            transport = SmtpTransport(settings, SkippingClock())
            with pytest.raises(TransportError, match="the sender 'papers' is no address"):
                await transport.send(counter.stream([one, nameless]), counter.mark, counter.settle)
        assert type(counter.outcome("reader2@example.org")) is NotSent

    asyncio.run(scenario())


def test_failing_stream_waits_for_replies_under_way() -> None:
    async def failing() -> AsyncIterator[Iterator[Letter]]:
        yield iter(letters(2))
        raise StoreError("the disk is full")

    async def scenario() -> None:
        counter = DeliveryRecorder()
        async with faulty_server({"dot": [Fault.LATE]}, pipelining=True) as server:
            settings = SmtpSettings(
                host=server.host, port=server.port, security="none", connections=1
            )
            transport = SmtpTransport(settings, SkippingClock())
            with pytest.raises(StoreError, match="disk is full"):
                await transport.send(failing(), counter.mark, counter.settle)
        assert [outcome for _, outcome in counter.settled] == [TAKEN, TAKEN]

    asyncio.run(scenario())


# -- limits of the server ---------------------------------------------------------------------


def test_server_refusing_everyone_is_stopped_without_blame() -> None:
    async def scenario() -> None:
        counter = DeliveryRecorder()
        script: Mapping[Stage, Sequence[Reply]] = {
            "RCPT": ["250 ok"] * 5 + ["550 5.1.0 we do not like you"] * 99,
            "DATA": ["354 ok"] * 5 + ["503 no recipients"] * 99,
        }
        async with faulty_server(script, pipelining=True) as server:
            with pytest.raises(TransportError, match=r"21 emails in a row, last: 550 5\.1\.0"):
                await send_over(server, counter, letters(60))
        ends = Tally(type(outcome).__name__ for _, outcome in counter.settled)
        assert (ends["Accepted"], ends["Refused"], ends["Deferred"]) == (5, 0, 21)
        assert len(counter.settled) == counter.streamed < 40

    asyncio.run(scenario())


def test_one_percent_refusals_stop_nothing() -> None:
    script: Mapping[Stage, Sequence[Reply]] = {
        "RCPT": (["250 ok"] * 99 + ["550 5.1.1 nobody"]) * 5,
        "DATA": (["354 ok"] * 99 + ["503 no recipients"]) * 5,
    }
    found, _ = outcomes(script, letters(500))
    ends = Tally(type(outcome) for outcome in found.values())
    assert ends == {Accepted: 495, Refused: 5}
    assert isinstance(found["reader100@example.org"], Refused)


def test_deferring_domain_gets_fewer_letters_at_once() -> None:
    under_way: Tally[str] = Tally()
    most = 0

    async def scenario() -> None:
        counter = DeliveryRecorder()

        def note(recipient: str) -> None:
            nonlocal most
            under_way[recipient.rpartition("@")[2]] += 1
            if len(counter.settled) > 40:
                most = max(most, under_way["slow.org"])

        counter.before_mark = note
        mixed = [
            letter(f"reader{n}@{'slow.org' if n % 2 else 'fast.org'}", number=n) for n in range(200)
        ]
        settle = counter.settle

        def settled(one: Letter, outcome: Outcome) -> None:
            under_way[one.envelope.recipient.rpartition("@")[2]] -= 1
            settle(one, outcome)

        async with faulty_server({"dot": ["451 4.7.1 greylisted"] * 24}, pipelining=True) as server:
            settings = SmtpSettings(
                host=server.host, port=server.port, security="none", connections=8
            )
            transport = SmtpTransport(settings, SkippingClock())
            await transport.send(counter.stream(mixed), counter.mark, settled)
        ends = Tally(type(outcome) for _, outcome in counter.settled)
        assert ends == {Accepted: 176, Deferred: 24}

    asyncio.run(scenario())
    assert most == 1
