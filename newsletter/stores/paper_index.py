"""Which listed papers are new, and which are known under another name."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal

from newsletter.model import IdentifiedItem, Identity, IngestCounts, Item, Paper
from newsletter.papers.identity import (
    do_texts_agree,
    is_revision,
    is_same_paper,
    merge_items,
    normalise_title,
    strength,
)
from newsletter.stores.logic import storable

LONGEST_NAME = 500  # the most characters of a stored name; a database index has a limit

Fate = Literal["new", "revised", "seen"]


class PaperIndex:
    """A working copy of known papers and their names, which new listings are added to.

    Each name belongs to one paper, the first that had it.

    Attributes:
        papers: the papers, by number.
        names: the number of the paper with each name.
        muted_by: the sources that listed each muted paper before they were followed, by number.
        last: the highest ingest number so far.
        corrections: the papers that were withdrawn, and those with a new title, by number, with
            their title before; it is empty for a withdrawal.
    """

    def __init__(
        self,
        papers: Iterable[Paper] = (),
        names: Mapping[str, int] | None = None,
        muted_by: Iterable[tuple[int, str]] = (),
        *,
        last: int = 0,
    ) -> None:
        self.papers = {paper.number: paper for paper in papers}
        self.names = dict(names or {})
        self.muted_by: defaultdict[int, set[str]] = defaultdict(set)
        for number, source in muted_by:
            self.muted_by[number].add(source)
        self.last = last
        self.corrections = list[tuple[int, str]]()
        self._names_of: defaultdict[int, set[str]] = defaultdict(set)  # by group, as below
        self._members: defaultdict[int, set[int]] = defaultdict(set)
        for paper in self.papers.values():
            self._members[paper.group].add(paper.number)
        for name, number in self.names.items():
            self._names_of[self.papers[number].group].add(name)

    def add_all(
        self, entries: Sequence[IdentifiedItem], *, source: str, mute_past: bool, now: datetime
    ) -> tuple[IngestCounts, frozenset[int]]:
        """Add a source's entries; return how many were new, and the numbers of their papers.

        Current entries come before past ones, so that a paper in both is new. A replacement of an
        unknown paper is skipped.
        """
        fates: dict[int, Fate] = {}
        last_before = self.last
        for entry in sorted(entries, key=_precedence):
            known = replace(entry, identity=_shorten_names(entry.identity))
            groups = self._groups_of(known, now, last_before)
            if not groups and _is_replacement(entry):
                continue
            muted = mute_past and entry.past
            if groups:
                number, fate = self._add_known(known, groups, source, muted=muted, now=now)
            else:
                number, fate = self._add_new(known, source, muted=muted, now=now), "new"
            fates[number] = _stronger(fates.get(number, "seen"), fate)
        counted = Counter(self._by_group(fates).values())
        ingest_counts = IngestCounts(
            new=counted["new"], seen=counted["seen"], revised=counted["revised"]
        )
        return ingest_counts, frozenset(fates)

    def _groups_of(self, entry: IdentifiedItem, now: datetime, last_before: int) -> list[int]:
        """The groups of known papers that this entry is, those with the strongest names first.

        It joins no two that differ. If all of its names belong to papers that differ from it, it is
        taken for the first of them.
        """
        identity = entry.identity
        known = {
            name: self.papers[self.names[name]].group
            for name in identity.aliases & self.names.keys()
        }
        groups = dict.fromkeys(
            known[name] for name in sorted(known, key=lambda name: (strength(name), known[name]))
        )
        joined, together = list[int](), identity
        for group in groups:
            names, item = frozenset(self._names_of[group]), self.papers[group].item
            day = now.date() if group <= last_before else None
            if is_same_paper(together, names) and do_texts_agree(
                identity, names, entry.item, item, day
            ):
                joined.append(group)
                together = Identity(identity.key, together.aliases | names)
        return joined if joined or not identity.aliases <= self.names.keys() else list(groups)[:1]

    def _add_new(self, entry: IdentifiedItem, source: str, *, muted: bool, now: datetime) -> int:
        """Add a paper with the next number; its key is a name that no other paper has."""
        ranked = (entry.identity.key, *sorted(entry.identity.aliases))
        key = next(name for name in ranked if name not in self.names)
        self.last += 1
        self.papers[self.last] = Paper(self.last, key, entry.item, now, self.last, muted)
        self._members[self.last].add(self.last)
        self._add_names(entry.identity, self.last)
        if muted and source:
            self.muted_by[self.last].add(source)
        return self.last

    def _add_known(
        self,
        entry: IdentifiedItem,
        groups: Sequence[int],
        source: str,
        *,
        muted: bool,
        now: datetime,
    ) -> tuple[int, Fate]:
        before = self.papers[groups[0]].item
        group = self._join(groups, entry.item)
        if self.papers[group].muted:
            if self._is_news(group, entry, source, muted=muted):
                self._add_names(entry.identity, group)
                return self._unmute(group, now), "new"
            if muted and source:
                self.muted_by[group].add(source)
        self._add_names(entry.identity, group)
        revised = is_revision(before, entry.item)
        self._correct(group, before, revised=revised or _is_replacement(entry))
        return group, "revised" if revised else "seen"

    def _correct(self, group: int, before: Item, *, revised: bool) -> None:
        """Note what readers of a paper should know of its change.

        Archives write the title of one version differently, so only a revision changes a title.
        """
        item = self.papers[group].item
        if item.withdrawn and not before.withdrawn:
            self.corrections.append((group, ""))
        if revised and normalise_title(item.title) != normalise_title(before.title):
            self.corrections.append((group, before.title))

    def _is_news(self, group: int, entry: IdentifiedItem, source: str, *, muted: bool) -> bool:
        """Whether a source lists papers as news that until now were only in the past of others.

        If it is not known of which, as in stores of earlier versions, only a current listing is.
        """
        if muted or _is_replacement(entry):
            return False
        if entry.asked:
            return True
        others = set().union(*(self.muted_by.get(n, ()) for n in self._members[group]))
        return source not in others if others else not entry.past

    def _unmute(self, muted: int, now: datetime) -> int:
        """Give a muted paper a new number with its key and names; the old one stays in its group.

        A reader is owed what is numbered after their last issue, so the old number would be late.
        """
        self.last += 1
        old = self.papers[muted]
        self.papers[muted] = replace(old, key=_shorten(f"{old.key}#{muted}"))
        self.papers[self.last] = replace(old, number=self.last, first_seen=now, muted=False)
        self._members[muted].add(self.last)
        for name in self._names_of[muted]:
            self.names[name] = self.last
        return self._join([muted], old.item)

    def _add_names(self, identity: Identity, group: int) -> None:
        for name in identity.aliases:
            if name not in self.names:
                self.names[name] = group
                self._names_of[group].add(name)

    def _join(self, groups: Sequence[int], item: Item) -> int:
        """Make these groups one, with its number, and update the item of each paper in it."""
        members = set().union(*(self._members.pop(group) for group in groups))
        names = set().union(*(self._names_of.pop(group) for group in groups))
        joined = min(members, key=lambda number: (self.papers[number].muted, number))
        self._members[joined], self._names_of[joined] = members, names
        for number in members:
            paper = self.papers[number]
            self.papers[number] = replace(paper, group=joined, item=merge_items(paper.item, item))
        return joined

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
