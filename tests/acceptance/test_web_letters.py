"""Letters to readers who subscribe and unsubscribe, and the reasons that they give."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest

from newsletter.model import Consent, Reader, Status
from newsletter.publisher.welcoming import plan_first_letter
from tests.support.daemons import wait_until
from tests.support.databases import temporary_store
from tests.support.factories import DAY, NOON, subscriber
from tests.support.inbox import ReceivedMail
from tests.support.web_client import Website, open_website

ADA, BOB = "ada@example.org", "bob@example.org"
CONFIRM = "Confirm your subscription to N"


@pytest.fixture
def app() -> Iterator[Website]:
    with open_website(operator_password="a password of sixteen") as opened:
        yield opened


def bob(app: Website) -> Reader:
    return app.store.save_reader(subscriber(BOB), status="confirmed", now=NOON)


def confirmed(app: Website, topics: tuple[str, ...] = ()) -> ReceivedMail:
    """Ada subscribes and confirms; return the mail she gets then."""
    app.join(topics=topics)
    path = app.link(app.mail_to(ADA))
    assert "Your first email is on its way." in app.post(path).text
    wait_until(lambda: len(app.inbox.to(ADA)) > 1)
    return app.inbox.to(ADA)[1]


def test_confirming_sends_the_days_edition_once(app: Website) -> None:
    bob(app)
    app.publish(DAY, "Vision anew", "Of other things")
    first = confirmed(app, topics=("Vision",))
    assert first.titles == ["Vision anew"]
    assert "List-Unsubscribe" in first.message
    (line,) = app.store.deliveries_to(2)
    wait_until(lambda: app.store.deliveries_to(2)[0].state == "accepted")
    assert line.day == DAY
    wait_until(lambda: app.store.issue_state(DAY) == ("done", ""))
    app.post(app.link(app.inbox.to(ADA)[0]))
    app.publish(DAY, "Vision anew", "Of other things")
    app.advance(days=1)
    app.publish(app.clock.time.date(), "Vision anew", "Vision of today")
    wait_until(lambda: len(app.inbox.to(ADA)) > 2)
    assert [letter.titles for letter in app.inbox.to(ADA)[1:]] == [
        ["Vision anew"],
        ["Vision of today"],
    ]
    assert app.store.audit(DAY).ok
    kept = json.loads(app.get(f"{app.path('preferences', '2')}/export.json").body)
    assert kept["schedule"] == {"how often": "daily", "time": "07:00", "time zone": "UTC"}
    assert [[paper["title"] for paper in email["papers"]] for email in kept["emails"]] == [
        ["Vision anew"],
        ["Vision of today"],
    ]


@pytest.mark.slow
def test_confirming_before_an_issue_sends_a_welcome(app: Website) -> None:
    note = confirmed(app)
    assert note.message["Subject"] == "Welcome to N"
    assert ADA in note.text
    for page in ("preferences", "unsubscribe"):
        assert f"https://n.example.org/{page}/" in note.text
        assert f"https://n.example.org/{page}/" in note.html
    app.post(app.link(app.inbox.to(ADA)[0]))
    app.join("last@example.org")
    app.mail_to("last@example.org")
    assert len(app.inbox.to(ADA)) == 2


def test_deferred_first_letter_comes_later(app: Website) -> None:
    bob(app)
    app.publish(DAY, "Vision anew")
    app.join()
    path = app.link(app.mail_to(ADA))
    refusals = ["451 4.7.1 greylisted"] * 6
    app.inbox.answer = lambda email: refusals.pop() if refusals and email == ADA else None
    app.post(path)
    wait_until(lambda: len(app.inbox.to(ADA)) > 1)
    assert app.inbox.to(ADA)[1].titles == ["Vision anew"]
    assert refusals == []
    wait_until(lambda: app.store.deliveries_to(2)[0].state == "accepted")
    waited = app.clock.now() - NOON
    assert timedelta(hours=3) < waited < timedelta(hours=4), "as a run waits, not for minutes"


def test_first_letter_left_open_resumes_on_restart() -> None:
    store = temporary_store()
    with open_website(store=store) as app:
        bob(app)
        app.publish(DAY, "Vision anew")
        app.join()
        app.mail_to(ADA)
        store.record_consent(2, Consent(app.clock.now(), "by a link", "Yes."))
        assert plan_first_letter(app.publisher, app.reader(2)) is not None
    assert store.deliveries_to(2)[0].state == "pending"
    with open_website(store=store) as app:
        wait_until(lambda: app.inbox.to(ADA))
        assert app.inbox.to(ADA)[0].titles == ["Vision anew"]


def test_letter_links_show_actions_and_buttons_perform_them(app: Website) -> None:
    app.store.save_reader(subscriber(ADA), status="confirmed", now=NOON)
    app.publish(DAY, "Vision anew", "Of other things")
    letter = app.inbox.to(ADA)[0]
    base = "https://n.example.org"
    offers = {
        link.partition("?")[2]: link.removeprefix(base)
        for link in re.findall(rf'href="({base}/preferences/[^"]+)"', letter.html)
    }
    assert offers.keys() == {
        "", "pause=1", "pause=2", "pause=4", "cadence=weekly", "more=Vision", "less=Vision",
    }  # fmt: skip
    for path in offers.values():
        assert app.request("HEAD", path).status == app.get(path).status == 200
    assert app.reader().subscriber == subscriber(ADA)
    for weeks in ("1", "2", "4"):
        assert f'name="weeks" value="{weeks}"' in app.get(offers[f"pause={weeks}"]).body
    assert "you get all of Vision" in app.get(offers["more=Vision"]).text
    app.post(offers["more=Vision"], {"do": "save", "topics": "Vision"})
    assert app.reader().subscriber.filter.topics == ("Vision",)
    assert "Vision is your only topic." in app.get(offers["less=Vision"]).text


def test_unsubscribe_page_offers_less_instead(app: Website) -> None:
    app.store.save_reader(subscriber(ADA), status="confirmed", now=NOON)
    path = app.path("unsubscribe").replace("unsubscribe", "leave")
    asked = app.get(path)
    assert f"Unsubscribe {ADA} from N?" in asked.text
    assert re.findall(r'name="do" value="(\w+)"', asked.body) == ["leave", "weekly", "pause"]
    assert "a week" not in app.get(f"{path}?done=weekly").text, "it is not done yet"
    weekly = app.post(path, {"do": "weekly"})
    assert "N comes to ada@example.org every Monday at 07:00 (UTC). Next: Monday" in weekly.text
    assert (app.reader().subscriber.cadence, app.reader().status) == ("weekly", "confirmed")
    assert "Weekly instead" not in app.get(path).text
    paused = app.post(path, {"do": "pause"})
    assert "paused until Monday, 17 August 2026" in paused.text
    assert app.reader().subscriber.paused_until == DAY + timedelta(weeks=2)
    assert re.findall(r'name="do" value="(\w+)"', app.get(path).body) == ["leave"]
    assert app.inbox.arrivals == []
    assert app.post(path, {"do": "weekly"}).status == 200
    assert app.reader().status == "confirmed", "a button that is pressed twice does not leave"


def test_reader_who_left_comes_back_with_their_choices(app: Website) -> None:
    left = subscriber(ADA, cadence="weekly", summary="full")
    app.store.save_reader(left, status="unsubscribed", now=NOON)
    path = app.path("unsubscribe").replace("unsubscribe", "farewell")
    assert "Subscribe again" in app.get(path).text
    (data,) = re.findall(
        r'href="[^"]*(/preferences/[^"]+)#data">Delete my data', app.get(path).body
    )
    assert "Pause" not in app.get(data).text
    assert "Check your inbox" in app.post(path, {"do": "return"}).text
    note = app.mail_to(ADA)
    assert app.reader().status == "unsubscribed"
    app.post(app.link(note))
    assert (app.reader().status, app.reader().subscriber) == ("confirmed", left)
    app.post(path, {"do": "return"})
    app.store.set_status(ADA, "blocked", now=NOON)
    assert "Subscribe again" not in app.get(path).text
    app.post(path, {"do": "return"})
    check_no_more_letters(app, 2)


def confirmations(app: Website, count: int) -> list[ReceivedMail]:
    """Wait until Ada has been asked to confirm this many times."""

    def asked() -> list[ReceivedMail]:
        return [mail for mail in app.inbox.to(ADA) if mail.message["Subject"] == CONFIRM]

    wait_until(lambda: len(asked()) == count)
    return asked()


def test_link_back_comes_on_the_day_of_the_sign_up(app: Website) -> None:
    confirmed(app)
    leaves(app)
    path = app.path("unsubscribe").replace("unsubscribe", "farewell")
    assert f"ve emailed {ADA}." in app.post(path, {"do": "return"}).text
    back = confirmations(app, 2)[1]
    again = app.post(path, {"do": "return"}).text
    assert f"ve already emailed {ADA}." in again
    assert f"“{CONFIRM}”" in again
    assert "Your next email comes on Monday 3 August." in app.post(app.link(back)).text
    leaves(app)
    assert f"ve emailed {ADA}." in app.join().text
    confirmations(app, 3)


def leaves(app: Website) -> None:
    """Ada unsubscribes with the button of the page that her letter links to."""
    action = app.path("unsubscribe").replace("unsubscribe", "leave")
    if app.reader().status == "confirmed":
        assert f'<form method="post" action="{action}"' in app.get(app.path("unsubscribe")).body
    for _ in range(2):
        answer = app.post(action, Sec_Fetch_Site="same-origin")
        assert (answer.status, "been unsubscribed from N" in answer.text) == (200, True)
    assert app.reader().status == "unsubscribed"


def check_no_more_letters(app: Website, count: int) -> None:
    """Check that no more than this many letters have arrived."""
    app.join("last@example.org")
    app.mail_to("last@example.org")
    assert len(app.inbox.to(ADA)) == count


def test_unsubscribing_on_the_page_sends_a_goodbye(app: Website) -> None:
    app.store.save_reader(subscriber(ADA), status="confirmed", now=NOON)
    app.publish(DAY, "Vision anew")
    leaves(app)
    wait_until(lambda: len(app.inbox.to(ADA)) > 1)
    last = app.inbox.to(ADA)[1]
    assert last.message["Subject"] == "You've been unsubscribed from N"
    assert last.message["Auto-Submitted"] == "auto-generated"
    assert ADA in last.text
    assert ADA in last.html
    back = app.link(last)
    assert f'href="https://n.example.org{back}"' in last.html
    for look in (app.get(back), app.request("HEAD", back)):
        assert (look.status, app.reader().status) == (200, "unsubscribed")
    assert app.post(back).status == 200
    assert app.reader().status == "confirmed"
    wait_until(lambda: len(app.inbox.to(ADA)) > 2)
    assert app.inbox.to(ADA)[2].message["Subject"] == "Welcome to N"
    check_no_more_letters(app, 3)


def test_one_click_unsubscribe_sends_nothing_more(app: Website) -> None:
    app.store.save_reader(subscriber(ADA), status="confirmed", now=NOON)
    app.publish(DAY, "Vision anew")
    (found,) = re.findall(
        r"<https://n\.example\.org(/[^>]+)>", app.inbox.to(ADA)[0].message["List-Unsubscribe"]
    )
    for body in (b"List-Unsubscribe=One-Click", b"", b"do=leave&email=ada%40example.org"):
        assert app.request("POST", found, body).status == 200
    assert app.reader().status == "unsubscribed"
    leaves(app)
    check_no_more_letters(app, 1)


@pytest.mark.parametrize("status", ["unsubscribed", "blocked", "removed"])
def test_reader_without_letters_gets_no_goodbye(app: Website, status: Status) -> None:
    app.store.save_reader(subscriber(ADA), status=status, now=NOON)
    app.post(app.path("unsubscribe").replace("unsubscribe", "leave"))
    check_no_more_letters(app, 0)
    app.store.erase(1, "x@erased.invalid", now=NOON)
    answer = app.post(app.path("unsubscribe").replace("unsubscribe", "leave"))
    assert answer.status == 200
    app.advance(hours=25)
    check_no_more_letters(app, 0)
    assert not [letter for letter in app.inbox.arrivals if "erased" in letter.recipient]


def test_cross_site_unsubscribe_button_is_refused(app: Website) -> None:
    app.store.save_reader(subscriber(ADA), status="confirmed", now=NOON)
    path = app.path("unsubscribe").replace("unsubscribe", "leave")
    assert app.post(path, Origin="https://evil.example").status == 403
    assert app.post(path, Sec_Fetch_Site="cross-site").status == 403
    assert app.reader().status == "confirmed"


def test_reason_for_leaving_reaches_only_the_operator(app: Website) -> None:
    ada = app.store.save_reader(subscriber(ADA), status="confirmed", now=NOON)
    token = app.path("unsubscribe").rpartition("/")[2]
    app.post(f"/farewell/{token}", {"why": "not gone yet"})
    assert app.reader().status == "confirmed"
    page = app.post(f"/unsubscribe/{token}")
    assert f'action="/farewell/{token}"' in page.body
    assert f'action="/farewell/{token}"' in app.get(f"/farewell/{token}").body
    for said in ("  too\r\nmany <script>letters</script> ", "once more"):
        answer = app.post(f"/farewell/{token}", {"why": said})
        assert (answer.status, "Thank you" in answer.text) == (200, True)
    assert [each.said for each in app.store.leaving_reasons(limit=9)] == [
        "too many <script>letters</script>"
    ]
    overview = app.get("/operator", Authorization="Basic eDphIHBhc3N3b3JkIG9mIHNpeHRlZW4=")
    assert "3 Aug 2026: too many" in overview.text
    assert "<script>" not in overview.body
    kept = json.loads(app.get(f"{app.path('preferences')}/export.json").body)
    assert kept["reasons for leaving"][0]["day"] == DAY.isoformat()
    app.store.erase(ada.id, "x@erased.invalid", now=NOON)
    assert app.store.leaving_reasons(limit=9) == ()
    assert app.post(f"/farewell/{token}", {"why": "after all"}).status == 200
    assert app.post("/farewell/x", {"why": "who?"}).status == 403
    assert app.store.leaving_reasons(limit=9) == ()
    assert app.inbox.arrivals == []
