"""Keeps fetching on the public internet: each host is resolved once, checked, and connected to."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from importlib.resources import files
from ipaddress import IPv4Address, IPv6Network, ip_address, ip_network
from typing import Any

import httpcore2
import httpx2
from typing_extensions import override

from newsletter.errors import BlockedAddressError

WEB_PORTS = frozenset({80, 443})
LOWEST_OTHER_PORT = 1024
"""Mail, shells and other system services listen below it; any web server may be above it."""

_DATA = files("newsletter").joinpath("data", "special_addresses.txt").read_text("ascii")
_SPECIAL = tuple(ip_network(line.split()[0]) for line in _DATA.splitlines())
"""IANA's registries of special-purpose addresses (RFC 6890). ``ipaddress.is_global`` is True for
some that lead inside, such as 64:ff9b::7f00:1 (NAT64), 2002:7f00:1:: (6to4) and ::127.0.0.1."""

_GLOBAL_6 = IPv6Network("2000::/3")
"""All global unicast; mapped, translated, local and multicast addresses are outside it."""

_LOCAL_NAMES = (".localhost", ".local", ".internal", ".home.arpa", ".lan")
"""Ends of names that lead to the own machine or network (RFC 6761, 6762, 8375)."""

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the IP addresses of a host and port; raises ``OSError`` if it has none."""


def is_public(address: str) -> bool:
    """Whether the public internet routes to an IP address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    special = any(parsed in network for network in _SPECIAL)
    return not special and (isinstance(parsed, IPv4Address) or parsed in _GLOBAL_6)


def is_web_port(port: int) -> bool:
    """Whether listings may be fetched from a port: 80, 443, and from 1024 up."""
    return port in WEB_PORTS or port >= LOWEST_OTHER_PORT


def check_name(host: str) -> None:
    """Check what can be told of a host by its name alone: a proxy looks up where it leads.

    Raises:
        BlockedAddressError: it is a private address in any notation, or a name of a local network.
    """
    name = f".{host.lower().rstrip('.')}"
    try:
        public = is_public(socket.inet_ntoa(socket.inet_aton(host)))  # 127.1 and 0x7f000001 too
    except OSError:  # not IPv4
        is_local = name.count(".") == 1 or name.endswith(_LOCAL_NAMES)
        public = is_public(host) if ":" in host else not is_local
    if not public:
        raise BlockedAddressError(
            f"{host} is not a public address; for a source on your own network set "
            "`allow_private_addresses: true`"
        )


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses that the system's resolver has for a host, each once.

    Raises:
        OSError: the host has no address.
    """
    loop = asyncio.get_running_loop()
    answers = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(address[0]) for *_, address in answers))


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """A network that leads to public addresses only, unless private ones are allowed.

    Every hop of a redirect passes here. The address that was checked is the one connected to, so
    a name that resolves differently the second time (DNS rebinding) gains nothing.
    """

    def __init__(
        self, resolver: Resolver, network: httpcore2.AsyncNetworkBackend, *, allow_private: bool
    ) -> None:
        self._resolver, self._network, self._allow_private = resolver, network, allow_private

    @override
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first address of a host that answers, after a check of all of them.

        Raises:
            BlockedAddressError: one of the addresses is not public.
            httpcore2.ConnectError: no address answers, or there is none.
        """
        failure: Exception = httpcore2.ConnectError(f"{host} has no address")
        for address in await self._checked_addresses(host, port):
            try:
                return await self._network.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    async def _checked_addresses(self, host: str, port: int) -> Sequence[str]:
        try:
            addresses = await self._resolver(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(f"{host} cannot be resolved: {error}") from error
        private = [address for address in addresses if not is_public(address)]
        if private and not self._allow_private:
            raise BlockedAddressError(
                f"{host} leads to {private[0]}, which is not a public address; for a source on "
                "your own network set `allow_private_addresses: true`"
            )
        return addresses


class GuardedTransport(httpx2.AsyncHTTPTransport):
    """httpx2's transport over a guarded network, through a proxy if there is one."""

    def __init__(
        self, backend: GuardedBackend, context: ssl.SSLContext, proxy: str | None = None
    ) -> None:
        # Not super().__init__(): it has no parameter for a network backend.
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=context,
            proxy=None if proxy is None else _proxy(proxy, context),
            network_backend=backend,
        )


def _proxy(address: str, context: ssl.SSLContext) -> httpcore2.Proxy:
    url = httpx2.URL(address)
    secure = context if url.scheme == "https" else None
    bare = str(url.copy_with(userinfo=b""))
    auth = (url.username, url.password) if url.username else None
    return httpcore2.Proxy(bare, auth=auth, ssl_context=secure)
