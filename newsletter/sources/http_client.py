"""The HTTP client of all sources: answers are limited in size, time and address."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
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
from newsletter.sources.http_guard import (
    GuardedBackend,
    GuardedTransport,
    Resolver,
    is_web_port,
    resolve,
)

MAX_BODY = 10 * 1024 * 1024  # bytes of an answer, after decompression

_MAX_REDIRECTS = 5
_MAX_ATTEMPTS = 3
_MAX_CACHE = 200 * 1024 * 1024
_BUSY = frozenset({429, 503})
_DEFAULT_PORTS = {"http": 80, "https": 443}

# A cache that fails only costs a request, so its tracebacks stay out of the log.
logging.getLogger("hishel").addHandler(logging.NullHandler())
logging.getLogger("hishel").propagate = False


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's answer, its body decoded."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Client:
    """What all sources share to fetch listings.

    A cached answer is revalidated each time (RFC 9110, section 13), because a listing may have
    grown since. The User-Agent names ``contact``, an email address for the servers' operators.
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
        self.clock, self._cache, self._resolver = clock, cache, resolver
        self._network = network or httpcore2.AnyIOBackend()
        # A lock belongs to one event loop, and a client may be used in several, one after another.
        self._locks = WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]()
        self._next_start: datetime | None = None

    @asynccontextmanager
    async def spaced(self, seconds: float) -> AsyncIterator[None]:
        """Run the block alone, and start it ``seconds`` or more after the last one started.

        All sources with this client share the spacing.
        """
        lock = self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())
        async with lock:
            now = self.clock.now()
            if self._next_start is not None and self._next_start > now:
                await self.clock.sleep((self._next_start - now).total_seconds())
            self._next_start = self.clock.now() + timedelta(seconds=seconds)
            yield

    def session(self, *, allow_private: bool) -> httpx2.AsyncClient:
        """A new HTTP client over the guarded network and the cache."""
        backend = GuardedBackend(self._resolver, self._network, allow_private=allow_private)
        transport: httpx2.AsyncBaseTransport = GuardedTransport(backend, _context())
        if self._cache is not None:
            storage = AsyncSqliteStorage(
                database_path=self._cache, max_stream_size=MAX_BODY, max_size=_MAX_CACHE
            )
            transport = AsyncCacheTransport(transport, storage, rfc=CacheOptions(shared=False))
        return httpx2.AsyncClient(
            transport=transport,
            trust_env=False,
            timeout=None,
            headers={"User-Agent": self._agent, "Cache-Control": "no-cache"},
        )


async def _follow_redirects(
    http: httpx2.AsyncClient, url: str, headers: Mapping[str, str]
) -> Answer:
    """Get an answer, after redirects; each hop is checked like the first."""
    target = httpx2.URL(url)
    origin = _origin(target)
    for _ in range(_MAX_REDIRECTS + 1):
        _check_url(target)
        own_headers = headers if _origin(target) == origin else {}
        async with http.stream("GET", target, headers=own_headers) as response:
            if response.next_request is None:
                body = await _read(response)
                return Answer(response.status_code, dict(response.headers), body)
            target = response.next_request.url
    raise SourceError(f"more than {_MAX_REDIRECTS} redirects; configure where they lead")


async def _read(response: httpx2.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_BODY:
            raise SourceError(
                f"the answer is larger than {MAX_BODY // 2**20} MB; "
                "no listing is, so check the address"
            )
    return bytes(body)


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _check_url(url: httpx2.URL) -> None:
    if url.scheme not in _DEFAULT_PORTS:
        raise BlockedAddressError(
            f"{url.scheme or 'a path'!r} is not fetched; only http and https addresses are"
        )
    if url.userinfo:
        raise BlockedAddressError("an address with credentials in it; put them into `headers`")
    if not is_web_port(url.port or _DEFAULT_PORTS[url.scheme]):
        raise BlockedAddressError(
            f"port {url.port} is not one we fetch from; use 80, 443, or one from 1024 up"
        )


@cache
def _context() -> ssl.SSLContext:
    """Verifies servers' certificates; cached, because to read the authorities takes 20 ms."""
    return httpx2.create_ssl_context(trust_env=False)


@dataclass(frozen=True, slots=True)
class SourceClient:
    """Fetches listings with the settings of one source.

    Attributes:
        timeout: seconds for one fetch, redirects and waiting included.
    """

    shared: Client
    timeout: float = 30.0
    headers: Mapping[str, str] = field(default_factory=dict)
    allow_private_addresses: bool = False

    async def get(self, url: str, *, expect: Collection[int] = ()) -> Answer:
        """Fetch an absolute http or https address.

        The source's headers go to this host only. Besides 2xx, the statuses in ``expect`` are
        returned.

        Raises:
            BlockedAddressError: the address, or one it redirects to, must not be fetched from.
            SourceError: there is no answer, or it is too late, too large, or of another status.
        """
        try:
            async with (
                asyncio.timeout(self.timeout),
                self.shared.session(allow_private=self.allow_private_addresses) as http,
            ):
                answer = await self._get_with_retries(http, url)
        except BlockedAddressError as error:
            raise BlockedAddressError(f"{url}: {error}") from error
        except SourceError as error:
            raise SourceError(f"{url}: {error}") from error
        except TimeoutError as error:
            late = f"no complete answer within {self.timeout:g} s"
            raise SourceError(f"{url}: {late}; try later, or raise `timeout`") from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            words = str(error) or type(error).__name__
            raise SourceError(f"{url}: {words}; check the address and the network") from error
        if not 200 <= answer.status < 300 and answer.status not in expect:  # noqa: PLR2004 - 2xx
            raise SourceError(f"{url}: answered with status {answer.status}, not with a listing")
        return answer

    async def _get_with_retries(self, http: httpx2.AsyncClient, url: str) -> Answer:
        """Get an answer; if the server is busy and says when to come back, try again."""
        for _ in range(_MAX_ATTEMPTS - 1):
            answer = await _follow_redirects(http, url, self.headers)
            pause = answer.headers.get("retry-after", "")
            if answer.status not in _BUSY or not pause.isdecimal() or int(pause) >= self.timeout:
                return answer
            await self.shared.clock.sleep(int(pause))
        return await _follow_redirects(http, url, self.headers)
