"""Checks letters with every checker that is installed: ``make check-letter``.

It checks letters of 1, 50 and 332 papers and the short letters, in each theme, and says what it
skipped and why. Exit code 1: a checker found a fault.
"""

import email
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from email import policy
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, sync_playwright

from newsletter.issue.editions import MAX_HTML_BYTES
from newsletter.letter.rendering import NOTES
from newsletter.templates import HTML, find_folders, make_environment
from tools.rspamd import running
from tools.samples import ROOT, THEMES, Sample, sample, short

CHECKS = ROOT / "tools" / "checks"
MODULES = CHECKS / "node_modules"
AXE = MODULES / "axe-core" / "axe.min.js"
PAPERS = (1, 50, 332)
SCREENS: tuple[tuple[Literal["light", "dark"], int], ...] = (
    ("light", 1000),
    ("dark", 1000),
    ("light", 360),
    ("dark", 360),
    ("light", 320),
)
SMALL = """[...document.querySelectorAll("h3 a, .links a, .row a, .button a")]
    .filter((link) => {
      const boxes = [...link.getClientRects()];
      const width = Math.max(...boxes.map((box) => box.width));
      return Math.min(width, ...boxes.map((box) => box.height)) < 24;
    })
    .map((link) => link.textContent)"""
"""The links outside of sentences that a finger may miss (WCAG 2.5.8: 24 by 24 pixels)."""

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
TIMEOUT = 120
"""Seconds that one checker may take."""

GOOD = "no action"
"""The action of rspamd for a letter without objections."""

SPAM_BAR = 0.0
"""The highest allowed score of SpamAssassin, which judges only the bytes: it has no network."""


def main() -> int:
    """Run every check; print a line for each, and the faults."""
    letters = [sample(theme, papers) for theme in THEMES for papers in PAPERS]
    letters += [short(theme, kind) for theme in THEMES for kind in NOTES]
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        pages = [_written(Path(folder), letter) for letter in letters]
        for name, found in (
            ("Python's parser, size", _bytes(letters)),
            ("axe", _axe(pages)),
            ("html-validate", _html_validate(pages)),
            ("mjml --validate", _mjml(Path(folder))),
            ("e-mail clients", _clients(pages)),
            ("SpamAssassin", _spamassassin(letters)),
            ("rspamd", _rspamd(letters)),
        ):
            faults += _print_findings(name, found)
    return 1 if faults else 0


class SkippedError(Exception):
    """Raised if a checker is not installed; says how to install it."""


def _print_findings(name: str, found: Iterator[str]) -> int:
    """Print the faults that a checker found; return their number."""
    try:
        faults = list(found)
    except SkippedError as reason:
        print(f"skipped  {name}: {reason}")
        return 0
    print(f"{'wrong ' if faults else 'ok    '}   {name}")
    for fault in faults:
        print(f"         {fault}")
    return len(faults)


def _written(folder: Path, letter: Sample) -> Path:
    path = folder / f"{letter.name}.html"
    path.write_text(letter.html, encoding="utf-8")
    return path


def _bytes(letters: Sequence[Sample]) -> Iterator[str]:
    for letter in letters:
        if (size := len(letter.html.encode())) > MAX_HTML_BYTES:
            yield f"{letter.name}: {size} bytes of HTML, more than {MAX_HTML_BYTES}"
        read = email.message_from_bytes(letter.message, policy=policy.default)
        for part in read.walk():
            yield from (f"{letter.name}: {defect!r}" for defect in part.defects)


def _axe(pages: Sequence[Path]) -> Iterator[str]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SkippedError("there is no Chromium; on Debian: apt-get install chromium")
    if not AXE.is_file():
        raise SkippedError("axe-core is not installed; with npm: make check-letter")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for page in pages:
            yield from _violations(browser, page)
        browser.close()


def _violations(browser: Browser, letter: Path) -> Iterator[str]:
    for scheme, width in SCREENS:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.goto(letter.as_uri())
        page.evaluate(AXE.read_text(encoding="utf-8"))
        place = f"{letter.stem}, {scheme}, {width} px"
        for violation in page.evaluate("axe.run().then(found => found.violations)"):
            node = violation["nodes"][0]["html"][:120]
            yield f"{place}: {violation['id']}, {len(violation['nodes'])} times: {node}"
        yield from (f"{place}: too small a link: {text}" for text in page.evaluate(SMALL))
        if page.evaluate("document.documentElement.scrollWidth") > width:
            yield f"{place}: has to be scrolled sideways"
        page.close()


def _html_validate(pages: Sequence[Path]) -> Iterator[str]:
    answer = _node("html-validate", "--preset", "a11y", "--formatter", "json", *map(str, pages))
    for page in json.loads(answer.stdout or "[]"):
        for found in page["messages"]:
            place = f"{Path(page['filePath']).stem}:{found['line']}"
            yield f"{place}: {found['ruleId']}: {found['message']}"


def _mjml(folder: Path) -> Iterator[str]:
    """The templates with a theme filled in, so that MJML can check colors and lengths."""
    where = find_folders()
    for theme in THEMES:
        values = vars(make_environment(where, {}, autoescape=False, theme=theme).globals["theme"])
        for name in (HTML, *(f"{kind}.mjml" for kind in NOTES)):
            source = where.joined(name)
            for word, value in values.items():
                source = source.replace(f"{{{{ theme.{word} }}}}", str(value))
            path = folder / name
            path.write_text(source, encoding="utf-8")
            answer = _node("mjml", "--validate", str(path))
            if answer.returncode:
                yield f"{theme}: {answer.stderr.strip().replace(str(folder), '')}"


def _clients(pages: Sequence[Path]) -> Iterator[str]:
    if not (MODULES / "@emailens").is_dir():
        raise SkippedError("@emailens/engine is not installed; with npm: make check-letter")
    for page in pages:
        answer = _run("node", str(CHECKS / "clients.js"), str(page))
        yield from (f"{page.stem}: {line}" for line in answer.stdout.splitlines())
        if answer.returncode:
            yield f"{page.stem}: {answer.stderr.strip()}"


def _spamassassin(letters: Sequence[Sample]) -> Iterator[str]:
    if shutil.which("spamassassin") is None:
        raise SkippedError("it is not installed; on Debian: apt-get install spamassassin")
    for letter in letters:
        answer = _run("spamassassin", "-L", "-t", fed=letter.message.decode("ascii"))
        status = email.message_from_string(answer.stdout)["X-Spam-Status"] or "no score"
        score = status.partition("score=")[2].split(" ")[0]
        if not score or float(score) > SPAM_BAR:
            yield f"{letter.name}: {' '.join(status.split())}"


def _rspamd(letters: Sequence[Sample]) -> Iterator[str]:
    with running() as server:
        if server is None:
            raise SkippedError("it is not installed; on Debian: apt-get install rspamd")
        for letter in letters:
            action, why = server.judged(letter.message)
            if action != GOOD:
                yield f"{letter.name}: {action}, {why}"


def _node(tool: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    program = MODULES / ".bin" / tool
    if not program.exists():
        raise SkippedError(f"{tool} is not installed; with npm: make check-letter")
    return _run(str(program), *arguments)


def _run(*command: str, fed: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - the checkers named above
        command, input=fed, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )


if __name__ == "__main__":
    sys.exit(main())
