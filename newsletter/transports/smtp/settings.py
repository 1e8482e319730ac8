"""Which SMTP server takes the letters, and how to talk to it."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal

from newsletter.errors import ConfigurationError
from newsletter.model.windows import ANSWER_TIMEOUT

Security = Literal["starttls", "tls", "none"]
"""``starttls``: encrypted before anything else is said (RFC 3207); ``tls``: from the first byte
(RFC 8314); ``none``: in the clear."""


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """How to reach the server. Times are in seconds.

    Attributes:
        security: never weakened: a server that does not offer it gets nothing.
        ca_file: a file of PEM certificates to trust instead of the system's.
        allow_cleartext: permits ``none`` for a server on another machine.
        connections: the largest number of connections at once.
        per_connection: the number of letters after which a connection is replaced.
        rate_per_second: letters a second over all connections; None for no limit.
        timeout: how long to wait for a connection and for each reply but the last.
        answer_timeout: how long to wait for the reply to the final dot. RFC 5321 4.5.3.2.6 asks
            for ten minutes: a letter given up too early may arrive twice.
        local_hostname: our name in EHLO; None for this machine's name.

    Raises:
        ConfigurationError: cleartext to another machine without ``allow_cleartext``.
    """

    host: str
    port: int
    security: Security = "starttls"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    allow_cleartext: bool = False
    connections: int = 8
    per_connection: int = 1000
    rate_per_second: float | None = None
    timeout: float = 60.0
    answer_timeout: float = ANSWER_TIMEOUT
    local_hostname: str | None = None

    def __post_init__(self) -> None:
        if self.security == "none" and not (self.allow_cleartext or is_loopback(self.host)):
            raise ConfigurationError(
                f"letters and password would cross the network to {self.host} in the clear; "
                "use starttls or tls, or set smtp.allow_cleartext: true for a private network",
                where="smtp.security",
            )

    @property
    def address(self) -> str:
        """Host and port, as error messages name the server."""
        return f"{self.host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
