"""Mornings on which sources have troubles: `newsletter send` at a set time, real HTTP and SMTP."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from newsletter.app import wiring
from newsletter.cli import run
from newsletter.sources import arxiv
from tests.support.arxiv_site import announcement, harvest_answer, harvest_record
from tests.support.cli import Newsletter
from tests.support.clocks import SkippingClock
from tests.support.http_servers import Page, response, serve
from tests.support.inbox import Inbox, open_inbox

MONDAY, TUESDAY, WEDNESDAY = (date(2026, 11, 30), date(2026, 12, 1), date(2026, 12, 2))
Answers = Mapping[str, bytes | list[bytes]]
"""The response to a path, or several to give in turn (the last one for ever); others are 404."""


@dataclass
class Sent:
    """What `newsletter send` ended with, and the titles of the letter."""

    code: int
    state: str
    detail: str
    titles: list[str]
    text: str


@dataclass
class Intake:
    """A newsletter with one source, whose answers are set for each morning."""

    newsletter: Newsletter
    inbox: Inbox
    command: Callable[[datetime, list[str]], tuple[int, str]]
    origin: str = ""
    answers: dict[str, bytes | list[bytes]] = field(default_factory=dict)

    def answer(self, path: str, query: Mapping[str, str]) -> Page:
        """The scripted answer to a request; for Hugging Face, the path ends in the date."""
        found = self.answers.get(path + query.get("date", ""), response(404))
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        head, _, body = found.partition(b"\r\n\r\n")
        return int(head.split()[1]), {}, body

    def follow(self, kind: str, **settings: object) -> None:
        """Configure the source and a reader of all of it."""
        source = {"kind": kind, "url": self.origin, "allow_private_addresses": True, **settings}
        self.newsletter.configure(sources=[source])
        self.newsletter.subscribe({"email": "ada@example.org"})

    def send(self, day: date, answers: Answers, hour: int = 7) -> Sent:
        """Send at this hour (UTC), while the source answers so."""
        self.answers, before = dict(answers), len(self.inbox.arrivals)
        now = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
        config = str(self.newsletter.folder / "newsletter.yaml")
        code, out = self.command(now, ["send", "--config", config, "--yes", "--json"])
        (report,) = json.loads(out)["sources"]
        letters = self.inbox.arrivals[before:]
        titles = sorted(title for letter in letters for title in letter.titles)
        text = "".join(letter.text for letter in letters)
        return Sent(code, report["state"], report["detail"], titles, text)


@pytest.fixture
def intake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Intake]:
    def command(now: datetime, words: list[str]) -> tuple[int, str]:
        monkeypatch.setattr(wiring, "SystemClock", lambda: SkippingClock(now))
        capsys.readouterr()
        code = run(words)
        return code, capsys.readouterr().out

    with open_inbox() as inbox:
        made = Intake(Newsletter(tmp_path, inbox.port), inbox, command)
        with serve(made.answer) as made.origin:
            yield made


def harvested(number: str, listed: date, submitted: date) -> bytes:
    """What OAI-PMH answers about a paper."""
    at = datetime(submitted.year, submitted.month, submitted.day, 12, tzinfo=UTC)
    return harvest_answer(harvest_record(number, listed, [at]))


def daily(*numbers: str, field: str = "paper") -> bytes:
    papers = [{field: {"id": number, "title": f"Paper {number}"}} for number in numbers]
    return response(body=json.dumps(papers).encode())


def listed(day: date, *days: bytes) -> Answers:
    """Hugging Face's lists of a date and of those before it."""
    return {
        f"/api/daily_papers{day - timedelta(days=ago)}": answer for ago, answer in enumerate(days)
    }


# -- arXiv ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_outage_of_a_day_is_made_up_for(intake: Intake) -> None:
    intake.follow("arxiv", categories=["cs.CL"])
    intake.send(MONDAY, {"/atom/cs.CL": announcement("2611.00030")})
    failed = intake.send(TUESDAY, {"/atom/cs.CL": response(503)})
    assert (failed.code, failed.state, failed.titles) == (4, "failed", [])
    made_up = intake.send(
        WEDNESDAY,
        {
            "/atom/cs.CL": announcement("2612.00002"),
            "/oai": harvested("2612.00001", TUESDAY, MONDAY),
        },
    )
    assert (made_up.code, made_up.state) == (0, "ok")
    assert made_up.titles == ["Paper 2612.00001", "Paper 2612.00002"]


@pytest.mark.slow
def test_outage_that_cannot_be_made_up_for_is_named(intake: Intake) -> None:
    intake.follow("arxiv", categories=["cs.CL"])
    intake.send(MONDAY, {"/atom/cs.CL": announcement("2611.00030")})
    intake.send(TUESDAY, {"/atom/cs.CL": response(503)})
    named = intake.send(WEDNESDAY, {"/atom/cs.CL": announcement("2612.00002")})
    assert (named.code, named.state, named.titles) == (4, "partial", ["Paper 2612.00002"])
    assert "the list of 2026-12-01 cannot be read" in named.detail
    assert "arXiv cs.CL (1 December)" in named.text


