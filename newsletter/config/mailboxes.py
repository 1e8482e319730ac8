"""``bounces.imap`` and ``bounces.pop3``: servers with a mailbox that bounces arrive in."""

from typing import ClassVar, Self

from pydantic import Field, SecretStr, model_validator

from newsletter.config.fields import LOOPBACK, Security, Strict
from newsletter.config.oauth import OAuthSettings


class MailboxSettings(Strict):
    """A mailbox on a server, and the login there; the settings are named as those of ``smtp``."""

    tls_port: ClassVar[int]
    plain_port: ClassVar[int]

    host: str = Field(min_length=1)
    port: int | None = Field(default=None, ge=1, le=65535)
    security: Security = "tls"
    username: str = Field(min_length=1)
    password: SecretStr | None = None
    oauth: OAuthSettings | None = None
    ca_file: str | None = None

    @model_validator(mode="after")
    def one_login(self) -> Self:
        """The login needs a password or a token, which must not cross a network unencrypted."""
        if (self.password is None) == (self.oauth is None):
            raise ValueError("write either a password or oauth")
        if self.security == "none" and self.host not in LOOPBACK:
            raise ValueError(
                f"security: none would send the password to {self.host} in the clear; write tls or "
                "starttls"
            )
        return self

    @property
    def server_port(self) -> int:
        """The port, or the usual one."""
        return self.port or (self.tls_port if self.security == "tls" else self.plain_port)


class ImapSettings(MailboxSettings):
    """Folders on an IMAP server."""

    tls_port, plain_port = 993, 143
    folders: tuple[str, ...] = Field(default=("INBOX",), min_length=1)


class Pop3Settings(MailboxSettings):
    """A mailbox on a POP3 server."""

    tls_port, plain_port = 995, 110
