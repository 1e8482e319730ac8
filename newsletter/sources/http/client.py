"""The one client that sources fetch with: bounded in size, time and place."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib import metadata
from pathlib import Path
from weakref import WeakKeyDictionary

import httpcore2
import httpx2
from hishel import AsyncSqliteStorage, CacheOptions
from hishel.httpx2 import AsyncCacheTransport

from newsletter.errors import BlockedAddressError, SourceError
from newsletter.ports import Clock
from newsletter.sources.http.addresses import is_web_port
from newsletter.sources.http.guard import GuardedBackend, GuardedTransport, Resolver, resolve

LARGEST_BODY = 10 * 1024 * 1024
"""Octets of an answer, after decompression."""

MOST_REDIRECTS = 5
MOST_TRIES = 3

_LARGEST_CACHE = 200 * 1024 * 1024
_BUSY = frozenset({429, 503})
_KNOWN_PORTS = {"http": 80, "https": 443}

# What cannot be kept or found again is asked for anew; its traceback is nobody's concern.
logging.getLogger("hishel").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered: decoded body, and the address it finally came from."""

    status: int
    url: str
    headers: Mapping[str, str]
    body: bytes


class Client:
    """Fetches listings, and nothing that is not one.

    An answer kept in the cache is asked about each time (RFC 9110, section 13) and never used
    unasked: a listing that may have grown is not worth a heuristic.

    Args:
        contact: an address the servers' people can write to, named in the User-Agent.
        clock: for waiting.
        cache: the file to keep answers in; None keeps none.
        resolver: how hosts become addresses.
        network: what connects to an address once it has been checked; None: sockets.
    """

    def __init__(
        self,
        *,
        contact: str,
        clock: Clock,
        cache: Path | None = None,
        resolver: Resolver = resolve,
        network: httpcore2.AsyncNetworkBackend | None = None,
    ) -> None:
        version = metadata.version("daily-papers-newsletter")
        self._agent = f"daily-papers-newsletter/{version} (+mailto:{contact})"
        self._clock, self._cache, self._resolver = clock, cache, resolver
        self._network = network or httpcore2.AnyIOBackend()
        self._turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = (
            WeakKeyDictionary()
        )
        self._next_turn: datetime | None = None

    @asynccontextmanager
    async def turn(self, seconds: float) -> AsyncIterator[None]:
        """Hold the only turn there is, ``seconds`` or more after the last one began.

        Everybody who takes turns shares them, over all sources with this client.
        """
        lock = self._turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())
        async with lock:
            now = self._clock.now()
            if self._next_turn is not None and self._next_turn > now:
                await self._clock.sleep((self._next_turn - now).total_seconds())
            self._next_turn = self._clock.now() + timedelta(seconds=seconds)
            yield

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30,  # noqa: ASYNC109 - a deadline over every hop, not one await's
        allow_private: bool = False,
        expect: Collection[int] = (),
    ) -> Answer:
        """Fetch an address within ``timeout`` seconds, redirects and waiting included.

        Args:
            url: absolute, http or https.
            headers: sent besides our own, to this host alone.
            timeout: seconds for all of it.
            allow_private: whether addresses of the own network may be connected to.
            expect: statuses besides 2xx that are an answer rather than an error.

        Raises:
            BlockedAddressError: the address, or one it redirects to, is not one we fetch from.
            SourceError: no answer, not in time, too large, or another status.
        """
        try:
            async with asyncio.timeout(timeout), self._session(allow_private=allow_private) as http:
                answer = await self._insist(http, url, dict(headers or {}), timeout)
        except BlockedAddressError as error:
            raise BlockedAddressError(f"{url}: {error}") from error
        except SourceError as error:
            raise SourceError(f"{url}: {error}") from error
        except TimeoutError as error:
            raise SourceError(
                f"{url}: no complete answer within {timeout:g} s; try later, or raise `timeout`"
            ) from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            said = str(error) or type(error).__name__
            raise SourceError(f"{url}: {said}; check the address and the network") from error
        if not 200 <= answer.status < 300 and answer.status not in expect:  # noqa: PLR2004 - 2xx
            raise SourceError(f"{url}: answered with status {answer.status}, not with a listing")
        return answer

    def _session(self, *, allow_private: bool) -> httpx2.AsyncClient:
        backend = GuardedBackend(self._resolver, self._network, allow_private=allow_private)
        transport: httpx2.AsyncBaseTransport = GuardedTransport(backend, _context())
        if self._cache is not None:
            storage = AsyncSqliteStorage(
                database_path=self._cache, max_stream_size=LARGEST_BODY, max_size=_LARGEST_CACHE
            )
            transport = AsyncCacheTransport(transport, storage, rfc=CacheOptions(shared=False))
        return httpx2.AsyncClient(
            transport=transport,
            trust_env=False,
            timeout=None,
            headers={"User-Agent": self._agent, "Cache-Control": "no-cache"},
        )

    async def _insist(
        self, http: httpx2.AsyncClient, url: str, headers: dict[str, str], patience: float
    ) -> Answer:
        """Ask again, as often as is sensible, where the server says when to."""
        for _ in range(MOST_TRIES - 1):
            answer = await self._follow(http, url, headers)
            pause = answer.headers.get("retry-after", "")
            if answer.status not in _BUSY or not pause.isdecimal() or int(pause) >= patience:
                return answer
            await self._clock.sleep(int(pause))
        return await self._follow(http, url, headers)

    async def _follow(self, http: httpx2.AsyncClient, url: str, headers: dict[str, str]) -> Answer:
        """Ask, and go where the answer points; each hop is checked like the first."""
        target = httpx2.URL(url)
        origin = _origin(target)
        for _ in range(MOST_REDIRECTS + 1):
            _check(target)
            ours = headers if _origin(target) == origin else {}
            async with http.stream("GET", target, headers=ours) as response:
                if response.next_request is None:
                    return Answer(
                        status=response.status_code,
                        url=str(target),
                        headers=dict(response.headers),
                        body=await _read(response),
                    )
                target = response.next_request.url
        raise SourceError(f"more than {MOST_REDIRECTS} redirects; configure where they lead")


async def _read(response: httpx2.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise SourceError(
                f"the answer is larger than {LARGEST_BODY // 2**20} MB; "
                "no listing is, so check the address"
            )
    return bytes(body)


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _check(url: httpx2.URL) -> None:
    if url.scheme not in _KNOWN_PORTS:
        raise BlockedAddressError(
            f"{url.scheme or 'a path'!r} is not fetched; only http and https addresses are"
        )
    if url.userinfo:
        raise BlockedAddressError("an address with credentials in it; put them into `headers`")
    if not is_web_port(url.port or _KNOWN_PORTS[url.scheme]):
        raise BlockedAddressError(
            f"port {url.port} is not one we fetch from; use 80, 443, or one from 1024 up"
        )


@cache
def _context() -> ssl.SSLContext:
    """How a server's certificate is checked; the authorities take 20 ms to read."""
    return httpx2.create_ssl_context(trust_env=False)
