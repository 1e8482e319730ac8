"""What a reader says of a paper in their email: asked on a page, kept, shown, and taken back."""

import json
import re
from collections.abc import Iterator

import pytest

from newsletter.app.files import load_engine
from newsletter.papers.meanings import MeaningMatcher
from tests.support.daemons import wait_until
from tests.support.factories import DAY, NOON, subscriber
from tests.support.web_client import Website, open_website

ADA, BOB = "ada@example.org", "bob@example.org"


@pytest.fixture(scope="module")
def app() -> Iterator[Website]:
    with open_website(matcher=MeaningMatcher(load_engine)) as opened:
        for email in (ADA, BOB):
            opened.store.save_reader(subscriber(email), status="confirmed", now=NOON)
        opened.publish(DAY, "Vision anew", "Of other things")
        yield opened


@pytest.fixture(autouse=True)
def nothing_said(app: Website) -> None:
    for reader in (1, 2):
        app.store.forget_likes(reader)


def links(app: Website, email: str = ADA) -> dict[str, str]:
    """The links under the cards of a reader's email that ask what they think, by title."""
    html = app.mail_to(email).html
    found = re.findall(
        r'href="https://n\.example\.org(/edition/[^"]+/\d+)" aria-label="Like\? ([^"]+)"', html
    )
    return {title: path for path, title in found}


def said(app: Website, reader: int = 1) -> list[tuple[int, bool]]:
    """What a reader said, by the numbers of the papers."""
    return [(like.paper, like.more) for like in app.store.likes([reader]).get(reader, ())]


def test_each_card_asks_and_only_a_button_answers(app: Website) -> None:
    mine = links(app)
    assert mine.keys() == {"Vision anew", "Of other things"}
    assert all(path in app.mail_to(ADA).text for path in mine.values())
    path = mine["Vision anew"]
    page = app.get(path)
    assert "Vision anew" in page.text
    assert re.findall(r'name="do" value="(\w+)"', page.body) == ["more", "less"]
    assert app.request("HEAD", path).status == 200
    assert said(app) == []
    for _ in range(2):
        assert "will come earlier in your emails" in app.post(path, {"do": "more"}).text
    assert said(app) == [(1, True)]
    assert "will come later in your emails" in app.post(path, {"do": "less"}).text
    assert said(app) == [(1, False)]
    assert "Undo “Less like this”" in app.get(path).text
    app.post(path, {"do": "forget"})
    assert said(app) == []
    assert app.post(path, {"do": "buy"}).status == 400


def test_email_on_the_web_asks_too(app: Website) -> None:
    paths = links(app).values()
    page = app.get(app.path("edition", f"1/{DAY}")).body
    asked = re.findall(r'href="/edition/[\w.-]+/(\d+)"', page)
    assert asked == [path.rpartition("/")[2] for path in paths]


def test_link_of_another_reader_paper_or_time_is_refused(app: Website) -> None:
    path = links(app)["Vision anew"]
    _, _, token, number = path.split("/")
    theirs = links(app, BOB)["Vision anew"].split("/")[2]
    _, at, signature = token.split(".")
    forged = f"/edition/{theirs.partition('.')[0]}.{at}.{signature}/{number}"
    for wrong, status in (
        (forged, 403),
        (f"/edition/{token}/99", 404),
        (f"/edition/{token}/x", 404),
        (f"/edition/{token}/{'9' * 5000}", 404),
        (f"{app.path('preferences')}/{number}".replace("preferences", "edition"), 403),
        (app.path("edition", "1/2026-01-02") + f"/{number}", 404),
    ):
        assert app.post(wrong, {"do": "more"}).status == status, wrong
    app.advance(days=367)
    try:
        assert app.post(path, {"do": "more"}).status == 403
    finally:
        app.advance(days=-367)
    assert said(app) == said(app, 2) == []


def test_preferences_list_remove_and_export_likes(app: Website) -> None:
    for title, do in (("Vision anew", "more"), ("Of other things", "less")):
        app.post(links(app)[title], {"do": do})
    preferences = app.path("preferences")
    page = app.get(preferences).text
    assert "Vision anew More like this · 3 Aug 2026 Remove" in page
    assert "Of other things Less like this · 3 Aug 2026 Remove" in page
    export = json.loads(app.get(f"{preferences}/export.json").body)["rated papers"]
    assert [(each["title"], each["said"]) for each in export] == [
        ("Of other things", "less like this"),
        ("Vision anew", "more like this"),
    ]
    other = app.path("preferences", "2")
    app.post(f"{other}/likes", {"paper": "1"})
    assert said(app) == [(2, False), (1, True)]
    assert "Vision anew" not in app.post(f"{preferences}/likes", {"paper": "1"}).text
    assert said(app) == [(2, False)]
    assert "Papers you rated" not in app.post(f"{preferences}/likes", {"paper": "all"}).text
    for wrong in ("0x1", "9" * 5000, ""):
        assert app.post(f"{preferences}/likes", {"paper": wrong}).status == 400


@pytest.mark.slow
def test_liked_kind_comes_first_in_the_next_email() -> None:
    """Papers with more upvotes, as longer titles have here, come first without a like."""
    others = (
        "Elliptic curves of high rank over number fields", "Grasping with soft robotic hands",
        "Monetary policy in small open economies", "Evicting the cache of long contexts",
        "Protein folding kinetics in crowded cells", "Quantum error correction by surface codes",
    )  # fmt: skip
    with open_website(matcher=MeaningMatcher(load_engine)) as app:
        for email in (ADA, BOB):
            app.store.save_reader(subscriber(email), status="confirmed", now=NOON)
        app.publish(DAY, "Speech recognition")
        app.post(links(app)["Speech recognition"], {"do": "more"})
        app.advance(days=1)
        app.publish(app.clock.time.date(), *others, "Noisy speech")
        wait_until(lambda: len(app.inbox.to(BOB)) == len(app.inbox.to(ADA)) == 2)
        mine, theirs = (app.inbox.to(email)[1].titles for email in (ADA, BOB))
    assert (mine[0], theirs[-1]) == ("Noisy speech", "Noisy speech")
    assert sorted(mine) == sorted(theirs)
