"""How fast letters may leave, over all connections together."""

from datetime import datetime, timedelta

from newsletter.ports import Clock


class RateLimit:
    """Spaces letters evenly, at most ``rate`` a second; None lets all pass."""

    def __init__(self, rate: float | None, clock: Clock) -> None:
        self._gap = timedelta(seconds=1 / rate) if rate else timedelta()
        self._clock = clock
        self._last: datetime | None = None

    async def turn(self) -> None:
        """Wait for the next turn, never longer than one gap: the clock may have been set back."""
        now = self._clock.now()
        due = min((self._last or now - self._gap) + self._gap, now + self._gap)
        if due > now:
            await self._clock.sleep((due - now).total_seconds())
        self._last = max(due, now)
