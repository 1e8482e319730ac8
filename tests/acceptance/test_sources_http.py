import asyncio
import gzip
import resource
import zlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import httpcore2
import pytest

from newsletter.errors import BlockedAddressError, SourceError
from newsletter.sources.http_client import MAX_BODY, Client
from newsletter.sources.http_guard import Resolver
from newsletter.sources.kept_answers import Answer
from tests.support.clocks import SkippingClock
from tests.support.http_servers import Response, Site, response, scripted_site
from tests.support.source_clients import fetch, new_client

MB = 1024 * 1024


def visit(
    answers: dict[str, Response], what: Callable[[Site, Client], Awaitable[Answer]]
) -> tuple[Answer, Site]:
    async def run() -> tuple[Answer, Site]:
        async with scripted_site(answers) as site:
            return await what(site, new_client()), site

    return asyncio.run(run())


def get(answer: Response, *, timeout: float = 60, **more: Response) -> Answer:
    answers = {"/": answer, **{f"/{name}": given for name, given in more.items()}}
    return visit(
        answers,
        lambda site, http: fetch(
            http, f"{site.url}/", timeout=timeout, allow_private=True, retry_for=0
        ),
    )[0]


def resolving(*answers: Sequence[str]) -> tuple[Resolver, list[str]]:
    """A resolver that returns these addresses in turn, and the list of hosts it was asked for."""
    turns, hosts = list(answers), []

    async def resolver(host: str, port: int) -> Sequence[str]:
        del port
        hosts.append(host)
        return turns.pop(0) if len(turns) > 1 else turns[0]

    return resolver, hosts


# -- S01, S02: addresses ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "2130706433",
        "0",
        "localhost",
        "[::1]",
        "[::]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::1]",
        "[2002:7f00:1::]",
        "[2001::1]",
        "[fd00::1]",
        "[fe80::1]",
        "[fec0::1]",
        "[ff02::1]",
        "0.0.0.0",  # noqa: S104 - refused, not bound to
        "10.1.2.3",
        "100.64.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.8",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
    ],
)
def test_internal_address_is_blocked(host: str) -> None:
    with pytest.raises(BlockedAddressError, match="allow_private_addresses"):
        asyncio.run(fetch(new_client(), f"http://{host}:8080/feed"))


def test_disguised_host_is_refused() -> None:
    with pytest.raises(SourceError, match="Invalid IDNA hostname"):
        asyncio.run(fetch(new_client(), "http://①②⑦.⓪.⓪.①:8080/feed"))


def test_private_source_is_fetched_when_allowed() -> None:
    assert get(response(body=b"hello")).body == b"hello"


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "/etc/passwd",
        "ftp://example.org/x",
        "gopher://example.org",
        "feed.xml",
    ],
)
def test_only_http_and_https_are_fetched(url: str) -> None:
    with pytest.raises(BlockedAddressError, match="only http and https"):
        asyncio.run(fetch(new_client(), url))


@pytest.mark.parametrize("port", [22, 25, 1023])
def test_ports_of_other_services_are_refused(port: int) -> None:
    with pytest.raises(BlockedAddressError, match=f"port {port}"):
        asyncio.run(fetch(new_client(), f"http://example.org:{port}/", allow_private=True))


def test_credentials_in_an_address_are_refused() -> None:
    with pytest.raises(BlockedAddressError, match="headers"):
        asyncio.run(fetch(new_client(), "http://ada:secret@example.org/"))


# -- S03: redirects and names that change --------------------------------------------------------


def test_one_private_address_blocks_the_name() -> None:
    resolver, _ = resolving(["93.184.216.34", "127.0.0.1"])
    with pytest.raises(BlockedAddressError, match=r"leads to 127\.0\.0\.1"):
        asyncio.run(fetch(new_client(resolver=resolver), "http://mixed.example/"))


