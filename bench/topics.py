"""How well papers are matched, on labelled files: ``python -m bench.topics``.

Every figure has its 95 % interval (bootstrap) and what it must reach::

    python -m bench.topics --gold FILE.jsonl... [--filters FILE.tsv...]
        [--categories FILE.jsonl.gz] [--copies FILE.jsonl.gz] [--fit] [--rivals] [--speed]
        [--missed] [--json FILE]

``--gold``: JSON lines of papers with ``title``, ``abstract``, ``topics`` (the labels that apply)
and ``borderline`` (labels on which people would differ, which are not scored). ``--filters``: a
wish, the titles that it should find and those that are borderline, parted by tabs; the titles are
parted by `` || `` and stand in the gold files, whose papers are the wishes' one pool.
``--categories``: JSON lines of papers with ``categories``. ``--copies``: JSON lines of papers with
the ``id`` that arXiv gave them.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench import ROOT, copies, fitting, likes, rivals, wishes
from bench.labelled import (
    Asked,
    Figure,
    FileError,
    Flags,
    Paper,
    average_precision,
    bootstrap,
    mean,
    read_categories,
    read_filters,
    read_gold,
    share,
    stop,
)
from newsletter.app.files import load_engine
from newsletter.config.topics import curated_topics
from newsletter.meaning import PaperSignals, PaperText, score
from newsletter.model import Issue, Item, Term, Topic
from newsletter.model import Paper as IssuePaper
from newsletter.papers import topics
from newsletter.papers.meanings import MeaningMatcher
from newsletter.text import tex_to_unicode

LABELS = {
    "agents": "Agents",
    "code": "Code",
    "data": "Data",
    "efficient": "Small and efficient models",
    "eval": "Evaluation",
    "gen": "Image and video generation",
    "knowledge": "Retrieval and knowledge",
    "medical": "Medicine",
    "moe": "Mixture of Experts",
    "reasoning": "Reasoning",
    "remote": "Remote sensing",
    "rl": "Reinforcement learning",
    "robotics": "Robotics",
    "safety": "Safety and alignment",
    "science": "Science",
    "speech": "Speech and audio",
    "vision": "Vision",
    "vlm": "Vision-language models",
}
"""The curated topic of each label, under the name it has or had."""

BINS = 10  # of probabilities, for the calibration error
CATEGORIES = ROOT / "bench" / "arxiv_categories.tsv"
"""Names and descriptions of arXiv's taxonomy, without what they say of other categories only."""
FEWEST = 10  # papers that a category needs to be scored
FIRST = 0.03  # of the papers, at least, have it as their first category: those make up the MAP

MUST = {
    "filters MAP": (0.86, 0.90),
    "normal F1 of the best five": (0.70, 0.76),
    "strict precision": (0.93, 0.97),
    "calibration error": (0.02, 0.01),
    "topics micro F1": (0.81, 0.86),
    "topics macro F1": (0.77, 0.83),
    "section top-1": (0.93, 0.96),
    "categories MAP": (0.61, 0.66),
}
"""What a figure must be, and what it is to reach: at least, the calibration error at most."""


def main() -> None:
    """Score the files and print the figures."""
    asked = _arguments()
    try:
        found = measure(asked)
    except (FileError, OSError) as error:
        stop(error)
    if asked.json:
        written = {name: figure._asdict() for name, figure in found.items()}
        asked.json.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, said in (("gold", "labelled papers"), ("filters", "wishes and their papers")):
        parser.add_argument(f"--{name}", type=Path, nargs="+", action="extend", help=said)
    parser.add_argument("--categories", type=Path, help="papers with their arXiv categories")
    parser.add_argument("--copies", type=Path, help="papers of which copies are to be found")
    parser.add_argument("--fit", action="store_true", help="fit on each table, show on others")
    parser.add_argument("--rivals", action="store_true", help="score simpler engines, too")
    parser.add_argument("--speed", action="store_true", help="measure time and memory, too")
    parser.add_argument("--missed", action="store_true", help="name every paper found wrongly")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    asked = parser.parse_args()
    if not (asked.gold or asked.categories or asked.copies):
        parser.error(
            "give --gold FILE.jsonl, --categories FILE.jsonl.gz, --copies FILE, or several"
        )
    if asked.filters and not asked.gold:
        parser.error("--filters needs --gold: the papers whose titles it names")
    return asked


