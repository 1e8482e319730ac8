"""The HTTP client of all sources: answers are limited in size, time and address."""

import asyncio
import random
import socket
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from copy import copy
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from newsletter.errors import BlockedAddressError, SourceError
from newsletter.ports import Clock
from newsletter.sources.http_guard import Resolver, check_name, is_web_port, resolve
from newsletter.sources.http_hosts import BusyError, Hosts, retry_after
from newsletter.sources.kept_answers import KEPT_FOR, Answer, KeptAnswers, Version, answer_key

if TYPE_CHECKING:
    import httpcore2
    import httpx2

# ruff: noqa: PLC0415 - httpx2 takes long to import: who asks no server does without

MAX_BODY = 10 * 1024 * 1024  # bytes of an answer, after decompression

_MAX_REDIRECTS = 5
_DEFAULT_PORTS = {"http": 80, "https": 443}
_TOO_MANY_REQUESTS, _NOT_MODIFIED = 429, 304
_NOT_IMPLEMENTED = frozenset({501, 505})  # these will not work in a moment either

_pause: ContextVar[float] = ContextVar("pause", default=0.0)
"""Seconds that :meth:`Client.spaced` keeps between requests, also between two tries of one."""


class Client:
    """What all sources share to fetch listings.

    Each request asks whether the answer that is kept is still the newest (RFC 9110, 13.1). The
    User-Agent names ``contact``, an email address for the servers' operators. ``proxy`` is the
    address of an HTTP proxy that all requests go through. ``jitter`` gives numbers from 0 to 1.
    """

    def __init__(
        self,
        *,
        contact: str,
        clock: Clock,
        kept: Path | None = None,
        proxy: str | None = None,
        resolver: Resolver = resolve,
        network: "httpcore2.AsyncNetworkBackend | None" = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.contact, self.clock, self._resolver, self.proxy = contact, clock, resolver, proxy
        self._network = network
        self.kept, self.hosts = KeptAnswers(kept, clock), Hosts(clock, jitter)
        self.replayed: date | None = None
        # A lock belongs to one event loop, and a client may be used in several, one after another.
        self._locks = WeakKeyDictionary[asyncio.AbstractEventLoop, defaultdict[str, asyncio.Lock]]()
        self._next_start: dict[str, datetime] = {}

    def replaying(self, day: date) -> "Client":
        """A client that sends nothing: its answers are those that were kept on a day (UTC)."""
        replaying = copy(self)
        replaying.replayed = day
        return replaying

    @asynccontextmanager
    async def spaced(self, seconds: float, service: str = "arXiv") -> AsyncIterator[None]:
        """Run the block alone, and start it ``seconds`` or more after the service's last one ended.

        All sources with this client share the spacing. Within the block, a request that is tried
        again keeps the spacing too.
        """
        if self.replayed is not None:
            yield
            return
        locks = self._locks.setdefault(asyncio.get_running_loop(), defaultdict(asyncio.Lock))
        async with locks[service]:
            now = self.clock.now()
            start = self._next_start.get(service, now)
            if start > now:
                await self.clock.sleep((start - now).total_seconds())
            token = _pause.set(seconds)
            try:
                yield
            finally:
                _pause.reset(token)
                self._next_start[service] = self.clock.now() + timedelta(seconds=seconds)

    def session(self, *, allow_private: bool) -> "httpx2.AsyncClient":
        """A new HTTP client over the guarded network."""
        from importlib import metadata

        import httpcore2
        import httpx2

        from newsletter.sources.http_network import GuardedBackend, GuardedTransport

        version = metadata.version("daily-papers-newsletter")
        agent = f"daily-papers-newsletter/{version} (+mailto:{self.contact})"
        # The proxy is the operator's choice: its own address may be a private one.
        allow_private = allow_private or self.proxy is not None
        network = self._network or httpcore2.AnyIOBackend()
        backend = GuardedBackend(self._resolver, network, allow_private=allow_private)
        return httpx2.AsyncClient(
            transport=GuardedTransport(backend, _context(), self.proxy),
            trust_env=False,
            timeout=None,
            headers={"User-Agent": agent, "Cache-Control": "no-cache"},
        )


async def _read(response: "httpx2.Response") -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_BODY:
            raise SourceError(
                f"the answer is larger than {MAX_BODY // 2**20} MB; "
                "no listing is, so check the address"
            )
    return bytes(body)


def _origin(url: "httpx2.URL") -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _check_url(url: "httpx2.URL") -> None:
    if url.scheme not in _DEFAULT_PORTS:
        raise BlockedAddressError(
            f"{url.scheme or 'a path'!r} is not fetched; only http and https addresses are"
        )
    if url.userinfo:
        raise BlockedAddressError("the address has credentials in it; put them into `headers`")
    if not is_web_port(url.port or _DEFAULT_PORTS[url.scheme]):
        raise BlockedAddressError(
            f"port {url.port} is not one we fetch from; use 80, 443, or one from 1024 up"
        )


@cache
def _context() -> ssl.SSLContext:
    """Verifies servers' certificates; cached, because reading the authorities takes 20 ms."""
    import httpx2

    return httpx2.create_ssl_context(trust_env=False)


@dataclass(frozen=True, slots=True)
class SourceClient:
    """Fetches listings with the settings of one source.

    Attributes:
        timeout: seconds for one answer; each redirect and each new try has as many.
        retry_for: seconds after a first failure within which a request is tried again.
    """

    shared: Client
    timeout: float = 30.0
    headers: Mapping[str, str] = field(default_factory=dict)
    allow_private_addresses: bool = False
    retry_for: float = 45.0

    @asynccontextmanager
    async def answer(
        self,
        url: str,
        *,
        expect: Collection[int] = (),
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Answer]:
        """The answer of an absolute http or https address, to be read in the block.

        If the block ends well the answer is kept, and the next request names it to the server. If
        the block raises, the answer was no listing: the next request names none. Besides 2xx, the
        statuses in ``expect`` are returned. ``headers`` come beside the source's own; both go to
        this host only.

        Raises:
            BlockedAddressError: the address, or one it redirects to, must not be fetched from.
            SourceError: there is no answer, or it is too late, too large, or of another status; or
                the client replays a day, and no answer of that day is kept.
        """
        request = _Request(url, {**self.headers, **(headers or {})}, expect)
        if self.shared.replayed is not None:
            yield await self._replayed(request, self.shared.replayed)
            return
        answer = await self._ask(request)
        accepted = False
        try:
            yield answer
            accepted = True
        finally:
            await self.shared.kept.keep(request.key, answer, accepted=accepted)

    async def _replayed(self, request: "_Request", day: date) -> Answer:
        answer = await self.shared.kept.on(request.key, day)
        if answer is None:
            days = f"answers are kept for {KEPT_FOR.days} days"
            raise SourceError(f"{request.url}: no answer of {day} is kept; {days}")
        return answer

    async def _ask(self, request: "_Request") -> Answer:
        """The answer, after several tries if the first ones fail for now."""
        import httpx2

        try:
            return await self.shared.hosts.ask(
                httpx2.URL(request.url).host,
                lambda: self._try(request),
                retry_for=timedelta(seconds=self.retry_for),
                pause=_pause.get(),
            )
        except BlockedAddressError as error:
            raise BlockedAddressError(f"{request.url}: {error}") from error
        except (SourceError, httpx2.InvalidURL) as error:
            raise SourceError(f"{request.url}: {error}") from error

    async def _try(self, request: "_Request") -> Answer:
        """The answer to one request.

        Raises:
            BusyError: there is none for now.
        """
        import httpx2

        private = self.allow_private_addresses
        try:
            async with self.shared.session(allow_private=private) as http:
                answer = await self._follow_redirects(http, request)
        except TimeoutError as error:
            late = f"no complete answer within {self.timeout:g} s"
            raise BusyError(f"{late}; try later, or raise `timeout`") from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            words = f"{str(error) or type(error).__name__}; check the address and the network"
            raise (BusyError if _may_pass(error) else SourceError)(words) from error
        if 200 <= answer.status < 300 or answer.status in request.expect:  # noqa: PLR2004 - 2xx
            return answer
        words = f"answered with status {answer.status}, not with a listing"
        if _is_busy(answer.status):
            raise BusyError(words, retry_after(answer.headers, self.shared.clock.now()))
        raise SourceError(words)

    async def _follow_redirects(self, http: "httpx2.AsyncClient", request: "_Request") -> Answer:
        """The answer at the end of the redirects; each hop is checked like the first."""
        import httpx2

        target = httpx2.URL(request.url)
        origin = _origin(target)
        kept = await self.shared.kept.version(request.key)
        for _ in range(_MAX_REDIRECTS + 1):
            _check_url(target)
            if self.shared.proxy is not None and not self.allow_private_addresses:
                check_name(target.host)
            conditions = kept.validators(str(target)) if kept else {}
            headers = {**(request.headers if _origin(target) == origin else {}), **conditions}
            async with (
                self.shared.hosts.connection(target.host),
                asyncio.timeout(self.timeout),
                http.stream("GET", target, headers=headers) as response,
            ):
                if response.next_request is None:
                    unchanged = kept if conditions else None
                    return await self._read(response, unchanged)
                target = response.next_request.url
        raise SourceError(f"more than {_MAX_REDIRECTS} redirects; configure where they lead")

    async def _read(self, response: "httpx2.Response", kept: Version | None) -> Answer:
        """The answer; the kept one if the server says that it has not changed."""
        if response.status_code != _NOT_MODIFIED or kept is None:
            body = await _read(response)
            headers = dict(response.headers)
            return Answer(response.status_code, headers, body, str(response.url))
        answer = await self.shared.kept.again(kept, response.headers)
        if answer is None:
            raise BusyError("the server says that nothing changed, but the kept answer is gone")
        return answer


@dataclass(frozen=True, slots=True)
class _Request:
    """An address, the headers for its host, and the statuses that are answers."""

    url: str
    headers: Mapping[str, str]
    expect: Collection[int]

    @property
    def key(self) -> str:
        return answer_key(self.url, self.headers)


def _is_busy(status: int) -> bool:
    """Whether the same request may be answered in a moment (RFC 9110, 15.6; RFC 6585, 4)."""
    return status == _TOO_MANY_REQUESTS or (status >= 500 and status not in _NOT_IMPLEMENTED)  # noqa: PLR2004 - 5xx


def _may_pass(error: Exception) -> bool:
    """Whether the same request may be answered in a moment, after an error of the network."""
    import httpx2

    if isinstance(error, httpx2.ProxyError):
        status = str(error).partition(" ")[0]
        return status.isdecimal() and _is_busy(int(status))
    causes = list(_causes(error))
    unknown = any(
        isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME for cause in causes
    )
    if unknown or any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return False
    passing = httpx2.NetworkError, httpx2.TimeoutException, httpx2.RemoteProtocolError
    return isinstance(error, passing)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
