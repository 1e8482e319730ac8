"""What the readers' pages ask of the store, in memory."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from newsletter.model import (
    STOPPED_ISSUE,
    Caps,
    Consent,
    DailyGrowth,
    Delivery,
    Paper,
    PublishedIssue,
    Reader,
    Recipient,
    Status,
    Subscriber,
)
from newsletter.stores.memory.issues import Issues
from newsletter.stores.memory.returns import Returns
from newsletter.stores.rules import GONE, bare, in_turn, moved, sought, wording

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


class PageQueries(Issues, Returns):
    """The readers' side of a :class:`~newsletter.stores.memory.MemoryStore`."""

    def __init__(self) -> None:
        super().__init__()
        self._requests: list[tuple[str, str, datetime]] = []
        self._consents: dict[int, list[Consent]] = {}

    def reader(self, number: int) -> Reader | None:
        """See :meth:`newsletter.ports.Store.reader`."""
        with self._lock:
            return next((r for r in self._readers.values() if r.id == number), None)

    def reader_at(self, email: str) -> Reader | None:
        """See :meth:`newsletter.ports.Store.reader_at`."""
        with self._lock:
            same = (
                r for r in self._readers.values() if r.subscriber.email.lower() == email.lower()
            )
            return next(same, None)

    def tally(self) -> Mapping[Status, int]:
        """See :meth:`newsletter.ports.Store.tally`."""
        with self._lock:
            return Counter[Status](reader.status for reader in self._readers.values())

    def daily_growth(self) -> tuple[DailyGrowth, ...]:
        """See :meth:`newsletter.ports.Store.daily_growth`."""
        came, left = Counter[date](), Counter[date]()
        with self._lock:
            for reader in self._readers.values():
                agreed = [consent.at for consent in self._consents.get(reader.id, ())]
                came[min(agreed, default=self._joined[reader.id]).date()] += (
                    reader.status != "unconfirmed"
                )
                left[self._changed[reader.id].date()] += reader.status in GONE
        return moved(came, left)

    def admit(self, address: str, client: str, caps: Caps, *, now: datetime) -> bool:
        """See :meth:`newsletter.ports.Store.admit`."""
        with self._lock:
            self._requests = [
                (whose, "" if at < now - DAY else by, at) for whose, by, at in self._requests
            ]
            own = [at for whose, _, at in self._requests if whose == address]
            recent = [by for _, by, at in self._requests if at > now - HOUR]
            counted = (
                (sum(at > now - DAY for at in own), caps.a_day),
                (len(own), caps.ever),
                (recent.count(client), caps.client_an_hour),
                (len(recent), caps.all_an_hour),
            )
            may = all(count < cap for count, cap in counted)
            if may:
                self._requests.append((address, client, now))
            return may

    def forget_unconfirmed(self, *, before: datetime) -> int:
        """See :meth:`newsletter.ports.Store.forget_unconfirmed`."""
        with self._lock:
            stale = [
                email
                for email, reader in self._readers.items()
                if reader.status == "unconfirmed" and self._changed[reader.id] < before
            ]
            for email in stale:
                del self._joined[self._readers.pop(email).id]
            return len(stale)

    def consent(self, reader: int, consent: Consent) -> bool:
        """See :meth:`newsletter.ports.Store.consent`."""
        with self._lock:
            known = self.reader(reader)
            if known is None or known.status in {"confirmed", "blocked"}:
                return False
            self._readers[known.subscriber.email] = replace(
                known,
                status="confirmed",
                origin="store" if known.status == "removed" else known.origin,
                decided=self._last_decided(),
            )
            self._touch(reader, consent.at)
            self._consents.setdefault(reader, []).append(consent)
            return True

    def consents(self, reader: int) -> tuple[Consent, ...]:
        """See :meth:`newsletter.ports.Store.consents`."""
        with self._lock:
            return tuple(self._consents.get(reader, ()))

    def letters(self, reader: int) -> tuple[Delivery, ...]:
        """See :meth:`newsletter.ports.Store.letters`."""
        with self._lock:
            rows = ((day, issue.rows.get(reader)) for day, issue in sorted(self._issues.items()))
            return tuple(
                Delivery(day, row.email, row.state, row.attempts, row.reply, row.next_try)
                for day, row in rows
                if row is not None
            )

    def move(self, reader: int, email: str, *, now: datetime) -> bool:
        """See :meth:`newsletter.ports.Store.move`."""
        with self._lock:
            known = self.reader(reader)
            if known is None or known.origin == "file" or self.reader_at(email) is not None:
                return False
            subscriber = replace(known.subscriber, email=email)
            self._become(known, replace(known, subscriber=subscriber))
            self._touch(reader, now)
            return True

    def _become(self, known: Reader, changed: Reader) -> None:
        """A reader goes by another address, in what is frozen too."""
        del self._readers[known.subscriber.email]
        self._readers[changed.subscriber.email] = changed
        for issue in self._issues.values():
            row = issue.rows.get(known.id)
            if row is not None:
                frozen = replace(row.history.reader, subscriber=changed.subscriber)
                row.history = replace(row.history, reader=frozen)
                row.edition = replace(row.edition, to=Recipient.of(frozen))
                if row.envelope is not None:
                    email = changed.subscriber.email
                    row.envelope = replace(row.envelope, recipient=email)

    def erase(self, reader: int, alias: str, *, now: datetime) -> None:
        """See :meth:`newsletter.ports.Store.erase`."""
        with self._lock:
            known = self.reader(reader)
            if known is None:
                return
            blank = replace(
                known, subscriber=Subscriber(alias), status="unsubscribed", origin="store"
            )
            self._become(known, blank)
            self._listed.pop(known.subscriber.email, None)
            self._consents.pop(reader, None)
            self._touch(reader, now)
            self._forget_words(reader)
            for issue in self._issues.values():
                if reader in issue.rows:
                    issue.rows[reader].reply = bare(issue.rows[reader].reply)

    def published(self) -> tuple[PublishedIssue, ...]:
        """See :meth:`newsletter.ports.Store.published`."""
        with self._lock:
            return in_turn(
                (
                    day,
                    min(wave.issue.frozen_at for wave in issue.waves),
                    max(wave.issue.cutoff for wave in issue.waves),
                )
                for day, issue in self._issues.items()
                if issue.waves and issue.state not in STOPPED_ISSUE
            )

    def paper_called(self, name: str) -> Paper | None:
        """See :meth:`newsletter.ports.Store.paper_called`."""
        with self._lock:
            number = self._catalogue.names.get(name)
            return None if number is None else self._catalogue.papers[number]

    def days_listed(self, paper: Paper) -> tuple[date, ...]:
        """See :meth:`newsletter.ports.Store.days_listed`."""
        with self._lock:
            papers = self._catalogue.papers
            same = {p.number for p in papers.values() if p.group == paper.group}
            return tuple(sorted(day for day, read in self._read.items() if read & same))

    def search(self, words: Sequence[str], *, limit: int) -> tuple[Paper, ...]:
        """See :meth:`newsletter.ports.Store.search`."""
        wanted = sought(words)
        with self._lock:
            newest = reversed(self._catalogue.papers.values())
            found = [
                paper
                for paper in newest
                if wanted and not paper.muted and all(w in wording(paper.item) for w in wanted)
            ]
        return tuple(found[:limit])