def measure(asked: argparse.Namespace) -> Mapping[str, Figure]:
    """Score what the arguments name; print each part as soon as it is known."""
    found: dict[str, Figure] = {}
    if asked.gold:
        papers = read_gold(asked.gold)
        tables = {path.stem: read_filters(path, papers) for path in asked.filters or ()}
        pool = Pool([paper.item for paper in papers])
        together = {"all wishes": [each for table in tables.values() for each in table]}
        for name, table in {**tables, **(together if len(tables) > 1 else {})}.items():
            found |= _tell(
                f"{name}: {len(table)} wishes, {len(papers)} papers", filters(pool, table)
            )
            if asked.rivals:
                found |= _tell(f"{name}: other engines", against(pool, table))
        for name, figures in likes.figures(pool.signals, tables).items():
            found |= _tell(f"{name}: MAP of the rest after {likes.LIKED} likes", figures)
        found |= _tell(f"topics: {len(papers)} papers", topic_figures(pool, papers))
        if asked.missed:
            _tell_mistakes(pool, papers)
        if asked.fit:
            fitting.tell(pool.signals, tables)
    if asked.categories:
        labelled = read_categories(asked.categories)
        found |= _tell(f"categories: {len(labelled)} papers", categories(labelled))
    if asked.copies:
        found |= _tell("the same paper again", copy_figures(asked.copies))
    if asked.speed:
        spent = wishes.measure(asked.categories)
        found |= _tell("time and memory", {name: _alone(value) for name, value in spent.items()})
    return found


def _tell(title: str, figures: Mapping[str, Figure]) -> Mapping[str, Figure]:
    print(f"\n{title}")
    for name, each in figures.items():
        must, reach = MUST.get(name, (None, None))
        bar = f"   must {must:.2f}, to reach {reach:.2f}" if must else ""
        between = f"{each.low:.3f} to {each.high:.3f}" if each.low != each.high else ""
        print(f"  {name:<44}{each.value:>8.3f}   {between:<16}{bar}")
    return {f"{title}: {name}": figure for name, figure in figures.items()}


@dataclass(frozen=True)
class Pool:
    """Papers that are matched together, as one issue."""

    items: Sequence[Item]

    @cached_property
    def signals(self) -> PaperSignals:
        """What the engine knows of them."""
        texts = [
            PaperText(tex_to_unicode(item.title), tex_to_unicode(item.abstract))
            for item in self.items
        ]
        return load_engine().read(texts)

    @cached_property
    def issue(self) -> Issue:
        """The issue, with the topics that the labels name."""
        seen = datetime(2026, 8, 3, tzinfo=UTC)
        numbered = tuple(
            IssuePaper(number, f"labelled:{number}", item, seen, group=number)
            for number, item in enumerate(self.items, 1)
        )
        return Issue(date(2026, 8, 3), numbered, tuple(_topics().values()), len(numbered), seen)

    def flags(self, mask: int) -> Flags:
        """The papers of a bitmask."""
        return np.array([bool(mask >> place & 1) for place in range(len(self.items))])


def _topics() -> Mapping[str, Topic]:
    """The curated topic of each label."""
    known = curated_topics()
    present = topics.present_names(known)
    by_name = {topic.name: topic for topic in known}
    return {label: by_name[present[name]] for label, name in LABELS.items()}


# Wishes in plain words


def filters(pool: Pool, table: Sequence[Asked]) -> Mapping[str, Figure]:
    """The figures of wishes: their ranking, their modes, their probabilities."""
    engine = load_engine()
    probabilities = score(pool.signals, [engine.prepare(each.wish) for each in table])
    terms = [Term("about", each.wish) for each in table]
    matched = MeaningMatcher(load_engine).match(pool.items, terms).wishes
    masks = [matched[term] for term in terms]
    normal = [
        _counts(pool.flags(mask.found("normal")), each)
        for mask, each in zip(masks, table, strict=True)
    ]
    strict = [
        _counts(pool.flags(mask.found("strict")), each)
        for mask, each in zip(masks, table, strict=True)
    ]
    broad = [
        _counts(pool.flags(mask.found("broad")), each)
        for mask, each in zip(masks, table, strict=True)
    ]
    best = [
        _counts(pool.flags(mask.found("normal")) & _best_five(row), each)
        for mask, row, each in zip(masks, probabilities, table, strict=True)
    ]
    precisions = zip(probabilities, table, strict=True)
    return {
        "filters MAP": mean([average_precision(row, each) for row, each in precisions]),
        "normal F1 of the best five": mean([count.f1 for count in best]),
        "normal precision of the best five": _pooled(best, "precision"),
        "normal F1, titles included": mean([count.f1 for count in normal]),
        "normal precision, titles included": _pooled(normal, "precision"),
        "strict precision": _pooled(strict, "precision"),
        "strict recall": _pooled(strict, "recall"),
        "broad recall": _pooled(broad, "recall"),
        "calibration error": calibration_error(probabilities, table),
    }


