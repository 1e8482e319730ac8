"""Lists that are missing, read later, and read again, through the real command."""

import datetime as dt
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from newsletter.app.clock import SystemClock
from tests.support.cli import Newsletter
from tests.support.http_servers import Page, daily_papers, serve
from tests.support.inbox import Inbox, open_inbox

TODAY = SystemClock().now().date()


def a_paper(number: int) -> dict[str, Any]:
    title = f"Paper {number}"
    return {"paper": {"id": f"2608.{number:05d}", "title": title, "summary": "A text."}}


class Lists:
    """A site like Hugging Face: the papers of each date, and the dates that fail."""

    def __init__(self) -> None:
        self.days = {str(TODAY - dt.timedelta(days=n)): [a_paper(n + 1)] for n in range(10)}
        self.failing: set[str] = set()

    def __call__(self, path: str, query: Mapping[str, str]) -> Page:
        if query.get("date") in self.failing:
            return 503, {}, b"busy"
        return daily_papers(self.days)(path, query)


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with open_inbox() as opened:
        yield opened


@pytest.fixture
def lists() -> Lists:
    return Lists()


@pytest.fixture
def newsletter(tmp_path: Path, inbox: Inbox, lists: Lists) -> Iterator[Newsletter]:
    made = Newsletter(tmp_path, inbox.port)
    with serve(lists) as origin:
        source = {
            "kind": "huggingface",
            "name": "HF",
            "url": origin,
            "allow_private_addresses": True,
            "retry_for": 0,
        }
        made.configure(sources=[source])
        made.subscribe({"email": "ada@example.org"})
        yield made


@pytest.mark.slow
def test_missing_list_is_named_until_it_is_read(
    newsletter: Newsletter, inbox: Inbox, lists: Lists
) -> None:
    lists.failing = {str(TODAY)}
    found = newsletter.json("fetch", code=4)
    assert found["sources"][0]["state"] == "partial"
    (gap,) = newsletter.json("status")["gaps"]
    assert (gap["source"], gap["date"], gap["state"]) == ("HF", str(TODAY), "missing")
    assert "status 503" in gap["detail"]
    assert "list not read" in newsletter.run("status").stdout
    assert "HF: missing" not in newsletter.run("doctor", code=None).stderr
    newsletter.json("send", "--yes", code=4)
    (letter,) = inbox.to("ada@example.org")
    assert "We could not read these lists yet: HF." in " ".join(letter.text.split())
    lists.failing = set()
    newsletter.json("fetch")
    assert newsletter.json("status")["gaps"] == []


@pytest.mark.slow
def test_backfill_brings_every_list_in_one_letter(newsletter: Newsletter, inbox: Inbox) -> None:
    newsletter.json("fetch")
    first = TODAY - dt.timedelta(days=8)
    assert newsletter.json("fetch", "--since", str(first))["new"] == 8
    newsletter.json("send", "--yes")
    (letter,) = inbox.to("ada@example.org")
    assert sorted(letter.titles) == [f"Paper {number}" for number in range(1, 10)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--since", "2020-01-01"), "not within the last 60 days"),
        (("--since", "soon"), "'soon' is not a date"),
        (("--since", str(TODAY), "--again", str(TODAY)), "cannot be combined"),
    ],
)
def test_wrong_dates_are_refused(newsletter: Newsletter, words: tuple[str, ...], said: str) -> None:
    assert said in newsletter.run("fetch", *words, code=2).stderr


@pytest.mark.slow
def test_kept_answers_are_read_again_without_the_source(
    newsletter: Newsletter, lists: Lists
) -> None:
    # Without a date, which lists may still grow depends on the hour.
    newsletter.json("fetch", "--since", str(TODAY - dt.timedelta(days=3)))
    lists.failing = set(lists.days)
    found = newsletter.json("fetch", "--again", str(TODAY))
    assert (found["new"], found["seen"]) == (0, 4)
    assert newsletter.json("status")["gaps"] == []
