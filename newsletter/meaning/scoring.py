"""How probable it is that a paper is what a wish asks for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from newsletter.meaning.papers import PaperSignals
from newsletter.meaning.stems import plain, telling_stems
from newsletter.meaning.table import Floats, Quantized, VectorTable, quantize
from newsletter.meaning.wishes import Wish, parse_wish

MEANING, WORDS, TITLE = 0.70, 3.69, 1.63
"""What each signal adds to the log odds: a standard deviation of closeness, all words, all in the
title."""
BIAS = -6.47
"""The log odds of a paper that has none of it."""
UNWANTED, UNWANTED_KIND = 0.3, 0.5
"""From this probability on a paper is one of those that are not wanted. The second is for a part
that shares a word with the wanted ones: as a kind of them it is close to all of their papers."""
REMOTE = 0.05
"""From this probability on a wish may find a paper."""

_CELLS = 400_000  # parts x papers scored at once: a few megabytes


@dataclass(frozen=True, slots=True)
class PreparedPart:
    """A part of a wish: its vector, and its telling stems with the share of each."""

    text: str
    vector: Quantized
    mean: float  # its closeness to papers in general
    deviation: float
    stems: tuple[str, ...]
    shares: Floats


@dataclass(frozen=True, slots=True)
class PreparedWish:
    """A wish that can be scored; ``whole`` is all that is wanted, as one part."""

    wish: Wish
    wanted: tuple[PreparedPart, ...]
    whole: PreparedPart
    unwanted: tuple[PreparedPart, ...]
    bounds: Floats  # for each unwanted part the probability from which on it keeps a paper out

    @property
    def stems(self) -> frozenset[str]:
        """The stems of all its parts."""
        return frozenset(chain.from_iterable(part.stems for part in (self.whole, *self.unwanted)))


def prepare(table: VectorTable, text: str) -> PreparedWish:
    """Take a wish apart and look up its words, about half a millisecond.

    An unwanted part is compared only by the words that no wanted part has: "quantum key
    distribution, but not quantum algorithms" must not lose all papers with "quantum".

    Raises:
        FilterError: the text has no words to look for.
    """
    wish = parse_wish(text)
    together = ", ".join(wish.wanted)
    shared = frozenset(telling_stems(plain(together)))
    kinds = [not shared.isdisjoint(telling_stems(plain(part))) for part in wish.unwanted]
    return PreparedWish(
        wish,
        tuple(prepare_part(table, part) for part in wish.wanted),
        prepare_part(table, together),
        tuple(prepare_part(table, part, shared) for part in wish.unwanted),
        np.where(kinds, UNWANTED_KIND, UNWANTED).astype(np.float32),
    )


def prepare_part(
    table: VectorTable, text: str, without: frozenset[str] = frozenset()
) -> PreparedPart:
    """Look up one part; stems in ``without`` are left out unless nothing else is left."""
    return _prepared(table, text, table.vector(text), without)


def prepare_mean(table: VectorTable, texts: Sequence[str], name: str) -> PreparedPart:
    """A part whose vector is the mean of several texts, and whose words are those of a name."""
    vectors = [table.vector(text).vector for text in texts]
    return _prepared(table, name, quantize(np.sum(vectors, axis=0)), frozenset())


def _prepared(
    table: VectorTable, text: str, vector: Quantized, without: frozenset[str]
) -> PreparedPart:
    telling = telling_stems(plain(text))
    telling = tuple(each for each in telling if each not in without) or telling
    rarities = table.rarities(telling)
    exact = vector.vector
    variance = float(np.einsum("i,ij,j", exact, table.covariance, exact))
    return PreparedPart(
        text=text,
        vector=vector,
        mean=float(np.einsum("i,i", exact, table.mean)),
        deviation=max(variance, 1e-9) ** 0.5,
        stems=telling,
        shares=(rarities / rarities.sum()).astype(np.float32) if telling else rarities,
    )


def score(papers: PaperSignals, wishes: Sequence[PreparedWish]) -> Floats:
    """For each wish and paper the probability that it is what the wish asks for; 0 if unwanted."""
    return score_parts(papers, wishes)[0]


def score_parts(
    papers: PaperSignals, wishes: Sequence[PreparedWish]
) -> tuple[Floats, Mapping[int, NDArray[np.bool_]]]:
    """The same, and for each wish with unwanted parts which papers each of these keeps out.

    Wishes are scored in blocks, so that memory does not grow with their number.
    """
    found, kept_out = [np.zeros((0, len(papers)), np.float32)], dict[int, NDArray[np.bool_]]()
    start = 0
    for block in _blocks(papers, wishes):
        scored, kept_out_here = _score_block(papers, block)
        found.append(scored)
        kept_out |= {start + row: papers_of_parts for row, papers_of_parts in kept_out_here.items()}
        start += len(block)
    return np.concatenate(found), kept_out


def _blocks(
    papers: PaperSignals, wishes: Sequence[PreparedWish]
) -> Iterator[Sequence[PreparedWish]]:
    """The wishes in blocks of at most ``_CELLS`` parts x papers."""
    most = max(1, _CELLS // max(1, len(papers)))
    start = parts = 0
    for end, wish in enumerate(wishes):
        count = len(wish.wanted) + 1 + len(wish.unwanted)
        if parts + count > most and end > start:
            yield wishes[start:end]
            start, parts = end, 0
        parts += count
    if start < len(wishes):
        yield wishes[start:]


def _score_block(
    papers: PaperSignals, wishes: Sequence[PreparedWish]
) -> tuple[Floats, dict[int, NDArray[np.bool_]]]:
    groups = [group for wish in wishes for group in _groups(wish)]
    odds = part_odds(papers, list(chain.from_iterable(groups)))
    lengths = np.array([len(group) for group in groups])
    starts = np.cumsum(lengths) - lengths
    best = np.maximum.reduceat(odds, starts, axis=0)
    sizes = np.array([2 + bool(wish.unwanted) for wish in wishes])
    first = np.cumsum(sizes) - sizes
    probabilities = sigmoid((best[first] + best[first + 1]) / 2 + BIAS)
    kept_out = dict[int, NDArray[np.bool_]]()
    for row in (row for row, wish in enumerate(wishes) if wish.unwanted):
        group = first[row] + 2
        parts = odds[starts[group] : starts[group] + lengths[group]]
        unwanted = sigmoid(parts + BIAS) >= wishes[row].bounds[:, None]
        kept_out[row] = unwanted & (probabilities[row] >= REMOTE)
        probabilities[row, unwanted.any(axis=0)] = 0
    return probabilities, kept_out


def _groups(wish: PreparedWish) -> Iterator[Sequence[PreparedPart]]:
    """The parts of which the strongest counts: the wanted ones, the whole, the unwanted ones."""
    yield wish.wanted
    yield (wish.whole,)
    if wish.unwanted:
        yield wish.unwanted


def part_odds(papers: PaperSignals, parts: Sequence[PreparedPart]) -> Floats:
    """For each part and paper the log odds from all signals, without the bias."""
    odds = MEANING * closeness(papers, parts) + word_shares(papers, parts, WORDS, TITLE)
    return np.asarray(odds, np.float32)


class WithVectors(Protocol):
    """What has the vectors of papers; see :class:`~newsletter.meaning.papers.PaperSignals`."""

    @property
    def steps(self) -> Floats:
        """A row for each paper."""

    @property
    def scales(self) -> Floats:
        """A number for each paper."""


def closeness(papers: WithVectors, parts: Sequence[PreparedPart]) -> Floats:
    """For each part and paper how close they are, in standard deviations over papers in general.

    A part of which the table knows nothing is close to no paper: 0.
    """
    steps = np.stack([part.vector.steps for part in parts])
    scales, means, deviations = (
        np.array(values, np.float32)[:, None]
        for values in zip(*((p.vector.scale, p.mean, p.deviation) for p in parts), strict=True)
    )
    close = ((steps @ papers.steps.T) * (scales * papers.scales) - means) / deviations
    return np.where((scales > 0) & (papers.scales > 0), close, 0).astype(np.float32)


def word_shares(
    papers: PaperSignals, parts: Sequence[PreparedPart], anywhere: float, in_title: float
) -> Floats:
    """For each part and paper the share of its words, by rarity, times a weight.

    The weights are those of words ``anywhere`` in a paper, and again of those ``in_title``.
    """
    known = [each for part in parts for each in part.stems if each in papers.rows]
    places = {each: place for place, each in enumerate(dict.fromkeys(known))}
    counts, titles = papers.dense(list(places))
    weighted = anywhere * counts + in_title * titles
    wanted = [places.get(each, len(places)) for part in parts for each in part.stems]
    found = np.zeros((len(parts), len(papers)), np.float32)
    lengths = np.array([len(part.stems) for part in parts])
    with_words = np.flatnonzero(lengths)
    if len(with_words):
        shares = np.concatenate([part.shares for part in parts])[:, None]
        starts = (np.cumsum(lengths) - lengths)[with_words]
        found[with_words] = np.add.reduceat(weighted[wanted] * shares, starts, axis=0)
    return found


def sigmoid(odds: Floats) -> Floats:
    """The probability of log odds."""
    return (1 / (1 + np.exp(-odds.astype(np.float64)))).astype(np.float32)
