"""Tells a service that watches cron jobs when an issue begins, is out, or failed.

Email cannot say that email is down, and a machine that is off says nothing at all: the service
alarms when a ping stays away. The addresses are those of healthchecks
(https://healthchecks.io/docs/http_api/): ``…/start``, the address itself, ``…/fail``.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import date, time
from queue import SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Self

import httpx2

from newsletter.app.wiring import App
from newsletter.errors import Isolated, describe
from newsletter.model.zones import load_zone
from newsletter.ports import Clock, Issues
from newsletter.publisher.operator_events import Verdict, judge
from newsletter.readers.due import DefaultSchedule, local_instant

_log = logging.getLogger(__name__)

TIMEOUT = 10.0  # seconds for one try
PAUSES = (1.0, 5.0)  # seconds between the tries of one ping
PATIENCE = 40.0  # seconds that a command waits at its end for its last pings
MAX_BODY = 2000  # characters of the reason

_STOP = "stop"
_SUFFIXES = {"start": "/start", "success": "", "fail": "/fail", "log": "/log"}


class Pings:
    """Sends pings in their order, in a thread of its own: nothing waits for them, none raises.

    As a context it tells of an exception that ends it, if a start was told, and waits a little for
    the last ping.

    Args:
        address: the check's address, which is a secret; None: nothing is sent.
        session: makes an HTTP client.
        clock: waits between two tries.
    """

    def __init__(
        self, address: str | None, session: Callable[[], httpx2.AsyncClient], clock: Clock
    ) -> None:
        self._address, self._session, self._clock = address, session, clock
        self._queue = SimpleQueue[tuple[str, str]]()
        self._thread: Thread | None = None
        self._open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: object, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if error is not None and self._open:
            self.tell(Verdict(is_good=False, words=_reason(error)))
        self.close(PATIENCE)

    def close(self, patience: float = 0) -> None:
        """End the thread after the last ping; wait for that at most so many seconds."""
        if self._thread is not None:
            self._queue.put((_STOP, ""))
            self._thread.join(patience)

    def start(self) -> None:
        """Tell that an issue begins."""
        self._open = True
        self._put("start", "")

    def tell(self, verdict: Verdict) -> None:
        """Tell how it went."""
        self._open = False
        self._put("success" if verdict.is_good else "fail", verdict.words)

    def _put(self, what: str, words: str) -> None:
        if self._address is None:
            return
        if self._thread is None:
            self._thread = Thread(target=self._work, name="ping", daemon=True)
            self._thread.start()
        self._queue.put((what, words))

    def _work(self) -> None:
        while (ping := self._queue.get())[0] != _STOP:
            with Isolated("ping"):
                if problem := asyncio.run(self.send(*ping)):
                    _log.warning("ping: %s", problem)

    async def send(self, what: str, words: str) -> str:
        """Send one ping, with three tries; returns why it did not arrive, or nothing."""
        problem = ""
        for pause in (*PAUSES, None):
            problem, may_pass = await self._try(what, words)
            if not problem or not may_pass or pause is None:
                break
            await self._clock.sleep(pause)
        return problem

    async def _try(self, what: str, words: str) -> tuple[str, bool]:
        """Why one try failed, and whether another may help."""
        url = httpx2.URL(self._address or "")
        target = url.copy_with(path=url.path.rstrip("/") + _SUFFIXES[what])
        said = f"{url.host} did not take the {what}"
        try:
            async with asyncio.timeout(TIMEOUT), self._session() as http:
                answer = await http.post(target, content=words[:MAX_BODY].encode())
        except TimeoutError:
            return f"{said}: no answer within {TIMEOUT:g} s", True
        except httpx2.HTTPError as error:
            return f"{said}: {str(error) or type(error).__name__}", True
        if answer.is_redirect:
            return f"{said}: it redirects; write the address that it leads to", False
        problem = "" if answer.is_success else f"{said}: status {answer.status_code}"
        return problem, answer.is_server_error


def _reason(error: BaseException) -> str:
    return describe(error) if isinstance(error, Exception) else type(error).__name__


def pings_of(app: App, *, active: bool = True) -> Pings:
    """The pings of a newsletter; none if they are not configured, or not active."""
    address = app.settings.ping.get_secret_value() if app.settings.ping and active else None
    # The address is the operator's choice: a check of their own may have a private one.
    return Pings(address, lambda: app.client.session(allow_private=True), app.clock)


class DailyPings:
    """One start and one end a day, for a newsletter that stays awake; also on days without issue.

    It begins at the time of the newsletter's own schedule. After a failure, the success of the
    same day is told, too.
    """

    def __init__(
        self, pings: Pings, store: Issues, schedule: DefaultSchedule, clock: Clock
    ) -> None:
        self._pings, self._store, self._schedule, self._clock = pings, store, schedule, clock
        self._day: date | None = None
        self._is_frozen = False
        self._told: bool | None = None

    def take_in(self, pings: Pings, schedule: DefaultSchedule) -> None:
        """Go on with a changed configuration; what was told today stays told."""
        self._pings.close()
        self._pings, self._schedule = pings, schedule

    def begin(self) -> None:
        """Tell the start of the day's issue, if its time has come; called before a freeze."""
        at, zone = time.fromisoformat(self._schedule.at), self._schedule.timezone
        day = self._clock.now().astimezone(load_zone(zone)).date()
        if day != self._day and self._clock.now() >= local_instant(day, at, zone):
            self._day, self._is_frozen, self._told = day, False, None
            self._pings.start()

    def frozen(self, problem: str) -> None:
        """What is due is frozen, unless there was a problem."""
        if problem:
            self._tell(Verdict(is_good=False, words=problem))
        elif self._day is not None:
            self._is_frozen = True

    def look(self, paused: Mapping[date, str]) -> None:
        """Tell how the day's issue went, once that is known; ``paused``: why nothing is sent.

        Raises:
            StoreError: the store cannot be read.
        """
        if self._day is None or not self._is_frozen or self._told:
            return
        verdict, why = judge(self._store, self._day), paused.get(self._clock.now().date())
        if why and (verdict is None or self._store.issue_state(self._day) is None):
            verdict = Verdict(is_good=False, words=why)
        if verdict is not None:
            self._tell(verdict)

    def _tell(self, verdict: Verdict) -> None:
        if self._day is not None and not self._told and self._told is not verdict.is_good:
            self._told = verdict.is_good
            self._pings.tell(verdict)
