"""Whether copies of papers are found, and no others: ``python -m bench.copies FILE.jsonl[.gz]``.

The file has one paper per line, an object with ``id`` (an arXiv number), ``title`` and
``abstract``. Every copy has an edited abstract and a title changed in one of eleven ways; it counts
as found if the paper is among those that its sketch finds, and the two are then taken for one.
Then the papers themselves are ingested: those taken for one are listed.
"""

import argparse
import gzip
import html
import json
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from newsletter.model import IdentifiedItem, Item
from newsletter.papers.copies import Sketches, Wording, is_copy, sketch
from newsletter.papers.identity import identify
from newsletter.stores.paper_index import PaperIndex
from tests.support.factories import NOON

_SHORTER = (
    ("Large Language Models", "LLMs"),
    ("Reinforcement Learning", "RL"),
    ("Mixture of Experts", "MoE"),
    ("Vision-Language Models", "VLMs"),
    ("Towards ", ""),
    ("via", "with"),
    ("Using", "via"),
    ("for", "in"),
)
_SENTENCES = re.compile(r"(?<=[.!?])\s+")


def _in_latex(title: str, rng: random.Random) -> str:
    words = title.split()
    at = rng.randrange(len(words))
    words[at] = rng.choice([r"\textbf{%s}", "{%s}", r"\underline{%s}", "$%s$"]) % words[at]
    return " ".join(words)


def _without_subtitle(title: str, _rng: random.Random) -> str:
    first, colon, _ = title.partition(":")
    return first if colon and len(first.split()) > 1 else " ".join(title.split()[:-2])


def _with_other_words(title: str, rng: random.Random) -> str:
    changed = title
    for long, short in _SHORTER:
        changed = changed.replace(long, short)
    if changed != title:
        return changed
    words = title.split()
    words.pop(rng.randrange(len(words)))
    return " ".join(words)


def _reordered(title: str, _rng: random.Random) -> str:
    first, colon, second = title.partition(":")
    words = title.split()
    half = len(words) // 2
    return f"{second.strip()}: {first}" if colon else " ".join(words[half:] + words[:half])


KINDS: Mapping[str, Callable[[str, random.Random], str]] = {
    "case": lambda title, rng: rng.choice([str.upper, str.lower, str.title])(title),
    "punctuation": lambda title, _: (
        title.replace(":", " -").replace("-", " ").replace(",", "") + "."
    ),
    "unicode": lambda title, _: (
        title.replace("-", "\u2013").replace(" ", "\xa0", 1).replace("fi", "\ufb01")
    ),
    "html": lambda title, _: html.escape(title).replace(" ", "\n ", 1),
    "latex": _in_latex,
    "suffix": lambda title, rng: (
        title + rng.choice([" (v2)", " [Technical Report]", " - Extended"])
    ),
    "subtitle dropped": _without_subtitle,
    "subtitle added": lambda title, rng: (
        title + rng.choice([": A Comprehensive Study", " with Large Language Models"])
    ),
    "words changed": _with_other_words,
    "reordered": _reordered,
    "wholly new": lambda title, _: f"A Fresh Look at {' '.join(reversed(title.split()[:3]))}",
}
"""The ways in which the title of a copy differs."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What share of the copies of each kind is found, by the texts alone and by the sketch first.

    ``merged`` has the pairs of papers of the file that were taken for one, ``sketched`` the
    milliseconds that a sketch takes, ``ingested`` those of a paper's whole ingest, without a store.
    """

    by_texts: Mapping[str, float]
    by_sketch: Mapping[str, float]
    merged: Sequence[tuple[str, str]]
    sketched: float
    ingested: float


def read_items(path: Path) -> list[Item]:
    """The papers of a file."""
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    papers = map(json.loads, text.decode().splitlines())
    return [Item(title=p["title"], abstract=p["abstract"], ids=(p["id"],)) for p in papers]


def edited(abstract: str, rng: random.Random) -> str:
    """An abstract as another archive has it: without a sentence, with another, some words new."""
    sentences = _SENTENCES.split(abstract)
    if len(sentences) > 3:
        sentences.pop(rng.randrange(len(sentences) - 1))
    text = " ".join([*sentences, "Code is available."])
    return text.replace("%", r"\%").replace("we propose", "we present")


def measure(items: Sequence[Item], every: int = 1) -> Figures:
    """The figures of these papers, with copies of one in so many."""
    known = Sketches()
    papers = [Wording(item, frozenset({f"arxiv:{item.ids[0]}"})) for item in items]
    began = time.process_time()
    for number, paper in enumerate(papers):
        known.add(number, sketch(paper))
    sketched = time.process_time() - began
    found = {kind: list(_found(kind, papers, known, every)) for kind in KINDS}
    shares = [{kind: sum(p[n] for p in f) / len(f) for kind, f in found.items()} for n in (0, 1)]
    entries = [IdentifiedItem(item, identify(item)) for item in items]
    index = PaperIndex()
    began = time.process_time()
    index.add_all(entries, source="", mute_past=False, now=NOON)
    took = time.process_time() - began
    merged = [(index.papers[one].key, index.papers[two].key) for one, two in index.copies.items()]
    each = 1000 / len(items)
    return Figures(shares[0], shares[1], merged, sketched * each, took * each)


def _found(
    kind: str, papers: Sequence[Wording], known: Sketches, every: int
) -> Iterator[tuple[bool, bool]]:
    rng = random.Random(5)
    for number in range(0, len(papers), every):
        item = papers[number].item
        title = KINDS[kind](item.title, rng)
        copy = Wording(Item(title=title, abstract=edited(item.abstract, rng)))
        same = is_copy(copy, papers[number])
        yield same, same and number in known.most_alike(sketch(copy))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--every", type=int, default=1, help="make copies of one paper in so many")
    arguments = parser.parse_args()
    items = read_items(arguments.file)
    figures = measure(items, arguments.every)
    print(f"{'copies found, %':20}{'by texts':>10}{'by sketch':>11}")
    for kind in KINDS:
        print(f"{kind:20}{100 * figures.by_texts[kind]:10.2f}{100 * figures.by_sketch[kind]:11.2f}")
    print(f"papers of {len(items):,} with different ids that were taken for one:")
    print("\n".join(f"  {one} and {two}" for one, two in figures.merged) or "  none")
    print(
        f"ms a paper: sketch {figures.sketched:.2f}, ingest without a store {figures.ingested:.2f}"
    )


if __name__ == "__main__":
    main()
