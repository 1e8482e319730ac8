"""Labelled papers: what people say of them, and how sure a figure over them is."""

import gzip
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from newsletter.model import Item

Flags = NDArray[np.bool_]
Numbers = NDArray[np.float64]

RESAMPLES = 2000
BETWEEN_TITLES = " || "


class FileError(Exception):
    """A file of labels that cannot be read; the message names the place and the remedy."""


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper, its labels, and the labels on which people would differ, which are not scored.

    ``first`` is the category that its authors named first.
    """

    item: Item
    labels: frozenset[str]
    borderline: frozenset[str]
    first: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A wish, the papers that it should find, and those that are scored (not borderline)."""

    wish: str
    right: Flags
    scored: Flags


class Figure(NamedTuple):
    """A measured value with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def read_gold(paths: Iterable[Path]) -> list[Paper]:
    """The papers of all these JSON lines: title, abstract, topics, borderline.

    Raises:
        FileError: a line lacks one of them, or is no JSON.
    """
    return [
        Paper(
            Item(entry["title"], entry.get("abstract", "")),
            frozenset(entry["topics"]),
            frozenset(entry.get("borderline", ())),
        )
        for path in paths
        for entry in _entries(path, ("title", "topics"))
    ]


def read_categories(path: Path) -> list[Paper]:
    """The papers of a file; their labels are their arXiv categories.

    Raises:
        FileError: a line lacks a title or categories, or is no JSON.
    """
    return [
        Paper(
            Item(entry["title"], entry.get("abstract", "")),
            frozenset(_listed(entry["categories"])),
            frozenset(),
            first=next(iter(_listed(entry["categories"])), ""),
        )
        for entry in _entries(path, ("title", "categories"))
    ]


def _listed(categories: str | list[str]) -> list[str]:
    return categories.split() if isinstance(categories, str) else categories


def _entries(path: Path, needed: Sequence[str]) -> Iterable[Mapping[str, Any]]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                entry = json.loads(line)
            except ValueError as error:
                raise FileError(f"{path}, line {number}: {error}") from None
            if missing := [name for name in needed if name not in entry]:
                raise FileError(f"{path}, line {number}: has no “{missing[0]}”")
            yield entry


def read_filters(path: Path, papers: Sequence[Paper]) -> list[Asked]:
    """The wishes of a table: wish, right titles and borderline titles, parted by tabs.

    Titles are parted by " || ". A first line that begins with "filter" is its head.

    Raises:
        FileError: a title is none of the papers'.
    """
    places: dict[str, int] = {}
    for place, paper in enumerate(papers):
        places.setdefault(_key(paper.item.title), place)
    asked = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        wish, *titles = line.split("\t")
        if not wish.strip() or (number == 1 and wish == "filter"):
            continue
        right, borderline = (
            _flags(column, places, len(papers), f"{path}, line {number}")
            for column in (*titles, "", "")[:2]
        )
        asked.append(Asked(wish.strip(), right & ~borderline, ~borderline))
    return asked


def _flags(titles: str, places: Mapping[str, int], count: int, where: str) -> Flags:
    flags = np.zeros(count, bool)
    for title in filter(None, map(str.strip, titles.split(BETWEEN_TITLES))):
        if _key(title) not in places:
            raise FileError(f"{where}: no paper of the --gold files has the title “{title}”")
        flags[places[_key(title)]] = True
    return flags


def _key(title: str) -> str:
    return " ".join(title.split()).casefold()


def average_precision(scores: NDArray[Any], asked: Asked) -> float:
    """Of the papers in the order of their scores; one with the score 0 is not found at all.

    NaN if no paper is right.
    """
    order = [
        place
        for place in np.argsort(-scores, kind="stable").tolist()
        if asked.scored[place] and scores[place] > 0
    ]
    right = asked.right[order]
    if not asked.right.any():
        return float("nan")
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    return float(precision[right].sum() / asked.right.sum())


def bootstrap(figure: Callable[[Numbers], float], count: int) -> Figure:
    """A figure over ``count`` units, and its interval from units drawn with replacement.

    ``figure`` is given how often each unit counts. The interval is the percentile one (Efron 1979).
    """
    chance = np.random.default_rng(0)
    drawn = chance.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    values = [figure(weights.astype(float)) for weights in drawn]
    low, high = np.nanpercentile(values, (2.5, 97.5))
    return Figure(figure(np.ones(count)), float(low), float(high))


def mean(values: Sequence[float]) -> Figure:
    """The mean of one value per unit; those that are NaN have none."""
    known = np.array([value for value in values if not np.isnan(value)])
    if not len(known):
        return Figure(float("nan"), float("nan"), float("nan"))
    return bootstrap(lambda weights: share(weights @ known, weights.sum()), len(known))


def share(part: float, whole: float) -> float:
    """A part of a whole; 1 if there is nothing."""
    return float(part / whole) if whole else 1.0


def stop(error: Exception) -> None:
    """End the program with the message of an error and exit code 2."""
    print(error, file=sys.stderr)
    raise SystemExit(2)
