"""A folder on an IMAP server (RFC 3501)."""

import contextlib
import imaplib
import re
from base64 import b64encode
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from typing_extensions import override

from newsletter.bounces.mailboxes.mailbox import MAX_BYTES, Mail, Mailbox, OpenMailbox
from newsletter.bounces.mailboxes.server import TIMEOUT, MailServer, ServerError, xoauth2
from newsletter.errors import UsageError

_AT_ONCE = 20  # mails in one answer; each may have a megabyte
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_UID = re.compile(rb"\bUID (\d+)")
_NOT_ASCII = re.compile(r"[^\x20-\x7e]+|&")


@dataclass(frozen=True)
class ImapFolder(Mailbox):
    """A folder on an IMAP server; nothing in it is deleted.

    A mail's key is its UID, which grows, after the UIDVALIDITY under which it holds. So the highest
    one that was read says what is new. In a folder that was never read, older mails than those of
    ``since`` are passed over.
    """

    server: MailServer
    folder: str
    since: date

    @property
    @override
    def name(self) -> str:
        return f"{self.server.url('imap')}/{self.folder}"

    @override
    @contextlib.contextmanager
    def open(self) -> Iterator["OpenFolder"]:
        with self.server.explained():
            connection = self._connect()
            try:
                if self.server.security == "starttls":
                    connection.starttls(self.server.context())
                self._log_in(connection)
                yield OpenFolder(connection, self._select(connection), self.since)
            finally:
                for end in (connection.logout, connection.shutdown):  # lost, only the latter closes
                    with contextlib.suppress(*ServerError, OSError):
                        end()

    def _connect(self) -> imaplib.IMAP4:
        server = self.server
        if server.security == "tls":
            return imaplib.IMAP4_SSL(
                server.host, server.port, ssl_context=server.context(), timeout=TIMEOUT
            )
        return imaplib.IMAP4(server.host, server.port, timeout=TIMEOUT)

    def _log_in(self, connection: imaplib.IMAP4) -> None:
        user, password = self.server.username, self.server.password
        plain = f"\0{user}\0{password}".encode()

        def by_password() -> None:
            if "AUTH=PLAIN" in connection.capabilities:  # any character may be in it
                connection.authenticate("PLAIN", lambda _: plain)
            else:
                connection.login(user, password)

        def by_token(token: str) -> None:
            # A second challenge has the error's details; an empty answer ends the attempt.
            answers = iter([xoauth2(user, token).encode()])
            connection.authenticate("XOAUTH2", lambda _: next(answers, b""))

        self.server.log_in(by_password, by_token)

    def _select(self, connection: imaplib.IMAP4) -> str:
        """Select the folder; its UIDVALIDITY."""
        name = _NOT_ASCII.sub(_modified_utf7, self.folder)
        name = name.replace("\\", "\\\\").replace('"', '\\"')
        status, answer = connection.select(f'"{name}"')
        if status != "OK":
            raise UsageError(
                f"{self.name}: there is no such folder ({_text(answer)}); correct "
                f"{self.server.setting}.folders"
            )
        return _text(connection.response("UIDVALIDITY")[1])


@dataclass(frozen=True)
class OpenFolder(OpenMailbox):
    """A selected folder."""

    connection: imaplib.IMAP4
    validity: str
    since: date

    @override
    def mails(self, known: Collection[str] = (), again: Collection[str] = ()) -> Iterator[Mail]:
        uids = sorted({*self._new(known), *self._uids(again)})
        for start in range(0, len(uids), _AT_ONCE):
            for uid, content in self._fetch(uids[start : start + _AT_ONCE]):
                key = f"{self.validity}.{uid}"
                yield Mail(f"UID {uid}", content, partial(self._mark_seen, uid), key)

    @override
    def count_new(self, known: Collection[str]) -> int:
        return len(self._new(known))

    @override
    def look(self, keys: Collection[str]) -> Mapping[str, bool]:
        # The highest one stays known, and so does what nobody has dealt with.
        uids, unseen = self._uids(keys), set(self._search("UNSEEN"))
        kept = (uids & unseen) | {max(uids, default=0)}
        return {f"{self.validity}.{uid}": uid not in unseen for uid in kept if uid}

    def _new(self, known: Collection[str]) -> Sequence[int]:
        if highest := max(self._uids(known), default=0):
            # The last mail is always in the answer (RFC 3501, 6.4.8).
            return [uid for uid in self._search("UID", f"{highest + 1}:*") if uid > highest]
        return self._search(
            "SINCE", f"{self.since.day:02}-{_MONTHS[self.since.month - 1]}-{self.since.year}"
        )

    def _uids(self, keys: Iterable[str]) -> set[int]:
        """The UIDs in these keys that hold in this folder."""
        parts = (key.split(".") for key in keys)
        return {int(uid) for validity, uid in parts if validity == self.validity}

    def _search(self, *criteria: str) -> Sequence[int]:
        _, answer = self.connection.uid("SEARCH", *criteria)
        return [int(uid) for line in answer if line for uid in line.split()]

    def _fetch(self, uids: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """These mails' first bytes; those that have gone meanwhile are left out."""
        wanted = ",".join(map(str, uids))
        _, answer = self.connection.uid("FETCH", wanted, f"(UID BODY.PEEK[]<0.{MAX_BYTES}>)")
        for part, following in zip(answer, [*answer[1:], b""], strict=True):
            if isinstance(part, tuple):
                rest = following if isinstance(following, bytes) else b""
                if (uid := _UID.search(part[0] + rest)) is not None:
                    yield int(uid[1]), part[1]

    def _mark_seen(self, uid: int) -> None:
        # Only a sign for people: a folder may be open to reading alone.
        with contextlib.suppress(*ServerError, OSError):
            self.connection.uid("STORE", str(uid), "+FLAGS.SILENT", r"(\Seen)")


def _modified_utf7(run: re.Match[str]) -> str:
    """Characters of a folder's name as IMAP writes them (RFC 3501, 5.1.3)."""
    if run[0] == "&":
        return "&-"
    encoded = b64encode(run[0].encode("utf-16-be")).decode().rstrip("=").replace("/", ",")
    return f"&{encoded}-"


def _text(answer: Sequence[Any]) -> str:
    return b" ".join(part for part in answer if isinstance(part, bytes)).decode("utf-8", "replace")
