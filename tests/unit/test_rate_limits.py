"""How often a client may do something."""

from datetime import timedelta

from newsletter.web.limits import MAX_CLIENTS, RateLimit
from tests.support.factories import NOON

MINUTE = timedelta(minutes=1)


def test_client_over_the_limit_waits_for_the_window() -> None:
    limit = RateLimit(2, MINUTE)
    assert [limit.count("a", NOON) for _ in range(4)] == [0, 0, 60, 60]
    assert limit.count("b", NOON) == 0
    assert limit.seconds_to_wait("a", NOON + MINUTE / 2) == 30
    assert limit.count("a", NOON + MINUTE) == 0


def test_clock_set_back_locks_nobody_out() -> None:
    limit = RateLimit(1, MINUTE)
    assert limit.count("a", NOON) == 0
    assert limit.count("a", NOON - timedelta(days=1)) == 0


def test_oldest_client_is_forgotten_when_there_are_many() -> None:
    limit = RateLimit(1, MINUTE)
    for number in range(MAX_CLIENTS + 1):
        limit.count(str(number), NOON)
    assert limit.seconds_to_wait("0", NOON) == 0
    assert limit.seconds_to_wait("1", NOON) == 60
