"""Sources behind an HTTP proxy: a real one on loopback, with absolute addresses and CONNECT."""

import asyncio
import contextlib
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
import trustme

from newsletter.errors import BlockedAddressError, SourceError
from newsletter.sources import http_client
from newsletter.sources.kept_answers import Answer
from tests.support.clocks import SkippingClock
from tests.support.http_servers import response, scripted_site
from tests.support.source_clients import fetch, new_client


async def nowhere(host: str, port: int) -> Sequence[str]:
    """A resolver that knows loopback only: behind a proxy, other names may be unknown."""
    if host == "127.0.0.1":
        return [host]
    raise OSError(f"{host}:{port} is unknown here")


@dataclass
class Proxy:
    """A proxy by which every host is at one port of loopback; it refuses with ``refusal``."""

    target: int
    refusal: bytes = b""
    heads: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        """The proxy's address."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one request on, or open a tunnel."""
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head.decode())
        method, address, _ = head.decode().split(" ", 2)
        if self.refusal:
            writer.write(self.refusal)
            await _close(writer)
            return
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            path = urlsplit(address).path
            back.write(head.replace(address.encode(), path.encode(), 1))
        try:
            await asyncio.gather(_pump(reader, back), _pump(there, writer))
        finally:
            await _close(back)
            await _close(writer)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    writer.close()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


@contextlib.asynccontextmanager
async def running(proxy: Proxy) -> AsyncIterator[Proxy]:
    """Run a proxy."""
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.ensure_future(proxy.serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def through_proxy(url: str, *, login: str = "", refusal: bytes = b"") -> tuple[Answer, Proxy]:
    async def run() -> tuple[Answer, Proxy]:
        async with (
            scripted_site({"/feed": response(body=b"list")}) as site,
            running(Proxy(site.port, refusal)) as proxy,
        ):
            address = proxy.url.replace("//", f"//{login}")
            http = new_client(resolver=nowhere, proxy=address)
            return await fetch(http, url), proxy

    return asyncio.run(run())


def test_request_goes_through_the_proxy() -> None:
    answer, proxy = through_proxy("http://journal.example/feed")
    assert answer.body == b"list"
    assert proxy.heads[0].startswith("GET http://journal.example/feed HTTP/1.1\r\n")


def test_login_goes_to_the_proxy_only() -> None:
    answer, proxy = through_proxy("http://journal.example/feed", login="ada:s3cret@")
    assert answer.body == b"list"
    assert b64encode(b"ada:s3cret").decode() in proxy.heads[0]


def test_encrypted_request_goes_through_a_tunnel(monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    monkeypatch.setattr(http_client, "_context", lambda: trusting)
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("journal.example").configure_cert(serving)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response(body=b"list"))
        await _close(writer)

    async def run() -> tuple[bytes, str]:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=serving)
        async with server, running(Proxy(server.sockets[0].getsockname()[1])) as proxy:
            http = new_client(resolver=nowhere, proxy=proxy.url)
            return (await fetch(http, "https://journal.example/feed")).body, proxy.heads[0]

    body, head = asyncio.run(run())
    assert body == b"list"
    assert head.startswith("CONNECT journal.example:443 HTTP/1.1\r\n")


@pytest.mark.parametrize(("status", "tries"), [(407, 1), (403, 1), (502, 5), (504, 5)])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_refusal_of_the_proxy_is_named(scheme: str, status: int, tries: int) -> None:
    async def run() -> Proxy:
        async with running(Proxy(0, response(status))) as proxy:
            http = new_client(resolver=nowhere, proxy=proxy.url)
            with pytest.raises(SourceError, match=rf"^{scheme}://journal\.example/: .*{status}"):
                await fetch(http, f"{scheme}://journal.example/")
            return proxy

    assert len(asyncio.run(run()).heads) == tries


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "0x7f000001",
        "10.1.2.3",
        "[::1]",
        "[fd00::1]",
        "169.254.169.254",
        "localhost",
        "app.localhost",
        "intranet",
        "wiki.local",
        "WIKI.Internal.",
    ],
)
def test_private_address_is_not_asked_of_a_proxy(host: str) -> None:
    clock = SkippingClock()
    http = new_client(resolver=nowhere, clock=clock, proxy="http://127.0.0.1:1")
    with pytest.raises(BlockedAddressError, match="allow_private_addresses"):
        asyncio.run(fetch(http, f"http://{host}/"))
    assert clock.slept == []


def test_private_redirect_is_not_asked_of_a_proxy() -> None:
    async def run() -> None:
        moved = response(302, Location="http://10.0.0.7/")
        async with running(Proxy(0, moved)) as proxy:
            await fetch(new_client(resolver=nowhere, proxy=proxy.url), "http://journal.example/")

    with pytest.raises(BlockedAddressError, match=r"10\.0\.0\.7 is not a public address"):
        asyncio.run(run())
