"""Takes the pictures of letters that README and docs show, with Chromium: ``make picture``.

Both themes, light and dark, on a phone and on a desktop, as ``docs/letters/*.png``.
"""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, sync_playwright

from tools.samples import ROOT, THEMES, sample

PICTURES = ROOT / "docs" / "letters"
SCREENS = {"desktop": (760, 1180), "phone": (360, 780)}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
PAPERS = 40
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def main() -> int:
    """Set the letters, open them, take the pictures."""
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
        browser.close()
    return 0


def _take(browser: Browser, letter: Path) -> None:
    """One letter in light and dark on every screen."""
    for scheme in SCHEMES:
        for screen, (width, height) in SCREENS.items():
            page = browser.new_page(
                viewport={"width": width, "height": height}, color_scheme=scheme
            )
            page.goto(letter.as_uri())
            picture = PICTURES / f"{letter.stem}-{scheme}-{screen}.png"
            page.screenshot(path=picture)
            page.close()
            print(picture.relative_to(ROOT))


if __name__ == "__main__":
    sys.exit(main())
