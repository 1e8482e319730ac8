"""The preview page over real HTTP: what it shows, whose requests it answers, what it sends."""

import http.client
import re
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from newsletter.letter.rendering import BLOCKS, NOTES
from newsletter.letter.views import FILTERS
from tests.support.daemons import wait_until
from tests.support.inbox import open_inbox
from tests.support.preview_client import (
    ADA,
    DAY,
    PreviewServer,
    Response,
    make_demo,
    running_preview,
)

MAX_PREHEADER = 110
BROKEN = "<mj-sectoin></mj-sectoin>"


@pytest.fixture(scope="module")
def preview(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PreviewServer]:
    folder = tmp_path_factory.mktemp("demo")
    make_demo(folder)
    with running_preview(folder, "--as", ADA) as shown:
        yield shown


def papers_with_reasons(page: str) -> list[str]:
    """The papers of a page that say why they are in the email, or are not."""
    return re.findall(r'<li><span class="title">[^\n]*?<span class="reason">', page)


@pytest.mark.slow
def test_letter_and_reasons_are_shown(preview: PreviewServer) -> None:
    page = preview.request("/").body
    assert "To ada@example.org" in page
    assert len(papers_with_reasons(page)) == 40
    assert "of 102,400 bytes" in page
    assert "exclude “title:toolbox”" in page
    for area in ("links", "pictures", "structure", "contrast", "mail clients", "text part"):
        assert f"<b>{area}</b>" in page


def test_letter_is_shown_as_a_line_of_an_inbox(preview: PreviewServer) -> None:
    page = preview.request("/").body
    (inbox,) = re.findall(r'<div class="inbox".*?</div>', page, re.DOTALL)
    assert re.search(r'class="sender">Daily Papers .*class="subject">.*Motif', inbox, re.DOTALL)
    (preheader,) = re.findall(r'preheader">(.*)</p>', inbox)
    assert 0 < len(preheader) <= MAX_PREHEADER
    assert "\u200c" not in inbox


def test_listed_papers_lead_to_their_cards(preview: PreviewServer) -> None:
    page, letter = preview.request("/").body, preview.request("/letter.html").body
    anchors = re.findall(r'#(paper-\w+)" target="letter">', page)
    included = re.search(r'In <span class="count">(\d+)', page)
    assert included
    assert len(anchors) == int(included[1]) == len({*anchors})
    assert all(f'<a id="{name}"' in letter for name in anchors)
    assert "paper-" not in preview.request("/letter.eml").body


@pytest.mark.parametrize("kind", NOTES)
def test_short_email_is_shown(preview: PreviewServer, kind: str) -> None:
    page = preview.request(f"/?page={kind}")
    assert page.status == 200
    assert 'class="inbox"' in page.body
    assert '<li class="wrong">' not in page.body
    assert 'class="reason"' not in page.body
    assert "Daily Papers" in preview.request(f"/letter.html?page={kind}").body


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("join", "Subscribe</button>"),
        ("preferences", ADA),
        ("unsubscribe", f"Unsubscribe {ADA}"),
        ("issue", "<h1>"),
        ("paper", "<h2>Topics</h2>"),
    ],
)
def test_readers_page_is_shown_and_changes_nothing(
    preview: PreviewServer, page: str, said: str
) -> None:
    shown = preview.request(f"/?page={page}&scheme=dark").body
    (path,) = re.findall(r'data-web="(/web/dark/[^"]*)"', shown)
    answer = preview.request(path)
    assert (answer.status, said in answer.body) == (200, True)
    assert 'href="/web/dark/archive"' in answer.body
    assert "form-action 'none'" in answer.headers["content-security-policy"]
    assert "script-src" not in answer.headers["content-security-policy"]
    assert "x-frame-options" not in answer.headers
    assert preview.request(path, {"email": "a@b.org"}).status == 405
    assert "@media not all" not in preview.request("/web/dark/style.css").body
    assert preview.request("/web/sepia/").status == 404


def test_fields_of_templates_are_listed(preview: PreviewServer) -> None:
    page = preview.request("/").body
    for name in ("<code>paper</code>", "<code>.byline</code>", "each with <code>.label</code>"):
        assert name in page
    for name in (*NOTES, *BLOCKS, *FILTERS):
        assert f"<code>{name}</code>" in page


@pytest.mark.slow
def test_bytes_equal_those_of_the_preview_command(preview: PreviewServer, tmp_path: Path) -> None:
    shown = preview.request("/letter.eml").body
    text = preview.request("/letter.txt").body
    assert "Message-ID: <2026-08-12." in shown
    assert text.startswith("DAILY PAPERS\r\n")
    make_demo(tmp_path)
    (tmp_path / ".newsletter" / "secret").write_text(
        (preview.folder / ".newsletter" / "secret").read_text()
    )
    with running_preview(tmp_path, "--as", ADA) as other:
        again = other.request("/letter.eml").body
    assert _timeless(again) == _timeless(shown)


