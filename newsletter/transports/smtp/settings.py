"""Which SMTP server takes the letters, and how long to wait for it."""

import socket
from collections.abc import Callable
from functools import cache

from pydantic import Field

from newsletter.config import models
from newsletter.config.fields import is_full_name
from newsletter.model.windows import ANSWER_TIMEOUT


class SmtpSettings(models.SmtpSettings):
    """The operator's settings of the server, and waits in seconds that are not theirs to set.

    Attributes:
        timeout: how long to wait for a connection and for each reply but the last.
        answer_timeout: how long to wait for the reply to the final dot. RFC 5321 4.5.3.2.6 asks
            for ten minutes: a letter given up too early may arrive twice.
        access_token: gives a token for ``oauth``, other than the refused one it is called with.
    """

    timeout: float = 60.0
    answer_timeout: float = ANSWER_TIMEOUT
    access_token: Callable[[str], str] | None = Field(default=None, repr=False)

    @property
    def address(self) -> str:
        """Host and port, as error messages name the server."""
        return f"{self.host}:{self.port}"


@cache
def default_helo(domain: str) -> str:
    """The name for EHLO if none is configured: this machine's, if it is a full one.

    A machine that is called ``localhost`` or by a container's id takes the sender's ``domain``.
    """
    return helo_name(socket.getfqdn(), domain)


def helo_name(*names: str) -> str:
    """The first full name, else an address literal (RFC 5321, 4.1.1.1 and 4.1.4)."""
    return next(filter(is_full_name, names), "[127.0.0.1]")
