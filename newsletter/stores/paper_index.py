"""Which listed papers are new, and which are known under another name."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal

from newsletter.model import IdentifiedItem, Identity, IngestCounts, Item, Paper
from newsletter.papers.identity import is_revision, is_same_paper, merge_items
from newsletter.stores.logic import storable

LONGEST_NAME = 500  # the most characters of a stored name; a database index has a limit

Fate = Literal["new", "revised", "seen"]


class PaperIndex:
    """A working copy of known papers and their names, which new listings are added to.

    Each name belongs to one paper, the first that had it.

    Attributes:
        papers: the papers, by number.
        names: the number of the paper with each name.
        last: the highest ingest number so far.
    """

    def __init__(
        self, papers: Iterable[Paper] = (), names: Mapping[str, int] | None = None, *, last: int = 0
    ) -> None:
        self.papers = {paper.number: paper for paper in papers}
        self.names: dict[str, int] = {}
        self.last = last
        self._names_of: defaultdict[int, set[str]] = defaultdict(set)
        self._groups: defaultdict[int, set[int]] = defaultdict(set)
        for paper in self.papers.values():
            self._groups[paper.group].add(paper.number)
        for name, number in (names or {}).items():
            self._name(name, number)

    def add_all(
        self, entries: Sequence[IdentifiedItem], *, mute_past: bool, now: datetime
    ) -> tuple[IngestCounts, frozenset[int]]:
        """Add these entries; return how many were new, and the numbers of their papers.

        Current entries come before past ones, so that a paper in both is new. A replacement of an
        unknown paper is skipped.
        """
        fates: dict[int, Fate] = {}
        for entry in sorted(entries, key=_precedence):
            if _is_replacement(entry) and not self._papers_of(_shorten_names(entry.identity)):
                continue
            number, fate = self._add(entry, muted=mute_past and entry.past, now=now)
            fates[number] = _stronger(fates.get(number, "seen"), fate)
        counted = Counter(self._by_group(fates).values())
        ingest_counts = IngestCounts(
            new=counted["new"], seen=counted["seen"], revised=counted["revised"]
        )
        return ingest_counts, frozenset(fates)

    def _add(self, entry: IdentifiedItem, *, muted: bool, now: datetime) -> tuple[int, Fate]:
        identity = _shorten_names(entry.identity)
        numbers = self._papers_of(identity)
        if not numbers:
            return self._add_new(identity, entry.item, muted=muted, now=now), "new"
        first = numbers[0]
        fate: Fate = "revised" if is_revision(self.papers[first].item, entry.item) else "seen"
        self._add_names(identity, first)
        self._merge_groups(numbers, entry.item)
        return first, fate

    def _papers_of(self, identity: Identity) -> list[int]:
        """The numbers of the known papers that have this identity.

        If all of its names belong to papers that differ from it, it is taken for the first of them.
        """
        with_names = sorted({self.names[name] for name in identity.aliases if name in self.names})
        matching = [
            number
            for number in with_names
            if is_same_paper(identity, frozenset(self._names_of[number]))
        ]
        return matching if matching or not identity.aliases <= self.names.keys() else with_names[:1]

    def _add_new(self, identity: Identity, item: Item, *, muted: bool, now: datetime) -> int:
        """Add a paper with the next number; its key is a name that no other paper has."""
        ranked = (identity.key, *sorted(identity.aliases))
        key = next(name for name in ranked if name not in self.names)
        self.last += 1
        self.papers[self.last] = Paper(self.last, key, item, now, self.last, muted)
        self._groups[self.last].add(self.last)
        self._add_names(identity, self.last)
        return self.last

    def _add_names(self, identity: Identity, number: int) -> None:
        for name in identity.aliases:
            if name not in self.names:
                self._name(name, number)

    def _name(self, name: str, number: int) -> None:
        self.names[name] = number
        self._names_of[number].add(name)

    def _merge_groups(self, numbers: Sequence[int], item: Item) -> None:
        """Merge these papers' groups into one, and update the item of each paper in it."""
        groups = {self.papers[number].group for number in numbers}
        members = set().union(*(self._groups.pop(group) for group in groups))
        self._groups[min(groups)] = members
        for number in members:
            paper = self.papers[number]
            self.papers[number] = replace(
                paper, group=min(groups), item=merge_items(paper.item, item)
            )

    def _by_group(self, fates: Mapping[int, Fate]) -> dict[int, Fate]:
        """The fates by group, so that papers that turned out to be one are counted once."""
        grouped: dict[int, Fate] = {}
        for number, fate in fates.items():
            group = self.papers[number].group
            grouped[group] = _stronger(grouped.get(group, "seen"), fate)
        return grouped


def _precedence(entry: IdentifiedItem) -> tuple[bool, bool]:
    return entry.past, _is_replacement(entry)


def _is_replacement(entry: IdentifiedItem) -> bool:
    return entry.item.announcement in {"replace", "replace-cross"}


def _shorten(name: str) -> str:
    """A name that fits an index: a long one is cut and gets a hash."""
    if len(name) <= LONGEST_NAME:
        return storable(name)
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{storable(name[: LONGEST_NAME - 33])}#{digest}"


def _shorten_names(identity: Identity) -> Identity:
    return Identity(
        key=_shorten(identity.key),
        aliases=frozenset(map(_shorten, (identity.key, *identity.aliases))),
    )


def names_of(entries: Iterable[IdentifiedItem]) -> frozenset[str]:
    """Every name of these entries, as it is stored."""
    return frozenset().union(*(_shorten_names(entry.identity).aliases for entry in entries))


def _stronger(one: Fate, other: Fate) -> Fate:
    order: tuple[Fate, ...] = ("seen", "revised", "new")
    return max(one, other, key=order.index)
