"""Keeps fetching on the public internet: each host is resolved once, checked, and connected to."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address
from typing import Any

import httpcore2
import httpx2
from typing_extensions import override

from newsletter.errors import BlockedAddressError

WEB_PORTS = frozenset({80, 443})
LOWEST_OTHER_PORT = 1024
"""Mail, shells and other system services listen below it; any web server may be above it."""

# Spelled out from IANA's registries of special-purpose addresses (RFC 6890), because
# ``ipaddress.is_global`` is True for some that lead inside, such as 64:ff9b::7f00:1 (NAT64),
# 2002:7f00:1:: (6to4) and ::127.0.0.1.
_SPECIAL_4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by a provider's customers
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, where clouds keep their metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # multicast relays
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
_GLOBAL_6 = IPv6Network("2000::/3")
"""All global unicast; mapped, translated, local and multicast addresses are outside it."""

_SPECIAL_6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # Teredo and other protocol assignments
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which holds an IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the IP addresses of a host and port; raises ``OSError`` if it has none."""


def is_public(address: str) -> bool:
    """Whether the public internet routes to an IP address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return not any(parsed in network for network in _SPECIAL_4)
    return parsed in _GLOBAL_6 and not any(parsed in network for network in _SPECIAL_6)


def is_web_port(port: int) -> bool:
    """Whether listings may be fetched from a port: 80, 443, and from 1024 up."""
    return port in WEB_PORTS or port >= LOWEST_OTHER_PORT


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
        self,
        resolver: Resolver,
        network: httpcore2.AsyncNetworkBackend,
        *,
        allow_private: bool,
    ) -> None:
        self._resolver, self._network = resolver, network
        self._allow_private = allow_private

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
    """httpx2's transport over a guarded network, without proxies."""

    def __init__(self, backend: GuardedBackend, context: ssl.SSLContext) -> None:
        # Not super().__init__(): it has no parameter for a network backend.
        self._pool = httpcore2.AsyncConnectionPool(ssl_context=context, network_backend=backend)
