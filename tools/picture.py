"""Takes the pictures of letters that README and docs show, with Chromium: ``make picture``.

Both themes, light and dark, on a phone and on a desktop, and the preview page, light and dark, are
saved as ``docs/letters/*.png``.
"""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from bench.preview import READER, prepared, previewing
from tools.samples import ROOT, THEMES, sample

PICTURES = ROOT / "docs" / "letters"
SCREENS = {"desktop": (760, 1180), "phone": (360, 780)}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SHEET: ViewportSize = {"width": 1280, "height": 800}
PAPERS = 40
PATIENCE = 60_000
"""Milliseconds that SpamAssassin may take."""

ALL_FOUND = "() => !document.querySelector('#findings').textContent.includes('…')"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def main() -> int:
    """Render the letters, open them in Chromium, and take the pictures."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        print("Chromium is not installed; on Debian: apt-get install chromium", file=sys.stderr)
        return 1
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        for theme in THEMES:
            page = Path(folder, f"{theme}.html")
            page.write_text(sample(theme, PAPERS).html, encoding="utf-8")
            _take(browser, page)
        _take_sheet(browser, Path(folder))
        browser.close()
    return 0


def _take_sheet(browser: Browser, folder: Path) -> None:
    """Take the pictures of the demo's preview page."""
    prepared(folder)
    with previewing(folder) as (address, _):
        for scheme in SCHEMES:
            page = browser.new_page(viewport=SHEET, color_scheme=scheme)
            page.goto(f"{address}?email={READER}&scheme={scheme}")
            page.wait_for_function(ALL_FOUND, timeout=PATIENCE)
            _kept(page, f"proof-sheet-{scheme}")
            page.close()


def _kept(page: Page, name: str) -> None:
    picture = PICTURES / f"{name}.png"
    page.screenshot(path=picture)
    print(picture.relative_to(ROOT))


def _take(browser: Browser, letter: Path) -> None:
    """Take the pictures of one letter, light and dark, on every screen."""
    for scheme in SCHEMES:
        for screen, (width, height) in SCREENS.items():
            page = browser.new_page(
                viewport={"width": width, "height": height}, color_scheme=scheme
            )
            page.goto(letter.as_uri())
            _kept(page, f"{letter.stem}-{scheme}-{screen}")
            page.close()


if __name__ == "__main__":
    sys.exit(main())
