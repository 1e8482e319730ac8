"""Work and mail that a page starts and nobody waits for.

It happens after the answer, so that the time an answer takes does not tell whether an address is
known, and a busy store or mail server does not keep a reader waiting.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator, Mapping
from datetime import timedelta
from itertools import count
from typing import Any

from newsletter.delivery.delivering import send_single
from newsletter.delivery.refusals import refuses_reader
from newsletter.errors import Isolated, NewsletterError, StoreError, TransportError
from newsletter.letter.rendering import LetterTemplates
from newsletter.model import Accepted, Deferred, Envelope, NotSent, Outcome, Refused
from newsletter.ports import RunLock, Transport
from newsletter.publisher.mailing import build_reader_note
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.welcoming import FirstLetter, deliver_first_letter
from newsletter.readers.service import Note, ReaderService

_log = logging.getLogger(__name__)

Send = Callable[[Note | FirstLetter], None]
"""Takes what is to be sent: a note, or a first letter that the ledger has planned."""

Job = Callable[[Send], None]
"""Work to do after an answer; it gets the function that sends."""

Task = asyncio.Task[None]

RETRY_AFTER = (timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=10))
"""How long to wait before a note is sent again, or the store is asked again."""

CLOSING_SECONDS = 5.0  # how long jobs that have begun may go on when the queue closes


class MailQueue:
    """Runs jobs in threads and sends the notes and first letters that they give it.

    Its log lines never contain an address. First letters are claimed under the run lock's name.
    """

    def __init__(
        self,
        publisher: Publisher,
        reader_service: ReaderService,
        note_templates: Mapping[str, LetterTemplates],
        transport: Transport,
        run_lock: RunLock,
    ) -> None:
        self._publisher, self._reader_service = publisher, reader_service
        self._note_templates, self._transport = note_templates, transport
        self._run_lock, self._clock = run_lock, publisher.clock
        self._turns: Iterator[int] = count(1)
        self._jobs: set[Task] = set()
        self._letters: set[Task] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        """Run the jobs in this event loop from now on."""
        self._loop = asyncio.get_running_loop()

    def follow(self, before: "MailQueue") -> None:
        """Take the place of another queue, which still has to be closed: its jobs go on."""
        self._loop, self._turns, self._jobs, self._letters = before._working  # noqa: SLF001 - of this class

    @property
    def _working(
        self,
    ) -> tuple[Any, Iterator[int], set[Task], set[Task]]:
        return self._loop, self._turns, self._jobs, self._letters

    def add(self, job: Job) -> None:
        """Start a job; callable from any thread."""
        assert self._loop is not None, "the mail queue is not open"
        self._loop.call_soon_threadsafe(lambda: _start(self._run(job), self._jobs))

    async def _run(self, job: Job) -> None:
        with Isolated("a request"):  # nobody waits for it: an exception would be lost
            try:
                for mail in await self._run_patiently(job):
                    if isinstance(mail, Note):
                        await self._send_note(mail)
                    else:
                        _start(self._deliver(mail), self._letters)
            except NewsletterError as error:
                _log.warning("a note was not sent: %s", error)

    async def _run_patiently(self, job: Job) -> list[Note | FirstLetter]:
        """What a job sends. The reader has had the answer already, so a busy store is retried."""
        for wait in RETRY_AFTER:
            try:
                return await asyncio.to_thread(_collect, job)
            except StoreError as error:
                _log.warning("a request waits: %s", error)
            await self._clock.sleep(wait.total_seconds())
        return await asyncio.to_thread(_collect, job)

    async def _deliver(self, letter: FirstLetter) -> None:
        """Deliver a first letter from the ledger, until it is sent or given up.

        When cancelled, this waits for the server's answer to what is on the wire.
        """
        await deliver_first_letter(
            self._publisher,
            letter,
            self._transport,
            run_lock=self._run_lock,
            turn=f"first{next(self._turns)}",
        )

    async def _send_note(self, note: Note) -> None:
        envelope = build_reader_note(
            note, self._reader_service, self._note_templates, self._clock.now()
        )
        for wait in (*RETRY_AFTER, None):
            outcome = await self._try_to_send(envelope)
            if not isinstance(outcome, Deferred | NotSent) or wait is None:
                break
            await self._clock.sleep(wait.total_seconds())
        if isinstance(outcome, Refused) and note.asks_to_confirm and refuses_reader(outcome.reply):
            email, now = note.reader.subscriber.email, self._clock.now()
            await asyncio.to_thread(self._reader_service.refuse_address, email, now, lasting=False)
        if not isinstance(outcome, Accepted):
            # The server's reply may contain the address, which must not be logged.
            _log.warning("a note was given up: %s", type(outcome).__name__)

    async def _try_to_send(self, envelope: Envelope) -> Outcome:
        try:
            return await send_single(self._transport, envelope)
        except TransportError as error:
            _log.warning("a note waits: %s", error)
            return NotSent("the server did not take it")

    async def close(self) -> None:
        """Finish what is on the wire; first letters that wait stay planned in the ledger."""
        for letter in self._letters:
            letter.cancel()
        if self._jobs:
            _, late = await asyncio.wait(self._jobs, timeout=CLOSING_SECONDS)
            for task in late:
                task.cancel()
        await asyncio.gather(*self._jobs, *self._letters, return_exceptions=True)


def _collect(job: Job) -> list[Note | FirstLetter]:
    mail: list[Note | FirstLetter] = []
    job(mail.append)
    return mail


def _start(work: Coroutine[Any, Any, None], tasks: set[Task]) -> None:
    """Start a task and keep it in the set until it is done: the loop holds no strong reference."""
    task = asyncio.create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
