"""The sender is struck again and again; what the server received is held against what we say."""

import os

import pytest

from bench.torture import Plan, tortured

FULL = os.environ.get("NEWSLETTER_TESTS") == "full"


@pytest.mark.slow
@pytest.mark.parametrize("connections", [1, 8, 32] if FULL else [8])
def test_killed_again_and_again_it_loses_nothing_and_names_what_is_in_doubt(
    connections: int,
) -> None:
    kills, letters = (50, 2000) if FULL else (6, 500)
    outcome = tortured(Plan(kills, letters, connections, signal="KILL", seed=2))
    assert outcome.kills == kills
    assert (outcome.lost, outcome.wrong_content, outcome.duplicates_unexplained) == (0, 0, 0)
    assert outcome.duplicates_explained <= kills * connections
    assert outcome.most_copies <= 2


@pytest.mark.slow
def test_told_to_stop_again_and_again_it_loses_doubles_and_doubts_nothing() -> None:
    kills, letters = (50, 2000) if FULL else (4, 400)
    outcome = tortured(Plan(kills, letters, connections=8, signal="TERM", seed=1))
    assert (outcome.kills, outcome.received) == (kills, letters)
    assert (outcome.lost, outcome.in_doubt, outcome.wrong_content) == (0, 0, 0)
    assert (outcome.duplicates_explained, outcome.duplicates_unexplained) == (0, 0)
