"""Returned mail in real files, read by the real command and the real daemon."""

import mailbox
import shutil
import subprocess
import sys
from datetime import timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from newsletter.app.refreshing import BouncesRefresh
from newsletter.app.wiring import open_app
from newsletter.doctor import examine
from newsletter.letter.links import bounce_tag
from tests.support.bounce_mails import complaint_mail, exim_bounce, postfix_bounce, unsubscribe_mail
from tests.support.cli import Newsletter
from tests.support.daemons import (
    clock_time,
    configure_due,
    daily_entries,
    not_at_midnight,
    running_daemon,
    stop_daemon,
    wait_until,
)
from tests.support.factories import NOON
from tests.support.http_servers import daily_papers, serve
from tests.support.inbox import ReceivedMail, open_inbox
from tests.support.logs import log_lines

DAY = "2026-08-03"
BOUNCES = {"address": "bounce@example.org", "maildir": "bounces"}
ENTRY = {"paper": {"id": "2608.00001", "title": "A paper", "summary": "A text."}}


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> tuple[Newsletter, list[ReceivedMail]]:
    """A newsletter that has sent an issue to a hundred readers, with a Maildir for bounces."""
    folder = tmp_path_factory.mktemp("sent")
    with open_inbox() as inbox, serve(daily_papers({DAY: [ENTRY]})) as origin:
        made = Newsletter(folder, inbox.port)
        source = {"kind": "huggingface", "url": origin, "allow_private_addresses": True}
        made.configure(sources=[source], bounces=BOUNCES)
        made.subscribe(*({"email": f"r{n}@example.net"} for n in range(1, 101)))
        made.send(DAY)
    mailbox.Maildir(folder / "bounces").close()
    return made, inbox.arrivals


@pytest.fixture
def arrivals(sent: tuple[Newsletter, list[ReceivedMail]]) -> list[ReceivedMail]:
    """The letters that the readers received."""
    return sent[1]


@pytest.fixture
def newsletter(sent: tuple[Newsletter, list[ReceivedMail]], tmp_path: Path) -> Newsletter:
    """A copy of the newsletter as it was after sending."""
    shutil.copytree(sent[0].folder, tmp_path, dirs_exist_ok=True)
    return Newsletter(tmp_path)


def deliver(newsletter: Newsletter, *mails: bytes) -> None:
    box = mailbox.Maildir(newsletter.folder / "bounces")
    for mail in mails:
        box.add(mailbox.MaildirMessage(message_from_bytes(mail)))
    box.close()


def count_mails(newsletter: Newsletter) -> dict[str, int]:
    """The number of unread and of seen mails in the Maildir."""
    box = mailbox.Maildir(newsletter.folder / "bounces")
    flags = [(message.get_subdir(), message.get_flags()) for message in box]
    box.close()
    return {"new": flags.count(("new", "")), "seen": flags.count(("cur", "S"))}


def mail_to_reader(arrivals: list[ReceivedMail], reader: int) -> ReceivedMail:
    (found,) = [one for one in arrivals if one.recipient == f"r{reader}@example.net"]
    return found


def bounces_of(arrival: ReceivedMail, days: int = 3) -> list[bytes]:
    return [
        postfix_bounce(arrival.sender, sent=NOON - timedelta(days=n), name=f"{n}.{arrival.sender}")
        for n in range(days)
    ]


def blocked(newsletter: Newsletter) -> dict[str, str]:
    listed: list[dict[str, Any]] = newsletter.json("subscribers", "list")
    return {r["email"]: r["why_blocked"] for r in listed if r["status"] == "blocked"}


@pytest.mark.slow
def test_every_letter_has_its_own_return_path(
    arrivals: list[ReceivedMail],
) -> None:
    assert len({arrival.sender for arrival in arrivals}) == 100
    assert all(a.sender.startswith("bounce+") for a in arrivals)


@pytest.mark.slow
def test_one_bouncing_reader_is_the_only_one_affected(
    newsletter: Newsletter, arrivals: list[ReceivedMail]
) -> None:
    deliver(newsletter, *bounces_of(mail_to_reader(arrivals, 7)))
    found = newsletter.json("bounces", "read")
    assert (found["read"], found["noted"], found["suppressed"], found["left"]) == (3, 2, 1, 0)
    assert {mail["reader"] for mail in found["mails"]} == {"r7@example.net"}
    assert count_mails(newsletter) == {"new": 0, "seen": 3}
    assert blocked(newsletter).keys() == {"r7@example.net"}
    assert "hard bounces on 3 days" in blocked(newsletter)["r7@example.net"]
    newsletter.subscribe(*({"email": f"r{n}@example.net", "name": "N"} for n in range(1, 101)))
    assert len(blocked(newsletter)) == 1
    assert newsletter.json("bounces", "read")["read"] == 0


