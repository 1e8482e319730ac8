"""The readers' pages in a real browser, with real letters, and their accessibility."""

import re
import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Literal
from urllib.parse import quote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from newsletter.model import Publication
from newsletter.web.forms import Form
from tests.support.daemons import TIMEOUT, free_port, wait_until
from tests.support.factories import DAY, NOON, subscriber
from tests.support.frozen_issues import list_papers
from tests.support.web_client import Website, open_website

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ADA = "ada@example.org"
PASSWORD = "a password of sixteen"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

expect.set_options(timeout=TIMEOUT * 1000)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium to open the pages in"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests; its event loop runs in this thread."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield opened
        opened.close()


@pytest.fixture
def app() -> Iterator[Website]:
    port = free_port()
    own = Publication(
        "Papers", "Papers", "n@example.org", f"http://127.0.0.1:{port}", "1 Example Street"
    )
    with open_website(port=port, publication=own, operator_password=PASSWORD) as opened:
        yield opened


def link_in(text: str, word: str) -> str:
    found = re.search(rf"http://127\.0\.0\.1:\d+/{word}/[\w.-]+", text)
    assert found, text
    return found[0]


def subscribed(app: Website, page: Page) -> None:
    """Subscribe as a person does, from the first page to the preferences."""
    page.goto(app.site)
    page.get_by_label("Email address").fill(ADA)
    page.get_by_role("button", name="Subscribe").click()
    expect(page.get_by_role("heading", name="Check your inbox")).to_be_visible()
    page.goto(link_in(app.mail_to(ADA).text, "confirm"))
    assert app.reader().status == "unconfirmed"
    page.get_by_role("button", name="Confirm subscription").click()
    expect(page.get_by_role("status")).to_have_text(
        f"Papers comes to {ADA}. Your first email is on its way."
    )
    wait_until(lambda: len(app.inbox.to(ADA)) == 2)
    page.get_by_role("link", name="Preferences").click()


def leave(app: Website, page: Page, one_click: bool) -> None:  # noqa: FBT001 - a case of two
    came = len(app.inbox.to(ADA))
    letter = app.inbox.to(ADA)[-1]
    if one_click:
        (found,) = re.findall(r"<(http://[^>]+)>", letter.message["List-Unsubscribe"])
        answer = app.request("POST", urlsplit(found).path, b"List-Unsubscribe=One-Click")
        assert answer.status == 200
        return
    page.goto(link_in(letter.text, "unsubscribe"))
    assert app.reader().status == "confirmed"
    page.get_by_role("button", name="Unsubscribe").click()
    expect(page.get_by_role("heading", name="been unsubscribed from Papers")).to_be_visible()
    wait_until(lambda: len(app.inbox.to(ADA)) > came)
    last = app.inbox.to(ADA)[-1]
    assert last.message["Subject"] == "You've been unsubscribed from Papers"
    page.goto(link_in(last.text, "confirm"))
    assert app.reader().status == "unsubscribed"
    expect(page.get_by_role("button", name="Confirm subscription")).to_be_visible()


@pytest.mark.slow
@pytest.mark.parametrize(("javascript", "one_click"), [(True, True), (False, False)])
def test_join_choose_read_and_leave(
    app: Website,
    browser: Browser,
    javascript: bool,  # noqa: FBT001 - pytest passes it by name
    one_click: bool,  # noqa: FBT001 - as above
) -> None:
    page = browser.new_page(java_script_enabled=javascript)
    subscribed(app, page)
    page.get_by_label("Vision").check()
    page.get_by_label("Papers I also want").fill('"Word salad')
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#include-problem")).to_contain_text("This quote is never closed")
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_label("Vision")).to_be_checked()
    page.get_by_label("Papers I also want").fill("salad")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    app.publish(DAY, "Vision anew", "Green salad", "Of other things")
    letter = app.inbox.to(ADA)[-1]
    assert sorted(letter.titles) == ["Green salad", "Vision anew"]
    page.goto(link_in(letter.html, "edition"))
    expect(page.get_by_role("heading", name="Green salad")).to_be_visible()
    expect(page.get_by_text("Of other things")).not_to_be_visible()
    leave(app, page, one_click)
    app.advance(days=1)
    before = app.inbox.to(ADA)
    assert len(before) == (3 if one_click else 4), "a farewell follows the button alone"
    app.store.save_reader(subscriber("bob@example.org"), status="confirmed", now=NOON)
    app.publish(DAY + timedelta(days=1), "Vision once more")
    assert app.inbox.to("bob@example.org")[0].titles == ["Vision once more"]
    assert app.inbox.to(ADA) == before
    assert app.reader().status == "unsubscribed"
    page.close()