def _timeless(message: str) -> list[str]:
    """The headers of a message without those that depend on the time: date and signed links."""
    named = ("Date:", "List-Unsubscribe:", "Message-ID:")
    head = message.partition("\r\n\r\n")[0].splitlines()
    return [line for line in head if not line.startswith((*named, " "))]


def test_oversized_or_missing_form_is_refused(preview: PreviewServer) -> None:
    assert preview.request("/test", {"to": "x" * 70_000}).status == 413
    assert preview.request("/test", {f"field{n}": "" for n in range(600)}).status == 400
    refused = preview.request("/test", {"to": "nobody"})
    assert (refused.status, "Not sent: " in refused.body) == (200, True)
    for answer in (refused, preview.request("/")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


def test_only_its_own_address_is_answered(preview: PreviewServer) -> None:
    own = f"localhost:{preview.port}"
    for host in (
        "evil.example",
        f"evil.example:{preview.port}",
        "127.0.0.1",
        f"[::1]:{preview.port}",
    ):
        assert preview.request("/", Host=host).status == 400
        assert preview.request("/letter.eml", Host=host).status == 400
    assert preview.request("/", Host=own).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_other_site_is_refused(preview: PreviewServer, headers: dict[str, str]) -> None:
    assert preview.request("/letter.eml", None, **headers).status == 403
    assert preview.request("/events", None, **headers).status == 403
    assert preview.request("/test", {"to": "me@example.org"}, **headers).status == 403


def test_every_answer_has_browser_restrictions(preview: PreviewServer) -> None:
    page, letter = preview.request("/").headers, preview.request("/letter.html").headers
    assert page["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
    assert "frame-ancestors 'none'" in page["content-security-policy"]
    assert letter["content-security-policy"].startswith("sandbox allow-same-origin; default-src")
    assert "script-src" not in letter["content-security-policy"]
    for headers in (
        page,
        letter,
        preview.request("/proof.js").headers,
        preview.request("/nowhere").headers,
    ):
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"


def test_nothing_listens_outside_loopback(preview: PreviewServer) -> None:
    listening = {address for process in psutil.process_iter() for address in _listening(process)}
    assert {ip for ip, port in listening if port == preview.port} == {"127.0.0.1"}
    others = {
        address.address
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family == socket.AF_INET and not address.address.startswith("127.")
    }
    for address in others:
        with pytest.raises(OSError, match=r"refused|timed out|unreachable"):
            socket.create_connection((address, preview.port), timeout=2).close()


def _listening(process: psutil.Process) -> list[tuple[str, int]]:
    """The addresses that a process listens on; none if the system hides them."""
    try:
        found = process.net_connections(kind="inet")
    except psutil.Error:
        return []
    return [(each.laddr.ip, each.laddr.port) for each in found if each.status == "LISTEN"]


def test_test_letter_needs_a_post(preview: PreviewServer) -> None:
    assert preview.request("/test?to=me@example.org").status == 405
    assert preview.request("/test", method="HEAD").status == 405


@pytest.mark.slow
def test_test_letter_uses_configured_server_and_no_reader(tmp_path: Path) -> None:
    make_demo(tmp_path)
    with open_inbox() as inbox:
        configuration = tmp_path / "newsletter.yaml"
        lines = configuration.read_text().splitlines()
        smtp = f"smtp: {{ host: 127.0.0.1, port: {inbox.port}, security: none }}"
        configuration.write_text(
            "\n".join(smtp if line.startswith("smtp:") else line for line in lines)
        )
        with running_preview(tmp_path) as preview:
            form = {"to": "me@example.org", "email": ADA, "day": DAY}
            sent = preview.request("/test", form)
            wrong = preview.request("/test", {**form, "to": "nowhere"})
            shown = preview.request(f"/letter.txt?email={ADA}").body
    assert 'class="well"' in sent.body
    assert "Sent to me@example.org" in sent.body
    assert "Not sent" in wrong.body
    (letter,) = inbox.arrivals
    assert letter.recipient == "me@example.org"
    assert letter.message["To"] == "me@example.org"
    assert _body(letter.text) == _body(shown)


def _body(text: str) -> str:
    """The papers of a letter, without the footer, which names the reader."""
    return text.replace("\r\n", "\n").partition("-" * 78)[0]


def test_refused_test_letter_says_why(preview: PreviewServer) -> None:
    answer = preview.request("/test", {"to": "me@example.org"})
    assert 'class="fault"' in answer.body
    assert "Not sent" in answer.body


def test_filter_is_tried_on_past_days(preview: PreviewServer) -> None:
    found = preview.request("/trial?include=agent&exclude=memory")
    assert "papers a day</b>" in found.body
    assert "include “agent”" in found.body
    assert "exclude “memory”" in found.body
    by_topic = preview.request("/trial?topic=Reasoning")
    assert "topic Reasoning" in by_topic.body
    wish = preview.request("/trial?wish=memory+of+agents")
    assert "include “about: memory of agents”" in wish.body
    assert (
        "only 1 of these 3 words is understood"
        in preview.request("/trial?wish=Sprachmodelle+f%C3%BCr+Bilder").body
    )
    wrong = preview.request("/trial?include=(agent")
    assert 'class="fault"' in wrong.body
    assert "^" in wrong.body


def test_nonsense_choices_leave_the_page_whole(preview: PreviewServer) -> None:
    query = "day=yesterday&theme=../../x&view=soup&width=9&scheme=<script>"
    assert preview.request(f"/?{query}").status == 200
    nobody = preview.request("/?email=<script>alert(1)</script>")
    assert nobody.status == 200
    assert "<script>alert" not in nobody.body
    assert "there is no reader" in nobody.body
    assert preview.request("/letter.html?email=nobody@example.org").status == 404


@pytest.mark.slow
def test_fault_is_reported_and_last_good_letter_stays(preview: PreviewServer) -> None:
    before = _body(preview.request("/letter.txt").body)
    for name, wrong, told in (
        ("own/partials/foot.mjml", BROKEN, "partials/foot.mjml:1"),
        ("newsletter.yaml", "name: [\n", "newsletter.yaml:"),
        ("subscribers.yaml", "subscribers:\n  - email: nobody\n", "subscribers.yaml:2"),
    ):
        path = preview.folder / name
        good = path.read_text()
        path.write_text(wrong)
        page = _until(preview, partial(_says, told))
        assert "This is the last good version" in page.body
        assert _body(preview.request("/letter.txt").body) == before
        path.write_text(good)
        _until(preview, lambda page: "This is the last good version" not in page.body)


def _says(words: str, page: Response) -> bool:
    return words in page.body


def _until(preview: PreviewServer, condition: Callable[[Response], bool]) -> Response:
    found: list[Response] = []

    def holds() -> bool:
        found.append(preview.request("/"))
        return condition(found[-1])

    wait_until(holds)
    return found[-1]


@pytest.mark.slow
def test_busy_port_moves_to_the_next_free_one(preview: PreviewServer) -> None:
    with running_preview(preview.folder, "--as", ADA, port=preview.port) as other:
        assert other.port != preview.port
        assert other.request("/").status == 200


@pytest.mark.slow
def test_templates_broken_from_start_are_reported_on_page(tmp_path: Path) -> None:
    make_demo(tmp_path)
    card = tmp_path / "own" / "partials" / "card.mjml"
    good = card.read_text()
    card.write_text(BROKEN)
    with running_preview(tmp_path, "--as", ADA) as preview:
        page = preview.request("/")
        assert "partials/card.mjml:1" in page.body
        assert 'id="letter"' not in page.body
        card.write_text(good)
        _until(preview, lambda page: 'id="letter"' in page.body)


@pytest.mark.slow
def test_frozen_day_is_shown_as_sent_or_fresh(tmp_path: Path) -> None:
    made = make_demo(tmp_path)
    with open_inbox() as inbox:
        configuration = tmp_path / "newsletter.yaml"
        lines = configuration.read_text().splitlines()
        smtp = f"smtp: {{ host: 127.0.0.1, port: {inbox.port}, security: none }}"
        configuration.write_text(
            "\n".join(smtp if line.startswith("smtp:") else line for line in lines)
        )
        made.run("send", "--date", DAY, "--yes", "--everyone")
    with running_preview(tmp_path, "--as", ADA) as preview:
        foot = tmp_path / "own" / "partials" / "foot.mjml"
        foot.write_text(foot.read_text().replace("You get this", "A new foot: you get this"))
        sent = preview.request("/letter.eml").body
        _until(
            preview,
            lambda _: (
                "A new foot" in preview.request(f"/letter.html?email={ADA}&all_papers=1").body
            ),
        )
        assert "as sent" in preview.request("/").body
        everything = preview.request("/?email=")
    (letter,) = inbox.to(ADA)
    assert sent.encode() == letter.content
    assert len(papers_with_reasons(everything.body)) == 40
    assert 'In <span class="count">40</span>' in everything.body


def test_open_page_is_notified_of_saves(preview: PreviewServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", preview.port, timeout=20)
    connection.request("GET", "/events")
    stream = connection.getresponse()
    first = stream.readline()
    path = preview.folder / "own" / "issue.txt"
    path.write_text(path.read_text() + "\n")
    stream.readline()
    second = stream.readline()
    connection.close()
    assert first.startswith(b"data: ")
    assert int(second.split()[1]) > int(first.split()[1])