@pytest.mark.slow
def test_unblocked_reader_gets_letters_again(
    newsletter: Newsletter, arrivals: list[ReceivedMail]
) -> None:
    deliver(newsletter, complaint_mail(back=f"<{mail_to_reader(arrivals, 7).sender}>"))
    assert "blocked" in newsletter.run("bounces", "read").stdout
    back = newsletter.run("subscribers", "unsuppress", "R7@Example.net")
    assert "r7@example.net: gets emails again (was blocked: complained on" in back.stdout
    assert blocked(newsletter) == {}
    again = newsletter.run("subscribers", "unsuppress", "r7@example.net", code=2)
    assert "is not blocked" in again.stderr


@pytest.mark.slow
def test_readers_unsubscribe_by_list_header(
    newsletter: Newsletter, arrivals: list[ReceivedMail]
) -> None:
    header = str(mail_to_reader(arrivals, 3).message["List-Unsubscribe"])
    mail_to, _, subject = header.strip("<>").removeprefix("mailto:").partition("?subject=")
    deliver(newsletter, unsubscribe_mail(subject.replace("%20", " "), to=mail_to))
    assert newsletter.json("bounces", "read")["unsubscribed"] == 1
    listed = {r["email"]: r["status"] for r in newsletter.json("subscribers", "list")}
    assert listed.pop("r3@example.net") == "unsubscribed"
    assert set(listed.values()) == {"confirmed"}


@pytest.mark.slow
def test_complaint_without_return_path_uses_the_message_id(
    newsletter: Newsletter, arrivals: list[ReceivedMail]
) -> None:
    deliver(
        newsletter, complaint_mail(letter=str(mail_to_reader(arrivals, 5).message["Message-ID"]))
    )
    assert newsletter.json("bounces", "read")["suppressed"] == 1
    assert blocked(newsletter).keys() == {"r5@example.net"}


@pytest.mark.slow
def test_foreign_mail_is_named_and_left(newsletter: Newsletter) -> None:
    deliver(
        newsletter,
        b"Subject: hello\n\nhello\n",
        exim_bounce("bounce+1-0123456789abcdef@example.org"),
    )
    found = newsletter.json("bounces", "read")
    assert (found["read"], found["left"]) == (2, 2)
    assert all(mail["name"] and mail["said"] for mail in found["mails"])
    assert count_mails(newsletter) == {"new": 2, "seen": 0}
    once_more = newsletter.json("bounces", "read")
    assert (once_more["read"], once_more["waiting"]) == (0, 2)
    assert newsletter.json("bounces", "read", "--again")["left"] == 2
    assert [mail["why"] for mail in newsletter.json("status")["left_mails"]] == [
        mail["said"] for mail in found["mails"]
    ]


@pytest.mark.slow
def test_left_mail_seen_by_a_person_is_done(newsletter: Newsletter) -> None:
    deliver(newsletter, b"Subject: hello\n\nhello\n", b"Subject: hi\n\nhi\n")
    assert newsletter.json("bounces", "read")["waiting"] == 2
    first, second = (newsletter.folder / "bounces" / "new").iterdir()
    first.rename(newsletter.folder / "bounces" / "cur" / f"{first.name}:2,S")
    second.unlink()
    assert newsletter.json("bounces", "read")["waiting"] == 0
    assert newsletter.json("status")["left_mails"] == []


@pytest.mark.slow
def test_quiet_reading_prints_only_what_needs_a_person(
    newsletter: Newsletter, arrivals: list[ReceivedMail]
) -> None:
    deliver(newsletter, *bounces_of(mail_to_reader(arrivals, 4), days=1))
    assert newsletter.run("bounces", "read", "--quiet").stdout == ""
    deliver(newsletter, b"Subject: hello\n\nhello\n")
    assert "unreadable" in newsletter.run("bounces", "read", "--quiet").stdout
    assert newsletter.run("bounces", "read", "--quiet").stdout == ""


@pytest.mark.slow
def test_mail_in_mbox_pipe_and_maildir_counts_once(
    newsletter: Newsletter, arrivals: list[ReceivedMail]
) -> None:
    mail = bounces_of(mail_to_reader(arrivals, 9), days=1)[0]
    box = mailbox.mbox(newsletter.folder / "back.mbox")
    box.add(mail)
    box.add(b"Subject: hello\n\nFrom here on\n")
    box.close()
    before = (newsletter.folder / "back.mbox").read_bytes()
    found = newsletter.json("bounces", "read", "--mbox", "back.mbox")
    assert (found["noted"], found["left"], found["mails"][1]["name"]) == (1, 1, "back.mbox#2")
    assert (newsletter.folder / "back.mbox").read_bytes() == before
    piped = subprocess.run(
        [sys.executable, "-m", "newsletter", "bounces", "read", "-"],
        cwd=newsletter.folder,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        input=b"From MAILER-DAEMON Mon Aug  3 12:00:00 2026\n" + mail,
        capture_output=True,
        check=True,
    )
    assert b"hard bounce, r9@example.net, counted before" in piped.stdout
    deliver(newsletter, mail)
    assert newsletter.json("bounces", "read", "--maildir", "bounces")["again"] == 1
    assert count_mails(newsletter) == {"new": 0, "seen": 1}


