"""What is known of the readers whom returned mails are about."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime

from newsletter.bounces.parsing import ParsedMail
from newsletter.model import Reader, SentLetter
from newsletter.ports import Pages


class KnownReaders:
    """What the store knows of the readers whom some mails are about, read in few queries."""

    def __init__(self, store: Pages, mails: Sequence[ParsedMail]) -> None:
        self._store = store
        addresses = {address for mail in mails for address in mail.recipients}
        self._by_address = store.readers_of_addresses(addresses)
        self._readers: dict[int, Reader | None] = {}
        self._consents: dict[int, datetime] = {}
        self._former: dict[int, frozenset[str]] = {}
        self._letters: dict[date, dict[int, SentLetter]] = {}
        self._load(sorted(set(self._by_address.values())))

    def _load(self, numbers: Sequence[int]) -> None:
        self._readers |= dict.fromkeys(numbers)
        self._readers |= {reader.id: reader for reader in self._store.readers_by_id(numbers)}
        self._former |= self._store.former_addresses(numbers)
        self._consents |= self._store.last_consents(numbers)
        for day in self._letters:
            self._letters[day] |= self._store.last_letters(numbers, by=day)

    def reader(self, number: int) -> Reader | None:
        """The reader with this id; None if there is none."""
        if number not in self._readers:
            self._load([number])
        return self._readers[number]

    def named(self, mail: ParsedMail) -> Iterator[Reader]:
        """The readers who have or had the addresses that a mail names."""
        numbers = map(self._by_address.get, mail.recipients)
        found = (self.reader(number) for number in numbers if number is not None)
        return (reader for reader in found if reader is not None)

    def last_consent(self, reader: int) -> datetime | None:
        """When a reader last agreed to get the letters; None if they never did."""
        return self._consents.get(reader)

    def former_addresses(self, reader: int) -> frozenset[str]:
        """The addresses that a reader has moved away from."""
        return self._former.get(reader, frozenset())

    def last_letter(self, reader: int, *, by: date) -> SentLetter | None:
        """The newest letter of that day or before that went to the server for a reader."""
        if by not in self._letters:
            self._letters[by] = dict(self._store.last_letters(list(self._readers), by=by))
        return self._letters[by].get(reader)
