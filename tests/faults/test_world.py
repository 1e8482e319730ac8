"""Newsletters live through days of a simulated world; every listed paper must be accounted for."""

import os

import pytest

from tests.faults.world_life import Plan
from tests.faults.world_run import run_world

FULL = os.environ.get("NEWSLETTER_TESTS") == "full"

MONTH = (31, 40) if FULL else (16, 6)
"""Days and feeds."""


def is_accounted_for(plan: Plan) -> bool:
    """Whether readers got each paper once, or its absence is named; and the world was not empty."""
    outcome = run_world(plan)
    assert (outcome.lost, outcome.repeated, outcome.broken) == (0, 0, 0), outcome.story
    return outcome.delivered > 0 and outcome.wanted == outcome.delivered + outcome.named


@pytest.mark.slow
@pytest.mark.parametrize("seed", [4, 13])  # by cron, by `run`
def test_few_days_lose_and_repeat_no_paper(seed: int) -> None:
    assert is_accounted_for(Plan(seed, days=4, feeds=2))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(50) if FULL else (0, 3, 7))
def test_months_lose_and_repeat_no_paper(seed: int) -> None:
    assert is_accounted_for(Plan(seed, *MONTH))
