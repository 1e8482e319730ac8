"""httpx2's network, which leads to public addresses only."""

import ssl
from collections.abc import Iterable, Sequence
from typing import Any

import httpcore2
import httpx2
from typing_extensions import override

from newsletter.errors import BlockedAddressError
from newsletter.sources.http_guard import Resolver, is_public


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
