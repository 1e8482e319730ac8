"""The operator's pages for readers over HTTP: search, show, and act on one."""

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

import pytest

from newsletter.model import Consent, Filter, Status
from newsletter.model.windows import OPERATOR_FORM_VALID
from newsletter.web.operator_login import WINDOW, WRONG_PASSWORDS
from newsletter.web.operator_readers import ACTS, OFFERED, SHOWN, ActName
from tests.support.factories import DAY, NOON, subscriber
from tests.support.web_client import Response, Website, open_website

PASSWORD = "a pässword of sixteen"
ADA = "ada@example.org"


def login(password: str = PASSWORD) -> str:
    return f"Basic {base64.b64encode(f'anybody:{password}'.encode()).decode()}"


@dataclass
class Desk:
    """The operator's browser."""

    app: Website

    def get(self, path: str) -> Response:
        return self.app.get(f"/operator/readers{path}", Authorization=login())

    def post(self, path: str, form: Mapping[str, object], **headers: str) -> Response:
        return self.app.request(
            "POST", f"/operator/readers{path}", form, Authorization=login(), **headers
        )

    def token(self, reader: int) -> str:
        """What a form of the reader's page carries."""
        page = self.get(f"/{reader}/erase").body
        found = re.search(r'name="form" value="([^"]+)"', page)
        assert found
        return found[1]

    def act(self, reader: int, do: str, **fields: str) -> Response:
        """Press a button, and follow to the page with the result."""
        answer = self.post(f"/{reader}", {"form": self.token(reader), "do": do, **fields})
        if answer.status == 303:
            return self.app.get(answer.headers["location"], Authorization=login())
        return answer

    def ada(self, status: Status = "confirmed", **fields: object) -> int:
        return self.app.store.save_reader(subscriber(ADA, **fields), status=status, now=NOON).id


@pytest.fixture
def desk() -> Iterator[Desk]:
    with open_website(operator_password=PASSWORD) as app:
        yield Desk(app)


def test_readers_are_found_and_paged(desk: Desk) -> None:
    for number in range(SHOWN + 2):
        saved = subscriber(f"r{number}@example.org", name="<b>Çelik</b>" if number == 3 else "")
        desk.app.store.save_reader(saved, status="confirmed", now=NOON)
    first = desk.get("")
    assert "r51@example.org" in first.text
    assert "r1@example.org" not in first.text
    (more,) = re.findall(r'href="/operator/readers(\?[^"]+)">More readers', first.body)
    assert "r1@example.org" in desk.get(more.replace("&amp;", "&")).text
    found = desk.get("?q=celik")
    assert "r3@example.org" in found.text
    assert "r4@example.org" not in found.text
    assert "<b>" not in found.body
    assert 'No readers match "nobody"' in desk.get("?q=nobody&status=confirmed").text.replace(
        "&#34;", '"'
    )


def test_reader_is_shown_with_all_that_helps(desk: Desk) -> None:
    number = desk.ada(filter=Filter(topics=("Vision",)), name="Ada")
    desk.app.store.set_status(ADA, "unconfirmed", now=NOON)
    desk.app.store.record_consent(number, Consent(NOON, "on paper", "I agree."))
    desk.app.publish(DAY, "Vision anew")
    desk.act(number, "block", why="asked by phone")
    page = desk.get(f"/{number}")
    for words in (
        f"{ADA} Readers Status Status blocked Why blocked blocked by the operator",
        "Next email none",
        "Name Ada Topics Vision",
        "3 Aug 2026 accepted 1 250",
        "on paper: “I agree.”",
        "blocked (asked by phone), operator&#39;s page",
    ):
        assert words in page.text
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-robots-tag"] == "noindex, nofollow"
    assert "Disallow: /operator" in desk.app.get("/robots.txt").body


BEFORE_AND_AFTER: Mapping[ActName, tuple[Status, Status]] = {
    "resend": ("unconfirmed", "unconfirmed"),
    "approve": ("waiting", "confirmed"),
    "decline": ("waiting", "unsubscribed"),
    "pause": ("confirmed", "confirmed"),
    "resume": ("confirmed", "confirmed"),
    "unsubscribe": ("confirmed", "unsubscribed"),
    "block": ("confirmed", "blocked"),
    "unblock": ("blocked", "confirmed"),
    "erase": ("confirmed", "unsubscribed"),
}


