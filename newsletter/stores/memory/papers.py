"""Papers and sources, in memory."""

import threading
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime

from newsletter.model import IdentifiedItem, IngestCounts, Paper, SourceHealth
from newsletter.stores.paper_index import PaperIndex


class Papers:
    """The papers and sources of a :class:`~newsletter.stores.memory.MemoryStore`."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._catalogue = PaperIndex()
        self._read: dict[date, set[int]] = {}
        self._sources: dict[str, SourceHealth] = {}

    def ingest(
        self, day: date, source: SourceHealth, entries: Sequence[IdentifiedItem], *, now: datetime
    ) -> IngestCounts:
        """See :meth:`newsletter.ports.Store.ingest`."""
        with self._lock:
            known = self._sources.get(source.name)
            mute_past = known is None or known.last_ok is None
            ingest_counts, numbers = self._catalogue.take_all(entries, mute_past=mute_past, now=now)
            self._read.setdefault(day, set()).update(numbers)
            self._sources[source.name] = source
            return ingest_counts

    def sources(self) -> Mapping[str, SourceHealth]:
        """See :meth:`newsletter.ports.Store.sources`."""
        with self._lock:
            return dict(sorted(self._sources.items()))

    def papers(self, *, after: int, since: datetime) -> tuple[Paper, ...]:
        """See :meth:`newsletter.ports.Store.papers`."""
        known = self.papers_numbered(range(after + 1, self.cutoff() + 1))
        return tuple(paper for paper in known if paper.first_seen >= since)

    def papers_numbered(self, numbers: Collection[int]) -> tuple[Paper, ...]:
        """See :meth:`newsletter.ports.Store.papers_numbered`."""
        with self._lock:
            papers = self._catalogue.papers
            return tuple(papers[number] for number in sorted(set(numbers)) if number in papers)

    def papers_read(self, day: date) -> tuple[Paper, ...]:
        """See :meth:`newsletter.ports.Store.papers_read`."""
        with self._lock:
            return self.papers_numbered(self._read.get(day, set()))

    def cutoff(self) -> int:
        """See :meth:`newsletter.ports.Store.cutoff`."""
        return self._catalogue.last
