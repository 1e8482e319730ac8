"""The pressroom: from an edition to the letter's bytes, each issue's pieces encoded once."""

from datetime import date

from newsletter.message import Press
from newsletter.model import Claim, Edition, Envelope, Rendering
from newsletter.publisher.desk import Desk
from newsletter.render import Personal, Sheet, set_edition
from newsletter.tokens import Keyring, links


class Printer:
    """Makes the letters of one sheet."""

    def __init__(self, sheet: Sheet, keys: Keyring) -> None:
        self.sheet = sheet
        self.keys = keys.signing_as(sheet.signed_by)
        self.press = Press(sheet, keys)

    def letter(self, edition: Edition) -> tuple[Rendering, Envelope]:
        """One reader's letter, as pieces of text and as bytes.

        Raises:
            RenderError: this reader's letter cannot be made.
        """
        to, sheet = edition.to, self.sheet
        made = links(sheet.publication, self.keys, sheet.day, sheet.frozen_at, to.id)
        personal = Personal(reader=to.id, email=to.email, name=to.name, links=made)
        rendering = set_edition(sheet, edition, personal)
        return rendering, self.press.address(rendering, personal)


class Pressroom:
    """Makes the letters of a day's frozen waves, also of those frozen while it is at work."""

    def __init__(self, desk: Desk, day: date) -> None:
        self._desk, self._day = desk, day
        self._printers: dict[int, Printer] = {}

    def envelope(self, claim: Claim) -> Envelope:
        """The letter a claim gives the right to send.

        Raises:
            RenderError: this reader's letter cannot be made.
        """
        return self.letter(claim.wave, claim.edition)[1]

    def letter(self, wave: int, edition: Edition) -> tuple[Rendering, Envelope]:
        """A letter of a wave, as pieces of text and as bytes."""
        if wave not in self._printers:
            self._fetch_waves()
        return self._printers[wave].letter(edition)

    def _fetch_waves(self) -> None:
        for wave in self._desk.store.waves(self._day):
            if wave.id not in self._printers:
                sheet = Sheet.load(wave.pieces)
                self._printers[wave.id] = Printer(sheet, self._desk.keyring)
