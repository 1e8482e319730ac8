"""The readers' pages over real HTTP, with real letters: what they do and what they refuse."""

import contextlib
import json
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import lxml.html
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.app.files import load_engine
from newsletter.errors import StoreError, TemplateError
from newsletter.model import Filter, IdentifiedItem, Publication, Reader, Status, Summary, Topic
from newsletter.papers.filters import parse_rule
from newsletter.papers.meanings import MeaningMatcher
from newsletter.readers.joining import Joining
from newsletter.stores import open_store
from newsletter.stores.sql import SqlStore
from newsletter.templates import find_folders, load_note_templates
from newsletter.web.context import TEMPLATE_NAMES, PageTemplates
from tests.support.daemons import wait_until
from tests.support.databases import temporary_store_of
from tests.support.factories import DAY, EVERY_FIELD, NOON, identity, item, subscriber
from tests.support.frozen_issues import HEALTH, freeze, list_papers
from tests.support.logs import log_lines
from tests.support.web_client import Website, open_website

ADA = "ada@example.org"
HOSTILE = (
    "a,b@x.org", "u@x.org,v@y.org", "@a,@b:u@x.org", "u\0@x.org", "-oQ@x.org\r\nBcc: e@x.org",
    f"{'l' * 65}@x.org", "u@x.org\nBcc: v@y.org", "nobody", "u@", "<script>@x.org", "u@[127.0.0.1]",
    '"u v"@x.org', "u@x..org", "", "jürgen@x.org",
)  # fmt: skip


@pytest.fixture(scope="module")
def open_pages() -> Iterator[Website]:
    with open_website() as app:
        yield app


@pytest.fixture
def app() -> Iterator[Website]:
    with open_website() as opened:
        yield opened


@pytest.fixture(scope="module")
def meanings() -> Iterator[Website]:
    """Pages of a newsletter that understands plain words."""
    with open_website(matcher=MeaningMatcher(load_engine)) as opened:
        yield opened


def ada(app: Website, **fields: object) -> Reader:
    return app.store.save_reader(subscriber(ADA, **fields), status="confirmed", now=NOON)


def state(app: Website) -> tuple[object, ...]:
    """Everything that a request might have changed."""
    readers = app.store.readers()
    return readers, tuple(app.store.consents(reader.id) for reader in readers)


# -- from subscribing to unsubscribing -------------------------------------------------------------


def test_joining_needs_confirmation_by_a_button(app: Website) -> None:
    assert app.get("/").status == 200
    sent = app.join(topics=["Vision"], cadence="weekdays", at="09:30", timezone="Asia/Tokyo")
    assert sent.status == 200
    (note,) = app.mail(1)
    assert note.recipient == ADA
    assert app.reader().status == "unconfirmed"
    path = app.link(note)
    shown = app.get(path)
    assert (shown.status, app.reader().status) == (200, "unconfirmed")
    welcome = app.post(path)
    assert (welcome.status, app.reader().status) == (200, "confirmed")
    chosen = app.reader().subscriber
    assert (chosen.filter.topics, chosen.cadence, chosen.at) == (("Vision",), "weekdays", "09:30")
    assert chosen.timezone == "Asia/Tokyo"
    (consent,) = app.store.consents(1)
    assert consent.text in shown.text.replace("&#39;", "'")
    (preferences,) = re.findall(r'href="https://n\.example\.org(/preferences/[^"]+)"', welcome.body)
    assert app.get(preferences).status == 200


def test_network_over_its_cap_is_told_when() -> None:
    with open_website(joining=Joining(per_client_hourly=2)) as app:
        assert [app.join(email=f"r{n}@example.org").status for n in range(2)] == [200, 200]
        ada(app)
        refused = [app.join(email=email) for email in (ADA, "new@example.org")]
    for page in refused:
        assert page.status == 429
        assert "Too many requests came from your network in the last hour" in page.body
        assert "Try again at 13:01 (UTC), or write to" in page.body
        assert page.headers["retry-after"] == "3600"


def test_addresses_of_other_domains_are_told_so() -> None:
    with open_website(joining=Joining("domains", ("x.org",))) as app:
        assert "Only addresses of x.org can subscribe." in app.get("/").body
        refused = app.join()
        assert (refused.status, app.store.readers()) == (422, ())
    assert "only addresses of x.org can subscribe" in refused.body


def test_reader_who_waits_is_told_and_gets_nothing() -> None:
    with open_website(joining=Joining("approval")) as app:
        assert "The editor approves new readers" in app.get("/").body
        app.join()
        done = app.post(app.link(app.mail(1)[0]))
        assert app.reader().status == "waiting"
        assert "The editor approves new readers" in done.body
        assert "N comes to" not in done.body
        app.mail(1)


def test_confirmation_repeats_no_input_and_has_all_headers(app: Website) -> None:
    app.join(include="Visit evil.example", name="Buy now", topics=["Vision"])
    (note,) = app.mail(1)
    message = note.message
    assert message["To"] == ADA
    assert message["From"] == "N <n@example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@example.org>")
    assert message["Subject"] == "Confirm your subscription to N"
    assert not message.defects
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    for said in ("evil", "Buy now"):
        assert said not in note.content.decode()
    choices = "Vision · every day at 07:00 (UTC)"
    assert choices in note.text
    assert choices in app.get(app.link(note)).text
    assert choices in app.post(app.link(note)).text
    assert app.link(note) in note.html


