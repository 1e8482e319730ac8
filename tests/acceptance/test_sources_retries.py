"""Requests that fail for now: they are tried again, and hosts are left alone when they ask."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from newsletter.errors import BlockedAddressError, SourceError
from newsletter.sources.kept_answers import Answer
from tests.support.clocks import SkippingClock
from tests.support.factories import NOON
from tests.support.http_servers import Response, Site, response, scripted_site
from tests.support.source_clients import fetch, new_client

GOOD = response(body=b"list")
BUSY = [429, 500, 502, 503, 504, 520, 522]


def ask(
    answers: Response, *, retry_for: float = 45, timeout: float = 5
) -> tuple[Answer | SourceError, list[float]]:
    """What a request comes to, and the waits between its tries."""

    async def run() -> tuple[Answer | SourceError, list[float]]:
        clock = SkippingClock()
        async with scripted_site({"/": answers}) as site:
            http = new_client(clock=clock)
            try:
                answer = await fetch(
                    http, f"{site.url}/", allow_private=True, timeout=timeout, retry_for=retry_for
                )
            except SourceError as error:
                return error, clock.slept
            return answer, clock.slept

    return asyncio.run(run())


@pytest.mark.parametrize("status", BUSY)
def test_busy_server_is_asked_again(status: int) -> None:
    busy = response(500).replace(b"500", b"%d" % status)
    answer, slept = ask([busy, busy, GOOD])
    assert isinstance(answer, Answer)
    assert answer.body == b"list"
    assert slept == [1, 3]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 501])
def test_final_status_is_not_asked_again(status: int) -> None:
    error, slept = ask([response(status), GOOD])
    assert f"status {status}" in str(error)
    assert "tried" not in str(error)
    assert slept == []


def test_waits_grow_over_five_tries() -> None:
    error, slept = ask([response(500), response(503), response(502)])
    assert str(error).endswith("answered with status 502, not with a listing; tried 5 times")
    assert slept == [1, 3, 9, 20]


@pytest.mark.parametrize(("retry_for", "waits"), [(0, []), (1, [1]), (12, [1, 3]), (13, [1, 3, 9])])
def test_tries_end_within_the_setting(retry_for: float, waits: list[float]) -> None:
    assert ask(response(503), retry_for=retry_for)[1] == waits


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nonly this",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n",
        b"HTTP/1.1 200",
    ],
    ids=["nothing", "short", "cut chunk", "no last chunk", "cut head"],
)
def test_broken_off_answer_is_asked_again(head: bytes) -> None:
    answer, slept = ask([head, GOOD])
    assert isinstance(answer, Answer)
    assert slept == [1]


def test_reset_connection_is_asked_again() -> None:
    resets = 2

    async def reset_twice(writer: asyncio.StreamWriter) -> None:
        nonlocal resets
        if resets:
            resets -= 1
            writer.transport.abort()
            return
        writer.write(GOOD)

    assert isinstance(ask(reset_twice)[0], Answer)


def test_each_try_has_its_own_timeout() -> None:
    silent = True

    async def late_once(writer: asyncio.StreamWriter) -> None:
        nonlocal silent
        if silent:
            silent = False
            await asyncio.Event().wait()
        writer.write(GOOD)

    answer, slept = ask(late_once, timeout=0.3)
    assert isinstance(answer, Answer)
    assert slept == [1]


def test_refused_connection_is_tried_again() -> None:
    async def run() -> list[float]:
        clock = SkippingClock()
        async with scripted_site({}) as site:
            url = f"{site.url}/gone"
        with pytest.raises(SourceError, match="tried 5 times"):
            await fetch(new_client(clock=clock), url, allow_private=True)
        return clock.slept

    assert asyncio.run(run()) == [1, 3, 9, 20]


def test_blocked_address_is_not_tried_again() -> None:
    clock = SkippingClock()
    with pytest.raises(BlockedAddressError):
        asyncio.run(fetch(new_client(clock=clock), "http://127.0.0.1:8080/"))
    assert clock.slept == []


# -- Retry-After ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry_After": "7"}, 7),
        ({"Retry_After": "Mon, 03 Aug 2026 12:00:40 GMT"}, 40),
        ({"Retry_After": "Monday, 03-Aug-26 12:00:40 GMT"}, 40),
        ({"Retry_After": "Mon Aug  3 12:00:40 2026"}, 40),
        (
            {
                "Retry_After": "Fri, 07 Aug 2026 09:00:40 GMT",
                "Date": "Fri, 07 Aug 2026 09:00:20 GMT",
            },
            20,
        ),
        ({"Retry_After": "Sun, 02 Aug 2026 12:00:00 GMT"}, 1),
        ({"Retry_After": "0"}, 1),
        ({"Retry_After": "soon"}, 1),
        ({"Retry_After": "-5"}, 1),
        ({"Retry_After": "Mon, 03 Aug 99999 12:00:40 GMT"}, 1),
    ],
)
def test_retry_after_is_read_in_every_form(headers: dict[str, str], wait: float) -> None:
    assert NOON.isoformat() == "2026-08-03T12:00:00+00:00"
    assert ask([response(503, b"", **headers), GOOD])[1] == [wait]


def asking_twice(
    answers: Response, pause: float, *, retry_for: float = 45
) -> tuple[list[str], Site, list[float]]:
    """The outcomes of two requests to a host, with a pause between."""

    async def run() -> tuple[list[str], Site, list[float]]:
        clock = SkippingClock()
        async with scripted_site({"/": answers}) as site:
            http = new_client(clock=clock)
            outcomes = []
            for _ in range(2):
                try:
                    await fetch(http, f"{site.url}/", allow_private=True, retry_for=retry_for)
                    outcomes.append("answer")
                except SourceError as error:
                    outcomes.append(str(error))
                clock.instant += timedelta(seconds=pause)
            return outcomes, site, clock.slept

    return asyncio.run(run())


@pytest.mark.parametrize("asked", ["3600", "Mon, 03 Aug 2026 13:00:00 GMT", "9" * 400])
def test_host_that_asks_for_rest_gets_it(asked: str) -> None:
    outcomes, site, slept = asking_twice([response(429, Retry_After=asked), GOOD], 3000)
    assert "status 429" in outcomes[0]
    assert "127.0.0.1 has asked for no more requests before 2026-08-0" in outcomes[1]
    assert len(site.requests) == 1
    assert slept == []


def test_host_is_asked_again_after_its_rest() -> None:
    outcomes, _, slept = asking_twice([response(429, Retry_After="3600"), GOOD], 3601)
    assert outcomes[1] == "answer"
    assert slept == []


def test_short_rest_is_waited_for() -> None:
    outcomes, _, slept = asking_twice([response(429, Retry_After="60"), GOOD], 20)
    assert outcomes[1] == "answer"
    assert slept == [40]


@pytest.mark.parametrize(("pause", "requests"), [(30, 6), (61, 10)])
def test_host_that_used_up_its_tries_is_asked_once(pause: float, requests: int) -> None:
    _, site, _ = asking_twice(response(503), pause)
    assert len(site.requests) == requests


def test_tries_within_spaced_blocks_keep_the_spacing() -> None:
    async def run() -> list[float]:
        clock = SkippingClock()
        async with scripted_site({"/": [response(503), GOOD]}) as site:
            http = new_client(clock=clock)
            for _ in range(2):
                async with http.spaced(3):
                    await fetch(http, f"{site.url}/", allow_private=True)
        return clock.slept

    assert asyncio.run(run()) == [3, 3]


# -- many at once --------------------------------------------------------------------------------


def test_host_has_one_connection_at_a_time() -> None:
    open_now, most = 0, 0

    async def count(writer: asyncio.StreamWriter) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        for _ in range(5):
            await SkippingClock().sleep(0)
        open_now -= 1
        writer.write(GOOD)

    async def run() -> Sequence[Answer]:
        async with scripted_site({"/": count}) as site:
            http = new_client()
            urls = [f"{site.url}/?{number}" for number in range(12)]
            gets = (fetch(http, url, allow_private=True) for url in urls)
            return await asyncio.gather(*gets)

    assert len(asyncio.run(run())) == 12
    assert most == 1


def test_redirects_between_hosts_in_circles_do_not_block() -> None:
    async def run() -> list[BaseException | Answer]:
        async with scripted_site({"/b": GOOD}) as one, scripted_site({"/d": GOOD}) as other:
            one.answers["/a"] = response(302, Location=f"http://localhost:{other.port}/d")
            other.answers["/c"] = response(302, Location=f"{one.url}/b")
            http = new_client()
            urls = [f"{one.url}/a", f"http://localhost:{other.port}/c"] * 4
            gets = (fetch(http, url, allow_private=True) for url in urls)
            return await asyncio.gather(*gets, return_exceptions=True)

    assert all(isinstance(each, Answer) for each in asyncio.run(run()))