@pytest.mark.slow
def test_archive_that_fails_leaves_the_other_alone(intake: Intake) -> None:
    intake.follow("arxiv", categories=["cs.CL", "stat.ML"])
    sent = intake.send(
        MONDAY, {"/atom/cs.CL": announcement("2611.00030"), "/atom/stat.ML": response(500)}
    )
    assert (sent.code, sent.state, sent.titles) == (4, "partial", ["Paper 2611.00030"])
    assert sent.detail.startswith("stat: ")


@pytest.mark.slow
def test_stale_archive_is_asked_until_it_has_moved(intake: Intake) -> None:
    intake.follow("arxiv", categories=["cs.CL", "stat.ML"])
    monday = announcement("2611.00030")
    intake.send(MONDAY, {"/atom/cs.CL": monday, "/atom/stat.ML": announcement("2611.00031")})
    stale = intake.send(
        TUESDAY, {"/atom/cs.CL": monday, "/atom/stat.ML": announcement("2612.00003")}
    )
    assert (stale.state, stale.titles) == ("stale", ["Paper 2612.00003"])
    assert "cs: an earlier day's list again" in stale.detail
    moved = intake.send(
        WEDNESDAY,
        {
            "/atom/cs.CL": announcement("2612.00002"),
            "/atom/stat.ML": announcement("2612.00004"),
            "/oai": harvested("2612.00001", TUESDAY, MONDAY),
        },
    )
    assert (moved.code, moved.state) == (0, "ok")
    assert moved.titles == [f"Paper 2612.0000{n}" for n in (1, 2, 4)]


@pytest.mark.slow
@pytest.mark.parametrize("first", [response(502), response(429), b""], ids=["502", "429", "cut"])
def test_failed_request_is_tried_again_at_once(intake: Intake, first: bytes) -> None:
    intake.follow("arxiv", categories=["cs.CL"])
    sent = intake.send(MONDAY, {"/atom/cs.CL": [first, announcement("2611.00030")]})
    assert (sent.code, sent.state, sent.titles) == (0, "ok", ["Paper 2611.00030"])


@pytest.mark.slow
def test_cut_announcement_says_so_and_is_completed(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arxiv, "MAX_ROWS", 20)  # they are parsed sooner than 2,000
    intake.follow("arxiv", categories=["cs"])
    rows = announcement(*(f"2410.{n:05d}" for n in range(20)), kind="replace")
    cut = intake.send(MONDAY, {"/atom/cs": rows})
    assert (cut.code, cut.state, cut.titles) == (4, "partial", [])
    assert cut.detail.startswith("cut at 20 rows")
    friday = MONDAY - timedelta(days=3)
    whole = intake.send(
        TUESDAY,
        {
            "/atom/cs": announcement("2612.00001"),
            "/oai": harvested("2611.00030", MONDAY, friday),
        },
    )
    assert (whole.code, whole.titles) == (0, ["Paper 2611.00030", "Paper 2612.00001"])


# -- Hugging Face ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_date_that_fails_leaves_the_others_alone(intake: Intake) -> None:
    intake.follow("huggingface")
    days = daily("2611.00001", "2611.00002"), daily(), daily(), response(500)
    sent = intake.send(MONDAY, listed(MONDAY, *days))
    assert (sent.code, sent.state) == (4, "partial")
    assert sent.titles == ["Paper 2611.00001", "Paper 2611.00002"]


@pytest.mark.slow
def test_answer_of_unknown_shape_has_failed(intake: Intake) -> None:
    intake.follow("huggingface")
    renamed = daily("2611.00001", "2611.00002", field="item")
    sent = intake.send(MONDAY, listed(MONDAY, renamed, daily(), daily(), daily()))
    assert (sent.code, sent.state, sent.titles) == (4, "failed", [])
    assert "none of 2 entries can be read: {'item': {'id': '2611.00001'" in sent.detail


@pytest.mark.slow
def test_list_that_has_not_begun_is_no_failure(intake: Intake) -> None:
    intake.follow("huggingface")
    intake.newsletter.configure(
        timezone="Asia/Shanghai",
        sources=[{"kind": "huggingface", "url": intake.origin, "allow_private_addresses": True}],
    )
    sunday = MONDAY - timedelta(days=1)
    friday = daily("2611.00001")
    first = intake.send(sunday, listed(MONDAY, response(400), daily(), daily(), friday), hour=23)
    assert (first.code, first.state, first.titles) == (0, "ok", ["Paper 2611.00001"])
    monday = daily("2611.00002", "2611.00003")
    second = intake.send(
        MONDAY, listed(TUESDAY, response(400), monday, daily(), daily(), friday), hour=23
    )
    assert (second.state, len(second.titles)) == ("ok", 2)
