"""SMTP with TLS and a login: verified, never weaker than asked for."""

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr, ValidationError

from newsletter.app.wiring import App
from newsletter.config import read_settings
from newsletter.config.fields import Security
from newsletter.errors import TransportError
from newsletter.model import Accepted, NotSent
from newsletter.transports.smtp import SmtpSettings, SmtpTransport, check_connection
from tests.support.clocks import SkippingClock
from tests.support.outgoing import DeliveryRecorder, letter, letters
from tests.support.smtp_servers import faulty_server, working_server


@dataclass(frozen=True, slots=True)
class Authority:
    """Our own certificate authority, and a server's TLS context with a certificate of it."""

    ca_file: str
    server: ssl.SSLContext


def authority(folder: Path, host: str = "localhost") -> Authority:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(host).configure_cert(context)
    return Authority(str(folder / "ca.pem"), context)


def send(settings: SmtpSettings) -> DeliveryRecorder:
    """Send one letter; return its recorder."""

    async def scenario() -> DeliveryRecorder:
        counter = DeliveryRecorder()
        await SmtpTransport(settings, SkippingClock()).send(
            counter.stream([letter()]), counter.mark, counter.settle
        )
        return counter

    return asyncio.run(scenario())


async def refused(settings: SmtpSettings, words: str) -> str:
    """Check that sending fails because of the server, with these words; return the message."""
    counter = DeliveryRecorder()
    with pytest.raises(TransportError, match=words) as caught:
        await SmtpTransport(settings, SkippingClock()).send(
            counter.stream([letter()]), counter.mark, counter.settle
        )
    assert isinstance(counter.outcome(), NotSent)
    assert counter.marked == []
    return str(caught.value)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_sends_over_verified_tls_after_login(security: Security, tmp_path: Path) -> None:
    async def scenario() -> None:
        ours, counter = authority(tmp_path), DeliveryRecorder()
        starttls, tls = (ours.server, None) if security == "starttls" else (None, ours.server)
        async with working_server(
            starttls=starttls, tls=tls, login=security == "starttls"
        ) as server:
            settings = SmtpSettings(
                host="localhost",
                port=server.port,
                security=security,
                username="ada" if security == "starttls" else None,
                password=SecretStr("s3cret"),
                ca_file=ours.ca_file,
            )
            transport = SmtpTransport(settings, SkippingClock())
            await transport.send(counter.stream([letter()]), counter.mark, counter.settle)
            assert len(server.received) == 1
        assert isinstance(counter.outcome(), Accepted)

    asyncio.run(scenario())


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_secured_connection_sends_in_lockstep(security: Security, tmp_path: Path) -> None:
    async def scenario() -> None:
        ours, counter = authority(tmp_path), DeliveryRecorder()
        starttls, tls = (ours.server, None) if security == "starttls" else (None, ours.server)
        async with working_server(starttls=starttls, tls=tls) as server:
            settings = SmtpSettings(
                host="localhost",
                port=server.port,
                security=security,
                ca_file=ours.ca_file,
                connections=1,
            )
            transport = SmtpTransport(settings, SkippingClock())
            await transport.send(counter.stream(letters(4)), counter.mark, counter.settle)
        assert [type(outcome) for _, outcome in counter.settled] == [Accepted] * 4

    asyncio.run(scenario())


def test_connection_check_logs_in_and_sends_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        ours = authority(tmp_path)
        async with working_server(starttls=ours.server, login=True) as server:
            right = SmtpSettings(
                host="localhost",
                port=server.port,
                username="ada",
                password=SecretStr("s3cret"),
                ca_file=ours.ca_file,
            )
            await check_connection(right)
            with pytest.raises(TransportError, match=r"check smtp\.username"):
                await check_connection(right.model_copy(update={"password": SecretStr("guessed")}))
            with pytest.raises(TransportError, match=r"set smtp\.ca_file"):
                await check_connection(right.model_copy(update={"ca_file": None}))
            assert server.received == []

    asyncio.run(scenario())


def test_wrong_password_names_the_settings(tmp_path: Path) -> None:
    async def scenario() -> None:
        ours = authority(tmp_path)
        async with working_server(starttls=ours.server, login=True) as server:
            settings = SmtpSettings(
                host="localhost",
                port=server.port,
                username="ada",
                password=SecretStr("no"),
                ca_file=ours.ca_file,
            )
            message = await refused(settings, "535")
            assert "smtp.username and smtp.password" in message
            assert server.received == []

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("answer", "tried"),
    [("535 5.7.8 wrong", ["CRAM-MD5"]), ("504 5.5.4 what", ["CRAM-MD5", "PLAIN", "LOGIN"])],
)
def test_refused_password_is_not_repeated(answer: str, tried: list[str]) -> None:
    async def scenario() -> None:
        async with faulty_server({"AUTH": [answer] * 9}) as server:
            server.greeting = "250-localhost\r\n250 AUTH LOGIN PLAIN CRAM-MD5"
            settings = SmtpSettings(
                host=server.host,
                port=server.port,
                security="none",
                username="ada",
                password=SecretStr("no"),
            )
            await refused(settings.model_copy(update={"connections": 1}), answer)
            commands = [line.split() for line in server.commands]
            assert [words[1] for words in commands if words[0] == "AUTH"] == tried

    asyncio.run(scenario())


