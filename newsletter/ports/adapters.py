"""Ports for time, listings, matching, run locks and letters."""

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterator,
    Mapping,
    Sequence,
)
from datetime import datetime
from typing import Protocol

from newsletter.model import (
    Advice,
    Calendar,
    Item,
    Letter,
    Listing,
    ListRequest,
    Matches,
    Outcome,
    Taste,
    Term,
    Topic,
)


class Clock(Protocol):
    """The only way to read the time and to wait."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""

    async def sleep(self, seconds: float) -> None:
        """Wait this long, while other tasks run."""


class Source(Protocol):
    """Where papers are listed: a site, a feed, saved files."""

    @property
    def name(self) -> str:
        """Its name in reports and letters; unique in a configuration."""

    @property
    def calendar(self) -> Calendar:
        """The dates on which it lists papers."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The lists that it has side by side for one date; ``("",)`` if it has one."""

    async def read(self, request: ListRequest) -> tuple[Listing, ...]:
        """Read what one part lists for one date of its calendar.

        A date without papers is an empty tuple or a listing without items, not an error.

        Raises:
            SourceError: there is no answer, or it is not a listing; the message has the address
                and what came instead. The other parts and dates are not affected.
        """


class Matcher(Protocol):
    """Finds the items that terms occur in, or that have the meaning they ask for."""

    @property
    def compares(self) -> bool:
        """Whether it knows which papers are alike, so that cards may ask what a reader likes."""

    def match(self, items: Sequence[Item], terms: Collection[Term]) -> Matches:
        """For each term the items that it finds, as a bitmask: bit *i* is ``items[i]``."""

    def closeness(
        self, items: Sequence[Item], topics: Sequence[Topic]
    ) -> Mapping[str, Sequence[float]]:
        """For each topic that has phrases, how close each item is to its meaning, as log odds.

        Empty if the matcher knows words only.
        """

    def nearest_phrases(
        self, items: Sequence[Item], indexes: Sequence[int], topic: Topic
    ) -> Sequence[str]:
        """For each of some items the phrase of a topic that is closest to it in meaning.

        It is asked only of a matcher that knows how close the topic is.
        """

    def evidence(self, items: Sequence[Item], index: int, wish: Term) -> str:
        """Why a term that asks for a meaning finds one of the items, in words.

        Empty if the matcher knows words only.
        """

    def taste(self, items: Sequence[Item], liked: Sequence[Item], unliked: Sequence[Item]) -> Taste:
        """Which items are clearly close to papers that a reader liked, or wants less of.

        None is if the matcher knows words only.
        """

    def misunderstood(self, wish: str) -> Advice | None:
        """What is wrong with a wish in plain words, for its reader; None if nothing is."""


Mark = Callable[[Letter], Awaitable[bool]]
"""Records that a letter may be delivered from now on. False: it must not be delivered."""

Settle = Callable[[Letter, Outcome], None]
"""Records the outcome of a letter. It does not raise."""

Letters = AsyncIterator[Iterator[Letter]]
"""A stream of letters, in batches whose letters are ready: only between batches it may wait."""


class RunLock(Protocol):
    """A run's name, and whether other runs are still alive."""

    @property
    def name(self) -> str:
        """The run's name, without a dot; the tokens of its claims begin with it."""

    def gone(self, runs: Collection[str]) -> frozenset[str]:
        """Those of these runs that have certainly ended; the others may be alive."""


class Transport(Protocol):
    """Delivers letters: over SMTP, through an HTTP API, into a folder.

    These docstrings are all that a transport has to obey. ``tests/contract/test_transports.py``
    tests each rule; add a new transport to the list ``RECEIVERS`` there.
    """

    async def send(self, letters: Letters, mark: Mark, settle: Settle) -> None:
        """Send every letter of the stream.

        Each letter goes through the same steps: take it from the stream, prepare it, await
        ``mark(letter)``, deliver it, call ``settle(letter, outcome)``.

        **Take.** Take one letter of the batch at a time, and ask for the next batch when it has
        ended; never call ``anext`` while another call waits. Take a letter when there is a way to
        send it, so that few are in hand at once: each one is built when it is taken, and waits
        under a lease. Letters that were not taken need nothing; the caller gives them back. If the
        stream or a batch raises, finish the letters in hand and raise its error.

        **Mark.** Call ``mark`` once for a letter, as late as possible, but before the receiver can
        have all of it: after a crash, a letter without a mark is sent again. If ``mark`` returns
        False, do not deliver the letter and do not settle it; go on with the others. If ``mark``
        raises, do not deliver the letter, settle it as ``NotSent``, and raise the error.

        **Settle.** Call ``settle`` once for every letter taken (except after a mark of False),
        before ``send`` returns or raises, with

        - ``Accepted``: the receiver has taken responsibility for the letter;
        - ``Refused``: it refuses this recipient or this message for good;
        - ``Deferred``: it asks to try this letter again later, or it refuses the letter for a
          reason that may not be this letter's (spam policy, rate);
        - ``NotSent``: the letter was certainly not delivered, marked or not;
        - ``Unknown``: it was marked, and the receiver may or may not have it.

        ``Accepted`` and ``Unknown`` are allowed only after a mark. A refused or deferred letter
        does not stop the others.

        **Replies.** The reply in an outcome is what the receiver said, in one line: first its reply
        code (``250 2.0.0 queued``, ``202 Accepted``), then its words. An ``Accepted`` needs a proof
        for the audit (invariant I4): a reply that begins with the digit 2, or, if the receiver has
        no reply codes, :data:`~newsletter.model.RECEIPT` and what shows the delivery
        (``receipt: written to ada.eml``). A ``Refused`` reply that begins with a digit counts as
        the server's opinion, and with 5.1.x as proof that the mailbox does not exist (see
        :mod:`newsletter.delivery.refusals`); begin with a word if the transport itself refuses.

        **Receiver lost.** If the receiver as a whole refuses the sender or cannot be reached, take
        no more letters, settle those in hand (none of them as ``Refused``: no reader is to
        blame), and raise ``TransportError``. It may retry briefly before that.

        **Cancellation.** If ``send`` is cancelled, settle the letters in hand as they are now, as
        ``NotSent`` or ``Unknown``, without waiting for the receiver, and let the
        ``CancelledError`` pass.

        **Concurrency.** ``mark`` may be awaited by several tasks at once. ``send``
        may be called while another ``send`` of the same transport runs, and again after one has
        failed.

        Raises:
            TransportError: the receiver as a whole refuses the sender or is gone. The message
                names it, quotes it, and says what the operator can do.
        """
