"""The guard at the socket: a host is resolved once, checked, and connected to as it was checked."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import httpcore2
import httpx2

from newsletter.errors import BlockedAddressError
from newsletter.sources.http.addresses import is_public

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the IP addresses of a host; raises ``OSError`` where it has none."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses the system knows a host by, each once.

    Raises:
        OSError: the host has no address.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """A network that leads to public addresses only, unless private ones are allowed.

    Every hop of a redirect comes by here. As the address checked is the one connected to, a name
    that resolves differently the second time (DNS rebinding) gains nothing.
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

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface is httpcore2's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first address of a host that answers, all of them having been checked.

        Raises:
            BlockedAddressError: one of the addresses is not public.
            httpcore2.ConnectError: none of the addresses answers, or there is none.
        """
        failure: Exception = httpcore2.ConnectError(f"{host} has no address")
        for address in await self._checked(host, port):
            try:
                return await self._network.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    async def _checked(self, host: str, port: int) -> Sequence[str]:
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
        # Not super().__init__(): it offers no way to pass a network backend.
        self._pool = httpcore2.AsyncConnectionPool(ssl_context=context, network_backend=backend)
