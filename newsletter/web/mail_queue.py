"""Where the pages' mail leaves: after the answer, so that nobody can tell by the time it takes."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from typing import Any

from newsletter.delivery.single import post
from newsletter.errors import NewsletterError, StoreError, TransportError
from newsletter.letter.rendering import LetterTemplates
from newsletter.model import Accepted, Deferred, Envelope, NotSent, Outcome
from newsletter.ports import Clock, Transport
from newsletter.publisher.notes import written
from newsletter.publisher.welcoming import FirstLetter
from newsletter.readers.service import Note, ReaderService

Post = Callable[[Note | FirstLetter], None]
"""Takes what is to leave: a note, or a letter that stands in the ledger."""

Work = Callable[[Post], None]
"""What is done after an answer: it gets what posts."""

Deliver = Callable[[FirstLetter], Coroutine[Any, Any, None]]
"""Delivers a letter that stands in the ledger, and tries again until it is at its end.

Cancelled, it lets what is on the wire get its answer.
"""

WAITS = (timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=10))
"""How long to wait before a note that did not get through is tried again, or the store is asked."""

FAREWELL = 5.0
"""Seconds that notes under way have when the pages close."""


class MailQueue:
    """Does what need not be waited for, and sends notes and first letters.

    Args:
        here: whose notes they are.
        stationery: their templates, by kind.
        transport: the door they leave by.
        deliver: what first letters leave by.
        clock: for their dates and the waiting.
        told: told, in a line, what went wrong; never an address.
    """

    def __init__(
        self,
        here: ReaderService,
        stationery: Mapping[str, LetterTemplates],
        transport: Transport,
        deliver: Deliver,
        clock: Clock,
        told: Callable[[str], None],
    ) -> None:
        self._here, self._stationery = here, stationery
        self._transport, self._deliver = transport, deliver
        self._clock, self._told = clock, told
        self._under_way: set[asyncio.Task[None]] = set()
        self._letters: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        """Work in this event loop from now on."""
        self._loop = asyncio.get_running_loop()

    def later(self, work: Work) -> None:
        """Do this in a thread of its own; it is given what posts. From any thread."""
        assert self._loop is not None, "the postroom is not open"
        self._loop.call_soon_threadsafe(lambda: _begin(self._do(work), self._under_way))

    async def _do(self, work: Work) -> None:
        try:
            for each in await self._done(work):
                if isinstance(each, Note):
                    await self._send(each)
                else:
                    _begin(self._deliver(each), self._letters)
        except NewsletterError as error:
            self._told(f"a note was not sent: {error}")

    async def _done(self, work: Work) -> list[Note | FirstLetter]:
        """What this work posts; the answer was given, so a busy store is asked again."""
        for wait in WAITS:
            try:
                return await asyncio.to_thread(_posted, work)
            except StoreError as error:
                self._told(f"a request waits: {error}")
            await self._clock.sleep(wait.total_seconds())
        return await asyncio.to_thread(_posted, work)

    async def _send(self, note: Note) -> None:
        envelope = written(note, self._here, self._stationery, self._clock.now())
        for wait in (*WAITS, None):
            outcome = await self._try(envelope)
            if not isinstance(outcome, Deferred | NotSent) or wait is None:
                break
            await self._clock.sleep(wait.total_seconds())
        if not isinstance(outcome, Accepted):
            # What a server says may name the address, which no log is to have.
            self._told(f"a note was given up: {type(outcome).__name__}")

    async def _try(self, envelope: Envelope) -> Outcome:
        try:
            return await post(self._transport, envelope)
        except TransportError as error:
            self._told(f"a note waits: {error}")
            return NotSent("the server did not take it")

    async def close(self) -> None:
        """Let what is on the wire come to its end; what waits stands in the ledger."""
        for letter in self._letters:
            letter.cancel()
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=FAREWELL)
            for task in late:
                task.cancel()
        await asyncio.gather(*self._under_way, *self._letters, return_exceptions=True)


def _posted(work: Work) -> list[Note | FirstLetter]:
    mail: list[Note | FirstLetter] = []
    work(mail.append)
    return mail


def _begin(work: Coroutine[Any, Any, None], among: set[asyncio.Task[None]]) -> None:
    """Do it in a task, which is among these until it is done."""
    task = asyncio.create_task(work)
    among.add(task)
    task.add_done_callback(among.discard)
