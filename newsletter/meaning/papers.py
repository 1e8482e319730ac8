"""A day's papers as the engine reads them: a vector for each, and which stems stand where."""

from array import array
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from newsletter.meaning.table import Floats, VectorTable

SATURATION = 0.6  # a stem that stands there n times counts n / (n + 0.6), as in BM25


class PaperText(NamedTuple):
    """What is read of a paper, without TeX."""

    title: str
    abstract: str


@dataclass(frozen=True, slots=True, eq=False)
class PaperSignals:
    """What the engine knows of some papers.

    Attributes:
        texts: what was read.
        steps: float32, papers x dimensions; with ``scales``, each row is a paper's vector
            (see :class:`~newsletter.meaning.table.Quantized`).
        scales: float32, one for each paper.
        rows: the row of each stem that a paper has.
        starts: for each row where it begins in the three arrays that follow, and where the last
            ends.
        holders: the papers that have the row's stem, in ascending order.
        counts: float32, how often each has it, saturated: 0 to 1.
        in_title: float32, 1 for each that has it in its title; less for one that has its acronym.
    """

    texts: tuple[PaperText, ...]
    steps: Floats
    scales: Floats
    rows: dict[str, int]
    starts: NDArray[np.int64]
    holders: NDArray[np.int32]
    counts: Floats
    in_title: Floats

    def __len__(self) -> int:
        """How many papers there are."""
        return len(self.scales)

    def find(self, stem: str, paper: int) -> tuple[float, float]:
        """How much a paper has of a stem: anywhere, and in its title; from 0 to 1."""
        row = self.rows.get(stem)
        if row is None:
            return 0.0, 0.0
        start, end = int(self.starts[row]), int(self.starts[row + 1])
        at = start + int(np.searchsorted(self.holders[start:end], paper))
        if at == end or self.holders[at] != paper:
            return 0.0, 0.0
        return float(self.counts[at]), float(self.in_title[at])

    def dense(self, wanted: Sequence[str]) -> tuple[Floats, Floats]:
        """For these stems, a row each and a last one of zeros: the counts, and those in titles."""
        counts = np.zeros((len(wanted) + 1, len(self)), np.float32)
        in_title = np.zeros_like(counts)
        for place, each in enumerate(wanted):
            row = self.rows.get(each)
            if row is not None:
                found = slice(int(self.starts[row]), int(self.starts[row + 1]))
                counts[place, self.holders[found]] = self.counts[found]
                in_title[place, self.holders[found]] = self.in_title[found]
        return counts, in_title


def read_papers(
    table: VectorTable, papers: Sequence[PaperText], only: Collection[str] | None = None
) -> PaperSignals:
    """Read some papers, about a millisecond each; half of that if ``only`` some stems count."""
    steps = np.zeros((len(papers), len(table.mean)), np.float32)
    scales = np.zeros(len(papers), np.float32)
    rows: dict[str, int] = {}
    at, holders, counts, titles = array("i"), array("i"), array("f"), array("f")
    for index, paper in enumerate(papers):
        vector = table.vector(f"{paper.title}. {paper.abstract}")
        steps[index], scales[index] = vector.steps, vector.scale
        in_title = table.stem_counts(paper.title)
        for each, times in table.stem_counts(f"{paper.title} | {paper.abstract}").items():
            if only is not None and each not in only:
                continue
            at.append(rows.setdefault(each, len(rows)))
            holders.append(index)
            counts.append(times / (times + SATURATION))
            titles.append(min(1.0, in_title.get(each, 0)))
    order = np.argsort(at, kind="stable")
    lengths = np.bincount(np.array(at, np.intp), minlength=len(rows))
    return PaperSignals(
        texts=tuple(papers),
        steps=steps,
        scales=scales,
        rows=rows,
        starts=np.concatenate(([0], np.cumsum(lengths, dtype=np.int64))),
        holders=np.array(holders, np.int32)[order],
        counts=np.array(counts, np.float32)[order],
        in_title=np.array(titles, np.float32)[order],
    )
