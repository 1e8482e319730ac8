"""Build the letters of a day's issue from what was frozen of it."""

from datetime import date

from newsletter.letter.fragments import IssueFragments
from newsletter.letter.links import Keyring
from newsletter.letter.message import MessageBuilder
from newsletter.model import Claim, Edition, Envelope, Rendering
from newsletter.ports import Issues


class IssueMailer:
    """Builds the letters of a day's frozen waves, also of waves frozen after it was made."""

    def __init__(self, store: Issues, keys: Keyring, day: date) -> None:
        self._store, self._keys, self._day = store, keys, day
        self._builders: dict[int, MessageBuilder] = {}

    def envelope(self, claim: Claim) -> Envelope:
        """The letter that a claim gives the right to send.

        Raises:
            RenderError: this reader's letter cannot be built.
        """
        return self._builder(claim.wave).build(claim.edition)

    def letter(self, wave: int, edition: Edition) -> tuple[Rendering, Envelope]:
        """A letter of a wave, as it is read and as it is sent.

        Raises:
            RenderError: this reader's letter cannot be built.
        """
        builder = self._builder(wave)
        return builder.render(edition), builder.build(edition)

    def _builder(self, wave: int) -> MessageBuilder:
        if wave not in self._builders:
            for frozen in self._store.waves(self._day):
                if frozen.id not in self._builders:
                    fragments = IssueFragments.load(frozen.pieces)
                    self._builders[frozen.id] = MessageBuilder(fragments, self._keys)
        return self._builders[wave]
