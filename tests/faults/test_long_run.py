"""A running newsletter does not grow from day to day."""

import os
import shutil
from pathlib import Path

import pytest

from bench.long_run import measure

MOST, GROWTH = 320, 1.2  # megabytes, and the last day by the tenth: before, each day took 40 more
DAYS = 30 if os.environ.get("NEWSLETTER_TESTS") == "full" else 12

pytestmark = pytest.mark.slow


@pytest.mark.skipif(not shutil.which("cc"), reason="the bench's mail server needs a C compiler")
def test_memory_is_flat_from_the_tenth_day(tmp_path: Path) -> None:
    rows, meanwhile = measure(tmp_path, DAYS, readers=200, steps=4)
    assert not meanwhile.wrong
    assert max(row.peak_mb for row in rows) <= MOST
    assert rows[-1].end_mb <= GROWTH * rows[9].end_mb
    assert all(row.letters for row in rows)