def test_preferences_show_and_save_every_choice(app: Website) -> None:
    ada(app, name="Ada")
    page = app.path("preferences")
    wants = {
        "topics": ["Vision"],
        "include": "LoRA\nauthor:Shazeer",
        "exclude": "speech",
        "min_upvotes": "5",
        "max_items": "12",
        "cadence": "weekly",
        "day": "Friday",
        "at": "18:00",
        "timezone": "Europe/Zurich",
        "summary": "full",
    }
    saved = app.post(page, {**wants, "do": "save"})
    assert "Saved." in saved.text
    chosen = app.reader().subscriber
    assert chosen.name == "Ada"
    assert [rule.text for rule in chosen.filter.include] == ["LoRA", "author:Shazeer"]
    assert (chosen.filter.min_upvotes, chosen.filter.max_items) == (5, 12)
    assert (chosen.cadence, chosen.day, chosen.at) == ("weekly", 4, "18:00")
    assert (chosen.timezone, chosen.summary) == ("Europe/Zurich", "full")
    again = app.get(page).body
    assert "author:Shazeer</textarea>" in again
    app.post(page, {**dict.fromkeys(wants, ""), "topics": [], "do": "save"})
    assert app.reader().subscriber == subscriber(ADA, name="Ada")


def test_preferences_sent_back_as_shown_change_nothing(app: Website) -> None:
    chosen = replace(EVERY_FIELD, filter=replace(EVERY_FIELD.filter, topics=("Vision",)))
    app.store.save_reader(chosen, status="confirmed", now=NOON)
    page = app.path("preferences")
    tree: Any = lxml.html.document_fromstring(app.get(page).body)
    (shown,) = tree.xpath("//form[.//@name='summary']")
    sent: dict[str, list[str]] = {}
    for name, value in shown.form_values():
        sent.setdefault(name, []).append(value)
    assert "Saved." in app.post(page, {**sent, "do": "save"}).text
    assert app.reader().subscriber == chosen


def test_form_errors_appear_in_place_and_keep_input(app: Website) -> None:
    ada(app)
    form = {"include": "LoRA\n(speech", "at": "25:00", "timezone": "Mars", "exclude": "kept"}
    answer = app.post(app.path("preferences"), {**form, "do": "save"})
    assert answer.status == 422
    assert "this bracket is never closed" in answer.text
    for name in ("include", "at", "timezone"):
        assert f'id="{name}-problem"' in answer.body
    assert 'id="exclude-problem"' not in answer.body
    assert "kept</textarea>" in answer.body
    assert app.reader().subscriber == subscriber(ADA)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("include", "x or " * 10_000 + "x"),
        ("include", "(" * 4000),
        ("include", "\n".join(f"word{n}" for n in range(101))),
        ("exclude", "' OR 1=1 --'\n(("),
        ("max_items", "-1"),
        ("min_upvotes", "' OR 1"),
        ("cadence", "hourly"),
        ("topics", "../../etc/passwd"),
        ("summary", "<script>"),
        ("day", "%"),
    ],
)
def test_pathological_field_is_an_error_without_effect(
    open_pages: Website, field: str, value: str
) -> None:
    number = ada(open_pages).id
    answer = open_pages.post(
        open_pages.path("preferences", str(number)), {field: value, "do": "save"}
    )
    assert answer.status == 422
    assert f'id="{field}-problem"' in answer.body or field == "topics"
    assert "<script>" not in answer.body
    assert open_pages.reader(number).subscriber == subscriber(ADA)


def test_filter_is_tried_on_recent_days_without_saving(app: Website) -> None:
    ada(app)
    list_papers(app.store, "arxiv:1", "arxiv:2")
    answer = app.post(app.path("preferences"), {"include": "arxiv:2 or x", "do": "try"})
    assert answer.status == 422
    tried = answer.body.partition('id="preview"')[2].partition("</div>")[0]
    assert "Papers I also want: " in tried
    answer = app.post(app.path("preferences"), {"include": '"arxiv:2"', "do": "try"})
    assert "1 of 2" in answer.text
    assert "About arxiv:2" in answer.text
    assert re.search(r'<output id="count">\s*About 1 paper a day', answer.body)
    assert app.reader().subscriber == subscriber(ADA)


def test_rule_that_finds_nothing_is_refused_or_explained(app: Website) -> None:
    ada(app)
    refused = app.post(app.path("preferences"), {"include": "diffus* model", "do": "save"})
    assert refused.status == 422
    assert "write whole words" in refused.text
    assert app.reader().subscriber == subscriber(ADA)
    saved = app.post(app.path("preferences"), {"include": "agents, work", "do": "save"})
    assert saved.status == 200
    assert "agents, work: a comma is read as “or”; write “agents or work”" in saved.text
    assert "a comma is read as" in app.get(app.path("preferences")).text


def rules_of(app: Website) -> list[str]:
    return [rule.text for rule in app.reader().subscriber.filter.include]


def test_wishes_are_saved_beside_other_filters(app: Website) -> None:
    rules = ("LoRA", "about: dwarf galaxies, not spirals", "author:Li")
    ada(app, filter=Filter(include=tuple(map(parse_rule, rules))))
    page = app.path("preferences")
    shown: Any = lxml.html.document_fromstring(app.get(page).body)
    fields = {each.name: each.text for each in shown.iter("textarea")}
    assert fields["wishes"].strip() == "dwarf galaxies, not spirals"
    assert fields["include"].split() == ["LoRA", "author:Li"]
    app.post(page, {"wishes": "dwarf galaxies\ncomets", "do": "save"})
    assert rules_of(app) == ["about: dwarf galaxies", "about: comets", "LoRA", "author:Li"]
    app.post(page, {"include": "about: stars", "do": "save"})
    assert rules_of(app) == ["about: dwarf galaxies", "about: comets", "about: stars"]


