"""SMTP servers that misbehave: no letter is lost, and no reader is blamed for the server."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from newsletter.errors import TransportError
from newsletter.letter.message import quoted_printable
from newsletter.model import Accepted, Deferred, Letter, NotSent, Outcome, Refused, Unknown
from newsletter.transports.smtp import SmtpSettings, SmtpTransport
from tests.support.clocks import SkippingClock
from tests.support.outgoing import DeliveryRecorder, letter, letters
from tests.support.smtp_servers import Fault, FaultyServer, Reply, Stage, faulty_server

ADA = "ada@example.org"
FIVE = letters(5)


async def send_over(
    server: FaultyServer, counter: DeliveryRecorder, sent: Sequence[Letter]
) -> None:
    """Send over one connection, with the time limit that this server needs."""
    patience = server.timeout
    settings = SmtpSettings(
        host=server.host,
        port=server.port,
        security="none",
        connections=1,
        timeout=patience,
        answer_timeout=patience,
    )
    transport = SmtpTransport(settings, SkippingClock())
    await transport.send(counter.stream(sent), counter.mark, counter.settle)


def outcomes(
    script: Mapping[Stage, Sequence[Reply]], sent: Sequence[Letter]
) -> tuple[list[Outcome], FaultyServer]:
    """The outcomes of these letters at such a server, in their order."""

    async def scenario() -> tuple[list[Outcome], FaultyServer]:
        counter = DeliveryRecorder()
        async with faulty_server(script) as server:
            await send_over(server, counter, sent)
        found = dict(counter.settled)
        assert len(counter.settled) == len(found) == len(sent)
        return [found[one.envelope.recipient] for one in sent], server

    return asyncio.run(scenario())


def server_wide(
    script: Mapping[Stage, Sequence[Reply]], sent: Sequence[Letter] = FIVE
) -> tuple[TransportError, DeliveryRecorder, FaultyServer]:
    """The error of a server that fails as a whole; the first letter must be settled as unsent."""

    async def scenario() -> tuple[TransportError, DeliveryRecorder, FaultyServer]:
        counter = DeliveryRecorder()
        async with faulty_server(script) as server:
            with pytest.raises(TransportError) as caught:
                await send_over(server, counter, sent)
        assert f"127.0.0.1:{server.port}" in str(caught.value)
        assert all(isinstance(outcome, NotSent) for _, outcome in counter.settled)
        assert len(counter.settled) == counter.streamed
        assert server.received == []
        return caught.value, counter, server

    return asyncio.run(scenario())


@pytest.mark.parametrize("fault", [Fault.EOF, Fault.RESET, Fault.STALL, "xyz what", "421 busy"])
@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA"])
def test_cut_before_the_dot_is_known_unsent(stage: Stage, fault: Reply) -> None:
    (first, second), server = outcomes({stage: [fault]}, letters(2))
    assert isinstance(first, NotSent)
    assert second == Accepted("250 2.0.0 taken")
    assert [one.recipient for one in server.received] == ["reader2@example.org"]
    assert server.connections == 2


@pytest.mark.parametrize("fault", [Fault.EOF, Fault.RESET, Fault.STALL])
def test_cut_in_the_body_is_unsent_and_unmarked(fault: Fault) -> None:
    async def scenario() -> None:
        counter, endless = DeliveryRecorder(), (b"x" * 76 + b"\r\n") * 200_000
        async with faulty_server({"body": [fault]}) as server:
            sent = [letter(ADA, endless), letter("b@example.org", number=2)]
            await send_over(server, counter, sent)
            assert [one.recipient for one in server.received] == ["b@example.org"]
        assert isinstance(counter.outcome(), NotSent)
        assert counter.marked == ["b@example.org"]

    asyncio.run(scenario())


def test_cut_between_mark_and_dot_is_known_unsent() -> None:
    async def scenario() -> None:
        counter, clock = DeliveryRecorder(), SkippingClock()
        async with faulty_server({"body": [Fault.RESET]}) as server:

            async def mark(one: Letter) -> bool:
                while server.script["body"]:
                    await clock.sleep(0)
                for _ in range(20):
                    await clock.sleep(0)
                return await counter.mark(one)

            settings = SmtpSettings(
                host=server.host, port=server.port, security="none", connections=1
            )
            await SmtpTransport(settings, clock).send(
                counter.stream([letter()]), mark, counter.settle
            )
            assert server.received == []
        assert counter.marked == [ADA]
        assert isinstance(counter.outcome(), NotSent)

    asyncio.run(scenario())


@pytest.mark.parametrize("fault", [Fault.EOF, Fault.RESET, Fault.STALL, "xyz what", "354 go on"])
def test_cut_after_the_dot_is_in_doubt(fault: Reply) -> None:
    (first, second), server = outcomes({"dot": [fault]}, letters(2))
    assert isinstance(first, Unknown)
    assert second == Accepted("250 2.0.0 taken")
    assert len(server.received) == 2


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("452 4.3.1 no room", Deferred("452 4.3.1 no room")),
        ("554 5.6.0 no", Refused("554 5.6.0 no")),
        ("554 5.7.1 looks like spam", Deferred("554 5.7.1 looks like spam")),
        ("421 4.3.2 closing", Deferred("421 4.3.2 closing")),
    ],
)
def test_dot_reply_belongs_to_its_letter(answer: str, outcome: Outcome) -> None:
    (first, second), server = outcomes({"dot": [answer]}, letters(2))
    assert first == outcome
    assert second == Accepted("250 2.0.0 taken")
    assert [one.recipient for one in server.received] == ["reader2@example.org"]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("550 5.1.1 no such user", Refused("550 5.1.1 no such user")),
        ("450 4.2.1 greylisted", Deferred("450 4.2.1 greylisted")),
        ("550-5.7.1 not from\r\n550 5.7.1 you", Deferred("550 5.7.1 not from 5.7.1 you")),
    ],
)
def test_one_refused_recipient_is_refused_alone(answer: str, outcome: Outcome) -> None:
    script: Mapping[Stage, Sequence[Reply]] = {"RCPT": ["250 ok", "250 ok", answer]}
    all_outcomes, server = outcomes(script, FIVE)
    taken = Accepted("250 2.0.0 taken")
    assert all_outcomes == [taken, taken, outcome, taken, taken]
    assert server.connections == 1
    assert server.commands.count("RSET") == 1


def test_refusal_at_data_concerns_one_letter() -> None:
    (first, second), _ = outcomes({"DATA": ["554 5.5.1 no valid recipients"]}, letters(2))
    assert first == Refused("554 5.5.1 no valid recipients")
    assert isinstance(second, Accepted)


@pytest.mark.parametrize("answer", ["503 5.5.1 what", Fault.EOF, Fault.STALL, "421 closing"])
def test_failed_reset_opens_a_new_connection(answer: Reply) -> None:
    script: Mapping[Stage, Sequence[Reply]] = {"RCPT": ["550 5.1.1 nobody"], "RSET": [answer]}
    (first, second), server = outcomes(script, letters(2))
    assert first == Refused("550 5.1.1 nobody")
    assert second == Accepted("250 2.0.0 taken")
    assert server.connections == 2


@pytest.mark.parametrize(
    ("script", "words", "remedy"),
    [
        ({"connect": ["554 5.7.1 blocked"]}, "554 5.7.1 blocked", "smtp.host"),
        ({"connect": ["421 4.3.2 down for now"]}, "421 4.3.2 down for now", "smtp.host"),
        ({"connect": [Fault.EOF]}, "Unexpected EOF", "smtp.host"),
        ({"connect": [Fault.STALL]}, "Timed out", "smtp.host"),
        ({"connect": ["hello"]}, "Malformed", "smtp.host"),
        ({"EHLO": ["421 4.3.2 closing"]}, "421 4.3.2 closing", "smtp.host"),
        ({"MAIL": ["553 5.1.8 unknown sender"]}, "553 5.1.8 unknown sender", "sender:"),
        ({"MAIL": ["530 5.7.0 log in first"]}, "530 5.7.0 log in first", "smtp.password"),
    ],
)
def test_server_refusing_everyone_is_named_without_blame(
    script: Mapping[Stage, Sequence[Reply]], words: str, remedy: str
) -> None:
    error, counter, server = server_wide(script)
    assert words in str(error)
    assert remedy in str(error)
    assert counter.streamed == 1
    assert server.connections == 1


def test_vanished_server_gets_a_few_tries() -> None:
    script: Mapping[Stage, Sequence[Reply]] = {
        "connect": ["220 hello", "421 busy", Fault.EOF, "220 hello"],
        "dot": ["421 4.3.2 restarting"],
    }
    (first, second), server = outcomes(script, letters(2))
    assert first == Deferred("421 4.3.2 restarting")
    assert isinstance(second, Accepted)
    assert server.connections == 4


def test_server_stuck_at_sender_is_given_up() -> None:
    error, counter, _ = server_wide({"MAIL": ["451 4.3.0 later"] * 99}, letters(20))
    assert "451 4.3.0 later" in str(error)
    assert counter.streamed == 13


def test_server_is_given_up_after_two_doubts() -> None:
    async def scenario() -> None:
        counter = DeliveryRecorder()
        async with faulty_server({"dot": [Fault.EOF] * 9}) as server:
            with pytest.raises(TransportError, match="again and again"):
                await send_over(server, counter, FIVE)
        assert [type(outcome) for _, outcome in counter.settled] == [Unknown, Unknown]

    asyncio.run(scenario())


def test_late_reply_is_waited_for() -> None:
    async def scenario() -> None:
        counter = DeliveryRecorder()
        async with faulty_server({"dot": [Fault.LATE]}) as server:
            settings = SmtpSettings(
                host=server.host, port=server.port, security="none", connections=1, timeout=0.3
            )
            assert settings.answer_timeout >= 600  # RFC 5321 4.5.3.2.6
            transport = SmtpTransport(settings, SkippingClock())
            await transport.send(counter.stream([letter()]), counter.mark, counter.settle)
            assert len(server.received) == server.connections == 1
        assert isinstance(counter.outcome(), Accepted)

    asyncio.run(scenario())


def test_refused_connection_is_reported_at_once() -> None:
    async def scenario() -> None:
        counter = DeliveryRecorder()
        async with faulty_server({}) as server:
            pass
        with pytest.raises(TransportError, match=r"smtp\.host and smtp\.port") as caught:
            await send_over(server, counter, FIVE)
        assert f"127.0.0.1:{server.port}" in str(caught.value)
        assert [type(outcome) for _, outcome in counter.settled] == [NotSent]

    asyncio.run(scenario())


def test_refused_extra_connection_leaves_its_letter_to_others() -> None:
    async def scenario() -> None:
        counter = DeliveryRecorder()
        async with faulty_server(
            {"connect": ["220 hello", "421 too many", "421 too many"]}
        ) as server:
            settings = SmtpSettings(
                host=server.host, port=server.port, security="none", connections=3
            )
            transport = SmtpTransport(settings, SkippingClock())
            await transport.send(counter.stream(letters(30)), counter.mark, counter.settle)
            assert len({one.recipient for one in server.received}) == len(server.received) == 30
        assert all(isinstance(outcome, Accepted) for _, outcome in counter.settled)

    asyncio.run(scenario())


def test_cancelling_settles_each_letter_by_its_stage() -> None:
    async def scenario() -> None:
        counter, waiting = DeliveryRecorder(), asyncio.Event()
        script: Mapping[Stage, Sequence[Reply]] = {"dot": [Fault.STALL]}
        async with faulty_server(script) as server:
            settings = SmtpSettings(
                host=server.host, port=server.port, security="none", connections=2
            )
            transport = SmtpTransport(settings, SkippingClock())

            async def mark(one: Letter) -> bool:
                if len(counter.marked) == 1:
                    waiting.set()
                    await asyncio.Event().wait()
                return await counter.mark(one)

            sending = asyncio.create_task(
                transport.send(counter.stream(letters(9)), mark, counter.settle)
            )
            await waiting.wait()
            while not server.received:
                await SkippingClock().sleep(0)
            sending.cancel()
            await asyncio.wait({sending})
            assert sending.cancelled()
        kinds = sorted(type(outcome).__name__ for _, outcome in counter.settled)
        assert kinds == ["NotSent", "Unknown"]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "body",
    [
        "a\n.\nMAIL FROM:<x@y.org>\n",
        "a\r\n.\r\nMAIL FROM:<x@y.org>\r\n",
        "a\n.\r\nMAIL FROM:<x@y.org>\r\n",
        "a\r\n.\nMAIL FROM:<x@y.org>\r\n",
        "a\r.\rMAIL FROM:<x@y.org>\r\n",
    ],
)
def test_no_body_can_smuggle_a_second_message(body: str) -> None:
    sent = [
        letter(ADA, b"Subject: x\r\n\r\n", quoted_printable(body)),
        letter("b@example.org", number=2),
    ]
    _, server = outcomes({}, sent)
    assert [one.recipient for one in server.received] == [ADA, "b@example.org"]
    assert len([line for line in server.commands if line.startswith("MAIL")]) == 2


@pytest.mark.parametrize(
    "address", ["a,b@x.org", "u@x.org,v@y.org", "@a,@b:u@x.org", "u\x00@x.org", "é@x.org"]
)
def test_unmailable_address_gets_nothing(address: str) -> None:
    (first, second), server = outcomes({}, [letter(address), letter("b@example.org", number=2)])
    assert isinstance(first, Refused)
    assert isinstance(second, Accepted)
    assert [one.recipient for one in server.received] == ["b@example.org"]


@pytest.mark.parametrize("address", ["-oQ@x.org", '"a@b"@x.org', "o'neil+x@x.org", "a..b@x.org"])
def test_odd_address_is_used_exactly(address: str) -> None:
    _, server = outcomes({}, [letter(address)])
    assert [one.recipient for one in server.received] == [address]


def test_unmailable_sender_stops_the_run() -> None:
    async def scenario() -> None:
        counter, first = DeliveryRecorder(), letter()
        sent = [replace(first, envelope=replace(first.envelope, sender="a,b@example.org"))]
        async with faulty_server({}) as server:
            with pytest.raises(TransportError, match=r"'a,b@example\.org'.*sender:"):
                await send_over(server, counter, sent)
            assert not any(line.startswith("MAIL") for line in server.commands)

    asyncio.run(scenario())


def test_rate_limit_covers_all_connections() -> None:
    async def scenario() -> None:
        counter, clock = DeliveryRecorder(), SkippingClock()
        async with faulty_server({}) as server:
            settings = SmtpSettings(
                host=server.host, port=server.port, security="none", connections=4, rate="2/second"
            )
            start = clock.now()
            await SmtpTransport(settings, clock).send(
                counter.stream(letters(10)), counter.mark, counter.settle
            )
            assert len(server.received) == 10
        assert (clock.now() - start).total_seconds() >= 4.5

    asyncio.run(scenario())
