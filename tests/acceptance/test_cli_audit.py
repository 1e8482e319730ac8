"""`audit` and `issue`: what the ledger proves, and what only the operator can decide."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Newsletter
from tests.support.daemons import wait_until
from tests.support.http_servers import daily_papers, serve
from tests.support.inbox import Inbox, open_inbox
from tests.support.processes import running_command

DAY = "2026-08-03"


def a_paper(number: int) -> dict[str, Any]:
    return {
        "paper": {
            "id": f"2608.{number:05d}",
            "title": f"Paper {number}",
            "summary": f"About paper {number}.",
            "authors": [{"name": "Ada Lovelace", "hidden": False}],
            "upvotes": 3,
            "publishedAt": "2026-08-01T00:00:00.000Z",
        },
        "title": f"Paper {number}",
    }


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with open_inbox() as opened:
        yield opened


@pytest.fixture
def newsletter(tmp_path: Path, inbox: Inbox) -> Iterator[Newsletter]:
    """A newsletter with two papers on the 3rd and one more on the 4th."""
    made = Newsletter(tmp_path, inbox.port)
    days = {DAY: [a_paper(1), a_paper(2)], "2026-08-04": [a_paper(3)]}
    with serve(daily_papers(days)) as origin:
        source = {"kind": "huggingface", "url": origin, "allow_private_addresses": True}
        made.configure(sources=[source])
        made.subscribe({"email": "ada@example.org"}, {"email": "bob@example.org"})
        yield made


@pytest.mark.slow
def test_delivered_issue_passes_the_audit(newsletter: Newsletter) -> None:
    newsletter.run("audit", DAY, code=1)
    newsletter.send(DAY)
    found = newsletter.json("audit", DAY)
    assert (found["issue"], found["ok"], found["in_doubt"]) == (DAY, True, [])
    assert [one["id"] for one in found["invariants"]] == [f"I{n}" for n in range(1, 14)]
    assert all(one["ok"] and one["rows"] == [] for one in found["invariants"])
    assert newsletter.run("audit").stdout.count("holds") == 13


@pytest.mark.slow
def test_cancelled_issues_papers_come_in_the_next(newsletter: Newsletter, inbox: Inbox) -> None:
    said = newsletter.run("issue", "cancel", DAY, code=2).stderr
    assert f"There is no issue of {DAY} yet. Cancel it in advance? Not a terminal." in said
    assert newsletter.json("status", DAY)["state"] is None
    assert newsletter.json("issue", "cancel", DAY, "--yes")["state"] == "cancelled"
    assert newsletter.send(DAY)["state"] == "cancelled"
    assert inbox.arrivals == []
    assert newsletter.send("2026-08-04")["accepted"] == 2
    assert sorted(inbox.to("ada@example.org")[0].titles) == ["Paper 1", "Paper 2", "Paper 3"]
    words = newsletter.run("issue", "cancel", "2026-08-04", code=2).stderr
    assert "2026-08-04 is done" in words
    words = newsletter.run("issue", "release", DAY, code=2).stderr
    assert "is not held: it is cancelled" in words


@pytest.mark.slow
def test_letters_in_doubt_twice_are_named_and_resolved(
    newsletter: Newsletter, tmp_path: Path
) -> None:
    with open_inbox() as mute:
        configured = (tmp_path / "newsletter.yaml").read_text(encoding="utf-8")
        settings = json.loads(configured)
        settings["smtp"]["port"] = mute.port
        newsletter.configure(**settings)
        mute.dropping = True
        newsletter.send(DAY, code=None)
        newsletter.send(DAY, code=None)
    found = newsletter.json("audit", DAY, code=5)
    assert found["ok"]
    assert found["in_doubt"] == ["ada@example.org", "bob@example.org"]
    remedy = f"`newsletter issue resolve {DAY}` says whether the held emails arrived"
    assert remedy in newsletter.run("status", DAY).stdout
    words = newsletter.run("issue", "resolve", DAY, "eve@example.org", "--lost", code=2).stderr
    assert "no reader has the address eve@example.org" in words
    ended = newsletter.json("issue", "resolve", DAY, "Ada@Example.org", "--arrived")
    assert (ended["accepted"], ended["held"]) == (1, 1)
    ended = newsletter.json("issue", "resolve", DAY, "--lost")
    assert (ended["failed"], ended["held"], ended["state"]) == (1, 0, "done_with_errors")
    assert newsletter.json("audit", DAY)["in_doubt"] == []


@pytest.mark.slow
def test_hold_policy_never_resends_doubts_unasked(
    newsletter: Newsletter, inbox: Inbox, tmp_path: Path
) -> None:
    settings = json.loads((tmp_path / "newsletter.yaml").read_text(encoding="utf-8"))
    newsletter.configure(**settings, issue={"in_doubt": "hold"})
    inbox.dropping = True
    sent = newsletter.send(DAY, code=5)
    assert (sent["held"], sent["open"], sent["state"]) == (2, 0, "done_with_errors")
    inbox.dropping = False
    assert newsletter.send(DAY, code=5)["held"] == 2
    assert len(inbox.arrivals) == 2
    assert newsletter.json("audit", DAY, code=5)["in_doubt"] == [
        "ada@example.org",
        "bob@example.org",
    ]
    assert newsletter.json("issue", "resolve", DAY, "--arrived")["state"] == "done"


@pytest.mark.slow
def test_cancelling_stops_a_sending_run_within_a_second(
    newsletter: Newsletter, inbox: Inbox, tmp_path: Path
) -> None:
    settings = json.loads((tmp_path / "newsletter.yaml").read_text(encoding="utf-8"))
    settings["smtp"] |= {"rate": "20/second", "connections": 2}
    newsletter.configure(**settings)
    newsletter.subscribe(*({"email": f"reader{n}@example.org"} for n in range(200)))
    with running_command(
        ["send", "--date", DAY, "--yes", "--quiet"], tmp_path, {"PATH": ""}
    ) as sending:
        wait_until(lambda: len(inbox.arrivals) >= 5, sending)
        newsletter.run("issue", "cancel", DAY)
        cancelled = len(inbox.arrivals)
        sending.wait()
    found = newsletter.json("status", DAY)
    assert len(inbox.arrivals) - cancelled <= 22, "a second at this rate, and what was marked"
    assert found["state"] == "cancelled"
    assert found["accepted"] == len(inbox.arrivals)
    assert found["accepted"] + found["open"] == found["planned"] == 200
    assert newsletter.json("audit", DAY)["ok"]


@pytest.mark.slow
def test_next_run_closes_an_issue_left_open(newsletter: Newsletter, tmp_path: Path) -> None:
    newsletter.send(DAY)
    with sqlite3.connect(tmp_path / "newsletter.db") as ledger:
        ledger.execute("UPDATE issues SET state = 'sending'")
    assert newsletter.send(DAY)["state"] == "done"
