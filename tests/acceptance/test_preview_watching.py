"""Seeing that a file was saved, whatever way an editor saves it."""

from pathlib import Path

import pytest

from newsletter.preview.watching import changed, look


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "partials").mkdir()
    (tmp_path / "web").mkdir()
    for name in ("issue.mjml", "partials/card.mjml", "web/page.html", ".hidden"):
        (tmp_path / name).write_text("before")
    return tmp_path


def test_writes_renames_creations_and_deletions_are_noticed(folder: Path) -> None:
    issue, card, more = folder / "issue.mjml", folder / "partials" / "card.mjml", folder / "more"
    before = look([folder])
    issue.write_text("after it")
    assert changed(before, look([folder])) == {issue}
    beside = folder / ".issue.part"
    beside.write_text("once more")
    beside.replace(card)
    more.write_text("new")
    assert changed(before, look([folder])) == {issue, card, more}
    now = look([folder])
    more.unlink()
    assert changed(now, look([folder])) == {more}


def test_unrelated_files_are_ignored(folder: Path) -> None:
    seen = look([folder, folder / "gone.yaml"])
    (folder / "web" / "page.html").write_text("after it")
    (folder / ".hidden").write_text("after it")
    assert changed(seen, look([folder, folder / "gone.yaml"])) == frozenset()
    assert len(seen) == 2
