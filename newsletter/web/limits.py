"""How often a client may do something; the counts are in memory and end with the process."""

import threading
from datetime import datetime, timedelta

MAX_CLIENTS = 10_000  # clients that are counted at once; beyond that the oldest is forgotten


class RateLimit:
    """At most so many times within a window of time, for each client by itself.

    A window begins with a client's first time, and the next one after its end.
    """

    def __init__(self, most: int, window: timedelta) -> None:
        self._most, self._window = most, window
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[datetime, int]] = {}

    def seconds_to_wait(self, client: str, now: datetime) -> int:
        """How long a client has to wait; 0 if it may go on. Nothing is counted."""
        with self._lock:
            return self._wait(*self._window_of(client, now), now)

    def count(self, client: str, now: datetime) -> int:
        """Count one time; returns how long the client has to wait, and 0 if this time is allowed.

        Times that are not allowed are not counted.
        """
        with self._lock:
            began, times = self._window_of(client, now)
            wait = self._wait(began, times, now)
            if not wait:
                self._counts.pop(client, None)  # so that the newest come last
                self._counts[client] = began, times + 1
                if len(self._counts) > MAX_CLIENTS:
                    del self._counts[next(iter(self._counts))]
            return wait

    def _window_of(self, client: str, now: datetime) -> tuple[datetime, int]:
        began, times = self._counts.get(client, (now, 0))
        # A clock that was set back makes every age negative: then a new window begins.
        return (began, times) if timedelta() <= now - began < self._window else (now, 0)

    def _wait(self, began: datetime, times: int, now: datetime) -> int:
        if times < self._most:
            return 0
        return max(1, round((began + self._window - now).total_seconds()))
