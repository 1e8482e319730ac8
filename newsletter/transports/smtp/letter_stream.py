"""The stream of letters that the connections to a server share."""

from collections import deque
from collections.abc import Callable, Iterator

from newsletter.errors import NewsletterError
from newsletter.model import Letter
from newsletter.ports import Letters

MAX_SET_ASIDE = 200  # letters to slowed domains that may wait while others go first


class LetterStream:
    """Reads a stream of letters, batch by batch.

    Only one may wait for :meth:`read` at a time.

    Attributes:
        set_aside: letters that were read and wait, because others have to go first.
        ended: whether there are no more letters to read.
        error: the stream's own error, which ends it. It is not raised here: the session that asks
            may have a letter under way, and its answer must be read first.
    """

    def __init__(self, letters: Letters) -> None:
        self._letters = letters
        self._batch: Iterator[Letter] = iter(())
        self.set_aside: deque[Letter] = deque()
        self.ended = False
        self.error: NewsletterError | None = None

    @property
    def may_read(self) -> bool:
        """Whether there may be more letters, and room to set one aside."""
        return not self.ended and len(self.set_aside) < MAX_SET_ASIDE

    def take_aside(self, allowed: Callable[[Letter], bool]) -> Letter | None:
        """Take the first letter that was set aside and is allowed now."""
        letter = next(filter(allowed, self.set_aside), None)
        if letter is not None:
            self.set_aside.remove(letter)
        return letter

    def read_ready(self) -> Letter | None:
        """The next letter of the batch; None after its end, or after an error."""
        try:
            return next(self._batch, None)
        except NewsletterError as error:
            self.error, self.ended = error, True
        return None

    async def read(self) -> Letter | None:
        """The next letter of the stream; None after its end, or after an error."""
        while (letter := self.read_ready()) is None and not self.ended:
            try:
                batch = await anext(self._letters, None)
            except NewsletterError as error:
                self.error, batch = error, None
            self.ended = batch is None
            self._batch = batch or iter(())
        return letter
