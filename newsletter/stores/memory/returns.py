"""What comes back by mail, and what the operator was told, in memory."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from newsletter.model import MailEvent, MailEventEffect, Suppression
from newsletter.stores.memory.readers import Readers
from newsletter.stores.rules import effect, fate, why_blocked


@dataclass(slots=True)
class _Noted:
    """A return, when it was noted, and whether it still counts."""

    returned: MailEvent
    now: datetime
    counts: bool = True


class Returns(Readers):
    """The returns and notices of a :class:`~newsletter.stores.memory.MemoryStore`."""

    def __init__(self) -> None:
        super().__init__()
        self._returns: dict[str, _Noted] = {}
        self._announced: set[str] = set()

    def record_mail_event(self, returned: MailEvent, *, now: datetime) -> MailEventEffect:
        """See :meth:`newsletter.ports.Store.record_mail_event`."""
        with self._lock:
            found = [r for r in self._readers.values() if r.id == returned.reader]
            if not found:
                return "unknown"
            if returned.digest in self._returns:
                return "again"
            self._returns[returned.digest] = _Noted(returned, now)
            reader = found[0]
            days = [one.day for one in self._counting(reader.id) if one.kind == "hard"]
            after = fate(reader.status, returned.kind, days)
            if after != reader.status:
                self._touch(reader.id, now)
            self._readers[reader.subscriber.email] = replace(reader, status=after)
            return effect(after)

    def announce(self, events: Collection[str], *, now: datetime) -> frozenset[str]:  # noqa: ARG002
        """See :meth:`newsletter.ports.Store.announce`."""
        with self._lock:
            new = frozenset(events) - self._announced
            self._announced |= new
            return new

    def retract(self, events: Collection[str]) -> None:
        """See :meth:`newsletter.ports.Store.retract`."""
        with self._lock:
            self._announced -= set(events)

    def _counting(self, reader: int) -> list[MailEvent]:
        """A reader's returns that count, oldest first."""
        noted = [n for n in self._returns.values() if n.returned.reader == reader and n.counts]
        noted.sort(key=lambda one: (one.returned.day, one.now))
        return [one.returned for one in noted]

    def farewells(self, *, limit: int, reader: int | None = None) -> tuple[MailEvent, ...]:
        """See :meth:`newsletter.ports.Store.farewells`."""
        with self._lock:
            found = [
                (noted.now, noted.returned)
                for noted in self._returns.values()
                if noted.returned.kind == "unsubscribe"
                and noted.returned.said
                and reader in {None, noted.returned.reader}
            ]
        found.sort(key=lambda each: each[1].digest)
        found.sort(key=lambda each: each[0], reverse=True)
        return tuple(returned for _, returned in found[:limit])

    def suppressed(self) -> tuple[Suppression, ...]:
        """See :meth:`newsletter.ports.Store.suppressed`."""
        with self._lock:
            return tuple(
                Suppression(email, self._changed[reader.id], self._why(reader.id))
                for email, reader in sorted(self._readers.items())
                if reader.status == "blocked"
            )

    def _forget_words(self, reader: int) -> None:
        """Keep of an erased reader's returns that they came, and not what they said."""
        for noted in self._returns.values():
            if noted.returned.reader == reader:
                noted.returned = replace(noted.returned, said="")

    def _why(self, reader: int) -> str:
        return why_blocked([(one.kind, one.day, one.said) for one in self._counting(reader)])

    def unsuppress(self, email: str, *, now: datetime) -> bool:
        """See :meth:`newsletter.ports.Store.unsuppress`."""
        with self._lock:
            reader = self._readers.get(email)
            if reader is None or reader.status != "blocked":
                return False
            for noted in self._returns.values():
                noted.counts &= noted.returned.reader != reader.id
            self._readers[email] = replace(reader, status="confirmed")
            self._touch(reader.id, now)
            return True
