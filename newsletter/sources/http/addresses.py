"""Which addresses may be fetched from: public ones, on the web's ports.

The lists are spelt out from IANA's registries of special-purpose addresses (RFC 6890), because
``ipaddress.is_global`` says True to some that lead inside, such as 64:ff9b::7f00:1 (NAT64),
2002:7f00:1:: (6to4) and ::127.0.0.1.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address

WEB_PORTS = frozenset({80, 443})
LOWEST_OTHER_PORT = 1024
"""Below it listen mail, shells and databases' friends; above it anyone's web server may."""

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
"""All global unicast there is; outside it lie mapped, translated, local and multicast ones."""

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


def is_public(address: str) -> bool:
    """Whether an IP address, written out, is one that the public internet routes to."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return not any(parsed in network for network in _SPECIAL_4)
    return parsed in _GLOBAL_6 and not any(parsed in network for network in _SPECIAL_6)


def is_web_port(port: int) -> bool:
    """Whether a port is one that listings are served on: 80, 443, and from 1024 up."""
    return port in WEB_PORTS or port >= LOWEST_OTHER_PORT
