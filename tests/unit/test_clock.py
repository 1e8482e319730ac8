import asyncio
from datetime import UTC, timedelta

from newsletter.app.clock import SystemClock


def test_clock_is_utc_and_advances() -> None:
    clock = SystemClock()
    before = clock.now()
    asyncio.run(clock.sleep(0))
    assert before.tzinfo is UTC
    assert timedelta(0) <= clock.now() - before < timedelta(minutes=1)