def test_wishes_are_filters_where_rules_alone_count() -> None:
    with open_website(plain_words=False) as app:
        ada(app, filter=Filter(include=(parse_rule("about: comets"), parse_rule("LoRA"))))
        page = app.path("preferences")
        assert 'name="wishes"' not in app.get(page).body + app.get("/").body
        assert "about: comets\nLoRA</textarea>" in app.get(page).body
        app.post(page, {"include": "LoRA", "do": "save"})
        assert rules_of(app) == ["LoRA"]


@pytest.mark.parametrize(
    ("wish", "said", "saved"),
    [
        ("not speech", "“not speech”: this says only what you do not want", False),
        ("大语言模型", "plain words are understood only in English", False),
        ("x " * 2_100 + "x", "4096 is the most", False),
        ("Sprachmodelle für Chirurgen", "try other words, in English", True),
        ("galaxies, author:Li", "“author:” works only in your filters", True),
    ],
)
def test_wish_that_is_not_understood_is_explained(
    meanings: Website, wish: str, said: str, *, saved: bool
) -> None:
    number = ada(meanings).id
    page = meanings.path("preferences", str(number))
    answer = meanings.post(page, {"wishes": f"dwarf galaxies\n{wish}", "do": "save"})
    shown: Any = lxml.html.document_fromstring(answer.body)
    assert said in " ".join(shown.get_element_by_id("found").text_content().split())
    assert (answer.status, "Saved." in answer.text) == ((200, True) if saved else (422, False))


