"""A mailbox on a POP3 server (RFC 1939)."""

import contextlib
import poplib
from base64 import b64encode
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from typing_extensions import override

from newsletter.bounces.mailboxes.mailbox import MAX_BYTES, Mail, Mailbox, OpenMailbox
from newsletter.bounces.mailboxes.server import TIMEOUT, MailServer, ServerError, xoauth2

_LINES = 2_000  # lines of a long mail that are read; a report stands before the letter it returns

# Python gives up at lines of 2,048 bytes, and mails have longer ones.
vars(poplib)["_MAXLINE"] = 64 * 2**20


@dataclass(frozen=True)
class Pop3Mailbox(Mailbox):
    """A mailbox on a POP3 server; nothing in it is deleted. A mail's key is its UIDL."""

    server: MailServer

    @property
    @override
    def name(self) -> str:
        return self.server.url("pop3")

    @override
    @contextlib.contextmanager
    def open(self) -> Iterator["OpenPop3"]:
        with self.server.explained():
            connection = self._connect()
            try:
                if self.server.security == "starttls":
                    connection.stls(self.server.context())
                self._log_in(connection)
                yield OpenPop3(connection)
            finally:
                for end in (connection.quit, connection.close):  # lost, only the latter closes
                    with contextlib.suppress(*ServerError, OSError):
                        end()

    def _connect(self) -> poplib.POP3:
        server = self.server
        if server.security == "tls":
            return poplib.POP3_SSL(
                server.host, server.port, timeout=TIMEOUT, context=server.context()
            )
        return poplib.POP3(server.host, server.port, timeout=TIMEOUT)

    def _log_in(self, connection: poplib.POP3) -> None:
        def by_password() -> None:
            connection.user(self.server.username)
            connection.pass_(self.server.password)

        def by_token(token: str) -> None:
            # RFC 5034; Microsoft takes the words only after its "+".
            command = connection._shortcmd  # type: ignore[attr-defined] # noqa: SLF001
            command("AUTH XOAUTH2")
            command(b64encode(xoauth2(self.server.username, token).encode()).decode())

        self.server.log_in(by_password, by_token)


@dataclass(frozen=True)
class OpenPop3(OpenMailbox):
    """A mailbox after the login; it is locked until it is closed."""

    connection: poplib.POP3

    @override
    def mails(self, known: Collection[str] = (), again: Collection[str] = ()) -> Iterator[Mail]:
        listed = (line.split() for line in self.connection.list()[1])
        sizes = {int(number): int(size) for number, size in listed}
        for key, number in self._numbers().items():
            if key not in known or key in again:
                content = self._read(number, whole=sizes.get(number, 0) <= MAX_BYTES)
                yield Mail(f"mail {number}", content, key=key)

    @override
    def count_new(self, known: Collection[str]) -> int:
        return len(self._numbers().keys() - set(known))

    @override
    def look(self, keys: Collection[str]) -> Mapping[str, bool]:
        present = self._numbers()
        return {key: False for key in keys if key in present}

    def _numbers(self) -> Mapping[str, int]:
        """The numbers of all mails in this session, by their UIDL."""
        lines = (line.split() for line in self.connection.uidl()[1])
        return {key.decode("ascii", "replace"): int(number) for number, key in lines}

    def _read(self, number: int, *, whole: bool) -> bytes:
        """A mail's first bytes; none if the server cannot read this one."""
        try:
            _, lines, _ = (
                self.connection.retr(number) if whole else self.connection.top(number, _LINES)
            )
        except poplib.error_proto:
            return b""
        return b"\r\n".join(lines)[:MAX_BYTES]
