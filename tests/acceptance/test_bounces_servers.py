"""Returned mail on a real IMAP and POP3 server."""

import socket
import socketserver
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from newsletter.app.refreshing import BouncesRefresh
from newsletter.app.wiring import open_app
from newsletter.bounces.mailboxes import ImapFolder, Mailbox, MailServer, Pop3Mailbox
from newsletter.doctor import examine
from newsletter.errors import MailboxLoginError
from newsletter.letter.links import bounce_tag
from tests.support.bounce_mails import postfix_bounce
from tests.support.cli import Newsletter
from tests.support.daemons import wait_until
from tests.support.dovecot import PASSWORD, USER, Dovecot, running_dovecot
from tests.support.factories import NOON
from tests.support.logs import log_lines


@pytest.fixture
def dovecot() -> Iterator[Dovecot]:
    with running_dovecot() as server:
        yield server


@pytest.fixture
def newsletter(tmp_path: Path) -> Newsletter:
    made = Newsletter(tmp_path)
    made.subscribe({"email": "ada@example.org"}, {"email": "bob@example.org"})
    return made


def configure(newsletter: Newsletter, kind: str, port: int, **settings: Any) -> None:  # noqa: ANN401
    login = {"username": USER, "password": PASSWORD, "host": "127.0.0.1", "port": port}
    if "ca_file" not in settings:
        login["security"] = "none"
    newsletter.configure(
        secret="a secret of many characters",
        bounces={"address": "bounce@papers.example.org", kind: {**login, **settings}},
    )
    newsletter.run("subscribers", "list")


def bounce(newsletter: Newsletter, day: int = 0, reader: int = 1) -> bytes:
    with open_app(newsletter.folder / "newsletter.yaml") as app:
        tag = bounce_tag(reader, app.keyring)
    path = f"bounce+{tag}@papers.example.org"
    return postfix_bounce(path, sent=NOON + timedelta(days=day), name=f"{day}.{reader}")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["imap", "pop3"])
def test_only_new_mails_are_read(newsletter: Newsletter, dovecot: Dovecot, kind: str) -> None:
    configure(newsletter, kind, getattr(dovecot, kind))
    dovecot.deliver(*(bounce(newsletter, day) for day in range(2)), b"Subject: hello\n\nhello\n")
    first = newsletter.json("bounces", "read")
    assert (first["noted"], first["left"], first["waiting"]) == (2, 1, 1)
    dovecot.deliver(bounce(newsletter, 2))
    second = newsletter.json("bounces", "read")
    assert (second["read"], second["suppressed"]) == (1, 1)
    assert newsletter.json("bounces", "read")["read"] == 0
    assert newsletter.json("bounces", "read", "--again")["left"] == 1
    assert len(dovecot.flags()) == 4
    if kind == "imap":
        assert sorted(dovecot.flags()) == ["", "S", "S", "S"]


@pytest.mark.slow
def test_folders_of_imap_are_read_by_name(newsletter: Newsletter, dovecot: Dovecot) -> None:
    configure(newsletter, "imap", dovecot.imap, folders=["INBOX", "Junk"])
    dovecot.deliver(bounce(newsletter), folder="Junk")
    assert newsletter.json("bounces", "read")["noted"] == 1
    configure(newsletter, "imap", dovecot.imap, folders=["Rücklauf"])
    refused = newsletter.run("bounces", "read", code=2)
    assert "there is no such folder" in refused.stderr
    assert "bounces.imap.folders" in refused.stderr


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["imap", "pop3"])
@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_connection_is_encrypted_and_verified(
    newsletter: Newsletter, dovecot: Dovecot, kind: str, security: str
) -> None:
    port = getattr(dovecot, f"{kind}s" if security == "tls" else kind)
    configure(newsletter, kind, port, security=security, ca_file=str(dovecot.certificate))
    dovecot.deliver(bounce(newsletter))
    assert newsletter.json("bounces", "read")["noted"] == 1
    configure(newsletter, kind, port, security=security, ca_file=None)
    refused = newsletter.run("bounces", "read", code=75)
    assert f"check bounces.{kind}.security and bounces.{kind}.ca_file" in refused.stderr


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["imap", "pop3"])
def test_wrong_password_is_tried_once(newsletter: Newsletter, dovecot: Dovecot, kind: str) -> None:
    configure(newsletter, kind, getattr(dovecot, kind), password="wrong, quite wrong")
    with open_app(newsletter.folder / "newsletter.yaml") as app, log_lines() as told:
        refresh = BouncesRefresh(app)
        for _ in range(3):
            refresh()
    assert len(told) == 1
    assert f"check bounces.{kind}.username and bounces.{kind}.password" in told[0]
    assert "quite wrong" not in told[0]
    wait_until(lambda: "auth failed" in dovecot.log)  # it writes that after its answer
    assert dovecot.log.count("auth failed") == 1
    findings = examine(newsletter.folder / "newsletter.yaml", None)
    assert next(one.state for one in findings if one.name == "bounces") == "wrong"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["imap", "pop3"])
