"""What a form leads to, addresses with a slash at the end, and the addresses pages listen on."""

import http.client
import re
import socket
from collections.abc import Iterator, Mapping
from hashlib import sha256
from urllib.parse import urldefrag

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from newsletter.errors import UsageError
from newsletter.model import Status
from newsletter.web.context import client_of
from newsletter.web.listening import serve_in_thread
from tests.support.daemons import free_port
from tests.support.factories import DAY, NOON, subscriber
from tests.support.frozen_issues import list_papers
from tests.support.web_client import SEE_OTHER, Website, open_website

ADA, NEW = "ada@example.org", "new@example.org"
LONG = "\n".join(sha256(b"%d" % n).hexdigest() for n in range(99))
"""Rules that are too long for an address, even when they are packed."""


@pytest.fixture
def app() -> Iterator[Website]:
    with open_website() as opened:
        yield opened


def with_ada(app: Website, status: Status = "confirmed") -> None:
    app.store.save_reader(subscriber(ADA), status=status, now=NOON)


def result_of(app: Website, path: str, form: Mapping[str, object]) -> str:
    """The text of the page that a form leads to, the same however often it is loaded."""
    answer = app.request("POST", path, form, Host="evil.example")
    assert answer.status == SEE_OTHER, answer.body
    where = urldefrag(answer.headers["location"]).url
    assert where.startswith("/")
    pages = [app.get(where) for _ in range(2)]
    assert [page.status for page in pages] == [200, 200]
    assert pages[0].text == pages[1].text
    return pages[0].text


# -- results have pages of their own ---------------------------------------------------------------


def test_joining_leads_to_pages_that_reload(app: Website) -> None:
    assert ADA in result_of(app, "/join", {"email": ADA})
    path = app.link(app.mail_to(ADA))
    assert f"N comes to {ADA}" in result_of(app, path, {})
    leave = app.path("unsubscribe").replace("unsubscribe", "leave")
    assert f"email {ADA} again" in result_of(app, leave, {})
    farewell = leave.replace("leave", "farewell")
    assert "Thank you" in result_of(app, farewell, {"why": "too many"})
    assert len(app.store.leaving_reasons(limit=9)) == 1


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"do": "save", "max_items": "3"}, "Saved."),
        ({"do": "pause", "weeks": "2"}, "Your emails are paused until"),
        ({"do": "resume"}, "Your emails are back on. Next: "),
        ({"do": "move", "email": NEW}, NEW),
        ({"do": "try", "include": '"arxiv:2"'}, "1 of 2"),
        ({"do": "erase", "sure": "yes"}, "deleted"),
    ],
)
def test_each_button_leads_to_a_page(app: Website, form: dict[str, str], said: str) -> None:
    with_ada(app)
    list_papers(app.store, "arxiv:1", "arxiv:2")
    text = result_of(app, app.path("preferences"), form).replace("&#39;", "'")
    assert said in text


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"do": "save", "include": "(speech", "at": "09:30"}, "never closed"),
        ({"do": "try", "include": "(speech", "at": "09:30"}, "never closed"),
        ({"do": "move", "email": "nobody"}, "must have an @-sign"),
        ({"do": "erase"}, "Tick the box above “Delete my data” first"),
    ],
)
def test_mistakes_have_a_page_that_reloads(app: Website, form: dict[str, str], said: str) -> None:
    with_ada(app)
    before = app.store.readers()
    answer = app.request("POST", app.path("preferences"), form)
    assert answer.status == SEE_OTHER
    for _ in range(2):
        page = app.get(answer.headers["location"])
        assert (page.status, said in page.text) == (422, True)
        assert ('value="09:30"' in page.body) is ("at" in form)
    assert app.store.readers() == before


