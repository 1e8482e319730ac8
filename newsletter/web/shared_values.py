"""Values that all visitors share: loaded once, renewed in the background, bounded in memory."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from newsletter.errors import Isolated
from newsletter.ports import Clock

MAX_BYTES = 12_000_000
"""What all values may take in memory; those that nobody asked for the longest go first."""

MAX_RENEWED = 40  # values that are renewed without being asked for: those asked for last
PATIENCE = 0.1  # seconds that a visitor waits for a value that is being renewed

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a value is made, and how long it is good.

    Attributes:
        load: makes it; it may ask for other values.
        max_age: how old it may become before it is made again.
        version: it is made again if this returns something else than before.
        size: the bytes that a value takes in memory, about.
    """

    load: Callable[[], Any]
    max_age: timedelta
    version: Callable[[], object]
    size: Callable[[Any], int]


@dataclass(frozen=True, slots=True)
class _Value:
    value: Any
    recipe: Recipe
    version: object
    loaded: datetime
    size: int


class SharedValues:
    """Makes a value when it is first asked for, once for all who wait; after that nobody waits.

    A value that is too old, or of another version, is made again by one thread in the background.
    Who asks meanwhile waits for ``patience`` seconds, and then gets the value from before.
    """

    def __init__(self, clock: Clock, patience: float = PATIENCE) -> None:
        self._clock, self._patience = clock, patience
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, _Value] = OrderedDict()  # asked for last at the end
        self._running: dict[Hashable, threading.Event] = {}
        self._renewals: dict[Hashable, Future[None]] = {}
        self._worker = ThreadPoolExecutor(1, initializer=self._begin)
        self._worker_id = 0

    def get(
        self,
        key: Hashable,
        load: Callable[[], T],
        *,
        max_age: timedelta,
        version: Callable[[], object] = lambda: None,
        size: Callable[[T], int] = lambda _value: 1000,
    ) -> T:
        """The value under a key; the other arguments are those of :class:`Recipe`."""
        recipe, known = Recipe(load, max_age, version, size), self._known(key)
        if known is None:
            known = self._made(key, recipe)
        elif not self._is_fresh(known):
            with self._lock:  # what the recipe before was made of may be as old as the value
                if self._values.get(key) is known:
                    self._values[key] = replace(known, recipe=recipe)
            wait([self.renew(key)], self._patience)
            known = self._known(key) or known
        value: T = known.value
        return value

    def renew(self, key: Hashable) -> Future[None]:
        """Make a value again in the background, unless that has begun; at once if we are there."""
        with self._lock:
            running = self._renewals.get(key)
            if running is None and threading.get_ident() != self._worker_id:
                running = self._renewals[key] = self._worker.submit(self._renew, key)
        if running is None or threading.get_ident() == self._worker_id:
            self._renew(key)
            running = Future()
            running.set_result(None)
        return running

    def renew_all(self, *others: Callable[[], object]) -> None:
        """In the background, call the others and then renew what was asked for last."""
        with self._lock:
            keys = list(reversed(self._values))[:MAX_RENEWED]
        for work in others:
            self._worker.submit(self._isolated, work)
        for key in keys:
            self.renew(key)

    def close(self) -> None:
        """End the thread in the background, after what it has begun."""
        self._worker.shutdown(cancel_futures=True)

    def _begin(self) -> None:
        self._worker_id = threading.get_ident()

    def _known(self, key: Hashable) -> _Value | None:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def _is_fresh(self, known: _Value) -> bool:
        # A clock that was set back makes every age negative: then the value is made again.
        is_young = timedelta() <= self._clock.now() - known.loaded < known.recipe.max_age
        return is_young and known.version == known.recipe.version()

    def _renew(self, key: Hashable) -> None:
        with self._lock:
            known = self._values.get(key)
        with Isolated("a page that is renewed"):  # the value from before is still there
            if known is not None and not self._is_fresh(known):
                self._made(key, known.recipe)
        with self._lock:
            self._renewals.pop(key, None)

    def _made(self, key: Hashable, recipe: Recipe) -> _Value:
        """Make and keep a value; one who comes while it is being made waits for the same one."""
        mine = threading.Event()
        with self._lock:
            running = self._running.setdefault(key, mine)
        if running is not mine:
            running.wait()
            return self._known(key) or self._made(key, recipe)  # there it has failed
        try:
            version, at, value = recipe.version(), self._clock.now(), recipe.load()
            made = _Value(value, recipe, version, at, recipe.size(value))
            self._keep(key, made)
        finally:
            with self._lock:
                del self._running[key]
            mine.set()
        return made

    def _keep(self, key: Hashable, made: _Value) -> None:
        with self._lock:
            self._values[key] = made
            taken = sum(each.size for each in self._values.values())
            while taken > MAX_BYTES and len(self._values) > 1:
                _, oldest = self._values.popitem(last=False)
                taken -= oldest.size

    @staticmethod
    def _isolated(work: Callable[[], object]) -> None:
        with Isolated("a page that is filled"):
            work()
