"""Keeps fetching on the public internet: each host is resolved once, checked, and connected to."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from importlib.resources import files
from ipaddress import IPv4Address, IPv6Network, ip_address, ip_network

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
