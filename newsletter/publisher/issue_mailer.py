"""The pressroom: from an edition to the letter's bytes, each issue's pieces encoded once."""

from datetime import date

from newsletter.letter.assembling import Personal, render_letter
from newsletter.letter.fragments import IssueFragments
from newsletter.letter.links import Keyring, sign_links
from newsletter.letter.message import MessageBuilder
from newsletter.model import Claim, Edition, Envelope, Rendering
from newsletter.ports import Store


class Printer:
    """Makes the letters of one sheet."""

    def __init__(self, sheet: IssueFragments, keys: Keyring) -> None:
        self.sheet = sheet
        self.keys = keys.signing_as(sheet.signed_by)
        self.press = MessageBuilder(sheet, keys)

    def envelope(self, edition: Edition) -> Envelope:
        """One reader's letter, as it is sent.

        Raises:
            RenderError: this reader's letter cannot be made.
        """
        return self.press.letter(edition, self._personal(edition))

    def letter(self, edition: Edition) -> tuple[Rendering, Envelope]:
        """One reader's letter, as it is read and as it is sent.

        Raises:
            RenderError: this reader's letter cannot be made.
        """
        personal = self._personal(edition)
        return render_letter(self.sheet, edition, personal), self.press.letter(edition, personal)

    def _personal(self, edition: Edition) -> Personal:
        to, sheet = edition.to, self.sheet
        made = sign_links(sheet.publication, self.keys, sheet.day, sheet.frozen_at, to.id)
        return Personal(reader=to.id, email=to.email, name=to.name, links=made)


class IssueMailer:
    """Makes the letters of a day's frozen waves, also of those frozen while it is at work."""

    def __init__(self, store: Store, keys: Keyring, day: date) -> None:
        self._store, self._keys, self._day = store, keys, day
        self._printers: dict[int, Printer] = {}

    def envelope(self, claim: Claim) -> Envelope:
        """The letter a claim gives the right to send.

        Raises:
            RenderError: this reader's letter cannot be made.
        """
        return self._printer(claim.wave).envelope(claim.edition)

    def letter(self, wave: int, edition: Edition) -> tuple[Rendering, Envelope]:
        """A letter of a wave, as it is read and as it is sent."""
        return self._printer(wave).letter(edition)

    def _printer(self, wave: int) -> Printer:
        if wave not in self._printers:
            self._fetch_waves()
        return self._printers[wave]

    def _fetch_waves(self) -> None:
        for wave in self._store.waves(self._day):
            if wave.id not in self._printers:
                sheet = IssueFragments.load(wave.pieces)
                self._printers[wave.id] = Printer(sheet, self._keys)
