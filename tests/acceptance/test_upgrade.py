"""Changes made between freezing and sending an issue take effect with the next issue."""

import shutil
from pathlib import Path

import pytest

from tests.faults.contenders import LISTING, ROOT
from tests.support.cli import Newsletter
from tests.support.inbox import open_inbox

DAY = "2026-08-12"


@pytest.mark.slow
def test_changed_templates_affect_only_the_next_issue(tmp_path: Path) -> None:
    source = {"kind": "huggingface", "path": str(LISTING)}
    readers = ({"email": "ada@example.org"}, {"email": "bob@example.org"})
    newsletter = Newsletter(tmp_path, smtp_port=1)  # where nobody listens
    newsletter.configure(sources=[source])
    newsletter.subscribe(*readers)
    newsletter.run("send", "--date", DAY, "--yes", code=75)
    newsletter.run("preview", "--date", DAY, "--as", "ada@example.org", "--out", "before")
    shutil.copytree(ROOT / "templates", tmp_path / "mine")
    for name in ("issue.txt", "issue.subject.txt"):
        path = tmp_path / "mine" / name
        path.write_text("Another letter. " + path.read_text(encoding="utf-8"), encoding="utf-8")
    with open_inbox() as inbox:
        newsletter.smtp_port = inbox.port
        newsletter.configure(sources=[source], templates="mine")
        newsletter.subscribe({"email": "ada@example.org", "include": ["nothing at all"]})
        assert newsletter.send(DAY)["accepted"] >= 1
        (letter,) = inbox.to("ada@example.org")
    assert letter.content == (tmp_path / "before" / "issue.eml").read_bytes()
    assert b"Another letter" not in letter.content
