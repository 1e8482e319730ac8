"""The time and memory of matching wishes in plain words: ``python -m bench.wishes``.

Each workload runs in a process of its own, whose peak memory is measured, too::

    python -m bench.wishes [--papers FILE.jsonl.gz] [--json FILE]

The papers and the words of the wishes are made up, or those of the file.
"""

import argparse
import json
import random
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bench import ROOT
from bench.workload import histories, morning
from newsletter.app.files import load_engine
from newsletter.issue.composing import IssueMasks
from newsletter.issue.selecting import select_papers
from newsletter.meaning import PaperText
from newsletter.meaning.stems import COMMON
from newsletter.model import Item, Rule, Term
from newsletter.papers import topics
from newsletter.papers.meanings import MeaningMatcher

MEGABYTE = 1 << 20
WORD = re.compile(r"[a-z]{5,}")
CEILINGS = {
    "1,000 papers x 50 wishes (CPU s)": 2.0,
    "1,000 papers x 50 wishes (peak MB)": 100.0,
    "200 papers x 20,000 prepared wishes (CPU s)": 3.0,
    "100,000 readers' selections (CPU s)": 0.5,
}
"""What the figures must not exceed."""


def main() -> None:
    """Run every workload, print its figures, and fail if one is above its ceiling."""
    asked = _arguments()
    if asked.workload:
        print(json.dumps(WORKLOADS[asked.workload](asked.papers)))
        return
    figures = measure(asked.papers)
    for name, figure in figures.items():
        most = f"at most {CEILINGS[name]:g}" if name in CEILINGS else ""
        print(f"{name:<56}{figure:>8.2f}  {most}")
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--papers", type=Path, help="JSON lines with title and abstract")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--workload", choices=sorted(WORKLOADS), help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(papers: Path | None) -> Mapping[str, float]:
    """The figures of all workloads, by name."""
    figures: dict[str, float] = {}
    for workload in WORKLOADS:
        command = [sys.executable, "-m", "bench.wishes", "--workload", workload]
        command += ["--papers", str(papers)] if papers else []
        ran = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)  # noqa: S603 - ourselves
        figures |= json.loads(ran.stdout)
    return figures


def _few_wishes(path: Path | None) -> Mapping[str, float]:
    items = _items(1000, path)
    wishes = _wishes(50, items)
    engine = load_engine()
    papers = [PaperText(item.title, item.abstract) for item in items]
    spent = _cpu(lambda: engine.find(engine.read(papers), wishes))
    return {
        "1,000 papers x 50 wishes (CPU s)": spent,
        "1,000 papers x 50 wishes (peak MB)": _peak(),
    }


def _many_wishes(path: Path | None) -> Mapping[str, float]:
    items = _items(400, path)
    terms = [Term("about", wish) for wish in _wishes(20_000, items)]
    matcher = MeaningMatcher(load_engine)
    first = _cpu(lambda: matcher.match(items[:200], terms))
    second = _cpu(lambda: matcher.match(items[200:], terms))
    return {
        "200 papers x 20,000 new wishes (CPU s)": first,
        "200 papers x 20,000 prepared wishes (CPU s)": second,
        "200 papers x 20,000 wishes (peak MB)": _peak(),
    }


def _many_readers(path: Path | None) -> Mapping[str, float]:
    made = morning(200, 1, abstracts=path)
    rules = [_rule(wish) for wish in _wishes(20_000, [each.item for each in made.issue.papers])]
    reader = made.readers[0]
    draw = random.Random(7)
    wants = [
        replace(reader.subscriber.filter, include=tuple(draw.choices(rules, k=2)), exclude=())
        for _ in range(100_000)
    ]
    matching = topics.match_issue(made.issue, wants, MeaningMatcher(load_engine))
    masks = IssueMasks(made.issue, matching)
    readers = [replace(reader, subscriber=replace(reader.subscriber, filter=w)) for w in wants]
    asked = histories(readers)
    spent = _cpu(lambda: [select_papers(masks, history).chosen for history in asked])
    return {"100,000 readers' selections (CPU s)": spent}


WORKLOADS: Mapping[str, Callable[[Path | None], Mapping[str, float]]] = {
    "few wishes": _few_wishes,
    "many wishes": _many_wishes,
    "many readers": _many_readers,
}


def _items(count: int, path: Path | None) -> list[Item]:
    return [paper.item for paper in morning(count, 0, abstracts=path).issue.papers]


def _wishes(count: int, items: Sequence[Item]) -> list[str]:
    """Distinct wishes of one to three parts, made of words that papers have side by side."""
    draw = random.Random(5)
    told = [found for item in items if len(found := _telling(item.abstract)) > 20]
    wishes: dict[str, None] = {}
    while len(wishes) < count:
        parts = [_phrase(draw.choice(told), draw) for _ in range(draw.choice((1, 1, 2, 3)))]
        unwanted = f", not {_phrase(draw.choice(told), draw)}" if draw.random() < 0.1 else ""
        wishes[", ".join(parts) + unwanted] = None
    return list(wishes)


def _telling(text: str) -> list[str]:
    return [word for word in WORD.findall(text.lower()) if word not in COMMON]


def _phrase(words: Sequence[str], draw: random.Random) -> str:
    start = draw.randrange(len(words) - 4)
    return " ".join(words[start : start + draw.randint(2, 4)])


def _rule(wish: str) -> Rule:
    return Rule(f"about: {wish}", Term("about", wish))


def _cpu(run: Callable[[], object]) -> float:
    started = time.process_time()
    run()
    return time.process_time() - started


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MEGABYTE


if __name__ == "__main__":
    main()