def test_name_is_resolved_once_per_connection() -> None:
    async def run() -> tuple[Answer, list[str]]:
        async with scripted_site({"/": response(body=b"here")}) as site:
            resolver, hosts = resolving(["127.0.0.1"], ["192.0.2.1"])
            url = f"http://turncoat.example:{site.port}/"
            return await fetch(new_client(resolver=resolver), url, allow_private=True), hosts

    answer, hosts = asyncio.run(run())
    assert answer.body == b"here"
    assert hosts == ["turncoat.example"]


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:22/", "file:///etc/passwd", "ftp://127.0.0.1/x"]
)
def test_redirect_is_checked_like_the_first_address(target: str) -> None:
    with pytest.raises(BlockedAddressError, match=r"^http://127\.0\.0\.1"):
        get(response(302, Location=target))


class Detour(httpcore2.AnyIOBackend):
    """A network in which every address leads to loopback; it records the connections requested."""

    def __init__(self) -> None:
        self.requests: list[str] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore2's interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        self.requests.append(host)
        return await super().connect_tcp("127.0.0.1", port, timeout, local_address, socket_options)


def client_in_network(hosts: Mapping[str, Sequence[str]]) -> tuple[Client, Detour]:
    """A client in a network where these hosts have these addresses; all lead to loopback."""

    async def resolver(host: str, port: int) -> Sequence[str]:
        del port
        return hosts[host]

    network = Detour()
    http = Client(
        contact="editor@example.org", clock=SkippingClock(), resolver=resolver, network=network
    )
    return http, network


def test_redirect_from_public_to_private_is_blocked() -> None:
    http, network = client_in_network(
        {"outside.example": ["8.8.8.8"], "inside.example": ["10.0.0.7"]}
    )

    async def run() -> None:
        async with scripted_site(
            {"/": response(302, Location="http://inside.example:8080/")}
        ) as site:
            await fetch(http, f"http://outside.example:{site.port}/")

    with pytest.raises(BlockedAddressError, match=r"inside\.example leads to 10\.0\.0\.7"):
        asyncio.run(run())
    assert network.requests == ["8.8.8.8"]


def test_checked_address_is_the_one_connected_to() -> None:
    http, network = client_in_network({"outside.example": ["2606:4700::1111", "8.8.8.8"]})

    async def run() -> Answer:
        async with scripted_site({"/": response(body=b"x")}) as site:
            return await fetch(http, f"http://outside.example:{site.port}/")

    assert asyncio.run(run()).body == b"x"
    assert network.requests == ["2606:4700::1111"]


def test_name_turning_private_between_redirects_is_blocked() -> None:
    resolver, _ = resolving(["8.8.8.8"], ["127.0.0.1"])
    http = Client(
        contact="editor@example.org", clock=SkippingClock(), resolver=resolver, network=Detour()
    )

    async def run() -> None:
        async with scripted_site({"/": response(302, Location="/again")}) as site:
            await fetch(http, f"http://rebind.example:{site.port}/")

    with pytest.raises(BlockedAddressError, match=r"leads to 127\.0\.0\.1"):
        asyncio.run(run())


def test_five_redirects_are_followed_and_no_more() -> None:
    hops: dict[str, Any] = {f"r{n}": response(302, Location=f"/r{n + 1}") for n in range(1, 5)}
    assert get(response(301, Location="/r1"), **hops, r5=response(body=b"end")).body == b"end"
    with pytest.raises(SourceError, match="more than 5 redirects"):
        get(response(302, Location="/"))


def test_source_headers_are_not_sent_to_another_host() -> None:
    async def run() -> tuple[Site, Site]:
        async with scripted_site({"/": response(body=b"x")}) as other:
            moved = response(302, Location=f"{other.url}/")
            async with scripted_site({"/": moved}) as first:
                headers = {"X-Api-Key": "s3cret"}
                await fetch(new_client(), f"{first.url}/", headers=headers, allow_private=True)
                return first, other

    first, other = asyncio.run(run())
    assert first.requests[0].headers["x-api-key"] == "s3cret"
    assert "x-api-key" not in other.requests[0].headers


# -- S05: sizes and times --------------------------------------------------------------------------


def test_gzip_bomb_stops_at_ten_megabytes() -> None:
    squeeze = zlib.compressobj(9, wbits=31)
    first, other = (
        squeeze.compress(bytes(MB)) + squeeze.flush(zlib.Z_FULL_FLUSH) for _ in range(2)
    )
    bomb = first + 999 * other
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(SourceError, match="larger than 10 MB"):
        get(response(body=bomb, Content_Encoding="gzip"))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024