def against(pool: Pool, table: Sequence[Asked]) -> Mapping[str, Figure]:
    """The ranking of the same wishes by simpler engines."""
    return {
        f"MAP, {name}": mean([average_precision(rank(pool.items, e.wish), e) for e in table])
        for name, rank in rivals.RIVALS.items()
    }


def _best_five(probabilities: NDArray[np.float32]) -> Flags:
    best = np.zeros(len(probabilities), bool)
    best[np.argsort(-probabilities, kind="stable")[:5]] = True
    return best


@dataclass(frozen=True, slots=True)
class Counts:
    """How many papers were found rightly, were found, and should have been found."""

    right: int
    found: int
    wanted: int

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return share(2 * self.right, self.found + self.wanted)


def _counts(found: Flags, asked: Asked) -> Counts:
    found = found & asked.scored
    return Counts(int((found & asked.right).sum()), int(found.sum()), int(asked.right.sum()))


def _pooled(counts: Sequence[Counts], name: str) -> Figure:
    """Precision or recall of all wishes' papers together; the interval is over wishes."""
    right = np.array([count.right for count in counts])
    whole = np.array([c.found if name == "precision" else c.wanted for c in counts])
    return bootstrap(lambda weights: share(weights @ right, weights @ whole), len(counts))


def calibration_error(probabilities: NDArray[np.float32], table: Sequence[Asked]) -> Figure:
    """The expected calibration error over every wish and paper, in bins of equal width."""
    excess = np.zeros((len(table), BINS))
    for row, (found, asked) in enumerate(zip(probabilities, table, strict=True)):
        place = np.minimum((found[asked.scored] * BINS).astype(int), BINS - 1)
        np.add.at(excess[row], place, found[asked.scored] - asked.right[asked.scored])
    pairs = np.array([asked.scored.sum() for asked in table])
    return bootstrap(lambda w: share(float(np.abs(w @ excess).sum()), w @ pairs), len(table))


# Curated topics