@pytest.mark.parametrize("act", ACTS)
def test_each_act_is_done_and_recorded(desk: Desk, act: ActName) -> None:
    before, after = BEFORE_AND_AFTER[act]
    until = DAY + timedelta(days=9)
    number = desk.ada(before, paused_until=until if act == "resume" else None)
    page = desk.act(number, act, until=str(until), sure="yes")
    assert ACTS[act].done.replace("'", "&#39;") in page.text
    reader = desk.app.reader(number)
    assert reader.status == after
    assert reader.subscriber.paused_until == (until if act == "pause" else None)
    (recorded,) = desk.app.store.operator_acts(limit=9, reader=number)
    assert recorded.who == "operator's page"
    if act in {"resend", "approve"}:
        desk.app.mail_to(ADA)


def test_page_offers_what_is_possible(desk: Desk) -> None:
    for status, offered in OFFERED.items():
        page = desk.get(f"/{desk.ada(status)}").body
        for name in ACTS:
            shown = f'value="{name}"' in page or f'/{name}"' in page
            assert shown == (name in offered and name != "resume"), (status, name)


def test_impossible_act_is_explained(desk: Desk) -> None:
    number = desk.ada("unsubscribed")
    answer = desk.act(number, "resend")
    assert answer.status == 409
    assert f"{ADA} cannot be asked to confirm" in answer.text
    assert desk.act(number, "pause", until="tomorrow").status == 409
    assert desk.act(number, "melt").status == 404
    assert desk.get("/7").status == desk.get("/0").status == desk.get(f"/{'9' * 30}").status == 404
    assert desk.app.store.operator_acts(limit=9) == ()


def test_erasing_asks_first(desk: Desk) -> None:
    number = desk.ada()
    asked = desk.act(number, "erase")
    assert f"Erase {ADA}?" in asked.text
    assert "cannot be undone" in asked.text
    assert desk.app.reader(number).subscriber.email == ADA
    assert desk.get(f"/{number}/block").status == 404
    desk.act(number, "erase", sure="yes")
    assert desk.get(f"/{number}").status == 404
    assert ADA not in desk.get("").text


@pytest.mark.parametrize("forged", ["none", "other reader", "link", "old", "other site"])
def test_forms_of_others_are_refused(desk: Desk, forged: str) -> None:
    number = desk.ada()
    other = desk.app.store.save_reader(subscriber("b@x.org"), status="confirmed", now=NOON).id
    headers: dict[str, str] = {}
    form = desk.token(number)
    match forged:
        case "none":
            form = ""
        case "other reader":
            form = desk.token(other)
        case "link":
            form = desk.app.path("preferences", str(number)).rpartition("/")[2]
        case "old":
            desk.app.clock.time += OPERATOR_FORM_VALID + timedelta(seconds=1)
        case _:
            headers["Sec_Fetch_Site"] = "cross-site"
    answer = desk.post(f"/{number}", {"form": form, "do": "block"}, **headers)
    assert answer.status == 403
    assert desk.app.reader(number).status == "confirmed"


def test_guessing_the_password_is_slow(desk: Desk) -> None:
    app, number = desk.app, desk.ada()
    wrong = login("a password of fifteen")
    for _ in range(WRONG_PASSWORDS):
        assert app.get("/operator", Authorization=wrong).status == 401
    for path in ("/operator", "/metrics", f"/operator/readers/{number}"):
        answer = app.get(path, Authorization=login())
        assert answer.status == 429
        assert 0 < int(answer.headers["retry-after"]) <= WINDOW.total_seconds()
    app.clock.time += WINDOW
    assert app.get("/operator", Authorization=login()).status == 200
    for _ in range(WRONG_PASSWORDS + 1):
        assert app.get("/operator").status == 401, "browsers ask without a password first"
    assert app.get("/operator", Authorization=login()).status == 200
