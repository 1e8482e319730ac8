"""Which papers are like those that a reader liked, or like those that they want less of."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from math import fsum, sqrt

import numpy as np

from newsletter.meaning.papers import PaperSignals, PaperText
from newsletter.meaning.scoring import closeness, prepare_mean
from newsletter.meaning.table import Floats, VectorTable

NEAREST = (3.0, 2.0, 1.0)
"""How much the closest of the liked papers, the second and the third say of how close a paper is:
likes may be of several subjects, and a paper need not be close to all."""
CLEARLY = 2.0
"""From so many standard deviations above the others on, a paper is clearly close."""
IN_GENERAL = 10
"""As many papers in general are counted among the others, so that few can be compared, too."""


def compare_with(table: VectorTable, papers: PaperSignals, liked: PaperText) -> Floats:
    """How close each paper is to a liked one, in standard deviations over papers in general."""
    part = prepare_mean(table, (f"{liked.title}. {liked.abstract}",), "")
    row: Floats = closeness(papers, [part])[0]
    return row


def sort_by_likes(
    liked: Sequence[Floats], unliked: Sequence[Floats]
) -> tuple[Mapping[int, int], Mapping[int, int]]:
    """The papers that are clearly close to what was liked, and those to what was not.

    ``liked`` and ``unliked`` have what :func:`compare_with` found for each of a reader's likes.
    Returns, for each of these papers, the place of the like that it is closest to. A paper that is
    close to both counts for the closer.
    """
    either = zip_longest(_standing(liked), _standing(unliked), fillvalue=0.0)
    earlier, later = list[int](), list[int]()
    for index, (to_liked, to_unliked) in enumerate(either):
        if max(to_liked, to_unliked) >= CLEARLY and to_liked != to_unliked:
            (earlier if to_liked > to_unliked else later).append(index)
    return _nearest(liked, earlier), _nearest(unliked, later)


def _standing(rows: Sequence[Floats]) -> list[float]:
    """How close each paper is to its nearest likes, standardised over the papers themselves."""
    if not rows:
        return []
    shares = np.array(NEAREST[: len(rows)]) / sum(NEAREST[: len(rows)])
    closest = -np.sort(-np.stack(rows).astype(np.float64), axis=0)[: len(shares)]
    nearest = np.einsum("i,ij->j", shares, closest).tolist()
    count = len(nearest) + IN_GENERAL  # those in general have the mean 0 and the variance 1
    mean = fsum(nearest) / count
    variance = (fsum(each * each for each in nearest) + IN_GENERAL) / count - mean * mean
    return [(each - mean) / sqrt(variance) for each in nearest]


def _nearest(rows: Sequence[Floats], papers: Sequence[int]) -> Mapping[int, int]:
    if not papers:
        return {}
    places = np.stack([row[papers] for row in rows]).argmax(axis=0).tolist()
    return dict(zip(papers, places, strict=True))