def test_one_login_is_tried_before_others_and_not_repeated() -> None:
    async def scenario() -> None:
        async with faulty_server({"AUTH": ["535 5.7.8 wrong"] * 99}) as server:
            server.greeting = "250-localhost\r\n250 AUTH PLAIN"
            settings = SmtpSettings(
                host=server.host,
                port=server.port,
                security="none",
                username="ada",
                password=SecretStr("no"),
            )
            clock = SkippingClock()
            transport = SmtpTransport(settings, clock)
            for tried, pause in ((1, 60), (1, 3600), (2, 0)):
                counter = DeliveryRecorder()
                with pytest.raises(TransportError, match="535"):
                    await transport.send(counter.stream(letters(9)), counter.mark, counter.settle)
                assert server.connections == tried
                await clock.sleep(pause)

    asyncio.run(scenario())


def test_few_letters_need_no_more_connections() -> None:
    async def scenario() -> None:
        async with faulty_server({}, pipelining=True) as server:
            settings = SmtpSettings(host=server.host, port=server.port, security="none")
            counter = DeliveryRecorder()
            await SmtpTransport(settings, SkippingClock()).send(
                counter.stream(letters(2)), counter.mark, counter.settle
            )
            assert len(server.received) == 2
            assert server.connections <= 2

    asyncio.run(scenario())


def test_login_at_server_without_login_is_refused() -> None:
    async def scenario() -> None:
        async with working_server() as server:
            settings = SmtpSettings(
                host="localhost",
                port=server.port,
                security="none",
                username="ada",
                password=SecretStr("s3cret"),
            )
            await refused(settings, "AUTH")

    asyncio.run(scenario())


def test_stripped_starttls_sends_nothing() -> None:
    async def scenario() -> None:
        async with faulty_server({}) as server:
            message = await refused(SmtpSettings(host="localhost", port=server.port), "STARTTLS")
            assert "strips it" in message
            assert server.received == []
            assert not any(line.startswith(("MAIL", "AUTH")) for line in server.commands)

    asyncio.run(scenario())


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize("fault", ["unknown authority", "wrong host"])
def test_untrusted_certificate_sends_nothing(
    security: Security, fault: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        ours = authority(tmp_path, "localhost" if fault == "unknown authority" else "other.test")
        starttls, tls = (ours.server, None) if security == "starttls" else (None, ours.server)
        async with working_server(starttls=starttls, tls=tls) as server:
            settings = SmtpSettings(
                host="localhost",
                port=server.port,
                security=security,
                ca_file=None if fault == "unknown authority" else ours.ca_file,
            )
            assert "smtp.ca_file" in await refused(settings, "(?i)certificate")
            assert server.received == []

    asyncio.run(scenario())


def test_unreadable_ca_file_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pem")
    with pytest.raises(TransportError, match=r"smtp\.ca_file .*missing\.pem"):
        send(SmtpSettings(host="localhost", port=1, ca_file=missing))


def test_empty_ca_file_does_not_mean_the_systems_authorities(tmp_path: Path) -> None:
    file = b"name: N\nsender: n@example.org\nsmtp: {ca_file: '${RELAY_CA}'}\n"
    settings = read_settings(file, "newsletter.yaml", {"RELAY_CA": ""})
    app = App(tmp_path / "newsletter.yaml", settings, {}, SkippingClock())
    with pytest.raises(TransportError, match=r"smtp\.ca_file"):
        asyncio.run(check_connection(app.smtp_settings))


def test_remote_cleartext_needs_explicit_consent() -> None:
    with pytest.raises(ValidationError, match="allow_cleartext"):
        SmtpSettings(host="mail.example.org", port=25, security="none")
    assert (
        SmtpSettings(host="10.0.0.1", port=25, security="none", allow_cleartext=True).address
        == "10.0.0.1:25"
    )
    assert SmtpSettings(host="::1", port=25, security="none").security == "none"


def test_password_is_absent_from_printed_settings() -> None:
    assert "s3cret" not in repr(
        SmtpSettings(host="localhost", port=25, password=SecretStr("s3cret"))
    )