def test_tried_wishes_are_counted_and_not_stored(
    app: Website, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.web.context.TRIES", 2)
    with open_website(store=app.store) as limited:
        list_papers(app.store, "arxiv:1", "arxiv:2")
        before = state(app)
        answers = [limited.post("/find", {"wishes": "about"}).text for _ in range(3)]
        assert ["2 of 2 papers today" in each for each in answers] == [True, True, False]
        assert "Try again in a minute" in answers[2]
        assert limited.post("/join", {"wishes": "x", "do": "find"}).status == 200
        assert state(app) == before


def test_filter_preview_tries_two_days_and_saves_nothing(app: Website) -> None:
    ada(app)
    list_papers(app.store, "arxiv:1", "arxiv:2")
    page = app.path("preferences")
    seen = app.post(page, {"include": '"arxiv:2"', "do": "glance"})
    assert (seen.status, "1 of 2" in seen.text) == (200, True)
    wrong = app.post(page, {"include": "(speech", "do": "glance"})
    assert wrong.status == 422
    assert "never closed" in wrong.body.partition('id="preview"')[2].partition("</div>")[0]
    assert app.reader().subscriber == subscriber(ADA)
    script = app.get("/htmx.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert "htmx" in script.body


def test_pause_link_asks_and_button_pauses(app: Website) -> None:
    ada(app, timezone="Asia/Tokyo")
    page = app.path("preferences")
    offered = app.get(f"{page}?pause=2")
    assert "Pause your emails to ada@example.org for 2 weeks?" in offered.text
    assert app.reader().subscriber.paused_until is None
    assert "Pause your emails" not in app.get(f"{page}?pause=520").text
    app.post(f"{page}?pause=2", {"do": "pause", "weeks": "2"})
    assert app.reader().subscriber.paused_until == date(2026, 8, 17)
    assert "until Monday, 17 August 2026" in app.get(page).text
    app.post(page, {"do": "save", "timezone": "Asia/Tokyo", "max_items": "3"})
    assert app.reader().subscriber.paused_until == date(2026, 8, 17)
    app.post(page, {"do": "resume"})
    assert app.reader().subscriber.paused_until is None
    assert app.post(page, {"do": "pause", "weeks": "520"}).status == 400
    assert app.post(page, {"do": "dance"}).status == 400


def test_weekly_link_asks_once_with_one_button(app: Website) -> None:
    ada(app)
    page = app.path("preferences")
    asked = app.get(f"{page}?cadence=weekly")
    assert "Get N once a week instead, at ada@example.org?" in asked.text
    assert re.findall(r"<button[^>]*>([^<]+)", asked.body) == ["Switch to weekly"]
    assert app.reader().subscriber.cadence is None
    done = app.post(page, {"do": "weekly", "weeks": ""})
    assert "get one email a week, on Mondays. Next: Monday " in done.text
    assert app.reader().subscriber.cadence == "weekly"
    again = app.get(f"{page}?cadence=weekly").text
    assert ("You already get one email a week." in again, "once a week instead" in again) == (
        True,
        False,
    )


NOTICES = r'class="said[^"]*"'


@pytest.mark.parametrize(
    ("fields", "status", "query", "said"),
    [
        ({}, "confirmed", "", None),
        ({"filter": Filter(include=(parse_rule("agents, work"),))}, "confirmed", "", None),
        ({}, "confirmed", "?done=saved", "Saved."),
        ({"paused_until": date(2026, 9, 1)}, "confirmed", "?done=paused", "Your emails are paused"),
        ({"paused_until": date(2026, 9, 1)}, "unsubscribed", "?done=saved", "not subscribed"),
        ({"filter": Filter(topics=("Gone",))}, "unsubscribed", "?more=Vision", "not subscribed"),
        ({}, "waiting", "?done=saved", "approves new readers"),
        ({}, "blocked", "", "You get no emails at this address"),
        ({"filter": Filter(topics=("Gone",))}, "confirmed", "", "no longer offers any topic"),
        ({}, "confirmed", "?more=Vision", "You already get every paper"),
    ],
)
def test_preferences_say_one_thing_at_a_time(
    app: Website, fields: dict[str, Any], status: Status, query: str, said: str | None
) -> None:
    app.store.save_reader(subscriber(ADA, **fields), status=status, now=NOON)
    page = app.get(app.path("preferences") + query)
    assert len(re.findall(NOTICES, page.body)) == (said is not None)
    assert said is None or said in page.text


def test_reader_comes_back_from_the_preferences(app: Website) -> None:
    app.store.save_reader(subscriber(ADA, summary="full"), status="unsubscribed", now=NOON)
    assert "Check your inbox" in app.post(app.path("preferences"), {"do": "return"}).text
    app.post(app.link(app.mail_to(ADA)))
    assert (app.reader().status, app.reader().subscriber.summary) == ("confirmed", "full")


def test_address_changes_once_the_new_one_confirms(app: Website) -> None:
    ada(app)
    page = app.path("preferences")
    assert 'id="email-problem"' in app.post(page, {"do": "move", "email": "a,b@x.org"}).body
    assert app.post(page, {"do": "move", "email": "new@example.org"}).status == 200
    note = app.mail_to("new@example.org")
    assert "Confirm your new address" in note.message["Subject"]
    path = app.link(note)
    assert app.get(path).status == 200
    assert app.reader().subscriber.email == ADA
    assert app.post(path).status == 200
    assert app.reader().subscriber.email == "new@example.org"
    app.store.sync_subscribers([subscriber("bob@example.org")], now=NOON)
    answer = app.post(app.path("preferences", "2"), {"do": "move", "email": "x@example.org"})
    assert (answer.status, "Ask them to change it" in answer.text) == (400, True)


def test_more_and_less_of_a_topic_are_saved(app: Website) -> None:
    ada(app, filter=Filter(include=(parse_rule("LoRA"),)))
    page, before = app.path("preferences"), app.reader().subscriber
    assert 'value="Vision" checked' in app.get(f"{page}?more=Vision").body
    assert 'value="Vision" checked' not in app.get(f"{page}?less=Vision").body
    assert app.get(f"{page}?more=<script>&less=%00").status == 200
    assert app.reader().subscriber == before


TOPICS = tuple(Topic(name, any=(parse_rule(name),)) for name in ("Vision", "Sound", "Code"))


@pytest.mark.parametrize(
    ("topics", "query", "ticked", "said"),
    [
        ((), "more=Vision", [], "You already get every paper, so you get all of Vision."),
        (("Sound",), "more=Vision", ["Vision", "Sound"], "Vision selected. Save to confirm."),
        (("Vision",), "more=Vision", ["Vision"], "You already follow Vision."),
        ((), "less=Vision", ["Sound", "Code"], "Every topic but Vision selected."),
        (("Vision", "Code"), "less=Vision", ["Code"], "Vision deselected. Save to confirm."),
        (("Vision",), "less=Vision", ["Vision"], "Vision is your only topic."),
    ],
)
def test_more_or_less_never_turns_into_its_opposite(
    topics: tuple[str, ...], query: str, ticked: list[str], said: str
) -> None:
    with open_website(topics=TOPICS) as app:
        ada(app, filter=Filter(topics=topics))
        page = app.get(f"{app.path('preferences')}?{query}")
    assert re.findall(r'value="(\w+)" checked', page.body) == ticked
    assert said in page.text


def test_stored_data_is_shown_and_can_be_deleted(app: Website) -> None:
    app.join(topics=["Vision"])
    app.post(app.link(app.mail(1)[0]))
    page = app.path("preferences")
    answer = app.get(f"{page}/export.json")
    kept = json.loads(answer.body)
    assert answer.headers["content-disposition"].startswith("attachment")
    assert kept["subscription"] == {"email": ADA, "topics": ["Vision"]}
    assert [consent["how"] for consent in kept["consents"]] == [
        "by the link in the confirmation email"
    ]
    leave = app.path("unsubscribe")
    assert app.post(page, {"do": "erase"}).status == 422
    assert app.reader().subscriber.email == ADA
    assert app.post(page, {"do": "erase", "sure": "yes"}).status == 200
    assert ADA not in repr(app.store.readers())
    assert app.get(page).status == 403
    before = app.store.readers()
    gone = app.post(leave)
    assert (gone.status, app.store.readers()) == (200, before)
    assert "erased.invalid" not in gone.body


# -- leaving ---------------------------------------------------------------------------------------


def test_one_click_unsubscribe_works_twice_and_years_later(app: Website) -> None:
    ada(app)
    path = app.path("unsubscribe")
    app.advance(days=400)
    for body in (b"List-Unsubscribe=One-Click", b"List-Unsubscribe=One-Click", b""):
        answer = app.request(
            "POST",
            path,
            body,
            Content_Type="application/x-www-form-urlencoded",
            Origin="https://mail.example.com",
            Sec_Fetch_Site="cross-site",
        )
        assert answer.status == 200
        assert "location" not in answer.headers
        assert "set-cookie" not in answer.headers
        assert app.reader().status == "unsubscribed"
    boundary = (
        b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--'
    )
    multipart = "multipart/form-data; boundary=x"
    assert app.request("POST", path, boundary, Content_Type=multipart).status == 200


def test_opening_a_link_changes_nothing(app: Website) -> None:
    reader = ada(app)
    app.store.save_reader(subscriber("bob@example.org"), status="unconfirmed", now=NOON)
    freeze(app.store, [reader], list_papers(app.store, "arxiv:1"))
    before = state(app)
    prefer = app.path("preferences")
    paths = (
        app.path("confirm", "2"), app.path("confirm", "1/back"),
        app.path("unsubscribe").replace("unsubscribe", "leave"), prefer,
        f"{prefer}?pause=2", f"{prefer}?cadence=weekly",
        f"{prefer}?do=erase&sure=yes", f"{prefer}/export.json", app.path("unsubscribe"),
        f"{app.path('unsubscribe')}?List-Unsubscribe=One-Click",
        app.path("edition", f"1/{DAY}"), app.path("move", "1/new@example.org"),
        f"{prefer}?less=Vision", app.path("feed", "1").replace("feed", "mine") + "/feed.atom",
        "/", "/join?email=eve@example.org",
    )  # fmt: skip
    for path in paths:
        for purpose in ("", "prefetch"):
            answer = app.get(path, Purpose=purpose, Sec_Purpose=purpose)
            assert answer.status == (303 if path.startswith("/join") else 200), path
        head = app.request("HEAD", path)
        assert (head.status, head.body) == (answer.status, "")
        for method in ("PUT", "DELETE"):
            assert app.request(method, path).status == 405
    assert state(app) == before
    assert app.inbox.arrivals == []


# -- reading ---------------------------------------------------------------------------------------


def test_readers_edition_is_shown_whole(app: Website) -> None:
    reader = ada(app)
    wave = freeze(app.store, [reader], list_papers(app.store, "arxiv:1", "arxiv:2"))
    app.advance(days=200)
    path = app.path("edition", f"1/{DAY}")
    answer = app.get(path)
    assert answer.status == 200
    assert [f"About arxiv:{n}" in answer.text for n in (1, 2)] == [True, True]
    assert "every paper" not in answer.text
    assert "<h1>Your papers for Monday, 3 August</h1>" in answer.body
    assert len(wave.issue.papers) == 2
    assert app.get(app.path("edition", f"1/{date(2026, 8, 4)}")).status == 404
    app.advance(days=366)
    assert app.get(path).status == 403


def test_edition_shows_the_summaries_of_the_email(app: Website) -> None:
    text = "We train a model. It reads text. It learns fast. It beats the best by 3%."
    papers = [
        IdentifiedItem(item(f"P{n}", abstract=text), identity(f"arxiv:{n}")) for n in range(6)
    ]
    app.store.ingest(DAY, HEALTH, papers, now=NOON)
    ada(app)
    app.publish(DAY)
    page = app.get(app.path("edition", f"1/{DAY}")).body
    assert page.count("It learns fast") == app.mail_to(ADA).html.count("It learns fast") == 3


@pytest.mark.parametrize(("summary", "said"), [("short", False), ("brief", True)])
def test_edition_says_what_a_machine_wrote(app: Website, summary: Summary, *, said: bool) -> None:
    entry = IdentifiedItem(item("A", brief="It learns."), identity("arxiv:9"))
    app.store.ingest(DAY, HEALTH, [entry], now=NOON)
    freeze(app.store, [ada(app, summary=summary)], list_papers(app.store))
    page = app.get(app.path("edition", f"1/{DAY}")).text
    assert [text in page for text in ("It learns.", "written by AI")] == [said, said]


def test_link_to_a_removed_edition_says_so(app: Website) -> None:
    reader = ada(app)
    freeze(app.store, [reader], list_papers(app.store, "arxiv:1"))
    app.store.set_issue_state(DAY, "cancelled", reason="", from_states=["frozen"])
    assert app.get(app.path("edition", f"1/{DAY}")).status == 200
    while app.store.remove_details(DAY):
        pass
    answer = app.get(app.path("edition", f"1/{DAY}"))
    assert (answer.status, "no longer keep your email" in answer.text) == (410, True)


@pytest.mark.slow
def test_papers_omitted_from_the_letter_are_shown(app: Website) -> None:
    ada(app)
    app.publish(DAY, *(f"Paper {n} {'x' * 250}" for n in range(400)))
    letter = app.mail_to(ADA)
    assert len(letter.titles) < 400
    (own,) = set(re.findall(r"https://n\.example\.org(/edition/[\w.-]+)", letter.html))
    assert f'{own}#more-Other"' in letter.html
    page = app.get(own)
    assert "<h2 id=" in page.body
    before, _, after = page.text.partition(f"{400 - len(letter.titles)} more that had no room")
    assert before.count("Paper") == len(letter.titles)
    assert after.count("Paper") == 400 - len(letter.titles)
    assert 'id="more-Other"' in page.body
    assert all(f"Paper {n} " in page.text for n in range(400))


@pytest.mark.slow
def test_wish_orders_every_form_of_an_email() -> None:
    """The surest paper comes first in email, page and feed, whatever its upvotes."""
    sure, likely = "KV cache compression", "Cache eviction for language models with a long memory"
    remote = "A cache for the results of expensive database queries of web sites"
    with open_website(matcher=MeaningMatcher(load_engine)) as app:
        ada(app, filter=Filter(include=(parse_rule(f"about: {sure}"),)))
        app.publish(DAY, remote, likely, sure, "Galaxies")
        letter = app.mail_to(ADA)
        (own,) = set(re.findall(r"https://n\.example\.org(/edition/[\w.-]+)", letter.html))
        page = app.get(own).text
        feed = app.get(f"/mine/{app.path('feed').removeprefix('/feed/')}/feed.json").body
    titles = [likely, sure, remote]  # the two that are sure have the order of their upvotes
    assert letter.titles == titles
    for text in (letter.text, page, feed):
        places = [" ".join(text.split()).index(title) for title in titles]
        assert places == sorted(places)
    assert f"“{sure}”: in the title" in letter.text
    assert f"“{sure}”: in the title" in page


@pytest.mark.slow
def test_store_failure_is_reported_without_secrets(tmp_path: Path) -> None:
    opened = open_store(f"sqlite:///{tmp_path}/store.db")
    with contextlib.closing(opened) as store, open_website(store=store) as app:
        with contextlib.closing(sqlite3.connect(tmp_path / "store.db")) as other:
            other.execute("ALTER TABLE readers RENAME TO elsewhere")
        answer = app.get(app.path("preferences"))
    assert answer.status == 503
    assert "store.db" not in answer.body
    assert "Something went wrong" in answer.text


def test_each_refusal_has_a_page_that_leads_home(app: Website) -> None:
    for answer, status, said in (
        (app.get("/nowhere"), 404, "Page not found That page doesn't exist. Home"),
        (app.get("/topic/Nothing"), 404, "Page not found There is no topic of that name. Home"),
        (app.request("PUT", "/archive"), 405, "Page not found That page can't be opened directly."),
        (app.post("/join", Sec_Fetch_Site="cross-site"), 403, "Not allowed That form came from"),
        (app.post("/join", {"email": "x" * 200_000}), 413, "Too long"),
    ):
        assert answer.status == status
        assert said in unescape(answer.text)
        assert '<a href="/">Home</a>' in answer.body


def test_hostile_title_is_shown_as_text(app: Website) -> None:
    script = "<script>document.title='pwned'</script>"
    reader = ada(app, name=script)
    list_papers(app.store, script)
    freeze(app.store, [reader], app.store.papers_by_number([1]))
    for path in (app.path("edition", f"1/{DAY}"), app.path("preferences")):
        assert script not in app.get(path).body
    bad = app.post("/join", {"email": f'"{script}"@x.org', "topics": script, "at": script})
    assert script not in bad.body


# -- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize("email", HOSTILE)
def test_hostile_address_is_refused(open_pages: Website, email: str) -> None:
    readers = open_pages.store.readers()
    answer = open_pages.join(email)
    assert answer.status == 422
    assert 'id="email-problem"' in answer.body
    assert open_pages.store.readers() == readers
    assert open_pages.inbox.arrivals == []


def test_known_and_unknown_addresses_get_the_same_answer(app: Website) -> None:
    ada(app)
    gone: tuple[Status, ...] = ("unsubscribed", "blocked", "removed")
    for number, status in enumerate(gone, 2):
        app.store.save_reader(subscriber(f"{status}@example.org"), status=status, now=NOON)
        assert app.reader(number).status == status
    emails = (ADA, "unsubscribed@example.org", "blocked@example.org", "new@example.org")
    answers = [app.join(email) for email in emails for _ in range(2)]
    assert {answer.status for answer in answers} == {200}
    said = {
        answer.body.replace(email, "X")
        for email, answer in zip((e for e in emails for _ in range(2)), answers, strict=True)
    }
    assert len(said) == 1
    assert sorted(a.recipient for a in app.mail(3)) == sorted({*emails} - {emails[2]})
    assert "known" not in said
    (known,) = app.inbox.to(ADA)
    assert app.link(known).startswith("/preferences/")


@pytest.mark.slow
def test_hundred_sign_ups_send_one_letter(app: Website) -> None:
    assert [app.join().status for _ in range(100)] == [200] * 10 + [429] * 90
    app.advance(hours=2)
    app.join("bob@example.org")
    app.mail_to("bob@example.org")
    assert len(app.inbox.to(ADA)) == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Sec_Fetch_Site": "cross-site", "Origin": "null"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Sec_Fetch_Site": "same-origin", "Origin": "null"}, 200),
        ({"Origin": "https://n.example.org"}, 200),
        ({"Origin": "null"}, 200),
        ({}, 200),
    ],
)
def test_cross_site_forms_are_refused(
    open_pages: Website, headers: dict[str, str], status: int
) -> None:
    number = ada(open_pages).id
    page = open_pages.path("preferences", str(number))
    assert open_pages.post(page, {"do": "save"}, **headers).status == status
    assert open_pages.post("/join", {"email": "blocked"}, **headers).status == (
        403 if status == 403 else 422
    )


