"""A sender is struck again and again; its record must agree with what the server received."""

import os

import pytest

from tests.faults.databases import Kind
from tests.faults.torture_run import Outcome, Plan, run_torture

FULL = os.environ.get("NEWSLETTER_TESTS") == "full"


def torture(
    axis: str,
    connections: int = 8,
    store: Kind = "sqlite",
    size: tuple[int, int] = (50, 2000) if FULL else (4, 600),
) -> Outcome:
    """Run a torture, check what must hold under every axis, and return the outcome."""
    kills, letters = size
    plan = Plan(kills, letters, connections, axis=axis, seed=2, store=store)
    outcome = run_torture(plan)
    assert outcome.kills == kills
    assert (outcome.lost, outcome.unmarked, outcome.wrong_content) == (0, 0, 0)
    assert (outcome.duplicates_unexplained, outcome.held_unnamed, outcome.broken) == (0, 0, [])
    assert outcome.doubts <= kills * connections
    assert outcome.most_copies <= 2
    return outcome


def has_only_explained_duplicates(outcome: Outcome) -> bool:
    """Whether only letters in doubt arrived twice: at most one for each connection and strike."""
    once = outcome.doubts_at_once <= outcome.plan.connections
    return once and outcome.duplicates_explained <= outcome.doubts


def has_no_doubts(outcome: Outcome) -> bool:
    """Whether no letter was ever in doubt."""
    return (outcome.named, outcome.doubts, outcome.duplicates_explained) == (0, 0, 0)


@pytest.mark.slow
def test_few_sigterms_lose_double_and_doubt_nothing() -> None:
    assert has_no_doubts(torture("term", size=(2, 150)))


@pytest.mark.slow
@pytest.mark.parametrize("connections", [1, 8, 32] if FULL else [8])
def test_many_kills_lose_nothing_and_name_doubts(
    connections: int,
) -> None:
    size = (50, 2000) if FULL else (15, 900)
    assert has_only_explained_duplicates(torture("kill", connections, size=size))


@pytest.mark.slow
@pytest.mark.parametrize("axis", ["term", "stop"])
def test_many_interruptions_lose_double_and_doubt_nothing(
    axis: str,
) -> None:
    assert has_no_doubts(torture(axis))


@pytest.mark.slow
def test_locked_database_delays_or_stops_before_the_dot() -> None:
    torture("locked")


@pytest.mark.slow
@pytest.mark.parametrize("axis", ["full", "clock", "faults"])
def test_full_disk_clock_step_or_bad_server_loses_nothing(axis: str) -> None:
    torture(axis)


@pytest.mark.slow
def test_sender_past_its_leases_repeats_no_letter() -> None:
    torture("lease")


@pytest.mark.slow
@pytest.mark.parametrize("axis", ["cut", "kill"])
def test_postgresql_cut_or_kill_loses_nothing(axis: str) -> None:
    torture(axis, store="postgres")
