"""Finds out how many letters a server takes in a time, and stays below that."""

from collections import deque

FIRST_WAIT = 0.5
"""Seconds until one letter is tried after the first refusal; each further refusal doubles them."""

LAST_WAIT = 64.0  # the longest of these waits
MAX_TRIES = 13  # refusals in a row, in 7 minutes, after which the server is given up for this run
MARGIN = 1.02  # how much longer than measured the time is taken to be

_SHORTEST = 2 * FIRST_WAIT  # a shorter time cannot be measured by waiting

_IN_FLIGHT = 200  # at least as many as letters that may be on their way at a time

_EXACT = 1.1
"""The time is known well enough if it is within ten percent of one that was too short."""

_CLEAN_ROUNDS = 2  # so many times the number must pass before a shorter time is tried
_CLEAN_SECONDS = 5.0  # and for so long: a token bucket may have tokens left
_ROUNDS_BEFORE_GROWTH = 20  # the same once the time is exact; doubled after each refusal
_FASTER = 0.8  # how much shorter the time is that is tried then

_STEADY_WAIT = 0.5
_STEADY_TRIES = 15
"""Some servers refuse a share of the letters however slowly they come. To these one letter is sent
after each wait, which does not grow until so many tries in a row have failed."""


class Pace:
    """At most ``count`` letters in any ``span`` seconds; no limit until the server refuses some.

    After a refusal for the rate nothing leaves for a moment; then one letter is tried. Once it is
    accepted, the letters before the refusal and the time since the first of them are the limit: all
    of them at first, later those within ``span``.
    That fits servers which count in fixed and in sliding windows, and after the second refusal
    those with a token bucket. While nothing is refused, shorter times are tried: half of the way
    to one known to be too short, later rarely. Times are seconds of the clock.

    Attributes:
        count: how many letters; None: no limit is known.
        span: the seconds in which they may leave.
        too_short: the longest time for them that the server did not allow.
    """

    def __init__(self, count: int | None = None, span: float = 0.0, too_short: float = 0.0) -> None:
        self.count, self.span, self.too_short = count, span, too_short
        self._times: deque[float] = deque(maxlen=(count or 0) + _IN_FLIGHT)
        self._sent, self._first = 0, 0.0
        self._wait, self._until = 0.0, 0.0
        self._began, self._refused_at = 0.0, 0.0  # the first and the last refusal in a row
        self._good = span  # the shortest time that has proved long enough
        self._paused = self._trying = self._steady = False
        self._tries = self._clean = 0
        self._clean_since = 0.0
        self._most = count or 0  # the largest number that passed in any time
        self._rounds_before_more = _CLEAN_ROUNDS
        self._rounds_before_growth = _ROUNDS_BEFORE_GROWTH

    @property
    def is_open(self) -> bool:
        """Whether no limit is known, so that letters may leave at any time."""
        return self.count is None and not self._paused

    @property
    def is_paused(self) -> bool:
        """Whether nothing leaves, or only one letter that is tried."""
        return self._paused

    @property
    def exhausted(self) -> bool:
        """Whether the server has refused letter after letter, however long the wait."""
        return self._tries >= MAX_TRIES and not self._steady

    @property
    def needs_time(self) -> bool:
        """Whether the time counts at which the next letter leaves."""
        return self.count is not None or not self._sent

    def delay(self, now: float) -> float | None:
        """Seconds until the next letter may leave; None: not before another one is answered."""
        if self._trying:
            return None
        if self._paused:
            return min(max(0.0, self._until - now), self._wait)
        if self.count is None or len(self._times) < self.count:
            return 0.0
        return min(max(0.0, self._times[-self.count] + self.span - now), self.span)

    def leave(self, now: float) -> None:
        """Count a letter that leaves."""
        self._trying = self._paused
        if not self._sent:
            self._first = now
        self._sent += 1
        if self.count is not None:
            self._times.append(now)

    def take_back(self, *, tried: bool = True) -> None:
        """Do not count a letter: the server has not taken it.

        ``tried`` is False for one that left before the pause, and so does not tell when it ends.
        """
        self._trying = self._trying and not tried
        self._sent = max(0, self._sent - 1)
        if self._times:
            self._times.pop()

    def pause(self) -> None:
        """Try one letter before any other, at once."""
        if not self._paused:
            self._paused, self._wait, self._until = True, 0.0, 0.0

    def refuse(self, now: float) -> None:
        """Take back a letter that was refused for the rate, and wait."""
        self.take_back()
        if self.span < self._good and not self._paused:
            self._lengthen()
            return
        self._tries += 1
        if self._steady and self._tries <= _STEADY_TRIES:
            self._wait = _STEADY_WAIT
        else:
            self._tries, self._steady = (1, False) if self._steady else (self._tries, False)
            doubled = min(LAST_WAIT, 2 * self._wait) if self._paused else 0.0
            self._wait = max(FIRST_WAIT, doubled)
        if not self._paused:
            self._began = now
        self._paused, self._until, self._refused_at = True, now + self._wait, now

    def _lengthen(self) -> None:
        """Go back to the time that was long enough, after a shorter one was not."""
        if self.too_short * _EXACT >= self._good:
            self._rounds_before_growth *= 2
        self.too_short = max(self.too_short, self.span)
        self.span, self._clean = self._good, 0

    def accept(self, now: float) -> None:
        """Record an accepted letter: the end of a pause, or a reason to try a shorter time."""
        if self._paused:
            self._reopen(now)
        elif self.count is not None:
            self._clean += 1
            self._try_shorter(self.count, now)

    def _reopen(self, now: float) -> None:
        measured = bool(self._wait) and not self._steady
        self._paused = self._trying = False
        self._tries, self._wait = 0, 0.0
        if measured:
            self._measure(now)

    def _measure(self, now: float) -> None:
        """Take the limit from the letters before the refusal; the last one ended the pause."""
        before = list(self._times)[:-1]
        recent = [at for at in before if at > self._began - max(self.span, _SHORTEST)]
        if recent:
            number, first = len(recent), recent[0]
        elif before and self.count is not None:
            number, first = self.count, before[-min(self.count, len(before))]
        else:
            number, first = self._sent - 1, self._first
        if number > 0:
            span = (now - first) * MARGIN
            # Not even after a time that was long enough before: the time is not what counts.
            useless = number == 1 == self.count and span > self.span >= _SHORTEST
            self._most = max(self._most, number)
            if number < (self.count or 0):
                self._rounds_before_more *= 2
            self.count, self.too_short = number, self._refused_at - first
            self.span, self._steady = (_STEADY_WAIT, True) if useless else (span, False)
            self._good = self.span
            self._times = deque([now], maxlen=number + _IN_FLIGHT)
        self._sent, self._first, self._clean = 1, now, 0

    def _try_shorter(self, count: int, now: float) -> None:
        """Try a shorter time once the server has taken enough letters for long enough."""
        if self._clean == 1:
            self._clean_since = now
        too_soon = self._clean < _CLEAN_ROUNDS * count or now < self._clean_since + _CLEAN_SECONDS
        if self._steady or too_soon:
            return
        self._good = self.span
        if self.span > self.too_short * _EXACT:
            between = (self.span + self.too_short) / 2
            self.span, self._clean = max(between, self.span * _FASTER), 0
        elif count < self._most and self._clean >= self._rounds_before_more * count:
            self.count, self._clean = min(self._most, count + count // 4 + 1), 0
            self._times = deque(self._times, maxlen=self.count + _IN_FLIGHT)
        elif self._clean >= self._rounds_before_growth * count:
            self.span, self._clean = self.span * _FASTER, 0
