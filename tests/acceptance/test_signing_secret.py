"""The secret that a newsletter makes for itself: only one, complete, and never empty."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from newsletter.app.files import kept_secret
from tests.support.cli import Newsletter

MANY = 8


def test_concurrent_starts_share_one_secret(tmp_path: Path) -> None:
    for attempt in range(20):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        start = Barrier(MANY)

        def begin(_number: int, folder: Path = folder, start: Barrier = start) -> str:
            start.wait()
            return kept_secret(folder)

        with ThreadPoolExecutor(MANY) as pool:
            (found,) = set(pool.map(begin, range(MANY)))
        assert len(found) > 40
        assert kept_secret(folder) == found
        (kept,) = folder.iterdir()
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"\n", b"short", b"\xff" * 40])
def test_invalid_secret_signs_nothing(tmp_path: Path, content: bytes) -> None:
    newsletter = Newsletter(tmp_path)
    newsletter.configure()
    newsletter.subscribe({"email": "ada@example.org"})
    (tmp_path / ".newsletter").mkdir()
    (tmp_path / ".newsletter" / "secret").write_bytes(content)
    said = newsletter.run("send", "--yes", code=3).stderr
    assert f"{tmp_path}/.newsletter/secret: holds no secret; put back the one that was" in said
    assert (tmp_path / ".newsletter" / "secret").read_bytes() == content
