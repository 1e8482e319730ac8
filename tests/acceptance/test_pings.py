"""`send` and `doctor` with `ping:`: a service outside hears how it went, and no one sees where."""

from pathlib import Path

import pytest

from newsletter.doctor import examine
from tests.support.cli import Newsletter
from tests.support.http_servers import daily_papers, serve
from tests.support.inbox import open_inbox
from tests.support.ping_servers import CHECK, ping_server

DAY = "2026-08-03"
ENTRY = {"paper": {"id": "2608.00001", "title": "A paper", "summary": "A text."}}


@pytest.mark.slow
def test_send_tells_how_it_went(tmp_path: Path) -> None:
    with (
        open_inbox() as inbox,
        ping_server() as pings,
        serve(daily_papers({DAY: [ENTRY]})) as origin,
    ):
        source = {"kind": "huggingface", "url": origin, "allow_private_addresses": True}
        made = Newsletter(tmp_path, smtp_port=1)
        made.configure(sources=[source], ping=pings.url)
        made.subscribe({"email": "ada@example.org"})
        failed = made.run("send", "--yes", "--date", DAY, "--verbose", code=75)
        assert pings.ends == ["/start", "/fail"]
        assert "smtp.host and smtp.port" in pings.came[1][1]
        made.smtp_port = inbox.port
        made.configure(sources=[source], ping=pings.url)
        made.send(DAY)
        assert pings.came[2:] == [("/start", ""), ("", f"{DAY} is done: 1 of 1 accepted")]
        made.send("2026-08-04", "--dry-run")
        assert len(pings.came) == 4
        shown = made.run("config", "show")
        assert "ping = **********" in shown.stdout
        assert CHECK not in shown.stdout + failed.stderr


@pytest.mark.slow
def test_service_that_is_away_changes_nothing(tmp_path: Path) -> None:
    made = Newsletter(tmp_path)
    made.configure(ping=f"http://127.0.0.1:1{CHECK}")
    made.subscribe({"email": "ada@example.org"})
    done = made.run("send", "--yes", "--date", DAY)
    assert "127.0.0.1 did not take the start" in done.stderr
    assert CHECK not in done.stderr


@pytest.mark.slow
def test_doctor_tries_the_address(tmp_path: Path) -> None:
    made = Newsletter(tmp_path)
    made.subscribe({"email": "ada@example.org"})
    with ping_server(200, 404) as pings:
        made.configure(ping=pings.url)
        found = [
            {one.name: one for one in examine(tmp_path / "newsletter.yaml", None)}["ping"]
            for _ in range(2)
        ]
    assert pings.ends == ["/log", "/log"], "which says nothing about the newsletter"
    assert [one.state for one in found] == ["ok", "wrong"]
    assert "status 404" in found[1].said
    assert CHECK not in str(found)


def test_wrong_address_is_not_repeated(tmp_path: Path) -> None:
    made = Newsletter(tmp_path)
    made.configure(ping="hc-ping.com/0b4c1f7e-secret")
    said = made.run("config", "check", code=3).stderr
    assert "ping: write the address of the check: https://" in said
    assert CHECK not in said
