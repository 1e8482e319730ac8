"""Which SMTP server takes the letters, and how it is spoken to."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal

from newsletter.errors import ConfigurationError

Security = Literal["starttls", "tls", "none"]
"""``starttls``: upgraded before anything is said (RFC 3207); ``tls``: from the first byte
(RFC 8314); ``none``: in the clear."""


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """How to reach the server. Times are in seconds.

    Attributes:
        security: never weakened: a server that does not offer what is asked for gets nothing.
        ca_file: a file of PEM certificates to trust in place of the system's.
        allow_cleartext: that ``none`` is meant although the server is not this machine.
        connections: how many letters are under way at once, at most.
        per_connection: how many letters go over a connection before a new one is opened.
        rate_per_second: letters a second over all connections; None for no limit.
        timeout: how long to wait for connecting and for each answer but the last.
        answer_timeout: how long to wait for the answer to the final dot; RFC 5321 4.5.3.2.6
            asks for ten minutes, as a letter given up too early may arrive twice.
        local_hostname: what to call ourselves in EHLO; None for this machine's name.

    Raises:
        ConfigurationError: cleartext to another machine, not allowed in so many words.
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
    answer_timeout: float = 600.0
    local_hostname: str | None = None

    def __post_init__(self) -> None:
        if self.security == "none" and not (self.allow_cleartext or is_loopback(self.host)):
            raise ConfigurationError(
                f"letters and password would cross the network to {self.host} in the clear; "
                "use starttls or tls, or set smtp.allow_cleartext: true for a private network",
                where="smtp.security",
            )

    @property
    def place(self) -> str:
        """The server as errors name it."""
        return f"{self.host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself, by name or address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
