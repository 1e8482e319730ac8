"""Calls that are sent again: the same key gets the same answer (Idempotency-Key).

See draft-ietf-httpapi-idempotency-key-header. The answers are in memory: after a restart a call
with a known key is made again, which subscribes nobody twice either.
"""

import hashlib
import re
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.responses import Response

from newsletter.web.api.calls import ApiError, Call

KEPT_FOR = timedelta(days=1)
MAX_KEPT = 10_000  # answers; beyond that the oldest is forgotten

KEY = r'"?([!#-\[\]-~]{1,255})"?'  # a structured string (RFC 9651), or the same without quotes


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a key was used for, and the answer; None while it is being made."""

    at: datetime
    asked: str
    answer: Response | None = None


class Replays:
    """The answers of the last day, by token and key."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], _Kept] = {}

    def answer(self, call: Call, make: Callable[[], Response]) -> Response:
        """The answer to a call, made now unless the call has a key that got one before.

        Raises:
            ApiError: the key is not one (400), was used for another call (422), or its call is
                being answered (409).
        """
        given = call.request.headers.get("idempotency-key")
        if given is None:
            return make()
        found = re.fullmatch(KEY, given.strip())
        if found is None:
            raise ApiError(400, "Idempotency-Key: write a text of at most 255 characters.")
        place = call.token.name, found[1]
        asked = hashlib.sha256(call.request.url.path.encode() + b"\n" + call.body).hexdigest()
        if (known := self._begin(place, asked, call.context.now)) is not None:
            return known
        with ExitStack() as on_error:
            on_error.callback(self._forget, place)
            made = make()
            on_error.pop_all()
        with self._lock:
            self._kept[place] = _Kept(call.context.now, asked, made)
        return made

    def _forget(self, place: tuple[str, str]) -> None:
        with self._lock:
            self._kept.pop(place, None)

    def _begin(self, place: tuple[str, str], asked: str, now: datetime) -> Response | None:
        with self._lock:
            kept = self._kept.get(place)
            if kept is None or not timedelta() <= now - kept.at < KEPT_FOR:
                self._kept.pop(place, None)
                self._kept[place] = _Kept(now, asked)
                if len(self._kept) > MAX_KEPT:
                    del self._kept[next(iter(self._kept))]
                return None
        if kept.asked != asked:
            raise ApiError(422, "This Idempotency-Key was used for another call.")
        if kept.answer is None:
            raise ApiError(409, "The call with this Idempotency-Key is being answered.")
        return kept.answer