@pytest.mark.slow
def test_nested_gzip_bomb_stops_too() -> None:
    bomb = gzip.compress(gzip.compress(bytes(100 * MB)))
    with pytest.raises(SourceError, match="larger than 10 MB"):
        get(response(body=bomb, Content_Encoding="gzip, gzip"))


def test_endless_body_stops_at_ten_megabytes() -> None:
    sent = 0

    async def pour(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while True:
            writer.write(bytes(MB))
            sent += 1
            await writer.drain()

    with pytest.raises(SourceError, match="larger than 10 MB"):
        get(pour)
    assert sent < 50


def test_body_of_ten_megabytes_is_read() -> None:
    assert len(get(response(body=bytes(MAX_BODY))).body) == MAX_BODY


def test_slow_body_stops_at_the_deadline() -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await SkippingClock().sleep(0)

    with pytest.raises(SourceError, match=r"within 0\.5 s"):
        get(drip, timeout=0.5)


def test_endless_headers_stop() -> None:
    async def babble(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-More: " + b"x" * 1000 + b"\r\n")
            await writer.drain()

    with pytest.raises(SourceError):
        get(babble)


def test_silent_server_stops_at_the_deadline() -> None:
    async def stall(writer: asyncio.StreamWriter) -> None:
        await writer.drain()
        await asyncio.Event().wait()

    with pytest.raises(SourceError, match=r"within 0\.3 s"):
        get(stall, timeout=0.3)


def test_invalid_gzip_is_a_source_error() -> None:
    with pytest.raises(SourceError):
        get(response(body=b"plain", Content_Encoding="gzip"))


def test_truncated_body_is_a_source_error() -> None:
    async def cut(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
        await writer.drain()

    with pytest.raises(SourceError):
        get(cut)


# -- statuses and headers --------------------------------------------------


@pytest.mark.parametrize("status", [400, 403, 404, 410, 418, 500, 503])
def test_unsuccessful_status_is_named(status: int) -> None:
    with pytest.raises(SourceError, match=f"status {status}"):
        get(response(status))


def test_expected_status_is_an_answer() -> None:
    answer, _ = visit(
        {"/": response(400, b"no such day")},
        lambda site, http: fetch(http, f"{site.url}/", allow_private=True, expect={400}),
    )
    assert (answer.status, answer.body) == (400, b"no such day")


def test_refused_connection_names_the_address() -> None:
    async def run() -> None:
        async with scripted_site({}) as site:
            url = f"{site.url}/gone"
        await fetch(new_client(), url, allow_private=True)

    with pytest.raises(SourceError, match=r"/gone: .*check the address"):
        asyncio.run(run())


def test_unknown_host_is_named() -> None:
    async def nowhere(host: str, port: int) -> Sequence[str]:
        raise OSError(f"{host}:{port} is nowhere")

    with pytest.raises(SourceError, match=r"nowhere\.example cannot be resolved"):
        asyncio.run(fetch(new_client(resolver=nowhere), "http://nowhere.example/"))


def test_user_agent_identifies_the_newsletter() -> None:
    _, site = visit(
        {"/": response()}, lambda site, http: fetch(http, f"{site.url}/", allow_private=True)
    )
    agent = site.requests[0].headers["user-agent"]
    assert agent.startswith("daily-papers-newsletter/")
    assert "editor@example.org" in agent


def test_proxy_settings_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert get(response(body=b"direct")).body == b"direct"


def test_turns_are_taken_singly_and_seconds_apart() -> None:
    clock = SkippingClock()
    http = Client(contact="editor@example.org", clock=clock)
    inside = 0

    async def take() -> None:
        nonlocal inside
        async with http.spaced(3):
            inside += 1
            assert inside == 1
            await clock.sleep(0)
            inside -= 1

    async def run() -> None:
        await asyncio.gather(take(), take(), take())

    asyncio.run(run())
    assert [seconds for seconds in clock.slept if seconds] == [3, 3]
