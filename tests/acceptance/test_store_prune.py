"""``newsletter store prune``, and what commands say of a pruned issue."""

from datetime import timedelta
from pathlib import Path

import pytest

from newsletter.app.clock import SystemClock
from newsletter.model import Accepted
from newsletter.stores import open_store
from tests.support.cli import Newsletter
from tests.support.frozen_issues import claim, freeze, list_papers, mark, settle

DAY = (SystemClock().now() - timedelta(days=40)).date()
OLD = DAY.isoformat()


@pytest.fixture
def newsletter(tmp_path: Path) -> Newsletter:
    """A newsletter that has sent one issue, long ago by its clock."""
    made = Newsletter(tmp_path)
    made.configure()
    made.subscribe({"email": "ada@example.org"})
    made.run("status")
    store = open_store(f"sqlite:///{tmp_path}/newsletter.db")
    freeze(store, store.readers(), list_papers(store, "arxiv:1"), day=DAY)
    claims = claim(store, day=DAY)
    mark(store, *claims)
    settle(store, *claims, outcome=Accepted("250 ok"))
    store.close_issue(DAY)
    store.close()
    return made


@pytest.mark.slow
def test_pruning_says_what_goes_and_what_stays(newsletter: Newsletter) -> None:
    planned = newsletter.json("store", "prune", "--older-than", "30d", "--dry-run")
    assert (planned["issues"], planned["emails"], planned["removed"]) == ([OLD], 1, False)
    assert planned["bytes"] > 100
    assert "--yes" in newsletter.run("store", "prune", "--older-than", "30", code=2).stderr
    said = newsletter.run("store", "prune", "--older-than", "30d", "--yes").stdout
    assert said.startswith("removed the details of 1 issue older than 30 days (1 email, ")
    assert "which paper each reader got" in said
    assert newsletter.json("store", "prune", "--older-than", "30d", "--yes")["issues"] == []


@pytest.mark.slow
def test_commands_say_that_details_were_removed(newsletter: Newsletter) -> None:
    newsletter.run("store", "prune", "--older-than", "30d", "--yes")
    for words in (("why", "--all", "--date", OLD), ("status", OLD), ("audit", OLD)):
        assert "details" in newsletter.run(*words).stderr
    assert newsletter.json("why", "--all", "--date", OLD) == []
    audit = newsletter.json("audit", OLD)
    assert (audit["ok"], audit["removed"]) == (True, True)
    assert newsletter.json("status", OLD)["accepted"] == 1


@pytest.mark.slow
def test_days_come_from_the_setting_or_the_option(newsletter: Newsletter) -> None:
    assert "--older-than 90d" in newsletter.run("store", "prune", code=2).stderr
    assert "at least 30" in newsletter.run("store", "prune", "--older-than", "7d", code=2).stderr
    newsletter.configure(keep={"editions": 30})
    assert newsletter.json("store", "prune", "--dry-run")["issues"] == [OLD]


@pytest.mark.slow
def test_sending_prunes_at_its_end(newsletter: Newsletter) -> None:
    newsletter.configure(keep={"editions": 30})
    newsletter.run("send", "--yes", code=None)
    assert newsletter.json("audit", OLD)["removed"]