@pytest.mark.slow
@pytest.mark.parametrize("flags", ["F", "FS"])
def test_mail_seen_by_another_program_is_read(
    newsletter: Newsletter, arrivals: list[ReceivedMail], flags: str
) -> None:
    box = mailbox.Maildir(newsletter.folder / "bounces")
    message = mailbox.MaildirMessage(
        message_from_bytes(bounces_of(mail_to_reader(arrivals, 2), 1)[0])
    )
    message.set_subdir("cur")
    message.set_flags(flags)
    box.add(message)
    box.close()
    assert newsletter.json("bounces", "read")["noted"] == 1
    assert newsletter.json("bounces", "read")["read"] == 0
    assert [path.name[-5:] for path in (newsletter.folder / "bounces/cur").iterdir()] == [":2,FS"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--maildir", "nowhere"), "no Maildir can be read there"),
        (("--mbox", "nowhere"), "no mbox can be read there"),
        (("--mbox", "newsletter.yaml"), "is not an mbox"),
        (("--mbox", "newsletter.yaml", "-"), "exactly one of --maildir"),
        (("back.mbox",), "is not a mailbox"),
    ],
)
def test_invalid_mailbox_is_named(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    newsletter = Newsletter(tmp_path)
    newsletter.configure(bounces=BOUNCES)
    newsletter.subscribe()
    assert said in newsletter.run("bounces", "read", *words, code=2).stderr


def test_missing_mailbox_setting_is_explained(tmp_path: Path) -> None:
    newsletter = Newsletter(tmp_path)
    newsletter.configure()
    newsletter.subscribe()
    assert "set bounces.maildir" in newsletter.run("bounces", "read", code=2).stderr


@pytest.mark.slow
def test_doctor_checks_the_mailbox(newsletter: Newsletter) -> None:
    def finding() -> tuple[str, str]:
        found = examine(newsletter.folder / "newsletter.yaml", None)
        return next((one.state, one.said) for one in found if one.name == "bounces")

    deliver(newsletter, b"Subject: hello\n\nhello\n")
    assert finding() == (
        "wrong",
        f"maildir:{newsletter.folder / 'bounces'}, 1 mails waiting, never read",
    )
    newsletter.run("bounces", "read")
    assert finding()[0] == "wrong"
    assert finding()[1] == "1 mails need a person"
    newsletter.configure(bounces={**BOUNCES, "maildir": "nowhere"})
    assert finding()[0] == "wrong"
    newsletter.configure(bounces={"address": "bounce@example.org"})
    assert finding()[0] == "not checked"
    newsletter.configure()
    assert finding()[0] == "not checked"


def test_unread_mail_is_reported_once_by_the_daemon(newsletter: Newsletter) -> None:
    with open_app(newsletter.folder / "newsletter.yaml") as app, log_lines() as told:
        returns = BouncesRefresh(app)
        deliver(newsletter, b"Subject: hello\n\nhello\n")
        for _ in range(3):
            returns()
        assert len(told) == 1
        (newsletter.folder / "bounces" / "cur").rename(newsletter.folder / "bounces" / "old")
        for _ in range(3):
            returns()
    assert len(told) == 2
    assert "no Maildir can be read there" in told[1]


@pytest.mark.slow
@not_at_midnight
def test_daemon_reads_bounces_before_the_issue(tmp_path: Path) -> None:
    with open_inbox() as inbox, serve(daily_papers(daily_entries())) as origin:
        newsletter = Newsletter(tmp_path, inbox.port)
        configure_due(newsletter, origin, readers=2)
        with open_app(tmp_path / "newsletter.yaml") as app:
            app.readers()
            publisher = app.publisher
        path = f"bounce+{bounce_tag(1, publisher.keyring)}@example.org"
        source = {"kind": "huggingface", "url": origin, "allow_private_addresses": True}
        newsletter.configure(
            sources=[source], bounces=BOUNCES, schedule={"at": clock_time(0), "days": "daily"}
        )
        deliver(newsletter, complaint_mail(back=f"<{path}>"))
        with running_daemon(newsletter) as daemon:
            wait_until(lambda: newsletter.json("status")["state"] == "done", daemon)
            said = stop_daemon(daemon)
    assert "complaint, r0@example.org, blocked" in said
    assert [arrival.recipient for arrival in inbox.arrivals] == ["r1@example.org"]
