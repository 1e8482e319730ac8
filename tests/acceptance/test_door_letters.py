"""The first letter and the last word: what leaves when a reader comes, and what is kept."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest

from newsletter.model import Consent, Reader, Status
from newsletter.publisher.welcoming import greet
from newsletter.stores.memory import MemoryStore
from tests.daemons import until
from tests.factories import DAY, NOON, subscriber
from tests.morning import Arrival
from tests.visits import House, open_house

ADA, BOB = "ada@example.org", "bob@example.org"


@pytest.fixture
def house() -> Iterator[House]:
    with open_house(operator_password="a password of sixteen") as opened:
        yield opened


def bob(house: House) -> Reader:
    return house.store.save_reader(subscriber(BOB), status="confirmed", now=NOON)


def confirmed(house: House, topics: tuple[str, ...] = ()) -> Arrival:
    """Ada joins and says yes; what comes then."""
    house.join(topics=topics)
    path = house.link(house.mail_to(ADA))
    assert "The first one is on its way." in house.post(path).words
    until(lambda: len(house.inbox.to(ADA)) > 1)
    return house.inbox.to(ADA)[1]


def test_who_confirms_gets_the_days_edition_at_once_and_once(house: House) -> None:
    bob(house)
    house.publish(DAY, "Vision anew", "Of other things")
    first = confirmed(house, topics=("Vision",))
    assert first.titles == ["Vision anew"]
    assert "List-Unsubscribe" in first.message
    (line,) = house.store.letters(2)
    until(lambda: house.store.letters(2)[0].state == "accepted")
    assert line.day == DAY
    until(lambda: house.store.issue_state(DAY) == ("done", ""))
    house.post(house.link(house.inbox.to(ADA)[0]))
    house.publish(DAY, "Vision anew", "Of other things")
    house.later(days=1)
    house.publish(house.clock.time.date(), "Vision anew", "Vision of today")
    until(lambda: len(house.inbox.to(ADA)) > 2)
    assert [letter.titles for letter in house.inbox.to(ADA)[1:]] == [
        ["Vision anew"],
        ["Vision of today"],
    ]
    assert house.store.audit(DAY).ok


def test_who_confirms_before_there_is_an_issue_is_welcomed_by_a_note(house: House) -> None:
    note = confirmed(house)
    assert note.message["Subject"] == "Welcome to N"
    assert ADA in note.text
    for page in ("preferences", "unsubscribe"):
        assert f"https://n.example.org/{page}/" in note.text
        assert f"https://n.example.org/{page}/" in note.html
    house.post(house.link(house.inbox.to(ADA)[0]))
    house.join("last@example.org")
    house.mail_to("last@example.org")
    assert len(house.inbox.to(ADA)) == 2


def test_a_first_letter_the_server_defers_comes_later(house: House) -> None:
    bob(house)
    house.publish(DAY, "Vision anew")
    house.join()
    path = house.link(house.mail_to(ADA))
    refusals = ["451 4.7.1 greylisted"] * 6
    house.inbox.answer = lambda email: refusals.pop() if refusals and email == ADA else None
    house.post(path)
    until(lambda: len(house.inbox.to(ADA)) > 1)
    assert house.inbox.to(ADA)[1].titles == ["Vision anew"]
    assert refusals == []
    until(lambda: house.store.letters(2)[0].state == "accepted")
    waited = house.clock.now() - NOON
    assert timedelta(hours=3) < waited < timedelta(hours=4), "as a run waits, not for minutes"


def test_a_first_letter_left_open_is_taken_up_when_the_pages_open_again() -> None:
    store = MemoryStore()
    with open_house(store=store) as house:
        bob(house)
        house.publish(DAY, "Vision anew")
        house.join()
        house.mail_to(ADA)
        store.consent(2, Consent(house.clock.now(), "by a link", "Yes."))
        assert greet(house.desk, house.reader(2)) is not None
    assert store.letters(2)[0].state == "pending"
    with open_house(store=store) as house:
        until(lambda: house.inbox.to(ADA))
        assert house.inbox.to(ADA)[0].titles == ["Vision anew"]


def test_what_a_letter_offers_is_shown_by_its_links_and_done_by_a_button(house: House) -> None:
    house.store.save_reader(subscriber(ADA), status="confirmed", now=NOON)
    house.publish(DAY, "Vision anew", "Of other things")
    letter = house.inbox.to(ADA)[0]
    base = "https://n.example.org"
    offers = {
        link.partition("?")[2]: link.removeprefix(base)
        for link in re.findall(rf'href="({base}/preferences/[^"]+)"', letter.html)
    }
    assert offers.keys() == {
        "", "pause=1", "pause=2", "pause=4", "cadence=weekly", "more=Vision", "less=Vision",
    }  # fmt: skip
    for path in offers.values():
        assert house.ask("HEAD", path).status == house.get(path).status == 200
    assert house.reader().subscriber == subscriber(ADA)
    for weeks in ("1", "2", "4"):
        assert f'name="weeks" value="{weeks}"' in house.get(offers[f"pause={weeks}"]).body
    assert 'value="Vision" checked' in house.get(offers["more=Vision"]).body
    assert "More of Vision: it is ticked below." in house.get(offers["more=Vision"]).words
    assert "Less of Vision: it is not ticked below." in house.get(offers["less=Vision"]).words
    house.post(offers["more=Vision"], {"do": "save", "topics": "Vision"})
    assert house.reader().subscriber.filter.topics == ("Vision",)
    assert 'value="Vision" checked' not in house.get(offers["less=Vision"]).body


def leaves(house: House) -> None:
    """Ada leaves by the button of the page her letter leads to."""
    page = house.get(house.path("unsubscribe"))
    (action,) = re.findall(r'<form method="post" action="(/leave/[^"]+)"', page.body)
    for _ in range(2):
        answer = house.post(action, Sec_Fetch_Site="same-origin")
        assert (answer.status, "gets no more letters" in answer.words) == (200, True)
    assert house.reader().status == "unsubscribed"


def nothing_more(house: House, count: int) -> None:
    """Whatever was under way before this has come."""
    house.join("last@example.org")
    house.mail_to("last@example.org")
    assert len(house.inbox.to(ADA)) == count


def test_who_leaves_by_the_page_gets_one_last_letter_which_leads_back(house: House) -> None:
    house.store.save_reader(subscriber(ADA), status="confirmed", now=NOON)
    house.publish(DAY, "Vision anew")
    leaves(house)
    until(lambda: len(house.inbox.to(ADA)) > 1)
    last = house.inbox.to(ADA)[1]
    assert last.message["Subject"] == "You have left N"
    assert last.message["Auto-Submitted"] == "auto-generated"
    assert ADA in last.text
    assert ADA in last.html
    back = house.link(last)
    assert f'href="https://n.example.org{back}"' in last.html
    for look in (house.get(back), house.ask("HEAD", back)):
        assert (look.status, house.reader().status) == (200, "unsubscribed")
    assert house.post(back).status == 200
    assert house.reader().status == "confirmed"
    until(lambda: len(house.inbox.to(ADA)) > 2)
    assert house.inbox.to(ADA)[2].message["Subject"] == "Welcome to N"
    nothing_more(house, 3)


def test_one_click_from_a_mail_program_is_the_end(house: House) -> None:
    house.store.save_reader(subscriber(ADA), status="confirmed", now=NOON)
    house.publish(DAY, "Vision anew")
    (found,) = re.findall(
        r"<https://n\.example\.org(/[^>]+)>", house.inbox.to(ADA)[0].message["List-Unsubscribe"]
    )
    for body in (b"List-Unsubscribe=One-Click", b"", b"do=leave&email=ada%40example.org"):
        assert house.ask("POST", found, body).status == 200
    assert house.reader().status == "unsubscribed"
    leaves(house)
    nothing_more(house, 1)


@pytest.mark.parametrize("status", ["unsubscribed", "blocked", "removed"])
def test_who_gets_no_letters_gets_no_farewell_either(house: House, status: Status) -> None:
    house.store.save_reader(subscriber(ADA), status=status, now=NOON)
    house.post(house.path("unsubscribe").replace("unsubscribe", "leave"))
    nothing_more(house, 0)
    house.store.erase(1, "x@erased.invalid", now=NOON)
    answer = house.post(house.path("unsubscribe").replace("unsubscribe", "leave"))
    assert answer.status == 200
    house.later(hours=25)
    nothing_more(house, 0)
    assert not [letter for letter in house.inbox.arrivals if "erased" in letter.recipient]


def test_no_other_site_makes_somebody_leave_by_the_button(house: House) -> None:
    house.store.save_reader(subscriber(ADA), status="confirmed", now=NOON)
    path = house.path("unsubscribe").replace("unsubscribe", "leave")
    assert house.post(path, Origin="https://evil.example").status == 403
    assert house.post(path, Sec_Fetch_Site="cross-site").status == 403
    assert house.reader().status == "confirmed"


def test_a_farewell_may_say_why_and_only_the_operator_reads_it(house: House) -> None:
    ada = house.store.save_reader(subscriber(ADA), status="confirmed", now=NOON)
    token = house.path("unsubscribe").rpartition("/")[2]
    house.post(f"/farewell/{token}", {"why": "not gone yet"})
    assert house.reader().status == "confirmed"
    page = house.post(f"/unsubscribe/{token}")
    assert f'action="/farewell/{token}"' in page.body
    assert house.get(f"/farewell/{token}").status == 405
    for said in ("  too\r\nmany <script>letters</script> ", "once more"):
        answer = house.post(f"/farewell/{token}", {"why": said})
        assert (answer.status, "Thank you" in answer.words) == (200, True)
    assert [each.said for each in house.store.farewells(limit=9)] == [
        "too many <script>letters</script>"
    ]
    overview = house.get("/operator", Authorization="Basic eDphIHBhc3N3b3JkIG9mIHNpeHRlZW4=")
    assert f"{DAY}: too many" in overview.words
    assert "<script>" not in overview.body
    kept = json.loads(house.get(f"{house.path('preferences')}/export.json").body)
    assert kept["farewells"][0]["day"] == DAY.isoformat()
    house.store.erase(ada.id, "x@erased.invalid", now=NOON)
    assert house.store.farewells(limit=9) == ()
    assert house.post(f"/farewell/{token}", {"why": "after all"}).status == 200
    assert house.post("/farewell/x", {"why": "who?"}).status == 403
    assert house.store.farewells(limit=9) == ()
    assert house.inbox.arrivals == []
