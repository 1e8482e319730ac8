"""On a terminal the commands ask and show progress; elsewhere they do neither."""

from pathlib import Path

import pytest

from tests.support.cli import Newsletter
from tests.support.http_servers import daily_papers, serve
from tests.support.inbox import open_inbox
from tests.support.terminals import on_a_terminal

DAY = "2026-08-03"
PAPER = {"paper": {"id": "2608.00001", "title": "The first", "summary": "About it.", "authors": []}}


@pytest.mark.slow
def test_send_shows_counts_and_asks(tmp_path: Path) -> None:
    with open_inbox() as inbox, serve(daily_papers({DAY: [PAPER]})) as origin:
        newsletter = Newsletter(tmp_path, inbox.port)
        newsletter.configure(
            sources=[{"kind": "huggingface", "url": origin, "allow_private_addresses": True}]
        )
        newsletter.subscribe({"email": "ada@example.org"})
        code, screen = on_a_terminal(tmp_path, "send", "--date", DAY, answers={"[y/N]": "n"})
        asked = "1 paper for 1 reader, 0 emails open. Send? [y/N]:"
        assert asked in screen
        assert (code, inbox.arrivals) == (0, [])
        code, screen = on_a_terminal(tmp_path, "send", "--date", DAY, answers={"[y/N]": "y"})
        assert asked in screen, "what was fetched before is in it, too"
        assert (code, len(inbox.arrivals)) == (0, 1)
        assert "1 accepted" in screen
        assert "\x1b[" in screen


@pytest.mark.slow
def test_date_in_the_future_asks_first(tmp_path: Path) -> None:
    newsletter = Newsletter(tmp_path)
    newsletter.configure()
    newsletter.subscribe()
    refused = newsletter.run("send", "--date", "2999-01-01", "--yes", code=2).stderr
    assert "in the future: its issue would be sent now" in refused
    assert "Pass --future if that is meant" in refused
    words = ("send", "--date", "2999-01-01")
    code, screen = on_a_terminal(tmp_path, *words, answers={"[y/N]": "n"})
    assert (code, "nothing was sent" in screen) == (2, True)
    newsletter.run(*words, "--yes", "--future")
    newsletter.run("fetch", "--date", "2999-01-01", code=2)
    assert "is the year right?" in newsletter.run("send", "--date", "1999-01-01", "--yes").stderr


@pytest.mark.slow
def test_undoing_an_issue_asks_first(tmp_path: Path) -> None:
    newsletter = Newsletter(tmp_path)
    newsletter.configure()
    newsletter.subscribe()
    newsletter.run("issue", "cancel", DAY, "--yes")
    for answer, state in (("n", "cancelled"), ("y", None)):
        code, _ = on_a_terminal(tmp_path, "issue", "undo", DAY, answers={"[y/N]": answer})
        assert (code, newsletter.json("status", DAY)["state"]) == (0, state)
    newsletter.run("issue", "undo", DAY, "--yes", code=2)


@pytest.mark.slow
def test_cancelling_a_missing_issue_asks_first(tmp_path: Path) -> None:
    newsletter = Newsletter(tmp_path)
    newsletter.configure()
    newsletter.subscribe()
    for answer, state in (("n", "no issue yet"), ("y", "cancelled (by the operator)")):
        code, screen = on_a_terminal(tmp_path, "issue", "cancel", DAY, answers={"[y/N]": answer})
        assert f"There is no issue of {DAY} yet. Cancel it in advance? [y/N]:" in screen
        assert (code, f"{DAY}: {state}" in screen) == (0, True)


@pytest.mark.slow
def test_erasing_a_reader_asks_first(tmp_path: Path) -> None:
    newsletter = Newsletter(tmp_path)
    newsletter.configure()
    newsletter.subscribe({"email": "ada@example.org"})
    for answer, said in (("n", "0 readers erased"), ("y", "1 reader erased")):
        words = ("subscribers", "erase", "ada@example.org")
        code, screen = on_a_terminal(tmp_path, *words, answers={"[y/N]": answer})
        assert "Erase all data of ada@example.org? This cannot be undone. [y/N]:" in screen
        assert (code, screen.splitlines()[-1]) == (0, said)


@pytest.mark.slow
def test_no_progress_without_a_terminal(tmp_path: Path) -> None:
    with open_inbox() as inbox, serve(daily_papers({DAY: [PAPER]})) as origin:
        newsletter = Newsletter(tmp_path, inbox.port)
        source = {"kind": "huggingface", "url": origin, "allow_private_addresses": True}
        newsletter.configure(sources=[source], reply_to="editor@example.org")
        newsletter.subscribe({"email": "ada@example.org"})
        done = newsletter.run("send", "--date", DAY, "--yes")
    assert done.stderr == ""
    assert "\x1b[" not in done.stdout
    assert done.stdout == f"{DAY}: done, 1 paper; 1 planned, 1 accepted\n"
