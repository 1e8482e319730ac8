"""The addresses at which mail services report bounces, complaints and unsubscribes.

A request is answered with 200 once all of its events are recorded, so that the service sends it
again otherwise. Events that mean nothing here, such as opens and clicks, are not stored.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from itertools import accumulate, chain

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from newsletter.bounces.parsing import ParsedMail
from newsletter.bounces.processing import BounceProcessor
from newsletter.bounces.webhooks import Post, PostError
from newsletter.errors import Isolated, StoreError
from newsletter.publisher.publisher import Publisher
from newsletter.web.context import PageContext, password_of
from newsletter.web.forms import read_body

_log = logging.getLogger(__name__)

MAX_BYTES = 2**20  # bytes of a request; SendGrid's batches have up to 768 KB

MAX_TOGETHER = 300  # events that are recorded together: others need the store, too

SPACING = timedelta(seconds=0.1)
"""The least time between two recordings. Many events together cost little more than one."""

MAX_SHORT = 2**16  # bytes of a request that is read at once; a longer one would hold up others

ANSWER_WITHIN = 10.0  # seconds; services wait for 15 and more, and then try again

LOG_EVERY = timedelta(minutes=1)  # refused requests are logged no more often than this


class WebhookPages:
    """The webhooks of the mail services that have settings."""

    def __init__(self, context: PageContext) -> None:
        self._context, self._recorder = context, EventRecorder(context.publisher)
        self._logged: datetime | None = None

    async def receive(self, request: Request) -> Response:
        """Verify a service's request, and record its events."""
        service = request.path_params["service"]
        webhook = self._context.webhooks.get(service)
        if webhook is None:
            raise HTTPException(404)
        body = await read_body(request, MAX_BYTES)
        secret = request.path_params.get("secret") or password_of(request)
        post = Post(body, request.headers, secret, self._context.now)
        try:
            if webhook.waits or len(body) > MAX_SHORT:
                mails = await run_in_threadpool(webhook.read, post)
            else:
                mails = webhook.read(post)
        except PostError as error:
            return self._refuse(service, error)
        await self._recorder.record([(service, mail) for mail in mails])
        return PlainTextResponse("Recorded.")

    def _refuse(self, service: str, error: PostError) -> Response:
        now = self._context.now
        if self._logged is None or now - self._logged >= LOG_EVERY:
            self._logged = now
            _log.warning("webhook %s: a request was refused: %s", service, error)
        headers = {}
        if error.status == HTTPStatus.UNAUTHORIZED:  # some services send a password only when asked
            headers["WWW-Authenticate"] = 'Basic realm="webhooks", charset="UTF-8"'
        return PlainTextResponse(str(error), error.status, headers)


Reported = tuple[str, ParsedMail]
"""The name of a service, and an event that it reports."""


class EventRecorder:
    """Records events in turn: those that arrive while some are written are written together."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._waiting: list[tuple[Sequence[Reported], asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._next = publisher.clock.now()

    async def record(self, events: Sequence[Reported]) -> None:
        """Return once these events are recorded.

        Raises:
            StoreError: the store cannot be written, or not soon enough.
        """
        if not events:
            return
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append((events, done))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        busy = StoreError("store: it is busy; the events are not recorded yet.")
        timer = loop.call_later(ANSWER_WITHIN, _settle, done, busy)
        try:
            await done
        finally:
            timer.cancel()

    async def _write(self) -> None:
        while self._waiting:
            await self._space_out()
            batch = self._take()
            errors = await run_in_threadpool(self._record_all, [events for events, _ in batch])
            for (_, done), error in zip(batch, errors, strict=True):
                _settle(done, error)

    def _take(self) -> list[tuple[Sequence[Reported], asyncio.Future[None]]]:
        """The next requests: one at least, and as many as have few enough events."""
        sizes = accumulate(len(events) for events, _ in self._waiting)
        count = max(1, sum(1 for size in sizes if size <= MAX_TOGETHER))
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return taken

    async def _space_out(self) -> None:
        clock = self._publisher.clock
        if (early := self._next - clock.now()) > timedelta():
            await clock.sleep(min(early, SPACING).total_seconds())
        self._next = clock.now() + SPACING

    def _record_all(self, requests: Sequence[Sequence[Reported]]) -> list[StoreError | None]:
        """Record the events of several requests in one transaction; returns each one's error."""
        with Isolated() as together:
            error = self._try(list(chain.from_iterable(requests)))
        if together.error is None:
            return [error] * len(requests)
        # One event that cannot be recorded must not keep the others from it.
        return [self._record_alone(events) for events in requests]

    def _record_alone(self, events: Sequence[Reported]) -> StoreError | None:
        with Isolated("the event of a webhook"):
            return self._try(events)
        return StoreError("store: an event cannot be recorded.")

    def _try(self, events: Sequence[Reported]) -> StoreError | None:
        publisher = self._publisher
        # A processor keeps what it has read of the store, so each batch has its own.
        processor = BounceProcessor(publisher.store, publisher.publication, publisher.keyring)
        try:
            processor.record_all(events, publisher.clock.now(), trusted=True)
        except StoreError as error:
            return error
        return None


def _settle(done: asyncio.Future[None], error: StoreError | None) -> None:
    """Let a request be answered, unless it was answered that the store is busy."""
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
