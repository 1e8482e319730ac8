"""Takes the picture of a letter that the README shows, with Chromium: ``make picture``.

It is the demo's letter for Ada, as it was delivered.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from newsletter.web.letters import Shown

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "letter.png"
WIDTH, HEIGHT = 720, 1180


def main() -> int:
    """Run the demo, open Ada's letter, take the picture."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        print("Chromium is not installed; on Debian: apt-get install chromium", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        demo = [
            sys.executable,
            "-m",
            "newsletter",
            "demo",
            "--no-serve",
            "--quiet",
            "--out",
            folder,
        ]
        subprocess.run(demo, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - ours
        (letter,) = Path(folder, "letters").glob("*ada@*.eml")
        page = Path(folder, "letter.html")
        page.write_text(Shown.read(letter).html, encoding="utf-8")
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        size = f"--window-size={WIDTH},{HEIGHT}"
        profile = f"--user-data-dir={folder}/profile"
        shot = [browser, *flags, size, profile, f"--screenshot={PICTURE}", page.as_uri()]
        subprocess.run(shot, check=True, capture_output=True)  # noqa: S603 - the browser found above
    print(PICTURE.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
