"""Blocks of the archive's search index: a vector for each paper, and who has which words."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from newsletter.meaning.papers import PaperText
from newsletter.meaning.scoring import MEANING, WORDS, PreparedWish, closeness
from newsletter.meaning.table import Floats, VectorTable

LETTERS = 12  # bytes of a word that a block knows
_WORD = f"S{LETTERS}"

_PRESENT = 0.75  # about what a stem counts that a paper has, however often

Flags = NDArray[np.bool_]


class IndexedPaper(NamedTuple):
    """What a block keeps of a paper: the meaning of its text, and these words."""

    text: PaperText
    words: Collection[str]


def pack_block(table: VectorTable, papers: Mapping[int, IndexedPaper], rows: int) -> bytes:
    """The block with these papers, by their places in it; others of its rows stay empty."""
    steps = np.zeros((rows, len(table.mean)), np.int8)
    scales = np.zeros(rows, "<f4")
    holders = defaultdict[bytes, set[int]](set)
    for place, paper in sorted(papers.items()):
        vector = table.vector(f"{paper.text.title}. {paper.text.abstract}")
        steps[place], scales[place] = vector.steps, vector.scale
        for word in paper.words:
            holders[word.encode()[:LETTERS]].add(place)
    words = sorted(holders)
    ends = np.cumsum([0, *(len(holders[word]) for word in words)], dtype="<u4")
    listed = np.fromiter(chain.from_iterable(sorted(holders[word]) for word in words), "<u2")
    sizes = np.array([*steps.shape, len(words), len(listed)], "<u4")
    packed = (sizes, steps, scales, ends, listed, np.array(words, _WORD))
    return b"".join(each.tobytes() for each in packed)


@dataclass(frozen=True, slots=True)
class PaperBlock:
    """A block that was read.

    ``words`` are in order; the papers that have word *n* are ``holders[ends[n]:ends[n + 1]]``.
    """

    steps: Floats
    scales: Floats
    ends: NDArray[np.uint32]
    holders: NDArray[np.uint16]
    words: NDArray[np.bytes_]

    @classmethod
    def read(cls, packed: bytes) -> "PaperBlock":
        """The block that :func:`pack_block` has packed."""
        rows, dimensions, words, listed = np.frombuffer(packed, "<u4", 4).tolist()
        at = 16
        steps = np.frombuffer(packed, np.int8, rows * dimensions, at)
        scales = np.frombuffer(packed, "<f4", rows, at := at + steps.nbytes)
        ends = np.frombuffer(packed, "<u4", words + 1, at := at + scales.nbytes)
        holders = np.frombuffer(packed, "<u2", listed, at := at + ends.nbytes)
        letters = np.frombuffer(packed, _WORD, words, at + holders.nbytes)
        as_floats = steps.reshape(rows, dimensions).astype(np.float32)
        return cls(as_floats, scales, ends, holders, letters)

    def having(self, beginning: str) -> Flags:
        """The papers that have a word beginning like this, as far as the index knows words."""
        looked_for = beginning.encode()[:LETTERS]
        first = self.words.searchsorted(looked_for)
        last = self.words.searchsorted(looked_for.ljust(LETTERS, b"\xff"), "right")
        found = np.zeros(len(self.scales), np.bool_)
        found[self.holders[self.ends[first] : self.ends[last]]] = True
        return found

    def odds(self, wish: PreparedWish) -> Floats:
        """About the log odds of each paper, without the bias; empty places have the lowest."""
        parts, stems = (*wish.wanted, wish.whole), dict.fromkeys(wish.whole.stems)
        having = np.array([self.having(stem) for stem in stems], np.float32)
        shares = np.zeros((len(parts), len(stems)), np.float32)
        for row, part in enumerate(parts):
            share_of = stems | dict(zip(part.stems, part.shares.tolist(), strict=True))
            shares[row] = [share_of[stem] or 0 for stem in stems]
        close = MEANING * closeness(self, parts) + WORDS * _PRESENT * shares @ having
        odds: Floats = (close[:-1].max(axis=0) + close[-1]) / 2
        return np.where(self.scales > 0, odds, -np.inf).astype(np.float32)