def test_joining_with_a_mistake_has_a_page_that_reloads(app: Website) -> None:
    form = {"email": "a,b@x.org", "topics": ["Vision"], "at": "25:00"}
    answer = app.request("POST", "/join", form)
    assert (answer.status, answer.headers["location"][:7]) == (SEE_OTHER, "/?form=")
    page = app.get(answer.headers["location"])
    assert page.status == 422
    for shown in ('value="a,b@x.org"', 'value="Vision" checked', 'value="25:00"', "at-problem"):
        assert shown in page.body
    assert app.store.readers() == ()
    assert app.request("POST", "/join", {**form, "include": LONG}).status == 422
    assert app.get("/?form=nothing").status == 200


def test_tried_form_comes_back_as_typed(app: Website) -> None:
    with_ada(app)
    form = {"do": "try", "include": "LoRA\nauthor:Zoë", "topics": ["Vision"], "at": "09:30"}
    page = app.post(app.path("preferences"), form)
    for shown in ("LoRA\nauthor:Zoë</textarea>", 'value="Vision" checked', 'value="09:30"'):
        assert shown in page.body
    long = app.request("POST", app.path("preferences"), {"do": "try", "include": LONG})
    assert (long.status, LONG.splitlines()[98] in long.body) == (200, True)
    for packed in ("x", "!!", "eJw", "A" * 5000):
        assert app.get(f"{app.path('preferences')}?form={packed}").status == 200
    assert app.reader().subscriber == subscriber(ADA)


def test_result_pages_say_only_what_is_true(app: Website) -> None:
    with_ada(app, "unconfirmed")
    done = app.get(f"{app.path('confirm')}/done")
    assert "Confirm your subscription" in done.text
    move = app.get(f"{app.path('move', f'1/{NEW}')}/done")
    assert "instead of" in move.text
    token = app.path("unsubscribe").rpartition("/")[2]
    assert f"Unsubscribe {ADA} from N?" in app.get(f"/farewell/{token}").text
    assert app.get(f"/sent/{token}").status == 403
    assert app.reader().status == "unconfirmed"
    assert "Save what you want" not in app.get(f"{app.path('preferences')}?done=saved").text


# -- a prefix, and a slash at the end --------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "/papers"])
def test_slash_at_the_end_keeps_prefix_and_host(prefix: str) -> None:
    with open_website(url=f"https://n.example.org{prefix}") as app:
        with_ada(app)
        path = app.path("unsubscribe")
        for asked in {path, f"{prefix}{path}"}:
            answer = app.get(f"{asked}/?x=%C3%A4", Host="evil.example")
            assert answer.status == 307
            assert answer.headers["location"] == f"{prefix}{path}?x=%C3%A4"
        assert app.get("/archive/").headers["location"] == f"{prefix}/archive"
        assert app.get("/nowhere/").status == 404
        assert app.get("//evil.example/").status == 404
        answer = app.request("POST", "/join", {"email": NEW}, Host="evil.example")
        assert answer.headers["location"].startswith(f"{prefix}/sent/")


@pytest.mark.slow
def test_every_link_stays_under_the_prefix() -> None:
    with open_website(url="https://n.example.org/papers") as app:
        with_ada(app)
        app.publish(DAY, "Vision anew")
        paths = (
            "/", "/archive", f"/archive/{DAY}", "/topic/Vision", "/search?q=vision", "/erased",
            app.path("preferences"), app.path("confirm"), f"{app.path('confirm')}/done",
            app.path("unsubscribe"), app.path("move", f"1/{NEW}"), app.path("sent", NEW),
            "/nowhere",
        )  # fmt: skip
        for path in paths:
            body = app.get(path, Host="evil.example").body
            for link in re.findall(r'(?:href|action|src|hx-post)="([^"#]+)"', body):
                assert link.startswith(("/papers/", "https://n.example.org/papers/")), path


def test_one_click_with_a_slash_is_not_redirected(app: Website) -> None:
    with_ada(app)
    answer = app.request("POST", f"{app.path('unsubscribe')}/", b"List-Unsubscribe=One-Click")
    assert (answer.status, app.reader().status) == (200, "unsubscribed")


# -- moving to an address that is known ------------------------------------------------------------


def ask_to_move(app: Website, to: str) -> str:
    """Ask for the letters at another address; the page that says that a note was sent."""
    form = {"do": "move", "email": to}
    return app.post(app.path("preferences"), form).text.replace(to, "X")