@pytest.mark.slow
def test_filter_preview_updates_while_typing(app: Website, browser: Browser) -> None:
    app.store.save_reader(subscriber(ADA), status="confirmed", now=NOON)
    app.publish(DAY, "Vision anew", "Green salad", "Of other things")
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(f"Security Policy or worse: {error}"))
    page.goto(f"{app.site}{app.path('preferences')}")
    expect(page.locator("#preview")).to_have_text("")
    expect(page.locator("#count")).to_have_text("About 3 papers a day")
    page.get_by_label("Your interests").fill("salad")
    page.locator("#found").get_by_text("Green salad").wait_for()
    page.get_by_label("Your interests").fill("")
    page.get_by_label("Papers I also want").press_sequentially("salad")
    page.locator("#preview").get_by_text("Green salad").wait_for()
    assert "1 of 3" in page.locator("#preview").inner_text()
    page.get_by_label("Vision").check()
    page.get_by_text("2 of 3").wait_for()
    expect(page.locator("#count")).to_have_text("About 2 papers a day")
    page.get_by_label("Papers I also want").fill("(salad")
    page.locator("#preview").get_by_text("this bracket is never closed").wait_for()
    page.get_by_role("button", name="Try on the last 7 days").click()
    expect(page.locator("#preview").get_by_role("alert")).to_contain_text("never closed")
    expect(page.get_by_label("Papers I also want")).to_have_value("(salad")
    assert violations(page) == []
    assert app.reader().subscriber == subscriber(ADA)
    page.get_by_label("Papers I also want").fill("salad")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    page.get_by_label("Vision").uncheck()
    expect(page.get_by_text("Saved.")).not_to_be_visible()
    assert [line for line in said if "Security Policy" in line] == []
    page.close()


COVERED = """() => {
    const bar = document.querySelector(".bar"), on = document.activeElement;
    return !bar.contains(on) && bar.parentElement.contains(on)
        && on.getBoundingClientRect().bottom > bar.getBoundingClientRect().top + 1;
}"""
"""Whether the bar with the Save button hides a part of what has the focus (WCAG 2.4.11)."""

SMALL = """() => [...document.querySelectorAll("a, button, input, select, textarea, summary")]
    .filter(each => each.offsetParent && !each.closest("p, li"))
    .map(each => [each.closest("label") ?? each, each.outerHTML])
    .filter(([each]) => Math.min(each.offsetWidth, each.offsetHeight) < 24)
    .map(([, html]) => html)"""
"""What is too small to be tapped, outside of sentences and lists (WCAG 2.5.8)."""


@pytest.mark.slow
def test_preferences_keep_their_place_and_cover_no_focus(app: Website, browser: Browser) -> None:
    app.store.save_reader(subscriber(ADA), status="confirmed", now=NOON)
    app.publish(DAY, "Vision anew", "Green salad")
    page = browser.new_page(viewport={"width": 320, "height": 640}, reduced_motion="reduce")
    page.goto(f"{app.site}{app.path('preferences')}")
    page.get_by_label("Papers I also want").fill("salad")
    page.locator("#count", has_text="About 1 paper a day").wait_for()
    expect(page.get_by_role("button", name="Save")).to_be_in_viewport()
    page.get_by_role("button", name="Try on the last 7 days").scroll_into_view_if_needed()
    before = page.evaluate("scrollY")
    page.get_by_role("button", name="Try on the last 7 days").click()
    expect(page.get_by_text("Green salad")).to_be_visible()
    assert (page.evaluate("scrollY"), page.evaluate("document.body.scrollWidth")) == (before, 320)
    assert page.evaluate(SMALL) == []
    page.get_by_role("link", name="Unsubscribe").focus()
    while page.evaluate("document.activeElement.value") != "save":
        page.keyboard.press("Tab")
        assert not page.evaluate(COVERED), page.evaluate("document.activeElement.outerHTML")
    page.close()


