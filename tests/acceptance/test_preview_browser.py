"""The preview page in a real browser: each control works, and saved files reload the page."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, FrameLocator, Page, expect, sync_playwright

from tests.support.daemons import TIMEOUT
from tests.support.inbox import open_inbox
from tests.support.preview_client import ADA, PreviewServer, make_demo, running_preview

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

expect.set_options(timeout=TIMEOUT * 1000)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium to open the page in"),
]


@pytest.fixture(scope="module")
def preview(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PreviewServer]:
    folder = tmp_path_factory.mktemp("demo")
    make_demo(folder)
    with open_inbox() as inbox:
        configuration = folder / "newsletter.yaml"
        text = "\n".join(
            f"smtp: {{ host: 127.0.0.1, port: {inbox.port}, security: none }}"
            if line.startswith("smtp:")
            else line
            for line in configuration.read_text().splitlines()
        )
        configuration.write_text(text)
        with running_preview(folder, "--as", ADA) as shown:
            yield shown
        assert [letter.recipient for letter in inbox.arrivals] in ([], ["me@example.org"])


@pytest.fixture(scope="module")
def browser(preview: PreviewServer) -> Iterator[Browser]:
    del preview
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, preview: PreviewServer) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1360, "height": 900})
    asked: list[str] = []
    wrong: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.goto(preview.url)
    yield opened
    opened.close()
    assert all(url.startswith(preview.url) for url in asked)
    assert wrong == []


def letter(page: Page) -> FrameLocator:
    return page.frame_locator("#letter iframe:not(.coming)")


def pick(page: Page, name: str) -> None:
    page.get_by_role("radio", name=name, exact=True).check(force=True)


@pytest.mark.slow
def test_every_view_of_the_letter_is_shown(page: Page) -> None:
    expect(letter(page).locator("h1")).to_have_text("Daily Papers")
    pick(page, "Text")
    expect(page.locator("#letter pre")).to_contain_text("DAILY PAPERS")
    pick(page, "Headers")
    expect(page.locator("#letter dl")).to_contain_text("List-Unsubscribe")
    pick(page, "Source")
    expect(page.locator("#letter pre")).to_contain_text("Content-Transfer-Encoding")
    page.reload()
    expect(page.locator("#letter pre")).to_contain_text("Content-Transfer-Encoding")


@pytest.mark.slow
def test_reader_theme_and_day_choose_another_letter(page: Page) -> None:
    page.locator("#choose [name=email]").select_option("grace@example.org")
    expect(page.locator("#head")).to_contain_text("To grace@example.org")
    expect(letter(page).locator("body")).to_contain_text("grace@example.org")
    expect(page.locator("#papers")).to_contain_text("exclude “jigsaw or puzzle”")
    before = letter(page).locator("h1").evaluate("h => getComputedStyle(h).fontFamily")
    page.locator("#choose [name=theme]").select_option("sans")
    expect(page.locator("#letter iframe:not(.coming)")).to_have_attribute(
        "src", _containing("theme=sans")
    )
    expect(letter(page).locator("h1")).not_to_have_css("font-family", before)
    page.locator("#choose [name=email]").select_option("")
    expect(page.locator("#papers h2").first).to_have_text("In 40")
    page.get_by_label("as a new reader").check()
    expect(page.locator("#letter iframe:not(.coming)")).to_have_attribute(
        "src", _containing("all_papers=1")
    )
    assert page.locator("#choose [name=day]").input_value() == "2026-08-12"


def _containing(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(text))


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_letter_is_shown_in_either_color_scheme(
    browser: Browser, preview: PreviewServer, scheme: Literal["light", "dark"]
) -> None:
    page = browser.new_page(viewport={"width": 1360, "height": 900}, color_scheme=scheme)
    page.goto(preview.url)
    paper = letter(page).locator("body")
    pick(page, "Dark")
    expect(paper).to_have_css("background-color", "rgb(28, 26, 24)")
    pick(page, "Light")
    expect(paper).to_have_css("background-color", "rgb(255, 253, 248)")
    pick(page, "Phone")
    expect(page.locator("#letter iframe:not(.coming)")).to_have_css("width", "375px")
    page.close()


@pytest.mark.slow
def test_saved_template_is_shown_and_broken_one_reported(
    page: Page, preview: PreviewServer
) -> None:
    path = preview.folder / "own" / "partials" / "foot.mjml"
    good = path.read_text()
    body = letter(page).locator("body")
    expect(body).to_contain_text("You get this because")
    body.evaluate("() => window.scrollTo(0, 700)")
    path.write_text(good.replace("You get this because", "You asked for this:"))
    expect(body).to_contain_text("You asked for this:")
    assert (
        page.locator("#letter iframe:not(.coming)").evaluate("f => f.contentWindow.scrollY") == 700
    )
    path.write_text(good.replace("<mj-column>", "<mj-colunm>"))
    fault = page.locator("#faults")
    expect(fault).to_contain_text("partials/foot.mjml:2 <mj-colunm> is not an element of MJML")
    expect(fault).to_contain_text("This is the last good version")
    expect(body).to_contain_text("You asked for this:")
    path.write_text(good)
    expect(fault).to_have_text("")
    expect(body).to_contain_text("You get this because")


@pytest.mark.slow
def test_saved_subscribers_and_configuration_are_shown(page: Page, preview: PreviewServer) -> None:
    readers = preview.folder / "subscribers.yaml"
    good = readers.read_text()
    page.locator("#papers summary").last.click()
    expect(page.locator("#papers")).to_contain_text("exclude “title:toolbox”")
    readers.write_text(good.replace("title:toolbox", "title:agent"))
    expect(page.locator("#papers")).to_contain_text("exclude “title:agent”")
    readers.write_text(good.replace("topics: [Mixture of Experts", "topics: [Mixtures"))
    expect(page.locator("#faults")).to_contain_text("subscribers.yaml:7")
    readers.write_text(good)
    expect(page.locator("#faults")).to_have_text("")
    configuration = preview.folder / "newsletter.yaml"
    good = configuration.read_text()
    configuration.write_text(good.replace("name: Daily Papers", "name: Weekly Papers"))
    expect(letter(page).locator("h1")).to_have_text("Weekly Papers")
    configuration.write_text(good)
    expect(letter(page).locator("h1")).to_have_text("Daily Papers")


@pytest.mark.slow
def test_last_of_many_saves_is_shown(page: Page, preview: PreviewServer) -> None:
    configuration = preview.folder / "newsletter.yaml"
    good = configuration.read_text()
    for name in ("Weekly", "Monthly", "Yearly", "Hourly"):
        configuration.write_text(good.replace("name: Daily Papers", f"name: {name} Papers"))
        page.wait_for_timeout(60)
    expect(letter(page).locator("h1")).to_have_text("Hourly Papers")
    configuration.write_text(good)
    expect(letter(page).locator("h1")).to_have_text("Daily Papers")


@pytest.mark.slow
def test_filter_is_tried_and_wrong_one_explained(page: Page) -> None:
    page.get_by_text("Try a filter").click()
    page.get_by_label("Include").fill("agent")
    page.get_by_label("Exclude").fill("memory")
    page.get_by_role("button", name="Try it").click()
    trial = page.locator("#trial")
    expect(trial).to_contain_text("papers a day over 1 day with papers")
    expect(trial).to_contain_text("exclude “memory”")
    assert trial.locator("rect").count() == 1
    page.get_by_label("Include").fill("(agent")
    page.get_by_role("button", name="Try it").click()
    expect(trial.locator(".fault")).to_contain_text("(agent")


@pytest.mark.slow
def test_test_letter_goes_to_the_typed_address(page: Page) -> None:
    page.get_by_text("Send me a test").click()
    page.get_by_role("textbox", name="Address").fill("me@example.org")
    page.get_by_role("button", name="Send this email").click()
    expect(page.locator("#sent")).to_have_text("Sent to me@example.org. Its links change nothing.")


@pytest.mark.slow
def test_links_in_the_letter_are_not_followed(page: Page, preview: PreviewServer) -> None:
    letter(page).locator("a").first.click()
    page.wait_for_timeout(200)
    assert page.url.startswith(preview.url)


@pytest.mark.slow
@pytest.mark.parametrize("width", [1360, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_is_accessible(
    browser: Browser, preview: PreviewServer, scheme: Literal["light", "dark"], width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto(f"{preview.url}?view=headers")
    page.locator("#papers summary").last.click()
    page.get_by_text("Try a filter").click()
    page.get_by_text("Send me a test").click()
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}})
    assert found.response["violations"] == [], found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


@pytest.mark.slow
def test_other_site_can_neither_embed_nor_request_it(
    browser: Browser, preview: PreviewServer, tmp_path: Path
) -> None:
    foreign = tmp_path / "foreign.html"
    foreign.write_text(
        f"<iframe src={preview.url}></iframe>"
        f"<form method=post action={preview.url}test><input name=to value=x@example.org></form>"
    )
    page = browser.new_page()
    page.goto(foreign.as_uri())
    assert "Daily" not in (page.frames[1].content() if len(page.frames) > 1 else "")
    read = f"fetch('{preview.url}letter.eml').then(() => 'read', () => 'refused')"
    assert page.evaluate(read) == "refused"
    with page.expect_response(f"{preview.url}test") as answered:
        page.evaluate("document.forms[0].submit()")
    assert answered.value.status == 403
    page.close()
