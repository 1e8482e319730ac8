"""Several newsletters of one installation: each folder is one, with a sender of its own."""

import os
import signal
from pathlib import Path

import pytest

from tests.acceptance.test_daily_issues import a_paper, huggingface
from tests.support.cli import Newsletter
from tests.support.daemons import configure_due, daily_entries, stop_daemon, wait_until
from tests.support.http_servers import daily_papers, serve
from tests.support.inbox import open_inbox
from tests.support.processes import running_command


@pytest.mark.slow
def test_each_newsletter_has_its_own_sender(tmp_path: Path) -> None:
    with open_inbox() as inbox, serve(daily_papers({"2026-08-03": [a_paper(1, "A")]})) as origin:
        for name in ("physics", "biology"):
            (tmp_path / name).mkdir()
            newsletter = Newsletter(tmp_path / name, inbox.port)
            newsletter.configure(
                name=name,
                sender=f"{name.title()} & more <papers@{name}.example.org>",
                reply_to=f"editor@{name}.example.org",
                bounces={"address": f"bounce@{name}.example.org"},
                secret="a secret that both of them share",
                sources=[huggingface(origin)],
            )
            newsletter.subscribe({"email": "ada@example.org"})
            newsletter.send("2026-08-03")
        sent = {mail.message["From"].addresses[0].domain: mail for mail in inbox.arrivals}
    assert {*sent} == {"physics.example.org", "biology.example.org"}
    for domain, mail in sent.items():
        name = domain.partition(".")[0]
        headers = mail.message
        assert headers["From"].addresses[0].display_name == f"{name.title()} & more"
        assert headers["Reply-To"] == f"editor@{domain}"
        assert headers["List-Id"] == f"<papers.{domain}>"
        assert headers["Message-ID"].endswith(f"@{domain}>")
        assert "<mailto:bounce+" in headers["List-Unsubscribe"]
        assert f"@{domain}?subject=unsubscribe" in headers["List-Unsubscribe"]
        assert mail.sender.startswith("bounce+1-")
        assert mail.sender.endswith(f"@{domain}")
    tags = {mail.sender.partition("@")[0] for mail in inbox.arrivals}
    assert len(tags) == 2, "a tag of one list is none of the other"


@pytest.mark.slow
def test_one_run_keeps_several_newsletters(tmp_path: Path) -> None:
    with open_inbox() as inbox, serve(daily_papers(daily_entries())) as origin:
        for name in ("physics", "biology", "broken"):
            (tmp_path / name).mkdir()
            newsletter = Newsletter(tmp_path / name, inbox.port)
            configure_due(newsletter, origin, sender=f"Papers <papers@{name}.example.org>")
        (tmp_path / "broken/newsletter.yaml").write_text("nam: Typo\n")
        words = ["run", "physics", "biology/newsletter.yaml", "broken"]
        with running_command(words, tmp_path, {**os.environ, "NO_COLOR": "1"}) as daemon:
            wait_until(lambda: len(inbox.arrivals) == 2, daemon)
            wait_until(lambda: "broken/newsletter.yaml: ended" in daemon.stderr, daemon)
            os.kill(daemon.pid, signal.SIGHUP)
            wait_until(lambda: daemon.stderr.count("broken/newsletter.yaml: ended") == 2, daemon)
            said = stop_daemon(daemon)
    assert "broken/newsletter.yaml: ended (exit code 3); it starts again in 1 min" in said
    assert "Z physics/newsletter.yaml: stopped; nothing is lost" in said
    assert {mail.message["From"].addresses[0].domain for mail in inbox.arrivals} == {
        "physics.example.org",
        "biology.example.org",
    }


def test_a_run_of_several_refuses_what_is_not_there(tmp_path: Path) -> None:
    newsletter = Newsletter(tmp_path, 25)
    newsletter.configure()
    for words in (["nowhere"], [".", "newsletter.yaml"]):
        assert newsletter.run("run", *words, code=2).stdout == ""
