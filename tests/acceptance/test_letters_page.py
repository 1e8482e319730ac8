"""The page that shows letters, over real HTTP and in a real browser."""

import contextlib
import http.client
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.morning import Newsletter

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SCRIPT = "<script>document.title='pwned'</script>"


@contextlib.contextmanager
def shown(folder: Path, port: int) -> Iterator[int]:
    """The page over a folder of letters, served by a process of its own; yields its port."""
    program = (
        "import sys; from pathlib import Path; from newsletter.cli.output import Voice;"
        "from newsletter.cli.showing import show;"
        "show(Path(sys.argv[1]), int(sys.argv[2]), Voice(False, False, False))"
    )
    serving = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", program, str(folder), str(port)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert serving.stderr is not None
    try:
        said = serving.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", said)
        assert found, said
        yield int(found[1])
    finally:
        serving.terminate()
        serving.wait()
        serving.stderr.close()


def get(port: int, path: str, host: str | None = None) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    headers = {} if host is None else {"Host": host}
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, {k.lower(): v for k, v in answer.getheaders()}, body


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    Newsletter(folder).run("demo", "--no-serve")
    (folder / "demo" / "letters" / "99999-hostile.eml").write_text(
        f"To: eve@example.org\r\nSubject: {SCRIPT}\r\nContent-Type: text/html\r\n\r\n{SCRIPT}"
    )
    return folder / "demo" / "letters"


def test_every_letter_is_shown_as_html_text_and_headers(letters: Path) -> None:
    order = sorted(letters.glob("*.eml"))
    (ada,) = (at for at, path in enumerate(order) if "ada@" in path.name)
    with shown(letters, free_port()) as port:
        status, headers, page = get(port, f"/?letter={ada}")
        html = get(port, f"/letters/{ada}.html")
        text = get(port, f"/letters/{ada}.txt")
        source = get(port, f"/letters/{ada}.eml")
        missing = get(port, "/letters/77.html")
        outside = get(port, "/letters/..%2f..%2fnewsletter.html")
    assert status == 200
    assert "ada@example.org" in page
    assert "grace@example.org" in page
    assert "List-Unsubscribe" in page
    assert "Mixture of Experts" in html[2]
    assert html[1]["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"
    assert "because:     topic" in text[2]
    assert source[1]["content-type"].startswith("text/plain")
    assert source[2].encode() == order[ada].read_bytes()
    assert (missing[0], outside[0]) == (404, 404)


def test_another_host_is_refused_and_nothing_in_a_letter_runs(letters: Path) -> None:
    with shown(letters, free_port()) as port:
        assert get(port, "/", host="evil.example:80")[0] == 400
        assert get(port, "/", host=f"evil.example:{port}")[0] == 400
        assert get(port, "/", host="127.0.0.1")[0] == 400
        assert get(port, "/letters/0.eml", host="evil.example")[0] == 400
        assert get(port, "/", host=f"localhost:{port}")[0] == 200
        page = get(port, "/?letter=3")[2]
    assert SCRIPT not in page
    assert "&lt;script&gt;" in page


def test_a_busy_port_gives_way_to_the_next_free_one(letters: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        taken = busy.getsockname()[1]
        with shown(letters, taken) as port:
            assert port != taken
            assert get(port, "/")[0] == 200


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium to open the page in")
@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 1200), ("light", 360)])
def test_a_person_sees_the_letter_in_a_browser(letters: Path, scheme: str, width: int) -> None:
    with shown(letters, free_port()) as port, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"http://127.0.0.1:{port}/?letter=0")
        letter = page.frame_locator("iframe")
        assert letter.locator("h1").inner_text() == "Daily Papers"
        assert letter.locator("h3").first.is_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.get_by_role("link", name="grace@example.org").click()
        assert page.get_by_role("link", name="grace@example.org").get_attribute("aria-current")
        page.goto(f"http://127.0.0.1:{port}/?letter=3")
        assert page.title() == "The letters"
        browser.close()
    assert all(url.startswith(f"http://127.0.0.1:{port}/") for url in asked)
