"""Fits the weights of the engine's signals on labelled wishes, and shows them on others."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.labelled import Asked, average_precision
from newsletter.app.files import load_engine
from newsletter.meaning import PaperSignals
from newsletter.meaning.scoring import BIAS, MEANING, TITLE, WORDS, closeness, word_shares

Numbers = NDArray[np.float64]

START = np.array([MEANING, WORDS, TITLE, BIAS])
PULL = 0.05  # towards the present weights: twenty wishes say little of each


class Signals(NamedTuple):
    """A wish's three signals, each parts x papers; the last part is the whole wish."""

    each: Numbers
    asked: Asked

    def probabilities(self, weights: Numbers) -> Numbers:
        """The formula of the engine, with these weights."""
        odds = np.tensordot(weights[:3], self.each, axes=1)
        return np.asarray(1 / (1 + np.exp(-((odds[:-1].max(axis=0) + odds[-1]) / 2 + weights[3]))))

    def loss(self, weights: Numbers) -> float:
        """The negative log likelihood of what people said of the scored papers."""
        found = np.clip(self.probabilities(weights), 1e-9, 1 - 1e-9)
        told = np.where(self.asked.right, np.log(found), np.log(1 - found))
        return -float(told[self.asked.scored].sum())


def tell(papers: PaperSignals, tables: Mapping[str, Sequence[Asked]]) -> None:
    """Print the weights fitted on each table and on all, and what they give on the others."""
    known = {name: [_signals(papers, each) for each in table] for name, table in tables.items()}
    everything = [each for table in known.values() for each in table]
    print(
        f"\n{'fitted on':<20}{'meaning':>9}{'words':>7}{'title':>7}{'bias':>7}  shown on: MAP, loss"
    )
    _tell_row("(now in the code)", START, known)
    for name, table in known.items():
        others = {other: each for other, each in known.items() if other != name}
        _tell_row(name, fit(table), others)
    _tell_row("all", fit(everything), known)


def fit(table: Sequence[Signals]) -> Numbers:
    """The weights that make what people said most probable, pulled towards the present ones."""

    def loss(weights: Numbers) -> float:
        pull = PULL * float((((weights - START) / START) ** 2).sum())
        return sum(each.loss(weights) for each in table) / len(table) + pull * len(START)

    from scipy.optimize import minimize  # noqa: PLC0415 - takes longer than all else here

    return np.asarray(minimize(loss, START, method="Nelder-Mead", options={"maxiter": 800}).x)


def _signals(papers: PaperSignals, asked: Asked) -> Signals:
    wish = load_engine().prepare(asked.wish)
    parts = (*wish.wanted, wish.whole)
    shares = [word_shares(papers, parts, *weights) for weights in ((1, 0), (0, 1))]
    return Signals(np.stack([closeness(papers, parts), *shares]), asked)


def _tell_row(name: str, weights: Numbers, shown: Mapping[str, Sequence[Signals]]) -> None:
    meaning, words, title, bias = weights
    told = "; ".join(f"{other} {_map(table, weights)}" for other, table in shown.items())
    print(f"{name:<20}{meaning:>9.2f}{words:>7.2f}{title:>7.2f}{bias:>7.2f}  {told}")


def _map(table: Sequence[Signals], weights: Numbers) -> str:
    found = [average_precision(each.probabilities(weights), each.asked) for each in table]
    return f"{np.nanmean(found):.3f}, {np.mean([each.loss(weights) for each in table]):.1f}"