def test_link_serves_one_reader_list_and_purpose(open_pages: Website) -> None:
    ada(open_pages)
    token = open_pages.path("preferences").rpartition("/")[2]
    wrong = (
        f"/preferences/{token[:-2]}{'A' if token[-2] != 'A' else 'B'}{token[-1]}",
        f"/confirm/{token}",
        f"/unsubscribe/{token}",
        f"/edition/{token}",
        f"/preferences/{open_pages.path('unsubscribe').rpartition('/')[2]}",
        "/preferences/x",
        "/preferences/%00",
        "/unsubscribe/..%2f..",
        "/edition/" + "a" * 5000,
    )
    before = state(open_pages)
    for path in wrong:
        for answer in (open_pages.get(path), open_pages.post(path, {"do": "save"})):
            assert answer.status in {403, 404, 405}, path
    assert state(open_pages) == before


def test_expired_link_offers_a_new_one(app: Website) -> None:
    ada(app)
    path = app.path("preferences")
    app.advance(days=31)
    answer = app.get(path)
    assert answer.status == 403
    assert "This link is too old" in answer.text
    assert 'action="/join"' in answer.body


def test_new_link_keeps_the_choices(app: Website) -> None:
    app.join(topics=["Vision"], cadence="weekly")
    path = app.link(app.mail_to(ADA))
    app.advance(hours=50)
    assert 'name="keep"' in app.get(path).body
    app.join(keep="yes")
    app.post(app.link(app.mail(2)[1]))
    chosen = app.reader().subscriber
    assert (app.reader().status, chosen.cadence) == ("confirmed", "weekly")
    assert chosen.filter.topics == ("Vision",)