@pytest.mark.slow
def test_results_reload_and_come_back_on_a_narrow_screen(app: Website, browser: Browser) -> None:
    # Without scripts: with them, trying a filter changes a part of the page.
    page = browser.new_page(viewport={"width": 240, "height": 600}, java_script_enabled=False)
    posts: list[str] = []
    page.on("request", lambda request: posts.extend([request.url] * (request.method == "POST")))
    subscribed(app, page)

    def expect_whole(text: str) -> None:
        expect(page.get_by_text(text)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == 240

    for button, said in (
        ("Save", "Saved."),
        ("Try on the last 7 days", "What you would have received"),
    ):
        before = len(posts)
        page.get_by_role("button", name=button).click()
        expect_whole(said)
        page.reload()
        expect_whole(said)
        page.go_back()
        page.go_forward()
        expect_whole(said)
        assert len(posts) == before + 1
    page.goto(app.site)
    expect_whole("Email address")
    page.close()


@pytest.mark.slow
def test_keyboard_alone_is_enough(app: Website, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(app.site)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    while page.evaluate("document.activeElement.id") != "email":
        page.keyboard.press("Tab")
    page.keyboard.type(ADA)
    while page.evaluate("document.activeElement.value") != "Vision":
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.wait_for_url("**/sent/*")
    app.mail_to(ADA)
    assert app.reader().subscriber.filter.topics == ("Vision",)
    page.close()


@pytest.mark.slow
@pytest.mark.parametrize("scripts", [True, False])
def test_sign_up_page_shows_what_wishes_find(
    app: Website,
    browser: Browser,
    scripts: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    list_papers(app.store, "green salad", "other things")
    page = browser.new_page(java_script_enabled=scripts)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.post_data or ""))
    page.goto(app.site)
    page.get_by_label("Email address").fill(ADA)
    page.get_by_label("Your interests").fill("salad")
    if not scripts:
        page.get_by_role("button", name="Show what this finds").click()
    expect(page.locator("#found")).to_contain_text("1 of 2 papers today")
    expect(page.locator("#found li")).to_contain_text("About green salad")
    assert not scripts or sent[-1] == "wishes=salad&breadth=normal", (
        "the address is not sent while typing"
    )
    assert app.store.readers() == ()
    page.get_by_label("Email address").press("Enter")
    expect(page.get_by_role("heading", name="Check your inbox")).to_be_visible()
    app.mail_to(ADA)  # the page answers before the address is looked up and stored
    assert [rule.text for rule in app.reader().subscriber.filter.include] == ["about: salad"]
    page.close()


@pytest.mark.slow
def test_sign_up_page_takes_the_browsers_zone(app: Website, browser: Browser) -> None:
    context = browser.new_context(timezone_id="Asia/Tokyo")
    page = context.new_page()
    page.goto(app.site)
    expect(page.locator("#when")).to_have_text("Every day at 07:00, your time (Asia/Tokyo)")
    page.get_by_text("Change").click()
    expect(page.get_by_label("Day of the week")).not_to_be_visible()
    page.get_by_label("How often").select_option("weekly")
    page.get_by_label("Day of the week").select_option("Friday")
    page.get_by_label("Time zone").fill("nowhere")
    expect(page.locator("#when")).to_have_text("Once a week on Friday at 07:00 (nowhere)")
    page.get_by_label("Email address").fill(ADA)
    page.get_by_role("button", name="Subscribe").click()
    expect(page.get_by_role("alert")).to_be_focused()
    page.get_by_role("alert").get_by_role("link", name="Time zone").click()
    expect(page.get_by_label("Time zone")).to_be_focused()
    page.get_by_label("Time zone").fill("Kyoto")
    page.get_by_role("button", name="Subscribe").click()
    app.mail_to(ADA)
    chosen = app.reader().subscriber
    assert (chosen.cadence, chosen.day, chosen.at) == ("weekly", 4, None)
    assert chosen.timezone == "Asia/Tokyo"
    context.close()


@pytest.mark.slow
def test_link_scanner_running_scripts_changes_nothing(app: Website, browser: Browser) -> None:
    app.store.save_reader(subscriber(ADA), status="confirmed", now=NOON)
    app.publish(DAY, "Vision anew")
    (letter,) = app.inbox.to(ADA)
    app.join("bob@example.org")
    note = app.mail_to("bob@example.org")
    before = app.store.readers()
    links = set(re.findall(r"https?://127[^\s<>\"]+", letter.text + letter.html + note.html))
    assert len(links) >= 6
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for link in sorted(links):
        page.goto(link.replace("&amp;", "&"), wait_until="networkidle")
    assert app.store.readers() == before
    assert len(app.inbox.arrivals) == 2
    assert all(url.startswith(app.site) for url in asked)
    page.close()


def paths(app: Website) -> dict[str, str]:
    """The paths of all pages that a reader may see, by a name."""
    reader = app.store.save_reader(subscriber(ADA), status="confirmed", now=NOON)
    app.store.save_reader(subscriber("bob@example.org"), status="unconfirmed", now=NOON)
    app.publish(DAY, "Vision anew", "Of other things")
    prefer = app.path("preferences", str(reader.id))
    return {
        "first": "/",
        "found": f"/?form={Form({'wishes': ['vision', 'galaxies'], 'do': ['find']}).packed()}",
        "sample": "/sample",
        "confirm": app.path("confirm", "2"),
        "move": app.path("move", "1/new@example.org"),
        "preferences": prefer,
        "pause": f"{prefer}?pause=2",
        "weekly": f"{prefer}?cadence=weekly",
        "unsubscribe": app.path("unsubscribe"),
        "edition": app.path("edition", f"1/{date.isoformat(DAY)}"),
        "archive": "/archive",
        "issue": f"/archive/{DAY}",
        "topic": "/topic/Vision",
        "paper": f"/paper/{quote(app.store.papers_by_number([1])[0].key)}",
        "search": "/search?q=vision",
        "sent": app.path("sent", ADA),
        "operator": "/operator",
        "refused": "/preferences/nothing",
        "missing": "/nowhere",
    }


def violations(page: Page) -> list[str]:
    found = Axe().run(page, options={"runOnly": RULES}).response["violations"]
    return [f"{v['id']}: {[node['html'] for node in v['nodes']]}" for v in found]


def sized_page(browser: Browser, scheme: str, width: int) -> Page:
    return browser.new_page(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        http_credentials={"username": "operator", "password": PASSWORD},
    )


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 360)])
def test_every_page_is_accessible(app: Website, browser: Browser, scheme: str, width: int) -> None:
    page = sized_page(browser, scheme, width)

    def look(name: str) -> None:
        assert violations(page) == [], name
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name

    def press(button: str) -> None:
        """Press a button and wait for the next page and its styles, which axe needs."""
        with page.expect_navigation(wait_until="load"):
            page.get_by_role("button", name=button).click()

    for name, path in paths(app).items():
        page.goto(f"{app.site}{path}")
        look(name)
    page.goto(f"{app.site}{app.path('preferences')}")
    page.get_by_role("button", name="Try on the last 7 days").click()
    expect(page.get_by_text("What you would have received")).to_be_visible()
    look("tried")
    page.get_by_label("Papers I never want").fill("((")
    press("Save")
    look("problems")
    press("2 weeks")
    look("paused")
    page.get_by_label("delete my address").check()
    press("Delete my data")
    look("erased")
    page.goto(f"{app.site}{app.path('confirm', '2')}")
    press("Confirm")
    look("confirmed")
    page.goto(f"{app.site}{app.path('unsubscribe', '2')}")
    press("Unsubscribe")
    look("farewell")
    page.get_by_label("Why are you leaving?").fill("too many letters")
    press("Send")
    look("said why")
    page.goto(app.site)
    page.evaluate("document.querySelector('form').noValidate = true")
    page.get_by_label("Email address").fill("nobody")
    press("Subscribe")
    expect(page.get_by_role("alert")).to_be_visible()
    look("joining, with problems")
    page.get_by_label("Email address").fill("cyd@example.org")
    press("Subscribe")
    look("sent")
    page.goto(f"{app.site}{app.path('move', '2/new@example.org')}")
    press("Confirm")
    look("moved")
    page.goto(f"{app.site}/operator")
    page.get_by_text("The numbers").click()
    look("the operator's numbers")
    page.close()


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 240)])
def test_operators_pages_are_accessible(
    app: Website, browser: Browser, scheme: str, width: int
) -> None:
    page = sized_page(browser, scheme, width)

    def press(name: str, said: str, role: Literal["button", "link"] = "button") -> None:
        with page.expect_navigation(wait_until="load"):
            page.get_by_role(role, name=name).click()
        expect(page.get_by_role("main")).to_contain_text(said)
        assert violations(page) == [], name
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name

    app.store.save_reader(subscriber(ADA, name="Ada " * 20), status="confirmed", now=NOON)
    app.publish(DAY, "Vision anew")
    page.goto(f"{app.site}/operator")
    press("Find a reader", ADA, "link")
    page.get_by_label("Part of the address").fill("nobody")
    press("Search", "No readers match")
    page.get_by_label("Part of the address").fill("ada")
    press("Search", ADA)
    press(ADA, "250 taken", "link")
    press("Pause", "Paused.")
    press("Resume", "Resumed.")
    page.get_by_label("Reason for blocking").fill("asked by phone")
    press("Block", "asked by phone")
    press("Unblock", "Unblocked.")
    press("Erase", "cannot be undone", "link")
    press("Erase", "Erased.")
    page.close()
