"""Saved files are noticed, in whatever way an editor saves them."""

from pathlib import Path

import pytest

from newsletter.preview.watching import changed_files, take_snapshot


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "partials").mkdir()
    (tmp_path / "web").mkdir()
    for name in ("issue.mjml", "partials/card.mjml", "web/page.html", ".hidden"):
        (tmp_path / name).write_text("before")
    return tmp_path


def test_writes_renames_creations_and_deletions_are_noticed(folder: Path) -> None:
    issue, card, more = folder / "issue.mjml", folder / "partials" / "card.mjml", folder / "more"
    before = take_snapshot([folder])
    issue.write_text("after it")
    assert changed_files(before, take_snapshot([folder])) == {issue}
    beside = folder / ".issue.part"
    beside.write_text("once more")
    beside.replace(card)
    more.write_text("new")
    assert changed_files(before, take_snapshot([folder])) == {issue, card, more}
    now = take_snapshot([folder])
    more.unlink()
    assert changed_files(now, take_snapshot([folder])) == {more}


def test_unrelated_files_are_ignored(folder: Path) -> None:
    seen = take_snapshot([folder, folder / "gone.yaml"])
    (folder / ".hidden").write_text("after it")
    assert changed_files(seen, take_snapshot([folder, folder / "gone.yaml"])) == frozenset()
    assert len(seen) == 3
