"""Opening the preferences and pressing Save changes nothing that the reader did not change."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any, cast

import lxml.html
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from newsletter.model import SUBSCRIBER_FIELDS, Filter, Reader, Topic
from newsletter.papers.filters import parse_rule
from newsletter.stores.sql import SqlStore
from newsletter.stores.sql.codec import dump
from tests.support.factories import EVERY_FIELD, NOON, subscriber
from tests.support.web_client import Website, open_website

ADA = "ada@example.org"
TOPICS = (
    Topic("Vision", any=(parse_rule("vision"),), formerly=("Sight",)),
    Topic("Reasoning", any=(parse_rule("reasoning"),)),
)
NUMBERS, TIMES = set("0123456789"), set("0123456789:")


@pytest.fixture(scope="module")
def app() -> Iterator[Website]:
    with open_website(topics=TOPICS) as opened:
        opened.store.save_reader(subscriber(ADA), status="confirmed", now=NOON)
        yield opened


def _store(app: Website) -> SqlStore:
    assert isinstance(app.store, SqlStore)
    return app.store


def store_body(app: Website, body: str) -> None:
    with _store(app)._database.writing() as connection:
        connection.exec_driver_sql("UPDATE readers SET body = ? WHERE id = 1", (body,))


def stored_body(app: Website) -> str:
    with _store(app)._database.reading() as connection:
        return str(connection.exec_driver_sql("SELECT body FROM readers WHERE id = 1").scalar())


def shown_form(html: str) -> dict[str, list[str]]:
    """What a browser sends of the form with the choices, if nothing in it is changed."""
    page = cast("Any", lxml.html.fromstring(html))
    (form,) = (each for each in page.forms if "include" in each.fields)
    sent: dict[str, list[str]] = {}
    for name, value in form.form_values():
        kind = next((e.get("type") for e in form.inputs if e.get("name") == name), None)
        allowed = {"number": NUMBERS, "time": TIMES}.get(str(kind))
        sent.setdefault(name, []).append("" if allowed and not {*value} <= allowed else value)
    return sent


def save(app: Website, **changed: list[str]) -> tuple[int, str]:
    page = app.path("preferences")
    sent: Mapping[str, object] = {**shown_form(app.get(page).body), **changed, "do": "save"}
    answer = app.post(page, sent)
    return answer.status, answer.text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
WANTS = [field.name for field in fields(Filter)]
OWN = [name for name in SUBSCRIBER_FIELDS if name not in {*WANTS, "email"}]
OTHERS = ["LoRA", "author:Li or a", '"never closed', "and", "*x"]
RULES = st.lists(st.sampled_from([*OTHERS, "about: a, not b", "About:about: c", "about:"]))
TOPIC_NAMES = st.lists(st.sampled_from(["Vision", "Gone", "Sight", "Reasoning"]))
WISHES = st.fixed_dictionaries(
    {}, optional={"topics": TOPIC_NAMES, "include": RULES, "exclude": RULES, "min_upvotes": JSON}
) | st.dictionaries(st.sampled_from(WANTS), JSON)
CHOICES = st.dictionaries(st.sampled_from(OWN), JSON)
BODIES = st.builds(lambda own, wants: {"email": ADA, **own, "filter": wants}, CHOICES, WISHES)


@pytest.mark.slow
@given(body=(BODIES | JSON).map(json.dumps))
@example(body=dump(replace(EVERY_FIELD, cadence="paused")))
@example(body=json.dumps({"email": ADA, "cadence": "fortnightly", "day": 9}))
@example(body=json.dumps({"email": ADA, "timezone": "Mars/Base", "at": "25:00", "name": "a\nb"}))
@example(body=json.dumps({"email": ADA, "filter": {"max_items": "many", "topics": ["Gone"]}}))
@example(body=json.dumps({"email": ADA, "filter": {"include": ["b", "about:x", "about: "]}}))
@settings(max_examples=25, deadline=None)
def test_saving_the_form_unchanged_changes_nothing(app: Website, body: str) -> None:
    store_body(app, body)
    before = app.reader()
    save(app)
    assert (stored_body(app), app.reader()) == (body, before)


def with_topics(app: Website, *names: str, **wants: object) -> Reader:
    wanted = Filter(topics=names, **wants)  # type: ignore[arg-type]
    return app.store.save_reader(subscriber(ADA, filter=wanted), status="confirmed", now=NOON)


def test_lost_topic_is_shown_and_kept_until_unticked(app: Website) -> None:
    with_topics(app, "Alchemy", "Vision")
    page = app.get(app.path("preferences"))
    assert "Alchemy no longer offered" in page.text
    save(app, topics=["Reasoning", "Alchemy"])
    assert app.reader().subscriber.filter.topics == ("Alchemy", "Reasoning")
    save(app, topics=["Reasoning"])
    assert app.reader().subscriber.filter.topics == ("Reasoning",)
    assert "Alchemy" not in app.get(app.path("preferences")).text


def test_template_without_lost_topics_cannot_drop_them(app: Website) -> None:
    with_topics(app, "Alchemy")
    app.post(app.path("preferences"), {"topics": [], "summary": "full", "do": "save"})
    chosen = app.reader().subscriber
    assert (chosen.filter.topics, chosen.summary) == (("Alchemy",), "full")


def test_page_says_that_no_topic_is_left(app: Website) -> None:
    with_topics(app, "Alchemy")
    said = "no longer offers any topic that you follow"
    assert said in app.get(app.path("preferences")).text
    with_topics(app, "Alchemy", include=(parse_rule("LoRA"),))
    assert said not in app.get(app.path("preferences")).text


def test_change_keeps_what_else_is_stored(app: Website) -> None:
    store_body(app, json.dumps({"email": ADA, "name": "a\nb", "later": 1, "summary": "full"}))
    save(app, at=["06:00"])
    assert json.loads(stored_body(app)) == {
        "email": ADA, "name": "a\nb", "later": 1, "summary": "full", "at": "06:00",
    }  # fmt: skip


def test_unusable_settings_are_shown_until_corrected(app: Website) -> None:
    filter_ = {"include": ['"never closed', "LoRA"], "topics": ["Vision"]}
    store_body(app, json.dumps({"email": ADA, "cadence": "fortnightly", "filter": filter_}))
    page = app.get(app.path("preferences"))
    assert "fortnightly: no longer possible" in page.text
    assert "There is a problem" in page.text
    status, _ = save(app, cadence=["weekly"])
    assert (status, app.reader().is_served) == (422, False)
    save(app, cadence=["weekly"], include=["LoRA"])
    chosen = app.reader().subscriber
    assert (chosen.cadence, chosen.filter.topics) == ("weekly", ("Vision",))
    assert app.reader().is_served


def test_pause_keeps_settings_that_cannot_be_read(app: Website) -> None:
    store_body(app, json.dumps({"email": ADA, "filter": {"include": ['"never closed']}}))
    app.post(app.path("preferences"), {"do": "pause", "weeks": "2"})
    assert json.loads(stored_body(app))["filter"] == {"include": ['"never closed']}


class TestFormerNames:
    """A topic that has another name now is the same topic everywhere on the pages."""

    def test_preferences_show_the_present_name(self, app: Website) -> None:
        with_topics(app, "Sight")
        page = app.get(app.path("preferences"))
        assert shown_form(page.body)["topics"] == ["Vision"]
        assert "no longer offered" not in page.text
        save(app)
        assert app.reader().subscriber.filter.topics == ("Sight",)
        save(app, topics=["Vision", "Reasoning"])
        assert app.reader().subscriber.filter.topics == ("Vision", "Reasoning")

    def test_links_of_earlier_letters_still_work(self, app: Website) -> None:
        with_topics(app, "Reasoning")
        page = app.get(app.path("preferences") + "?more=Sight")
        assert {*shown_form(page.body)["topics"]} == {"Vision", "Reasoning"}
        assert app.get("/topic/Sight").status == 200
        assert "Vision" in app.get("/topic/Sight/feed.atom").body

    def test_form_that_was_open_before_is_accepted(self, app: Website) -> None:
        app.join("bob@example.org", topics=["Sight"])
        app.mail_to("bob@example.org")
        (bob,) = app.store.readers(emails=["bob@example.org"])
        assert bob.subscriber.filter.topics == ("Vision",)