def test_long_mail_is_read_in_part(newsletter: Newsletter, dovecot: Dovecot, kind: str) -> None:
    configure(newsletter, kind, getattr(dovecot, kind))
    dovecot.deliver(bounce(newsletter) + b"x" * 3_000_000 + b"\n" + b"y\n" * 1_000_000)
    assert newsletter.json("bounces", "read")["noted"] == 1


@pytest.mark.slow
def test_new_uidvalidity_counts_nothing_twice(newsletter: Newsletter, dovecot: Dovecot) -> None:
    configure(newsletter, "imap", dovecot.imap)
    dovecot.deliver(bounce(newsletter))
    assert newsletter.json("bounces", "read")["noted"] == 1
    for path in (dovecot.folder / "mail").glob("dovecot*"):
        path.unlink()
    found = newsletter.json("bounces", "read")
    assert (found["read"], found["noted"]) == (found["again"], 0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["imap", "pop3"])
def test_cut_connection_goes_on_where_it_was(
    newsletter: Newsletter, dovecot: Dovecot, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server vanishes after 140 of 200 mails; each is counted once in the end."""
    configure(newsletter, kind, getattr(dovecot, kind))
    dovecot.deliver(*(bounce(newsletter, day) for day in range(200)))
    sockets: list[socket.socket] = []
    connect = socket.create_connection

    def remembered(*words: Any, **named: Any) -> socket.socket:  # noqa: ANN401 - any arguments
        sockets.append(connect(*words, **named))
        return sockets[-1]

    monkeypatch.setattr(socket, "create_connection", remembered)
    with open_app(newsletter.folder / "newsletter.yaml") as app, log_lines() as told:
        refresh = BouncesRefresh(app)
        record, counted = app.store.record_mail_events, 0

        def counting(events: Any, **named: Any) -> Any:  # noqa: ANN401 - as the store's
            nonlocal counted
            counted += len(events)
            if counted == 140:
                sockets[0].shutdown(socket.SHUT_RDWR)
            return record(events, **named)

        monkeypatch.setattr(app.store, "record_mail_events", counting)
        refresh()
        assert any("it is tried again" in line for line in told)
        refresh()
        refresh()
    assert counted == 200


class Scripted(socketserver.StreamRequestHandler):
    """An IMAP or POP3 server that only knows logins by XOAUTH2, with the token ``right``."""

    logins: ClassVar[list[str]] = []
    timeout = 20

    def handle(self) -> None:
        """Answer until the other side leaves."""
        self._say("* OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2] ready" if self._imap else "+OK ready")
        while line := self.rfile.readline().decode().split():
            tag, verb = (line[0], line[1]) if self._imap else ("+OK", line[0])
            if verb == "CAPABILITY":
                self._say("* CAPABILITY IMAP4rev1 AUTH=XOAUTH2")
            elif verb == "SELECT":
                self._say("* OK [UIDVALIDITY 7] valid")
            elif verb in {"AUTH", "AUTHENTICATE"} and not self._is_welcome():
                self._say(f"{tag} NO [AUTHENTICATIONFAILED] no" if self._imap else "-ERR [AUTH] no")
                continue
            self._say(f"{tag} OK done" if self._imap else "+OK done")
            if verb in {"UIDL", "LIST"}:
                self._say(".")

    def _is_welcome(self) -> bool:
        self._say("+ ")
        words = b64decode(self.rfile.readline()).decode()
        self.logins.append(words)
        right = words == f"user={USER}\1auth=Bearer right\1\1"
        if not right and self._imap:
            self._say("+ eyJzdGF0dXMiOiI0MDAifQ==")
            assert self.rfile.readline() == b"\r\n"
        return right

    @property
    def _imap(self) -> bool:
        return isinstance(self.server, ImapServer)

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class ImapServer(socketserver.ThreadingTCPServer):
    daemon_threads = True


class Pop3Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


@pytest.mark.parametrize("kind", ["imap", "pop3"])
@pytest.mark.parametrize(("tokens", "refused"), [("old right", False), ("old old", True)])
def test_login_by_access_token(kind: str, tokens: str, refused: bool) -> None:  # noqa: FBT001
    """A refused token is replaced once; if there is no other, the login is refused."""
    left, asked = tokens.split(), list[str]()

    def access_token(before: str) -> str:
        asked.append(before)
        return left.pop(0)

    Scripted.logins.clear()
    with (ImapServer if kind == "imap" else Pop3Server)(("127.0.0.1", 0), Scripted) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        place = MailServer(f"bounces.{kind}", "127.0.0.1", port, "none", USER, "", "", access_token)
        mailbox: Mailbox = Pop3Mailbox(place)
        if kind == "imap":
            mailbox = ImapFolder(place, "INBOX", NOON.date())
        with pytest.raises(MailboxLoginError) if refused else nullcontext(), mailbox.open() as box:
            assert box.count_new(()) == 0
        server.shutdown()
    assert asked == ["", "old"]
    assert len(Scripted.logins) == (1 if refused else 2)
