"""How long a person waits for the preview page: at the start, and after a file was saved.

``python -m bench.preview [--rounds N]``

`newsletter preview` shows the demo's listing, in its own process, to a real Chromium. First paint:
from the start of the process until the letter is shown. Reload: from the end of a write to a
template or the configuration until the new letter is shown. The figures are the minimum, the median
and the maximum of the rounds.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from bench import ROOT

DAY = "2026-08-12"
READER = "ada@example.org"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WATCH = """word => new Promise(done => {
    const look = () => {
        const frame = document.querySelector("#letter iframe:not(.coming)");
        const text = frame?.contentDocument?.body?.textContent ?? "";
        return text.includes(word) ? done(performance.timeOrigin + performance.now())
            : requestAnimationFrame(look);
    };
    look();
})"""
"""Resolves to the time (ms since 1970) of the frame in which a word appears in the letter."""


def newsletter(folder: Path, *words: str) -> list[str]:
    """Run one of our commands on the demo in a folder."""
    return [sys.executable, "-m", "newsletter", *words, "--config", str(folder / "newsletter.yaml")]


@contextmanager
def previewing(folder: Path) -> Iterator[tuple[str, float]]:
    """Serve the preview of the demo in a folder; yield its URL and the time its process started."""
    started = time.time() * 1000  # noqa: TID251 - compared with the browser's clock
    command = [*newsletter(folder, "preview"), "--date", DAY, "--as", READER, "--no-open"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)  # noqa: S603 - our own command
    assert process.stderr is not None
    try:
        said = process.stderr.readline()
        found = re.search(r"http://\S+", said)
        assert found, said
        yield found[0], started
    finally:
        process.terminate()
        process.wait()
        process.stderr.close()


def prepared(folder: Path) -> None:
    """Write the demo into a folder, its issue not frozen, with a copy of the templates."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "newsletter", "demo", "--no-serve", "--out", str(folder)]
    subprocess.run(words, cwd=ROOT, env=environment, check=True, capture_output=True)  # noqa: S603 - our own command
    for path in folder.glob("newsletter.db*"):
        path.unlink()
    shutil.rmtree(folder / ".newsletter")  # it remembers that emails were sent from that store
    shutil.copytree(ROOT / "templates", folder / "own")
    configuration = folder / "newsletter.yaml"
    text = configuration.read_text(encoding="utf-8")
    configuration.write_text(f"{text}templates: own\n", encoding="utf-8")


def reloads(page: Page, folder: Path, rounds: int) -> Mapping[str, list[float]]:
    """Milliseconds from a save until the letter shows it, by the file saved."""
    edits = {
        "template": (folder / "own" / "partials" / "foot.mjml", "You get this because"),
        "configuration": (folder / "newsletter.yaml", "1 Example Street, Example"),
    }
    found: dict[str, list[float]] = {}
    for name, (path, words) in edits.items():
        before = path.read_text(encoding="utf-8")
        for each in range(rounds):
            word = f"Round {name} {each}"
            changed = before.replace(words, f"{word} {words}" if name == "template" else word)
            page.evaluate(f"word => {{ window.shown = ({WATCH})(word) }}", word)
            path.write_text(changed, encoding="utf-8")
            saved = time.time() * 1000  # noqa: TID251 - compared with the browser's clock
            shown: float = page.evaluate("window.shown")
            found.setdefault(name, []).append(shown - saved)
            page.wait_for_timeout(500)
    return found


def main() -> int:
    """Measure, and print a table and the figures as JSON."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=20)
    rounds: int = arguments.parse_args().rounds
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    paints: list[float] = []
    with tempfile.TemporaryDirectory() as made, sync_playwright() as playwright:
        folder = Path(made)
        prepared(folder)
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for _ in range(max(5, rounds // 4)):
            page = browser.new_page(viewport={"width": 1300, "height": 900})
            with previewing(folder) as (address, started):
                page.goto(address, wait_until="commit")
                paints.append(page.evaluate(WATCH, "You get this because") - started)
                page.close()
        with previewing(folder) as (address, _):
            page = browser.new_page(viewport={"width": 1300, "height": 900})
            page.goto(address)
            page.wait_for_timeout(1000)
            waits = {"first paint": paints, **reloads(page, folder, rounds)}
        browser.close()
    for name, times in waits.items():
        best, middle, worst = min(times), statistics.median(times), max(times)
        print(f"{name:14} best {best:5.0f}   middle {middle:5.0f}   worst {worst:5.0f} ms")
    print(json.dumps({name: statistics.median(times) for name, times in waits.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
