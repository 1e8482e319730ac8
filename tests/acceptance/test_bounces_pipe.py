"""Returned mail through a pipe: nothing is lost, and a sender learns nothing of our machine."""

import io
import shutil
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from newsletter.app.wiring import open_app
from newsletter.cli import run
from newsletter.letter.links import Purpose, bounce_tag, sign_token
from tests.support.bounce_mails import postfix_bounce
from tests.support.cli import Newsletter
from tests.support.daemons import wait_until
from tests.support.postfix import python_for_everybody, running_postfix

BOUNCES = {"address": "bounce@papers.example.org"}


def make_newsletter(folder: Path) -> Newsletter:
    """A newsletter with one reader in its store."""
    newsletter = Newsletter(folder)
    newsletter.configure(bounces=BOUNCES)
    newsletter.subscribe({"email": "ada@example.org"})
    newsletter.run("subscribers", "list")
    return newsletter


@pytest.fixture
def newsletter(tmp_path: Path) -> Newsletter:
    return make_newsletter(tmp_path)


def bounce(newsletter: Newsletter) -> bytes:
    with open_app(newsletter.folder / "newsletter.yaml") as app:
        tag = bounce_tag(1, app.keyring, "ada@example.org")
    return postfix_bounce(f"bounce+{tag}@papers.example.org")


def request(newsletter: Newsletter, verb: str) -> bytes:
    with open_app(newsletter.folder / "newsletter.yaml") as app:
        purpose: Purpose = "unsubscribe" if verb == "unsubscribe" else "preferences"
        token = sign_token("1", purpose, app.keyring, app.clock.now() - timedelta(days=1))
    return f"From: ada@example.org\nSubject: {verb} {token}\n\nx\n".encode()


@dataclass
class Pipe:
    """The command that a mail server runs for each mail."""

    newsletter: Newsletter
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def __call__(self, mail: bytes, *words: str) -> tuple[int, str, str]:
        """Its exit code and its output."""
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(mail)))
        file = str(self.newsletter.folder / "newsletter.yaml")
        code = run(["bounces", "read", "-", "--config", file, *words])
        return code, *self.capsys.readouterr()


@pytest.fixture
def pipe(
    newsletter: Newsletter, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Pipe:
    return Pipe(newsletter, monkeypatch, capsys)


def break_configuration(newsletter: Newsletter) -> None:
    (newsletter.folder / "newsletter.yaml").write_text("name: [", encoding="utf-8")


def lose_configuration(newsletter: Newsletter) -> None:
    (newsletter.folder / "newsletter.yaml").unlink()


def lose_server(newsletter: Newsletter) -> None:
    newsletter.configure(bounces=BOUNCES, store="postgresql://nobody@127.0.0.1:1/papers")


def lose_store(newsletter: Newsletter) -> None:
    newsletter.configure(bounces=BOUNCES, store="sqlite:////dev/full/newsletter.db")


def break_store(newsletter: Newsletter) -> None:
    (newsletter.folder / "newsletter.db").write_bytes(b"this is no database" * 999)


@pytest.mark.parametrize(
    "fault",
    [break_configuration, lose_configuration, lose_server, lose_store, break_store],
)
def test_server_keeps_mail_that_was_not_taken_in(
    newsletter: Newsletter, pipe: Pipe, fault: Callable[[Newsletter], None]
) -> None:
    mail = bounce(newsletter)
    fault(newsletter)
    code, output, errors = pipe(mail)
    assert (code, output) == (75, "")
    assert errors == "not taken in now; try again later\n"


def test_mail_that_nobody_thought_of_is_kept(
    newsletter: Newsletter, pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_content: bytes) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("newsletter.bounces.processing.parse", failing)
    assert pipe(b"Subject: x\n\n")[0] == 0
    assert len(list((newsletter.folder / ".newsletter/kept/new").iterdir())) == 1


def test_server_keeps_mail_that_we_cannot_keep(newsletter: Newsletter, pipe: Pipe) -> None:
    (newsletter.folder / ".newsletter").mkdir(exist_ok=True)
    (newsletter.folder / ".newsletter/kept").write_bytes(b"in the way")
    assert pipe(b"Subject: x\n\n")[0] == 75


@pytest.mark.slow
def test_what_needs_a_person_is_kept_and_named(newsletter: Newsletter, pipe: Pipe) -> None:
    mail = request(newsletter, "preferences")
    code, output, _ = pipe(mail, "--quiet")
    assert code == 0
    assert "asks for other topics" in output
    (kept,) = (newsletter.folder / ".newsletter/kept/new").iterdir()
    assert kept.read_bytes() == mail
    (left,) = newsletter.json("status")["left_mails"]
    assert left["why"].startswith("ada@example.org: asks for other topics")
    assert newsletter.json("bounces", "read")["read"] == 0
    kept.unlink()
    assert newsletter.json("bounces", "read")["waiting"] == 0


def test_long_mail_is_taken_from_the_server_whole(newsletter: Newsletter, pipe: Pipe) -> None:
    code, output, _ = pipe(bounce(newsletter) + b"x" * 2**22)
    assert (code, sys.stdin.buffer.read()) == (0, b"")
    assert "hard bounce, ada@example.org, counted" in output


def test_signed_wish_is_done_at_once(newsletter: Newsletter, pipe: Pipe) -> None:
    _, output, _ = pipe(request(newsletter, "weekly"))
    assert "done as asked" in output
    assert newsletter.json("subscribers", "list")[0]["cadence"] == "weekly"


@pytest.mark.slow
def test_postfix_keeps_an_unsubscribe_while_the_store_is_busy() -> None:
    """A real alias, a real lock on the store for longer than a writer waits, then none."""
    python = python_for_everybody()
    alias = f"|cd {{folder}}/n && {python} -m newsletter bounces read - || exit 75"
    with running_postfix({"bounce": alias}) as postfix:
        folder = postfix.folder / "n"
        folder.mkdir()
        newsletter = make_newsletter(folder)
        mail = request(newsletter, "unsubscribe")
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, "nobody")
        lock = sqlite3.connect(folder / "newsletter.db")
        lock.execute("BEGIN IMMEDIATE")
        postfix.send("bounce@papers.example.org", mail, "ada@example.org")
        wait_until(lambda: "status=deferred" in postfix.log or "bounced" in postfix.log)
        assert "status=deferred (temporary failure. Command output: not taken in" in postfix.log
        lock.rollback()
        wait_until(lambda: "status=sent (delivered to command" in postfix.log)
        assert newsletter.json("subscribers", "list")[0]["status"] == "unsubscribed"
        assert "status=bounced" not in postfix.log
