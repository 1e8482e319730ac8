"""The sender is struck again and again; what the server received is held against what we say."""

import os

import pytest

from tests.faults.databases import Kind
from tests.faults.torture_run import Outcome, Plan, tortured

FULL = os.environ.get("NEWSLETTER_TESTS") == "full"


def struck(
    axis: str,
    connections: int = 8,
    store: Kind = "sqlite",
    size: tuple[int, int] = (50, 2000) if FULL else (4, 600),
) -> Outcome:
    """What came of so many strikes; what must hold whatever the strike has been looked at."""
    kills, letters = size
    plan = Plan(kills, letters, connections, axis=axis, seed=2, store=store)
    outcome = tortured(plan)
    assert outcome.kills == kills
    assert (outcome.lost, outcome.unmarked, outcome.wrong_content) == (0, 0, 0)
    assert (outcome.duplicates_unexplained, outcome.held_unnamed, outcome.broken) == (0, 0, [])
    assert outcome.doubts <= kills * connections
    assert outcome.most_copies <= 2
    return outcome


def is_explained(outcome: Outcome) -> bool:
    """Whether only what was in doubt is doubled: a letter a connection and strike at most."""
    once = outcome.doubts_at_once <= outcome.plan.connections
    return once and outcome.duplicates_explained <= outcome.doubts


def is_spotless(outcome: Outcome) -> bool:
    """Whether nothing was ever in doubt."""
    return (outcome.named, outcome.doubts, outcome.duplicates_explained) == (0, 0, 0)


def test_killed_now_and_then_it_loses_nothing() -> None:
    assert is_explained(struck("kill", size=(2, 150)))


@pytest.mark.slow
def test_told_to_stop_now_and_then_it_loses_doubles_and_doubts_nothing() -> None:
    assert is_spotless(struck("term", size=(2, 150)))


@pytest.mark.slow
@pytest.mark.parametrize("connections", [1, 8, 32] if FULL else [8])
def test_killed_again_and_again_it_loses_nothing_and_names_what_is_in_doubt(
    connections: int,
) -> None:
    assert is_explained(struck("kill", connections, size=(50, 2000)))


@pytest.mark.slow
@pytest.mark.parametrize("axis", ["term", "stop"])
def test_told_to_stop_or_held_again_and_again_it_loses_doubles_and_doubts_nothing(
    axis: str,
) -> None:
    assert is_spotless(struck(axis))


@pytest.mark.slow
def test_with_its_database_locked_it_waits_or_stops_before_the_dot() -> None:
    struck("locked")


@pytest.mark.slow
@pytest.mark.parametrize("axis", ["full", "clock", "faults"])
def test_with_a_full_disk_a_stepped_clock_or_a_bad_server_nothing_is_lost(axis: str) -> None:
    struck(axis)


@pytest.mark.slow
def test_a_sender_that_outlived_its_leases_sends_none_of_the_letters_another_has() -> None:
    struck("lease")


@pytest.mark.slow
@pytest.mark.parametrize("axis", ["cut", "kill"])
def test_cut_off_from_postgresql_or_killed_beside_it_nothing_is_lost(axis: str) -> None:
    struck(axis, store="postgres")
