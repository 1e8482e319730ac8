"""Recall on recorded papers, which ``../shared`` has; ``docs/benchmarks.md`` has the figures."""

from pathlib import Path

import pytest

from bench import recall

RECORDED = Path(__file__).parents[2].parent / "shared" / "data" / "payloads" / "hf_daily"


def test_oracle_knows_every_spelling() -> None:
    for text in ("fine-tuning", "fine tuning", "finetuning", "fine- tunings"):
        assert recall.oracle("fine tuning").search(text)
    assert not recall.oracle("study").search("studying")
    assert len(set(recall.terms())) == 60


@pytest.mark.skipif(not RECORDED.is_dir(), reason="no recordings in ../shared")
def test_recorded_papers_are_found_in_any_spelling() -> None:
    days = sorted(RECORDED.glob("2026-08-0[34].json"))
    items = [item for day in days for item in recall.read(day)]
    measured = recall.measure(items).values()
    named = sum(len(row.named) for row in measured)
    assert sum(len(row.named & row.found) for row in measured) >= 0.98 * named > 100
