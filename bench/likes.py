"""What three liked papers change: the rest of a wish's papers ranked with and without them.

Of the papers that a wish should find, three are drawn as liked, several times; the others are
ranked. Wishes with no more than three papers are left out.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from bench.labelled import Asked, Figure, Flags, Numbers, average_precision, mean
from newsletter.app.files import load_engine
from newsletter.issue.ranking import Ranking
from newsletter.meaning import PaperSignals, compare_with, score, sort_by_likes
from newsletter.meaning.engine import LIKELY, STRONG

LIKED = 3  # papers of each draw
DRAWS = 10  # of each wish
WEIGHTS = np.linspace(0, 1.5, 16)
"""What a standard deviation of closeness to the liked papers may add to a wish's log odds."""
ENOUGH = 0.005
"""The smallest weight is taken whose MAP is so close to the best one: ten wishes say no more."""

Scored = Callable[["Draw"], Numbers]


class Draw:
    """A wish of which three papers are liked.

    ``odds`` are the wish's, ``close`` is the mean closeness to the liked papers, and ``earlier``
    are the papers that come a band earlier.
    """

    def __init__(self, papers: PaperSignals, asked: Asked, odds: Numbers, liked: Flags) -> None:
        table = load_engine().table
        rows = [compare_with(table, papers, papers.texts[at]) for at in np.flatnonzero(liked)]
        self.odds = odds
        self.close: Numbers = np.stack(rows).mean(axis=0, dtype=np.float64)
        self.earlier, _ = sort_by_likes(rows, [])
        self.asked = Asked(asked.wish, asked.right & ~liked, asked.scored & ~liked)

    def ranked(self, scores: Numbers) -> float:
        """The average precision of the papers that were not liked."""
        return average_precision(1 / (1 + np.exp(-np.clip(scores, -30, 30))), self.asked)

    def in_email(self, *, with_likes: bool) -> Numbers:
        """The order of an email, as scores: by bands, and by chance where upvotes decide in it."""
        count = len(self.odds)
        chance = np.random.default_rng(count).permutation(count)
        places = np.argsort(chance)  # of the papers, in the issue's order

        def mask(flags: Flags) -> int:
            return sum(1 << at for at in np.flatnonzero(flags[chance]).tolist())

        sure, likely = (self.odds >= np.log(p / (1 - p)) for p in (STRONG, LIKELY))
        liked = np.isin(np.arange(count), list(self.earlier) if with_likes else [])
        ranking = Ranking(sure=mask(sure), likely=mask(likely), liked=mask(liked))
        order = np.array(ranking.order((1 << count) - 1))
        return np.negative(np.argsort(order)[places] / count)


def figures(
    papers: PaperSignals, tables: Mapping[str, Sequence[Asked]]
) -> Mapping[str, Mapping[str, Figure]]:
    """For each table the MAP before and after three likes.

    The weight of likes beside a wish's odds is fitted on the other tables.
    """
    draws = {name: [_draws(papers, each) for each in table] for name, table in tables.items()}
    return {
        name: _figures(
            drawn, _best_weight([each for other in draws if other != name for each in draws[other]])
        )
        for name, drawn in draws.items()
    }


def _draws(papers: PaperSignals, asked: Asked) -> Sequence[Draw]:
    right = np.flatnonzero(asked.right)
    if len(right) <= LIKED:
        return ()
    (found,) = score(papers, [load_engine().prepare(asked.wish)])
    likely = np.clip(found.astype(float), 1e-9, 1 - 1e-9)
    odds = np.log(likely / (1 - likely))
    chance, drawn = np.random.default_rng(0), []
    for _ in range(DRAWS):
        liked = np.isin(np.arange(len(odds)), chance.choice(right, LIKED, replace=False))
        drawn.append(Draw(papers, asked, odds, liked))
    return drawn


def _figures(table: Sequence[Sequence[Draw]], weight: float) -> Mapping[str, Figure]:
    def with_likes(draw: Draw) -> Numbers:
        return draw.odds + weight * draw.close

    ways: Mapping[str, Scored] = {
        "by the wish alone": lambda draw: draw.odds,
        f"by the wish and likes, weight {weight:.1f}": with_likes,
        "by likes alone": lambda draw: draw.close,
        "in the email, before likes": lambda draw: draw.in_email(with_likes=False),
        "in the email, after likes": lambda draw: draw.in_email(with_likes=True),
    }
    each = {name: _per_wish(table, way) for name, way in ways.items()}
    alone, together, _, before, after = each.values()
    gained = {
        "gained by likes": [b - a for a, b in zip(alone, together, strict=True)],
        "gained by likes in the email": [b - a for a, b in zip(before, after, strict=True)],
    }
    return {name: mean(values) for name, values in {**each, **gained}.items()}


def _per_wish(table: Sequence[Sequence[Draw]], way: Scored) -> list[float]:
    """The mean over each wish's draws."""
    return [float(np.mean([draw.ranked(way(draw)) for draw in draws])) for draws in table if draws]


def _best_weight(table: Sequence[Sequence[Draw]]) -> float:
    """The weight that ranks these draws best, or nearly so; 0 if there are none."""
    if not any(table):
        return 0.0

    def value(weight: float) -> float:
        return float(np.mean(_per_wish(table, lambda draw: draw.odds + weight * draw.close)))

    values = {float(weight): value(float(weight)) for weight in WEIGHTS}
    best = max(values.values())
    return next(weight for weight in values if values[weight] >= best - ENOUGH)