def test_oversized_and_malformed_forms_are_refused(open_pages: Website) -> None:
    assert open_pages.request("POST", "/join", b"x" * 70_000).status == 413
    assert open_pages.request("POST", "/join", b"email=\xff\xfe").status in {400, 422}
    many = b"&".join(b"topics=x" for _ in range(600))
    assert open_pages.request("POST", "/join", many).status == 400
    assert open_pages.get("/nowhere").status == 404
    assert open_pages.get("/nowhere/%2e%2e/%2e%2e/etc/passwd").status == 404


def test_every_page_forbids_what_it_does_not_need(open_pages: Website) -> None:
    ada(open_pages)
    for answer in (
        open_pages.get("/"),
        open_pages.get(open_pages.path("preferences")),
        open_pages.get(open_pages.path("unsubscribe")),
        open_pages.get("/nowhere"),
        open_pages.post("/join", {}, Origin="https://evil.example"),
    ):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert "set-cookie" not in answer.headers
        assert "server" not in answer.headers
        for found in re.findall(r'(?:src|<link[^>]+href)="([^"]+)"', answer.body):
            assert found.startswith("/") or found == "https://n.example.org/"
        inline = re.sub(r'<script src="/(htmx|when)\.js" defer></script>', "", answer.body)
        assert "<script" not in inline
        assert ("script-src 'self'" in policy) is (inline != answer.body)
        assert not re.search(r"\son\w+=|style=", answer.body)
    assert "noindex" in open_pages.get(open_pages.path("preferences")).body
    assert "max-age" in open_pages.get("/style.css").headers["cache-control"]


