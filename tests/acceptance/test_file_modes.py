"""Files with readers' addresses, letters or secrets are closed to other users."""

from pathlib import Path

import pytest

from tests.support.cli import Newsletter
from tests.support.http_servers import daily_papers, serve
from tests.support.inbox import open_inbox

DAY = "2026-08-03"
ENTRY = {"paper": {"id": "2608.00001", "title": "A paper", "summary": "A text."}}


def modes(folder: Path, *, but: frozenset[Path]) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): path.stat().st_mode & 0o777
        for path in folder.rglob("*")
        if path not in but
    }


@pytest.mark.slow
def test_every_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    with open_inbox() as inbox, serve(daily_papers({DAY: [ENTRY]})) as origin:
        newsletter = Newsletter(tmp_path, inbox.port)
        source = {"kind": "huggingface", "url": origin, "allow_private_addresses": True}
        newsletter.configure(sources=[source])
        newsletter.subscribe({"email": "ada@example.org"})
        own = frozenset(tmp_path.rglob("*"))
        for words in (
            ("send", "--yes", "--date", DAY),
            ("send", "--dry-run", "--date", "2026-08-04"),
            ("store", "copy", "backup.db"),
            ("subscribers", "export", "readers.csv"),
            ("preview", "--date", DAY, "--out", "out"),
        ):
            newsletter.run(*words)
    found = modes(tmp_path, but=own)
    assert {"newsletter.db", "backup.db", "readers.csv", "out/issue.eml"} <= found.keys()
    assert any(name.startswith(".newsletter/witness/") for name in found)
    assert {name: oct(mode) for name, mode in found.items() if mode & 0o077} == {}


@pytest.mark.slow
def test_mode_that_the_operator_chose_stays(tmp_path: Path) -> None:
    newsletter = Newsletter(tmp_path)
    newsletter.configure()
    newsletter.subscribe({"email": "ada@example.org"})
    newsletter.run("subscribers", "list")
    database = tmp_path / "newsletter.db"
    assert database.stat().st_mode & 0o777 == 0o600
    database.chmod(0o660)
    newsletter.run("subscribers", "add", "bob@example.org")
    assert database.stat().st_mode & 0o777 == 0o660


def test_ejected_templates_follow_the_umask(tmp_path: Path) -> None:
    Newsletter(tmp_path).run("templates", "eject", "templates")
    usual = tmp_path / "usual"
    usual.touch()
    assert (tmp_path / "templates" / "issue.txt").stat().st_mode == usual.stat().st_mode
