"""Whole mornings: real commands against real listings, real HTTP and real SMTP."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import SHARED, Newsletter
from tests.support.hostile_inputs import HOSTILE_TEXTS, check_message
from tests.support.http_servers import daily_papers, serve
from tests.support.inbox import Inbox, open_inbox

PAGES = SHARED / "data" / "pages"
DAILY = SHARED / "data" / "payloads" / "hf_daily"
WEEKS = [f"2026-08-{day:02d}" for day in (3, 4, 5, 6, 7, 10, 11, 12)]

needs_pages = pytest.mark.skipif(not PAGES.exists(), reason="the saved pages are not here")
needs_recordings = pytest.mark.skipif(not DAILY.exists(), reason="the recordings are not here")


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with open_inbox() as opened:
        yield opened


@pytest.fixture
def newsletter(tmp_path: Path, inbox: Inbox) -> Newsletter:
    return Newsletter(tmp_path, inbox.port)


def a_paper(number: int, title: str, **fields: object) -> dict[str, Any]:
    """One entry of a Daily Papers answer, written for these tests."""
    return {
        "paper": {
            "id": f"2608.{number:05d}",
            "title": title,
            "summary": f"About {title}.",
            "authors": [{"name": "Ada Lovelace", "hidden": False}],
            "upvotes": 3,
            "publishedAt": "2026-08-01T00:00:00.000Z",
            **fields,
        },
        "title": title,
    }


def feed_of(*entries: tuple[str, str, str]) -> bytes:
    """An RSS feed of (title, link, description)."""
    items = "".join(
        f"<item><title>{title}</title><link>{link}</link><description>{words}</description></item>"
        for title, link, words in entries
    )
    return f'<rss version="2.0"><channel><title>F</title>{items}</channel></rss>'.encode()


def huggingface(origin: str) -> dict[str, object]:
    return {"kind": "huggingface", "url": origin, "allow_private_addresses": True}


def included(verdicts: list[dict[str, Any]]) -> list[str]:
    return [verdict["paper"] for verdict in verdicts if verdict["in"]]


@pytest.mark.slow
@needs_pages
def test_three_saved_pages_reach_a_reader_in_one_run(newsletter: Newsletter, inbox: Inbox) -> None:
    newsletter.configure(
        sources=[{"kind": "page", "path": str(PAGES / "*.txt")}],
        issue={"max_items": 20},
        url="https://papers.example.org",
    )
    newsletter.subscribe({"email": "ada@example.org"})
    result = newsletter.send("2026-03-14")
    assert (result["papers"], result["accepted"], result["open"]) == (203, 1, 0)
    (letter,) = inbox.arrivals
    shown = letter.titles
    assert len(shown) == len(set(shown))
    more = re.search(r"(\d+) more", letter.text)
    assert len(shown) + (int(more[1]) if more else 0) == 203
    verdicts = newsletter.json("why", "ada@example.org", "--date", "2026-03-14")
    assert Counter(included(verdicts)).most_common(1)[0][1] == 1
    assert len(included(verdicts)) == 203


@pytest.mark.slow
@needs_pages
def test_saved_pages_one_a_day_reach_reader_once(newsletter: Newsletter, inbox: Inbox) -> None:
    saved = newsletter.folder / "saved"
    saved.mkdir()
    newsletter.configure(sources=[{"kind": "page", "path": "saved/*.txt"}])
    newsletter.subscribe({"email": "ada@example.org"})
    reached: Counter[str] = Counter()
    for day, name in [("2025-12-12", "dec-12"), ("2026-03-12", "mar-12"), ("2026-03-14", "mar-14")]:
        page = f"daily-papers-{name}.txt"
        (saved / page).write_bytes((PAGES / page).read_bytes())
        newsletter.send(day)
        reached.update(included(newsletter.json("why", "ada@example.org", "--date", day)))
    assert (len(reached), set(reached.values())) == (203, {1})
    assert len(inbox.arrivals) == 3


@pytest.mark.slow
@needs_recordings
def test_eight_recorded_days_reach_a_reader_once(newsletter: Newsletter, inbox: Inbox) -> None:
    days = {day: json.loads((DAILY / f"{day}.json").read_text()) for day in WEEKS}
    listed = {item["paper"]["id"] for day in days.values() for item in day}
    reached: Counter[str] = Counter()
    with serve(daily_papers(days)) as origin:
        newsletter.configure(sources=[huggingface(origin)])
        newsletter.subscribe({"email": "ada@example.org", "max_items": 200})
        for day in WEEKS:
            newsletter.send(day)
            letters = len(inbox.arrivals)
            again = newsletter.send(day)
            assert (again["state"], len(inbox.arrivals)) == ("done", letters)
            reached.update(included(newsletter.json("why", "ada@example.org", "--date", day)))
    assert set(reached) == {f"arxiv:{number}" for number in listed}
    assert set(reached.values()) == {1}
    assert len(inbox.arrivals) == len(WEEKS)


@pytest.mark.slow
def test_returning_paper_comes_once_in_any_form(newsletter: Newsletter, inbox: Inbox) -> None:
    first, other = a_paper(1, "The first"), a_paper(2, "The second")
    days = {
        "2026-08-03": [first],
        "2026-08-04": [a_paper(1, "The first, revised", id="2608.00001v2"), other],
        "2026-08-10": [first, a_paper(3, "The third")],
    }
    feed = feed_of(
        ("The first", "https://arxiv.org/abs/2608.00001v3", "About it."),
        ("The fourth", "https://arxiv.org/abs/2608.00004", "About it."),
    )
    answer = daily_papers(days)
    with (
        serve(answer) as origin,
        serve(lambda _path, _query: (200, {"Content-Type": "application/rss+xml"}, feed)) as other_,
    ):
        newsletter.subscribe({"email": "ada@example.org"})
        newsletter.configure(sources=[huggingface(origin)])
        newsletter.send("2026-08-03")
        newsletter.send("2026-08-04")
        source = {"kind": "feed", "name": "F", "url": other_, "allow_private_addresses": True}
        newsletter.configure(sources=[huggingface(origin), source])
        newsletter.send("2026-08-10")
    assert [letter.titles for letter in inbox.arrivals][:2] == [["The first"], ["The second"]]
    assert sorted(inbox.arrivals[2].titles) == ["The fourth", "The third"]


@pytest.mark.slow
def test_disjoint_filters_give_disjoint_letters_with_reasons(
    newsletter: Newsletter, inbox: Inbox
) -> None:
    papers = [
        a_paper(n, f"{'Vision' if n % 2 else 'Speech'} paper {n}", upvotes=n) for n in range(1, 31)
    ]
    with serve(daily_papers({"2026-08-03": papers})) as origin:
        newsletter.configure(
            sources=[huggingface(origin)],
            topics=[{"name": "Vision", "any": ["vision"]}, {"name": "Speech", "any": ["speech"]}],
        )
        newsletter.subscribe(
            {"email": "ada@example.org", "topics": ["Vision"], "min_upvotes": 5},
            {"email": "bob@example.org", "include": ["speech and not title:paper"]},
            {"email": "cy@example.org", "topics": ["Speech"], "exclude": ['"paper 4"']},
        )
        newsletter.send("2026-08-03")
        verdicts = newsletter.json("why", "--all", "--date", "2026-08-03")
    assert len(verdicts) == 3 * 30
    assert len({(v["reader"], v["paper"]) for v in verdicts}) == 3 * 30
    assert all(verdict["reason"] for verdict in verdicts)
    ada, cy = (inbox.to(f"{name}@example.org")[0] for name in ("ada", "cy"))
    assert not set(ada.titles) & set(cy.titles)
    assert len(ada.titles) == 13
    assert len(cy.titles) == 14
    assert not inbox.to("bob@example.org")
    by_reader = {
        email: {v["title"] for v in verdicts if v["reader"] == email and v["in"]}
        for email in ("ada@example.org", "cy@example.org")
    }
    assert by_reader["ada@example.org"] == set(ada.titles)
    assert by_reader["cy@example.org"] == set(cy.titles)


@pytest.mark.slow
def test_failed_source_is_named_in_the_footer(newsletter: Newsletter, inbox: Inbox) -> None:
    broken = {"kind": "feed", "name": "Broken", "allow_private_addresses": True, "retry_for": 0}
    with (
        serve(daily_papers({"2026-08-03": [a_paper(1, "The first")]})) as origin,
        serve(lambda _path, _query: (500, {}, b"oops")) as down,
    ):
        newsletter.configure(sources=[huggingface(origin), {**broken, "url": down}])
        newsletter.subscribe({"email": "ada@example.org"})
        result = newsletter.send("2026-08-03", code=4)
    states = {source["name"]: source["state"] for source in result["sources"]}
    assert states["Broken"] == "failed"
    assert result["state"] == "done"
    (letter,) = inbox.arrivals
    assert letter.titles == ["The first"]
    assert "Broken" in letter.text
    assert "Broken" in letter.html


@pytest.mark.slow
def test_refused_reader_fails_alone_and_deferred_one_waits(tmp_path: Path) -> None:
    replies = {"bob@example.org": "550 5.1.1 no such user", "cy@example.org": "450 4.2.0 later"}
    with open_inbox(replies.get) as inbox:
        newsletter = Newsletter(tmp_path, inbox.port)
        with serve(daily_papers({"2026-08-03": [a_paper(1, "The first")]})) as origin:
            newsletter.configure(sources=[huggingface(origin)])
            newsletter.subscribe(
                *({"email": f"{name}@example.org"} for name in ("ada", "bob", "cy", "dee"))
            )
            result = newsletter.send("2026-08-03", code=5)
            again = newsletter.send("2026-08-03", code=5)
    assert (result["accepted"], result["failed"], result["deferred"]) == (2, 1, 1)
    assert (again["accepted"], again["failed"], again["deferred"]) == (2, 1, 1)
    assert sorted(a.recipient for a in inbox.arrivals) == ["ada@example.org", "dee@example.org"]


@pytest.mark.slow
def test_reader_added_later_gets_only_later_papers(newsletter: Newsletter, inbox: Inbox) -> None:
    days = {"2026-08-03": [a_paper(1, "The first")], "2026-08-04": [a_paper(2, "The second")]}
    with serve(daily_papers(days)) as origin:
        newsletter.configure(sources=[huggingface(origin)])
        newsletter.subscribe({"email": "ada@example.org"})
        newsletter.send("2026-08-03")
        newsletter.subscribe({"email": "ada@example.org"}, {"email": "bob@example.org"})
        newsletter.send("2026-08-03")
        newsletter.send("2026-08-04")
    assert [letter.titles for letter in inbox.to("bob@example.org")] == [["The second"]]
    assert len(inbox.to("ada@example.org")) == 2


@pytest.mark.slow
def test_changed_filter_neither_repeats_nor_misses(newsletter: Newsletter, inbox: Inbox) -> None:
    days = {
        "2026-08-03": [a_paper(1, "Vision one"), a_paper(2, "Speech one")],
        "2026-08-04": [a_paper(3, "Vision two"), a_paper(4, "Speech two")],
    }
    topics = [{"name": "Vision", "any": ["vision"]}, {"name": "Speech", "any": ["speech"]}]
    with serve(daily_papers(days)) as origin:
        newsletter.configure(sources=[huggingface(origin)], topics=topics)
        newsletter.subscribe({"email": "ada@example.org", "topics": ["Vision"]})
        newsletter.send("2026-08-03")
        newsletter.subscribe({"email": "ada@example.org", "topics": ["Vision", "Speech"]})
        newsletter.send("2026-08-04")
    assert [sorted(a.titles) for a in inbox.arrivals] == [
        ["Vision one"],
        ["Speech two", "Vision two"],
    ]


@pytest.mark.slow
def test_upvotes_growing_within_three_days_bring_the_paper(
    newsletter: Newsletter, inbox: Inbox
) -> None:
    days = {"2026-08-03": [a_paper(1, "Slow starter", upvotes=2), a_paper(2, "Hit", upvotes=50)]}
    with serve(daily_papers(days)) as origin:
        newsletter.configure(sources=[huggingface(origin)])
        newsletter.subscribe({"email": "ada@example.org", "min_upvotes": 10})
        newsletter.send("2026-08-03")
        days["2026-08-03"][0] = a_paper(1, "Slow starter", upvotes=20)
        days["2026-08-04"] = [a_paper(3, "New", upvotes=11)]
        newsletter.send("2026-08-04")
    assert [sorted(a.titles) for a in inbox.arrivals] == [["Hit"], ["New", "Slow starter"]]


@pytest.mark.slow
def test_papers_without_room_come_with_the_next_letter(
    newsletter: Newsletter, inbox: Inbox
) -> None:
    def titled(number: int) -> str:  # long titles, so that few papers fill a letter
        return f"Paper {number} " + "of a matter with very many words " * 8

    days = {"2026-08-03": [a_paper(n, titled(n), upvotes=n) for n in range(1, 301)]}
    with serve(daily_papers(days)) as origin:
        newsletter.configure(sources=[huggingface(origin)])
        newsletter.subscribe({"email": "ada@example.org", "max_items": 5})
        newsletter.send("2026-08-03")
        explained = newsletter.json("why", "ada@example.org", "--date", "2026-08-03")
        days["2026-08-04"] = [a_paper(n, titled(n), upvotes=n) for n in range(301, 331)]
        for day in ("2026-08-04", "2026-08-05", "2026-08-06"):
            newsletter.send(day)
    first, second, *_ = inbox.arrivals

    def short(title: str) -> str:
        return " ".join(title.split()[:2])

    waiting = [verdict for verdict in explained if not verdict["in"]]
    assert {verdict["reason"] for verdict in waiting} == {"did not fit; comes with the next email"}
    assert f"+ {len(waiting)} more in Other, in your next email" in first.text
    assert {verdict["title"] for verdict in waiting} <= set(second.titles)
    assert {f"Paper {n}" for n in range(301, 331)} <= set(map(short, second.titles))
    reached = Counter(short(title) for arrival in inbox.arrivals for title in arrival.titles)
    assert (len(reached), set(reached.values())) == (330, {1})
    assert len(inbox.arrivals) == 2


@pytest.mark.slow
def test_new_title_is_told_once_to_those_sent(newsletter: Newsletter, inbox: Inbox) -> None:
    def day(title: str, version: int, *rest: dict[str, Any]) -> list[dict[str, Any]]:
        return [a_paper(1, title, id=f"2608.00001v{version}"), *rest]

    days = {"2026-08-03": day("Speech of cats", 1, a_paper(2, "Vision"))}
    with serve(daily_papers(days)) as origin:
        newsletter.configure(sources=[huggingface(origin)])
        newsletter.subscribe(
            {"email": "ada@example.org"}, {"email": "bob@example.org", "include": ["vision"]}
        )
        newsletter.send("2026-08-03")
        days["2026-08-04"] = day("SPEECH of  Cats", 2, a_paper(3, "More vision"))
        newsletter.send("2026-08-04")
        days["2026-08-05"] = day("Speech of dogs", 3)
        newsletter.send("2026-08-05")
        for number in (6, 7):
            days[f"2026-08-0{number}"] = [a_paper(number, f"Vision {number}")]
            newsletter.send(f"2026-08-0{number}")
    said = "New title: Speech of dogs (was: SPEECH of Cats)"
    assert [said in letter.text for letter in inbox.to("ada@example.org")] == [0, 0, 1, 0]
    assert "Speech of dogs</a> (was: " in inbox.to("ada@example.org")[2].html
    assert "Corrections" not in "".join(letter.text for letter in inbox.to("bob@example.org"))


@pytest.mark.slow
def test_missing_smtp_server_loses_nothing(newsletter: Newsletter, inbox: Inbox) -> None:
    with serve(daily_papers({"2026-08-03": [a_paper(1, "The first")]})) as origin:
        newsletter.smtp_port = 1
        newsletter.configure(sources=[huggingface(origin)])
        newsletter.subscribe({"email": "ada@example.org"})
        down = newsletter.run("send", "--date", "2026-08-03", "--yes", code=75)
        assert "127.0.0.1:1" in down.stderr
        newsletter.smtp_port = inbox.port
        newsletter.configure(sources=[huggingface(origin)])
        assert newsletter.send("2026-08-03")["accepted"] == 1
    assert len(inbox.arrivals) == 1


@pytest.mark.slow
def test_dry_run_stores_listings_and_no_issue(newsletter: Newsletter, inbox: Inbox) -> None:
    with serve(daily_papers({"2026-08-03": [a_paper(1, "The first")]})) as origin:
        newsletter.configure(sources=[huggingface(origin)])
        newsletter.subscribe({"email": "ada@example.org"})
        newsletter.send("2026-08-03", "--dry-run")
        assert not inbox.arrivals
        assert newsletter.send("2026-08-03")["accepted"] == 1
    assert inbox.arrivals[0].titles == ["The first"]


@pytest.mark.slow
def test_dry_run_shows_exactly_the_letters_due(newsletter: Newsletter, inbox: Inbox) -> None:
    letters = newsletter.folder / ".newsletter" / "dry-run" / "2026-08-03"
    dry_run = ("send", "--date", "2026-08-03", "--dry-run")
    with serve(daily_papers({"2026-08-03": [a_paper(1, "The first")]})) as origin:
        newsletter.configure(sources=[huggingface(origin)])
        newsletter.subscribe({"email": "ada@example.org"}, {"email": "bob@example.org"})
        newsletter.run(*dry_run)
        newsletter.subscribe({"email": "ada@example.org"})
        assert newsletter.run(*dry_run).stdout.startswith("1 email in ")
        assert [letter.name for letter in letters.iterdir()] == ["ada@example.org.eml"]
        newsletter.send("2026-08-03")
        done = newsletter.run(*dry_run)
    assert "No reader is waiting for the issue of 2026-08-03" in done.stderr
    assert not list(letters.iterdir())
    assert len(inbox.arrivals) == 1


@pytest.mark.slow
def test_unsubscribing_outlives_the_file(newsletter: Newsletter, inbox: Inbox) -> None:
    with serve(daily_papers({"2026-08-03": [a_paper(1, "The first")]})) as origin:
        newsletter.configure(sources=[huggingface(origin)])
        newsletter.subscribe({"email": "ada@example.org"}, {"email": "bob@example.org"})
        newsletter.run("subscribers", "remove", "ada@example.org")
        newsletter.send("2026-08-03")
    assert [a.recipient for a in inbox.arrivals] == ["bob@example.org"]


@pytest.mark.slow
def test_other_day_than_today_sends_nothing(newsletter: Newsletter, inbox: Inbox) -> None:
    newsletter.configure(schedule={"at": "07:00", "days": "weekdays"})
    newsletter.subscribe({"email": "ada@example.org"})
    done = newsletter.run("send", "--date", "2026-08-08", "--yes")
    assert "2026-08-08" in done.stderr
    assert not inbox.arrivals


@pytest.mark.slow
def test_postgresql_gives_the_same_letters(
    newsletter: Newsletter, inbox: Inbox, empty_postgres: str
) -> None:
    days = {"2026-08-03": [a_paper(1, "The first")], "2026-08-04": [a_paper(2, "The second")]}
    with serve(daily_papers(days)) as origin:
        newsletter.configure(sources=[huggingface(origin)], store=empty_postgres)
        newsletter.subscribe({"email": "ada@example.org"}, {"email": "bob@example.org"})
        for day in days:
            assert newsletter.send(day)["accepted"] == 2
            assert newsletter.send(day)["state"] == "done"
    assert [letter.titles for letter in inbox.to("bob@example.org")] == [
        ["The first"],
        ["The second"],
    ]


@pytest.mark.slow
def test_hostile_titles_are_sent_literally(newsletter: Newsletter, inbox: Inbox) -> None:
    papers = [
        a_paper(number, f"Hostile {number} {text}", summary=text)
        for number, text in enumerate(HOSTILE_TEXTS, 1)
    ]
    with serve(daily_papers({"2026-08-03": [*papers, a_paper(99, "A good one")]})) as origin:
        newsletter.configure(sources=[huggingface(origin)], url="https://papers.example.org")
        newsletter.subscribe({"email": "ada@example.org", "max_items": 100, "summary": "full"})
        result = newsletter.send("2026-08-03")
        verdicts = newsletter.json("why", "ada@example.org", "--date", "2026-08-03")
    assert (result["accepted"], result["papers"]) == (1, len(HOSTILE_TEXTS) + 1)
    (letter,) = inbox.arrivals
    check_message(letter.content)
    assert "A good one" in letter.titles
    assert "Hostile 2 {{7*7}} {% raw %} {% endblock %} {# gone #}" in letter.titles
    assert "Hostile 1 </mj-text><mj-raw><script>alert(1)</script></mj-raw>" in letter.titles
    assert "<script" not in letter.html
    assert all(
        verdict["in"] or verdict["reason"].startswith("quarantined: ") for verdict in verdicts
    )


ANNOUNCED = """<entry><id>oai:arXiv.org:{number}v{version}</id><title>{title}</title>
<link href="https://arxiv.org/abs/{number}" rel="alternate" type="text/html"/>
<summary>arXiv:{number}v{version} Announce Type: {how} Abstract: Where 15&lt;alpha&lt;165.</summary>
<category term="cs.CL"/><arxiv:announce_type>{how}</arxiv:announce_type>
<dc:creator>Ada Lovelace, Noam Shazeer</dc:creator></entry>"""


def announcement(*papers: tuple[str, int, str, str]) -> bytes:
    """An arXiv announcement of (number, version, title, how)."""
    entries = "".join(
        ANNOUNCED.format(number=number, version=version, title=title, how=how)
        for number, version, title, how in papers
    )
    return (
        '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:arxiv="http://arxiv.org/schemas/atom"'
        f' xmlns:dc="http://purl.org/dc/elements/1.1/"><title>cs.CL</title>{entries}</feed>'
    ).encode()


@pytest.mark.slow
def test_arxiv_papers_are_announced_once(newsletter: Newsletter, inbox: Inbox) -> None:
    bodies = {
        "2026-08-03": announcement(
            ("2608.00001", 1, "New here", "new"),
            ("2607.00001", 4, "An old one, replaced", "replace"),
            ("2608.00002", 1, "Cross-listed", "cross"),
        ),
        "2026-08-04": announcement(
            ("2608.00001", 2, "New here, again", "replace"),
            ("2608.00002", 1, "Cross-listed", "replace-cross"),
            ("2608.00003", 1, "The next day's", "new"),
        ),
    }
    day = "2026-08-03"
    asked = []

    def answer(path: str, _query: object) -> tuple[int, dict[str, str], bytes]:
        asked.append(path)
        return 200, {"Content-Type": "application/atom+xml"}, bodies[day]

    with serve(answer) as origin:
        source = {"kind": "arxiv", "categories": ["cs.CL", "cs.LG"], "url": origin}
        newsletter.configure(sources=[{**source, "allow_private_addresses": True}])
        newsletter.subscribe({"email": "ada@example.org", "summary": "full"})
        newsletter.send(day)
        day = "2026-08-04"
        newsletter.send(day)
    assert set(asked) == {"/atom/cs.CL+cs.LG"}
    assert sorted(inbox.arrivals[0].titles) == ["Cross-listed", "New here"]
    assert inbox.arrivals[1].titles == ["The next day's"]
    assert "Where 15<alpha<165." in inbox.arrivals[0].text
    assert "Ada Lovelace, Noam Shazeer" in inbox.arrivals[0].text


@pytest.mark.slow
def test_issue_goes_to_the_operators_address_first(newsletter: Newsletter, inbox: Inbox) -> None:
    with serve(daily_papers({"2026-08-03": [a_paper(1, "A")]})) as origin:
        newsletter.configure(
            sources=[huggingface(origin)], issue={"canary": {"addresses": ["ed@example.org"]}}
        )
        newsletter.subscribe({"email": "ada@example.org"}, {"email": "ed@example.org"})
        first = newsletter.run("send", "--date", "2026-08-03", "--yes", code=75)
    assert [mail.recipient for mail in inbox.arrivals] == ["ed@example.org"]
    assert "`newsletter issue release 2026-08-03` at once" in first.stderr
    newsletter.run("issue", "release", "2026-08-03")
    assert newsletter.send("2026-08-03")["accepted"] == 2
    assert newsletter.json("audit", "2026-08-03")["ok"]
