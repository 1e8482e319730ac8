"""PostgreSQL goes away while letters are sent: nobody ends, nothing is lost or doubled."""

import os

import pytest

from tests.faults.outages import Plan, run_outages
from tests.support.daemons import not_at_midnight

FULL = os.environ.get("NEWSLETTER_TESTS") == "full"

pytestmark = not_at_midnight


@pytest.mark.slow
@pytest.mark.parametrize("command", ["run", "send"])
def test_sender_stopped_while_postgresql_is_away_doubles_nothing(command: str) -> None:
    """What it could not record is kept for the next process, which waits for the server."""
    plan = Plan(2, 200, 12.0, "run" if command == "run" else "send", stopped=True)
    outcome = run_outages(plan)
    assert (outcome.lost, outcome.doubled, outcome.ended) == (0, 0, 0)
    assert (outcome.doubts, outcome.unfinished, outcome.broken) == (0, 0, [])


@pytest.mark.slow
@pytest.mark.parametrize("command", ["run", "send"])
def test_postgresql_away_ends_nothing_and_doubles_nothing(command: str) -> None:
    size = (20, 3000, 60.0) if FULL else (3, 300, 4.0)
    outcome = run_outages(Plan(*size, "run" if command == "run" else "send"))
    assert (outcome.lost, outcome.doubled, outcome.ended) == (0, 0, 0)
    assert (outcome.doubts, outcome.unfinished, outcome.broken) == (0, 0, [])
    assert max(outcome.returns) <= 10
