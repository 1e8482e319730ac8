"""The precision and recall of the curated topics on labelled papers: ``python -m bench.topics``.

A labelled file has one JSON object per line: ``title``, ``abstract``, ``topics`` (the labels that
apply) and ``borderline`` (labels on which people would differ, which are not scored)::

    python -m bench.topics FILE.jsonl [--json FILE] [--missed]
"""

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from newsletter.config.topics import curated_topics
from newsletter.model import Issue, Item, Paper
from newsletter.papers import topics
from newsletter.papers.matching import RulesMatcher

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
"""The curated topic of each label."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A paper, its labels, and the labels that are borderline."""

    item: Item
    labels: frozenset[str]
    borderline: frozenset[str]


@dataclass(frozen=True, slots=True)
class Score:
    """The titles of papers found rightly, found wrongly, and missed."""

    right: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()

    @property
    def precision(self) -> float:
        """The share of found papers that are right; 1 if nothing was found."""
        return _share(len(self.right), len(self.right) + len(self.wrong))

    @property
    def recall(self) -> float:
        """The share of right papers that were found; 1 if there is nothing to find."""
        return _share(len(self.right), len(self.right) + len(self.missed))

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return _share(2 * len(self.right), 2 * len(self.right) + len(self.wrong + self.missed))


def main() -> None:
    """Score a labelled file."""
    asked = _arguments()
    scores = score(read(asked.labelled))
    _tell(scores)
    if asked.missed:
        _tell_mistakes(scores)
    if asked.json:
        found = {label: asdict(each) for label, each in scores.items()}
        asked.json.write_text(json.dumps({**summary(scores), "topics": found}, indent=1) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("labelled", type=Path, help="JSON lines of labelled papers")
    parser.add_argument("--missed", action="store_true", help="name every paper found wrongly")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    return parser.parse_args()


def read(path: Path) -> list[Labelled]:
    """The papers of a labelled file."""
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [
        Labelled(
            Item(line["title"], line.get("abstract", "")),
            frozenset(line["topics"]),
            frozenset(line.get("borderline", ())),
        )
        for line in lines
    ]


def score(labelled: Sequence[Labelled]) -> Mapping[str, Score]:
    """The verdict on the topic of each label, without its borderline papers."""
    members = topics.match_issue(_issue(labelled), (), RulesMatcher()).topics
    return {label: _score(label, members[name], labelled) for label, name in LABELS.items()}


def _issue(labelled: Sequence[Labelled]) -> Issue:
    seen = datetime(2026, 8, 3, tzinfo=UTC)
    papers = tuple(
        Paper(number, f"labelled:{number}", each.item, seen, group=number)
        for number, each in enumerate(labelled, 1)
    )
    return Issue(date(2026, 8, 3), papers, curated_topics(), len(papers), seen)


def _score(label: str, members: int, labelled: Sequence[Labelled]) -> Score:
    right, wrong, missed = [], [], []
    for place, each in enumerate(labelled):
        if label in each.borderline:
            continue
        found, holds = bool(members >> place & 1), label in each.labels
        if found and holds:
            right.append(each.item.title)
        elif found:
            wrong.append(each.item.title)
        elif holds:
            missed.append(each.item.title)
    return Score(tuple(right), tuple(wrong), tuple(missed))


def micro(scores: Iterable[Score]) -> Score:
    """The sum of the verdicts of all topics."""
    right, wrong, missed = zip(*((s.right, s.wrong, s.missed) for s in scores), strict=True)
    return Score(sum(right, ()), sum(wrong, ()), sum(missed, ()))


def summary(scores: Mapping[str, Score]) -> Mapping[str, float]:
    """The figures over all topics: micro counts every verdict alike, macro every topic."""
    together = micro(scores.values())
    return {
        "micro precision": together.precision,
        "micro recall": together.recall,
        "micro F1": together.f1,
        "macro F1": sum(each.f1 for each in scores.values()) / len(scores),
    }


def _tell(scores: Mapping[str, Score]) -> None:
    print(f"{'topic':<30}{'papers':>7}{'precision':>11}{'recall':>8}{'F1':>7}")
    for label, each in scores.items():
        papers = len(each.right) + len(each.missed)
        figures = f"{each.precision:>11.3f}{each.recall:>8.3f}{each.f1:>7.3f}"
        print(f"{LABELS[label]:<30}{papers:>7}{figures}")
    for name, figure in summary(scores).items():
        print(f"{name:<30}{figure:>33.3f}")


def _tell_mistakes(scores: Mapping[str, Score]) -> None:
    for label, each in scores.items():
        for mark, titles in (("wrong ", each.wrong), ("missed", each.missed)):
            for title in titles:
                print(f"{mark}  {LABELS[label]:<30}{title}")


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


if __name__ == "__main__":
    main()