def test_sample_email_leads_to_the_form(app: Website) -> None:
    assert app.get("/sample").status == 404
    ada(app)
    app.publish(DAY, "Vision anew", "Of other things")
    app.advance(minutes=1)  # the list of issues is read again
    assert 'href="/sample"' in app.get("/").body
    sample = app.get("/sample")
    assert (sample.status, "Of other things" in sample.body) == (200, True)
    assert not re.search("/(preferences|unsubscribe|edition)/", sample.body)
    assert 'href="https://n.example.org/"' in sample.body
    assert "script-src" not in sample.headers["content-security-policy"]


def test_sample_email_has_the_new_papers_of_the_day(app: Website) -> None:
    ada(app)
    app.publish(DAY, "Of yesterday", "Of both days")
    assert "Of yesterday" in app.get("/sample").body
    app.advance(days=1)
    app.publish(DAY + timedelta(days=1), "Of both days", "Of today")
    wait_until(lambda: "Of today" in app.get("/sample").body)
    sample = app.get("/sample").text
    assert [name in sample for name in ("Of yesterday", "Of both days")] == [False, False]


def test_each_mistake_links_to_its_field(open_pages: Website) -> None:
    page = open_pages.post("/join", {"email": "nobody", "at": "25:00", "timezone": "Mars"})
    links = re.findall(r'<a href="#(\w+)">([\w ]+): ', page.body)
    assert sorted(links) == [
        ("at", "Time"), ("email", "Email address"), ("timezone", "Time zone"),
    ]  # fmt: skip
    assert 'id="errors" tabindex="-1" autofocus' in page.body
    assert '<details class="when" open>' in page.body
    assert "<title>Error: " in page.body


def test_readers_without_a_schedule_follow_the_newsletters(app: Website) -> None:
    app.join(cadence="daily", at="07:00", timezone="UTC")
    app.mail_to(ADA)
    chosen = app.reader().subscriber
    assert (chosen.cadence, chosen.at, chosen.timezone) == (None, None, None)
    shown = app.get(app.path("preferences")).body
    assert 'value="07:00"' in shown
    app.post(app.path("preferences"), {"at": "07:00", "timezone": "UTC", "do": "save"})
    assert app.reader().subscriber == chosen


