"""Several runs at once: one issue, one letter each."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.morning import Newsletter, daily_papers, open_inbox, serve

ROOT = Path(__file__).parents[2]
FULL = os.environ.get("NEWSLETTER_TESTS") == "full"
DAY = "2026-08-03"
PAPER = {"paper": {"id": "2608.00001", "title": "The first", "summary": "About it.", "authors": []}}


@pytest.mark.slow
@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_runs_that_start_at_once_share_the_work(
    tmp_path: Path, store: str, request: pytest.FixtureRequest
) -> None:
    readers = [f"reader{n}@example.org" for n in range(60)]
    with open_inbox() as inbox, serve(daily_papers({DAY: [PAPER]})) as origin:
        newsletter = Newsletter(tmp_path, inbox.port)
        address = (
            "sqlite:///newsletter.db"
            if store == "sqlite"
            else request.getfixturevalue("empty_postgres")
        )
        source = {"kind": "huggingface", "url": origin, "allow_private_addresses": True}
        newsletter.configure(sources=[source], store=address)
        newsletter.subscribe(*({"email": email} for email in readers))
        runs = [
            subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-m", "newsletter", "send", "--date", DAY, "--yes"],
                cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(20 if FULL else 4)
        ]
        told = [run.communicate(timeout=120)[1] for run in runs]
        assert [run.returncode for run in runs] == [0] * len(runs), told
        status = newsletter.json("status", DAY)
    assert Counter(arrival.recipient for arrival in inbox.arrivals) == Counter(readers)
    assert (status["state"], status["accepted"]) == ("done", 60)
