"""Which listed papers are new, and which are known under another name."""

import hashlib
import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal

from newsletter.model import IdentifiedItem, Identity, IngestCounts, Item, Paper
from newsletter.papers.copies import Sketches, Wording, is_copy
from newsletter.papers.identity import (
    add_copy,
    do_differ,
    do_texts_agree,
    is_revision,
    is_same_paper,
    merge_items,
    normalise_title,
    strength,
)
from newsletter.stores.logic import storable

_log = logging.getLogger(__name__)

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
        sketches: what the texts of papers are found by.
        copies: the papers that are in their group because of their texts, with the number of the
            paper that each was found to be. They keep their own texts and links.
    """

    def __init__(
        self,
        papers: Iterable[Paper] = (),
        names: Mapping[str, int] | None = None,
        muted_by: Iterable[tuple[int, str]] = (),
        *,
        last: int = 0,
        sketches: Sketches | None = None,
        copies: Mapping[int, int] | None = None,
    ) -> None:
        self.papers = {paper.number: paper for paper in papers}
        self.names = dict(names or {})
        self.muted_by: defaultdict[int, set[str]] = defaultdict(set)
        for number, source in muted_by:
            self.muted_by[number].add(source)
        self.last = last
        self.corrections = list[tuple[int, str]]()
        self.sketches = sketches or Sketches()
        self.copies = dict(copies or {})
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
                number, fate = self._add_stranger(known, source, muted=muted, now=now)
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

    def _add_stranger(
        self, entry: IdentifiedItem, source: str, *, muted: bool, now: datetime
    ) -> tuple[int, Fate]:
        """Add a paper of which no name is known: as a new one, or as a copy of a known one."""
        paper = Wording(entry.item, entry.identity.aliases)
        numbers = self.sketches.of(paper)
        original = self._find_original(paper, numbers)
        fate: Fate = "new"
        if original is not None:
            group = self.papers[original].group
            was_muted = self.papers[group].muted
            is_news = was_muted and self._is_news(group, entry, source, muted=muted)
            muted = muted or (was_muted and not is_news)
            fate = "new" if is_news else "seen"
        number = self._add_new(entry, source, muted=muted, now=now)
        self.sketches.add(number, numbers)
        if original is not None:
            self._add_copy(number, original)
        return number, fate

    def _find_original(self, paper: Wording, numbers: frozenset[int]) -> int | None:
        """The paper of which a new one is a copy by its texts."""
        for number in self.sketches.most_alike(numbers):
            known = self.papers[number]
            names = frozenset(self._names_of[known.group])
            titles = {
                normalise_title(self.papers[member].item.title)
                for member in self._members[known.group]
            }
            # Two arXiv numbers come together only under one title, not by way of a third paper.
            strict = do_differ(paper.names, names, "arxiv:")
            if is_copy(paper, Wording(known.item, names)) and not (strict and len(titles) > 1):
                return number
        return None

    def _add_copy(self, number: int, original: int) -> None:
        """Put a paper into the group of the one that it is a copy of; both learn of the other."""
        self.copies[number] = original
        copy, known = self.papers[number], self.papers[original]
        _log.info("%s is the same paper as %s, by title and abstract", copy.key, known.key)
        self.papers[number] = replace(copy, item=add_copy(copy.item, known.item))
        self._join([known.group, number], copy.item, frozenset({number}))

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
        copies = self._copies_named(entry.identity, groups)
        before = self.papers[min(copies, default=groups[0])].item
        group = self._join(groups, entry.item, copies)
        if self.papers[group].muted:
            if self._is_news(group, entry, source, muted=muted):
                self._add_names(entry.identity, group)
                return self._unmute(group, now), "new"
            if muted and source:
                self.muted_by[group].add(source)
        self._add_names(entry.identity, group)
        revised = is_revision(before, entry.item)
        named = min(copies, default=group)
        self._correct(named, before, revised=revised or _is_replacement(entry))
        return group, "revised" if revised else "seen"

    def _copies_named(self, identity: Identity, groups: Sequence[int]) -> frozenset[int]:
        """The copies that an entry is about; none if it is about their originals.

        Copies whose names come with those of their original are no mere copies any more.
        """
        named = {self.names[name] for name in identity.aliases & self.names.keys()}
        named = {number for number in named if self.papers[number].group in groups}
        if named <= self.copies.keys():
            return frozenset(named)
        for number in named & self.copies.keys():
            del self.copies[number]
        return frozenset()

    def _correct(self, number: int, before: Item, *, revised: bool) -> None:
        """Note what readers of a paper should know of its change.

        Archives write the title of one version differently, so only a revision changes a title.
        """
        item = self.papers[number].item
        if item.withdrawn and not before.withdrawn:
            self.corrections.append((number, ""))
        if revised and normalise_title(item.title) != normalise_title(before.title):
            self.corrections.append((number, before.title))

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
            if self.names[name] not in self.copies:
                self.names[name] = self.last
        return self._join([muted], old.item)

    def _add_names(self, identity: Identity, group: int) -> None:
        for name in identity.aliases:
            if name not in self.names:
                self.names[name] = group
                self._names_of[group].add(name)

    def _join(self, groups: Sequence[int], item: Item, copies: frozenset[int] = frozenset()) -> int:
        """Make these groups one, with its number, and update the item of each paper in it.

        An entry about ``copies`` updates the others as a copy of theirs does, and the reverse.
        """
        members = set().union(*(self._members.pop(group) for group in groups))
        names = set().union(*(self._names_of.pop(group) for group in groups))
        joined = min(members, key=lambda number: (self.papers[number].muted, number))
        self._members[joined], self._names_of[joined] = members, names
        for number in members:
            paper = self.papers[number]
            is_about = number in copies if copies else number not in self.copies
            update = merge_items if is_about else add_copy
            self.papers[number] = replace(paper, group=joined, item=update(paper.item, item))
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
