"""The recall of filters: of the papers that name a term in any spelling, how many a rule finds.

An independent, generous pattern tells which papers name a term: hyphen, space or nothing between
its words, singular or plural. Papers are JSON lines with ``title`` and ``abstract``, or answers of
Hugging Face's daily papers::

    python -m bench.recall FILE... [--sample 200 --seed 1]

``--sample`` prints matches that no literal search finds, for reading them by eye.
"""

import argparse
import gzip
import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from newsletter.model import Item
from newsletter.papers.filters import iter_terms, parse_rule
from newsletter.papers.matching import RulesMatcher, written_forms
from newsletter.papers.topics import bit_indexes
from newsletter.text import clean, fold, tex_to_unicode

TERMS = """
chain of thought; vision language model; text to image; in context learning; mixture of experts
large language model; fine tuning; pre-training; multimodal; zero shot; few-shot; LLM; VLM; LoRA
reinforcement learning; diffusion model; retrieval augmented generation; state of the art; benchmark
multi-agent; end to end; self supervised; open source; long context; world model; knowledge graph
graph neural network; dataset; embodied agent; code generation; question answering; autoregressive
text to video; image editing; speech recognition; low rank adaptation; instruction tuning
preference optimization; reward model; policy gradient; tool use; foundation model; neural network
vision transformer; semantic segmentation; object detection; point cloud; 3D reconstruction
Gaussian splatting; latent space; KV cache; speculative decoding; hallucination
jailbreak attack; time series; case study; cross-lingual; post-training
real-world; test time scaling
"""


class Measured(NamedTuple):
    """Places of papers that name a term, that its rule finds, and that have it literally."""

    named: set[int]
    found: set[int]
    literal: set[int]


def main() -> None:
    """Print recall for each term, and for all."""
    asked = _arguments()
    items = [item for path in asked.files for item in read(path)]
    measured = measure(items)
    rows = {term: _shares(row) for term, row in measured.items()}
    rows["all"] = tuple(map(sum, zip(*rows.values(), strict=True)))
    for term, (named, found, literal) in rows.items():
        shares = f"{found / named:>8.1%}{literal / named:>9.1%} literally" if named else ""
        print(f"{term:<34}{named:>6}{shares}")
    _print_sample(items, measured, random.Random(asked.seed), asked.sample)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--sample", type=int, default=0, help="how many new matches to print")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def terms() -> Sequence[str]:
    """The terms, as readers write them."""
    return [term.strip() for line in TERMS.split("\n") for term in line.split(";") if term.strip()]


def read(path: Path) -> Iterator[Item]:
    """The papers of a file."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        text = file.read()
    papers = json.loads(text) if text.startswith("[") else map(json.loads, text.splitlines())
    for paper in papers:
        told = paper.get("paper", paper)
        yield Item(clean(told["title"]), abstract=clean(told.get("abstract") or told["summary"]))


def measure(items: Sequence[Item]) -> Mapping[str, Measured]:
    """For each term the papers that name it, that its rule finds, and that have it literally."""
    rules = {term: next(iter_terms(parse_rule(term).expression)) for term in terms()}
    masks = RulesMatcher().masks(items, tuple(rules.values()))
    texts = [f"{tex_to_unicode(i.title)}\n{tex_to_unicode(i.abstract)}" for i in items]
    folded = [fold(text) for text in texts]
    return {
        term: Measured(
            _places(oracle(term), folded),
            set(bit_indexes(masks[rule])),
            _places(_literal(term), folded),
        )
        for term, rule in rules.items()
    }


def _places(pattern: re.Pattern[str], texts: Sequence[str]) -> set[int]:
    return {at for at, text in enumerate(texts) if pattern.search(text)}


def _literal(term: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_]){re.escape(fold(term))}(?![^\W_])")


def _shares(row: Measured) -> tuple[int, ...]:
    return len(row.named), len(row.named & row.found), len(row.named & row.literal)


def oracle(term: str) -> re.Pattern[str]:
    """A pattern for a term in every spelling; it shares no code with the matcher."""
    closed = {
        "multimodal": "multi modal",
        "dataset": "data set",
        "autoregressive": "auto regressive",
    }
    words = re.split(r"[\s-]+", closed.get(term, term).lower())
    spelled = [f"{word[:-1]}(?:y|ies)" if word[-1] == "y" else f"{word}(?:e?s)?" for word in words]
    apart = r"[-\s]{0,3}"
    return re.compile(rf"(?<![^\W_]){apart.join(spelled)}(?![^\W_])")


def _print_sample(
    items: Sequence[Item], rows: Mapping[str, Measured], draw: random.Random, size: int
) -> None:
    new = [(term, at) for term, row in rows.items() for at in sorted(row.found - row.literal)]
    for term, at in draw.sample(new, min(size, len(new))):
        (form,) = written_forms(parse_rule(term), items[at]) or ("",)
        text = f"{tex_to_unicode(items[at].title)} | {tex_to_unicode(items[at].abstract)}"
        start = max(text.find(form), 0)
        print(f"[{term}] …{text[max(0, start - 60) : start + 90]}…")


if __name__ == "__main__":
    main()