WORDS = st.text(max_size=40) | st.sampled_from(
    ["0", "-1", "9" * 30, "2026-08-03", "2026-02-30", "' OR 1=1 --", "../..", "\0", "%s", "[*]"]
)
PATHS = (
    "/", "/join", "/confirm/{}", "/preferences/{}", "/preferences/{}/export.json",
    "/unsubscribe/{}", "/edition/{}", "/archive", "/archive/{}", "/topic/{}", "/paper/{}",
    "/search", "/feed.atom", "/topic/{}/feed.rss", "/mine/{}/feed.json", "/{}",
)  # fmt: skip
FIELDS = ("email", "topics", "include", "at", "timezone", "do", "weeks", "q", "before", "pause")


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.sampled_from(PATHS), WORDS, st.dictionaries(st.sampled_from(FIELDS), WORDS), st.data())
def test_no_request_causes_a_server_error(
    open_pages: Website, path: str, word: str, form: dict[str, str], data: st.DataObject
) -> None:
    ada(open_pages)
    filled = path.format(quote(word, safe=""))
    own = data.draw(st.sampled_from(["", "preferences", "confirm", "edition"]))
    if own and path.startswith(f"/{own}/"):
        filled = open_pages.path(own, "1" if own != "edition" else f"1/{DAY}")  # type: ignore[arg-type]
    query = urlencode(form, errors="replace")
    for answer in (open_pages.get(f"{filled}?{query}"), open_pages.post(filled, form)):
        assert answer.status < 500
        assert answer.headers["referrer-policy"] == "no-referrer"


# -- behind a proxy --------------------------------------------------------------------------------


def test_pages_work_under_a_path_prefix() -> None:
    with open_website(url="https://example.org/papers/") as app:
        ada(app)
        for prefix in ("", "/papers"):
            assert app.get(f"{prefix}/style.css").status == 200
            page = app.get(f"{prefix}{app.path('preferences')}")
            assert page.status == 200
            assert 'href="/papers/style.css"' in page.body
        assert app.get("/papers").status == 200
        assert app.get("/papersX").status == 404
        app.join("bob@example.org")
        (note,) = app.mail(1)
        assert "https://example.org/papers/confirm/" in note.text
        assert app.post(app.link(note), Origin="https://example.org").status == 200


@pytest.mark.slow
def test_forwarded_address_counts_behind_trusted_proxy() -> None:
    assert letters_of_one_client() == 10
    assert letters_of_one_client("127.0.0.1") == 14


def letters_of_one_client(*proxies: str) -> int:
    """The number of letters after 14 sign-ups, each of which claims another client address."""
    with open_website(proxies=proxies) as app:
        for n in range(14):
            app.request(
                "POST",
                "/join",
                f"email=r{n}%40example.org".encode(),
                Content_Type="application/x-www-form-urlencoded",
                X_Forwarded_For=f"198.51.100.{n}",
            )
        app.mail(10)
    return len(app.inbox.arrivals)  # also those under way at its end


def test_deferred_confirmation_is_retried() -> None:
    refusals = ["451 later", "451 later"]
    with open_website() as app, log_lines() as log:
        app.inbox.answer = lambda _recipient: refusals.pop() if refusals else None
        app.join()
        assert app.mail(1)[0].recipient == ADA
    assert log == []


class HeldStore(SqlStore):
    """A store that another program locks at first."""

    times = 2

    def forget_unconfirmed(self, *, before: datetime) -> int:
        """Fail while the store is locked."""
        if self.times:
            self.times -= 1
            raise StoreError("another program is writing to it")
        return super().forget_unconfirmed(before=before)


def test_promised_confirmation_survives_a_busy_store() -> None:
    with open_website(store=temporary_store_of(HeldStore)) as app, log_lines() as log:
        app.join()
        assert app.mail(1)[0].recipient == ADA
    assert log == ["a request waits: another program is writing to it"] * 2


def test_refused_confirmation_is_dropped_without_naming_anyone() -> None:
    with open_website() as app, log_lines() as log:
        app.inbox.answer = lambda recipient: f"550 <{recipient}> is unknown"
        app.join()
        wait_until(lambda: log)
    assert log == ["a note was given up: Refused"]


def test_faulty_template_is_found_at_start(tmp_path: Path) -> None:
    publication = Publication("N", "N", "n@example.org", "https://n.example.org")
    there = {
        path.name for path in (find_folders().find("web/join.html") or tmp_path).parent.iterdir()
    }
    others = {name for name in there - {*TEMPLATE_NAMES} if not name.startswith("proof.")}
    assert others == {"base.html", "parts.html", "door.css"}
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "door.css").write_text("body { color: green }")
    assert PageTemplates(publication, tmp_path).style == "body { color: green }"
    (tmp_path / "web" / "join.html").write_text("<p>\n{% if %}")
    with pytest.raises(TemplateError, match=r"web/join\.html:2: "):
        PageTemplates(publication, tmp_path)
    (tmp_path / "web" / "join.html").unlink()
    (tmp_path / "move.txt").write_text("{{ confirm }")
    with pytest.raises(TemplateError, match=r"move\.txt:1: "):
        load_note_templates("move", tmp_path)


@pytest.mark.slow
def test_bounced_confirmations_reach_the_readers_return_path() -> None:
    own = Publication(
        "N", "N", "n@example.org", url="https://n.example.org", bounces="back@example.org"
    )
    with open_website(publication=own) as app:
        app.join()
        (note,) = app.mail(1)
    assert re.fullmatch(r"back\+1-[0-9a-f]{16}@example\.org", note.sender)
