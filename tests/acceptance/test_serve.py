"""The readers' pages, served by the real command in its own process over a real database."""

import http.client
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from newsletter.app.wiring import open_app
from tests.support.cli import Newsletter
from tests.support.daemons import (
    configure_due,
    daily_entries,
    free_port,
    not_at_midnight,
    running_daemon,
    stop_daemon,
    wait_until,
)
from tests.support.frozen_issues import deliver
from tests.support.http_servers import daily_papers, serve
from tests.support.inbox import Inbox, open_inbox

pytestmark = not_at_midnight


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with open_inbox() as opened:
        yield opened


@pytest.fixture
def newsletter(tmp_path: Path, inbox: Inbox) -> Newsletter:
    return Newsletter(tmp_path, inbox.port)


def ask(port: int, method: str, path: str, **form: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    try:
        connection.request(method, path, urlencode(form), headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def post(port: int, path: str, body: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        return connection.getresponse().status
    finally:
        connection.close()


def is_up(port: int) -> bool:
    try:
        return ask(port, "GET", "/")[0] == 200
    except OSError:
        return False


def path_of(letter: str, word: str, port: int) -> str:
    found = re.search(rf"http://127\.0\.0\.1:{port}(/{word}/[\w.-]+)", letter)
    assert found, letter
    return found[1]


@pytest.mark.slow
def test_join_confirm_read_and_leave_with_serve(newsletter: Newsletter, inbox: Inbox) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with serve(daily_papers(daily_entries())) as origin:
        configure_due(newsletter, origin, readers=0, due=5, url=url, web={"port": port})
        with running_daemon(newsletter) as daemon:
            wait_until(lambda: is_up(port), daemon)
            assert ask(port, "POST", "/join", email="ada@example.org")[0] == 303
            wait_until(lambda: inbox.arrivals, daemon)
            confirm = path_of(inbox.arrivals[0].text, "confirm", port)
            assert ask(port, "POST", confirm)[0] == 303
            wait_until(lambda: len(inbox.arrivals) > 1, daemon)
            newsletter.run("send", "--yes")
            _, welcome, letter = inbox.arrivals
            assert path_of(welcome.text, "preferences", port)
            assert letter.titles == ["Paper 3", "Paper 2", "Paper 1"]
            ask(port, "POST", "/join", email="bob@example.org")
            wait_until(lambda: inbox.to("bob@example.org"), daemon)
            ask(port, "POST", path_of(inbox.to("bob@example.org")[0].text, "confirm", port))
            wait_until(lambda: len(inbox.to("bob@example.org")) > 1, daemon)
            assert inbox.to("bob@example.org")[1].titles == letter.titles
            assert "Paper 2" in ask(port, "GET", path_of(letter.text, "edition", port))[1]
            (one_click,) = re.findall(
                r"<http://127\.0\.0\.1:\d+(/[^>]+)>", letter.message["List-Unsubscribe"]
            )
            assert ask(port, "POST", one_click, **{"List-Unsubscribe": "One-Click"})[0] == 200
            said = stop_daemon(daemon)
    assert newsletter.json("audit")["ok"]
    assert f"http://127.0.0.1:{port}" in said
    assert "ada@example.org" not in said
    assert confirm.rpartition("/")[2] not in said
    readers = newsletter.json("subscribers", "list")
    assert [(reader["status"], reader["origin"]) for reader in readers] == [
        ("unsubscribed", "store"),
        ("confirmed", "store"),
    ]
    assert len(inbox.to("bob@example.org")) == 2


@pytest.mark.slow
def test_served_newsletter_hears_of_complaints(
    newsletter: Newsletter, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, password = free_port(), "a-password-of-many-letters"
    monkeypatch.setenv("WEBHOOK_PASSWORD", password)
    newsletter.configure(
        url=f"http://127.0.0.1:{port}",
        web={"port": port},
        bounces={"webhooks": {"mailjet": "${WEBHOOK_PASSWORD}"}},
    )
    newsletter.subscribe({"email": "ada@example.org"}, {"email": "bob@example.org"})
    with open_app(newsletter.folder / "newsletter.yaml") as app:
        deliver(app.store, app.readers(), day=app.clock.now().date(), now=app.clock.now())
    events = json.dumps([{"event": "spam", "email": "ada@example.org", "time": 1}])
    path = f"/bounces/mailjet/{password}"
    with running_daemon(newsletter, "serve") as serving:
        wait_until(lambda: is_up(port), serving)
        assert post(port, path, events) == 200
        assert post(port, f"{path}x", events) == 401
        said = stop_daemon(serving)
    assert password not in said
    readers = newsletter.json("subscribers", "list")
    assert [reader["status"] for reader in readers] == ["blocked", "confirmed"]


@pytest.mark.slow
def test_serve_stops_cleanly_and_erased_reader_stays_erased(
    newsletter: Newsletter, inbox: Inbox
) -> None:
    port = free_port()
    newsletter.configure(url=f"http://127.0.0.1:{port}", web={"port": port})
    newsletter.subscribe({"email": "ada@example.org"}, {"email": "bob@example.org"})
    with running_daemon(newsletter, "serve") as serving:
        wait_until(lambda: is_up(port), serving)
        ask(port, "POST", "/join", email="ada@example.org")
        wait_until(lambda: inbox.arrivals, serving)
        preferences = path_of(inbox.arrivals[0].text, "preferences", port)
        assert ask(port, "POST", preferences, do="erase", sure="yes")[0] == 303
        stop_daemon(serving)
    (bob,) = newsletter.json("subscribers", "list")
    assert (bob["email"], bob["status"]) == ("bob@example.org", "confirmed")
    for file in newsletter.folder.glob("newsletter.db*"):
        assert b"ada@example.org" not in file.read_bytes()


@pytest.mark.slow
def test_operator_erases_a_reader_for_good(newsletter: Newsletter) -> None:
    newsletter.configure()
    newsletter.subscribe({"email": "ada@example.org"}, {"email": "bob@example.org"})
    said = newsletter.run("subscribers", "erase", "ADA@example.org", code=2).stderr
    assert "Pass --yes" in said
    erased = newsletter.json("subscribers", "erase", "ADA@example.org", "--yes")
    assert erased == {"erased": 1}
    assert (
        "no reader has the address"
        in newsletter.run("subscribers", "erase", "ada@example.org", "--yes", code=2).stderr
    )
    (newsletter.folder / "more.csv").write_text("email\nada@example.org\ncyd@example.org\n")
    imported = newsletter.json("subscribers", "import", "more.csv")
    assert (imported["added"], imported["left_out"]) == (["cyd@example.org"], 1)
    newsletter.run("subscribers", "add", "ada@example.org", code=2)
    assert [r["email"] for r in newsletter.json("subscribers", "list")] == [
        "bob@example.org",
        "cyd@example.org",
    ]
    newsletter.run("subscribers", "add", "ada@example.org", "--again")
    assert len(newsletter.json("subscribers", "list")) == 3


@pytest.mark.slow
def test_failing_to_serve_is_explained(newsletter: Newsletter) -> None:
    newsletter.configure()
    newsletter.subscribe()
    assert "newsletter.yaml: url: must be set" in newsletter.run("serve", code=3).stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        newsletter.configure(url=f"http://127.0.0.1:{port}", web={"port": port})
        said = newsletter.run("serve", code=2).stderr
    assert f"cannot listen on 127.0.0.1, port {port}" in said
    newsletter.configure(url="http://127.0.0.1:8000", web={"trusted_proxies": ["everybody"]})
    said = newsletter.run("config", "check", code=3).stderr
    assert "web.trusted_proxies: 'everybody' is not an IP address" in said