@dataclass(frozen=True, slots=True)
class Verdicts:
    """For each paper and label whether the paper was found rightly, found wrongly, missed."""

    right: Flags
    wrong: Flags
    missed: Flags

    def f1(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """For each label, with papers of these weights."""
        right, wrong, missed = (weights @ each for each in (self.right, self.wrong, self.missed))
        return np.array(
            [share(*pair) for pair in zip(2 * right, 2 * right + wrong + missed, strict=True)]
        )

    def of(self, column: int) -> "Verdicts":
        """Those on one label."""
        at = [column]
        return Verdicts(self.right[:, at], self.wrong[:, at], self.missed[:, at])

    def micro(self, weights: NDArray[np.float64]) -> float:
        """F1 with every verdict counted alike."""
        right, wrong, missed = (
            float((weights @ each).sum()) for each in (self.right, self.wrong, self.missed)
        )
        return share(2 * right, 2 * right + wrong + missed)


def topic_figures(pool: Pool, papers: Sequence[Paper]) -> Mapping[str, Figure]:
    """F1 of the curated topics, and how often a paper stands under a right heading."""
    matching = topics.match_issue(pool.issue, (), MeaningMatcher(load_engine))
    verdicts = _verdicts(
        papers, {label: pool.flags(matching.topics[t.name]) for label, t in _topics().items()}
    )
    shown = {label: pool.flags(matching.best[t.name]) for label, t in _topics().items()}
    figures = {
        "topics micro F1": bootstrap(verdicts.micro, len(papers)),
        "topics macro F1": bootstrap(
            lambda weights: float(verdicts.f1(weights).mean()), len(papers)
        ),
        "section top-1": mean(_headings(papers, most_probable(pool))),
        "  of papers in a topic": mean(_headings(papers, shown, every=False)),
        "  in an email, “Other” being wrong": mean(_headings(papers, shown)),
    }
    for column, label in enumerate(LABELS):
        only = verdicts.of(column)
        figures[f"  {LABELS[label]}"] = bootstrap(only.micro, len(papers))
    return figures


def most_probable(pool: Pool) -> Mapping[str, Flags]:
    """For each label the papers of which it is the most probable, however improbable it is."""
    odds = topics.topic_odds(pool.issue, MeaningMatcher(load_engine))
    found = np.array(
        [
            [odds[topic.name].get(place, -np.inf) for place in range(len(pool.items))]
            for topic in _topics().values()
        ]
    )
    best = np.where(found.max(axis=0) > -np.inf, found.argmax(axis=0), -1)
    return {label: best == row for row, label in enumerate(LABELS)}


def _verdicts(papers: Sequence[Paper], found: Mapping[str, Flags]) -> Verdicts:
    holds = np.array([[label in paper.labels for label in LABELS] for paper in papers])
    scored = np.array([[label not in paper.borderline for label in LABELS] for paper in papers])
    said = np.stack([found[label] for label in LABELS], axis=1)
    return Verdicts(said & holds & scored, said & ~holds & scored, ~said & holds & scored)


def _headings(
    papers: Sequence[Paper], best: Mapping[str, Flags], *, every: bool = True
) -> list[float]:
    """For each paper with a label that has a topic, whether its heading is right or borderline.

    A paper in no topic has none, which is wrong; it is left out unless ``every`` paper counts.
    """
    verdicts = []
    for place, paper in enumerate(papers):
        if paper.labels.isdisjoint(LABELS):
            continue
        headings = {label for label, flags in best.items() if flags[place]}
        if not headings and not every:
            continue
        verdicts.append(float(not headings.isdisjoint(paper.labels | paper.borderline)))
    return verdicts


def _tell_mistakes(pool: Pool, papers: Sequence[Paper]) -> None:
    matching = topics.match_issue(pool.issue, (), MeaningMatcher(load_engine))
    for label, topic in _topics().items():
        for paper, found in zip(papers, pool.flags(matching.topics[topic.name]), strict=True):
            if label not in paper.borderline and found != (label in paper.labels):
                mark = "wrong " if found else "missed"
                print(f"{mark}  {topic.name:<30}{paper.item.title}")


# arXiv's categories


def categories(labelled: Sequence[Paper]) -> Mapping[str, Figure]:
    """How high papers of a category rank for its official name and description, as a topic.

    It is blind: no rule helps, and the texts are arXiv's. A paper is right if it has the category,
    first or cross-listed. The mean is over the categories from whose listings the file was drawn,
    which many papers have as their first: cross-listing alone is a habit more than a meaning.
    """
    signals = Pool([paper.item for paper in labelled]).signals
    found, every, main = {}, [], []
    for line in CATEGORIES.read_text(encoding="utf-8").splitlines()[1:]:
        name, title, description = line.split("\t")
        right = np.array([name in paper.labels for paper in labelled])
        if right.sum() < FEWEST:
            continue
        (close,) = load_engine().topic_closeness(signals, [(title, (description,))])
        asked = Asked(title, right, np.ones(len(labelled), bool))
        precision = average_precision(close - close.min() + 1, asked)
        first = sum(paper.first == name for paper in labelled) >= FIRST * len(labelled)
        found[f"  {name}{' (counts)' if first else ''}"] = _alone(precision)
        every.append(precision)
        main += [precision] if first else []
    return {"categories MAP": mean(main), f"  over all {len(every)}": mean(every), **found}


def copy_figures(path: Path) -> Mapping[str, Figure]:
    """The share of changed copies that are found, and the papers wrongly taken for one."""
    figures = copies.measure(copies.read_items(path), every=5)
    kinds = {f"  {kind}": _alone(found) for kind, found in figures.by_sketch.items()}
    return {
        "copies found, the worst kind": _alone(min(figures.by_sketch.values())),
        "papers of different ids taken for one": _alone(len(figures.merged)),
        **kinds,
    }


def _alone(value: float) -> Figure:
    """A figure without an interval."""
    return Figure(value, value, value)


if __name__ == "__main__":
    main()