@pytest.mark.parametrize("status", ["unconfirmed", "unsubscribed"])
def test_reader_moves_to_an_address_that_got_nothing(app: Website, status: Status) -> None:
    with_ada(app)
    app.store.save_reader(subscriber(NEW), status=status, now=NOON)
    said = ask_to_move(app, NEW)
    note = app.mail_to(NEW)
    assert note.message["Subject"].startswith("Confirm your new address")
    assert app.reader().subscriber.email == ADA
    app.post(app.link(note))
    assert app.reader().subscriber.email == NEW
    assert [r.status for r in app.store.readers() if r.subscriber.email == NEW] == ["confirmed"]
    assert said == ask_to_move(app, "unknown@example.org")


@pytest.mark.slow
def test_owner_of_a_subscribed_address_is_told(app: Website) -> None:
    with_ada(app)
    for email, status in ((NEW, "confirmed"), ("blocked@example.org", "blocked")):
        app.store.save_reader(subscriber(email), status=status, now=NOON)  # type: ignore[arg-type]
    app.store.sync_subscribers([subscriber("left@example.org")], now=NOON)
    app.store.set_status("left@example.org", "unsubscribed", now=NOON)
    asked = ("blocked@example.org", NEW, "left@example.org", "unknown@example.org")
    assert len({ask_to_move(app, email) for email in asked}) == 1
    assert app.link(app.mail_to(NEW)).startswith("/preferences/")
    assert app.link(app.mail_to("left@example.org")).startswith("/confirm/")
    app.mail_to("unknown@example.org")
    assert app.inbox.to("blocked@example.org") == []
    token = app.link(app.mail_to("left@example.org"))
    app.post(token)
    (back,) = app.store.readers(emails=["left@example.org"])
    assert (back.status, app.reader().subscriber.email) == ("confirmed", ADA)


def test_move_to_an_address_taken_meanwhile_is_refused(app: Website) -> None:
    with_ada(app)
    ask_to_move(app, NEW)
    link = app.link(app.mail_to(NEW))
    app.store.save_reader(subscriber(NEW), status="confirmed", now=NOON)
    assert app.post(link).status == 403
    assert app.reader().subscriber.email == ADA


# -- addresses with dots in odd places -------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("email", ["x.@docomo.example.org", "a..b@docomo.example.org"])
def test_odd_dots_in_an_address_work(app: Website, email: str) -> None:
    app.join(email)
    note = app.mail_to(email)
    assert f"\r\nTo: {email}\r\n".encode() in note.content
    app.post(app.link(note))
    app.publish(DAY, "Vision anew")
    letter = app.inbox.to(email)[-1]
    assert f"To: {email}\r\n".encode() in letter.content
    assert letter.titles == ["Vision anew"]


# -- where the pages listen ------------------------------------------------------------------------


async def name_client(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(client_of(Request(scope)))(scope, receive, send)


def client_at(host: str, port: int, **headers: str) -> str:
    connection = http.client.HTTPConnection(host, port, timeout=20)
    try:
        connection.request("GET", "/", headers=headers)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_double_colon_listens_on_both_families() -> None:
    with serve_in_thread(name_client, "::", 0, ["127.0.0.1"]) as port:
        assert client_at("127.0.0.1", port) == "127.0.0.1"
        assert client_at("::1", port) == "::/64"
        forwarded = {"X-Forwarded-For": "::ffff:198.51.100.7"}
        assert client_at("127.0.0.1", port, **forwarded) == "198.51.100.7"
        assert client_at("::1", port, **forwarded) == "::/64"
    with serve_in_thread(name_client, "::1", 0) as port:
        assert client_at("::1", port) == "::/64"


@pytest.mark.parametrize(
    ("host", "said"), [("203.0.113.1", "choose another address"), ("no.such.invalid", "address")]
)
def test_address_of_another_machine_is_named(host: str, said: str) -> None:
    with (
        pytest.raises(UsageError, match=re.escape(said)),
        serve_in_thread(name_client, host, free_port()),
    ):
        pass
