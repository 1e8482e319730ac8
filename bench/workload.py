"""Made-up papers, topics, and readers with realistic filters, all from one seed."""

import gzip
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from newsletter.model import Filter, Issue, Item, Paper, Reader, ReaderHistory, Subscriber, Topic
from newsletter.papers.filters import parse_rule

DAY = date(2026, 8, 3)
FROZEN = datetime(2026, 8, 3, 5, 0, tzinfo=UTC)


def _listed(words: str, *, between: str = "|") -> list[str]:
    return words.split(between)


METHODS = _listed(
    "mixture of experts|chain of thought|diffusion models|reinforcement learning|knowledge graphs"
    "|retrieval augmented generation|low-rank adaptation|instruction tuning|speculative decoding"
    "|graph neural networks|contrastive learning|vision transformers|preference optimization"
    "|state space models|flow matching|self-supervised learning|quantization|distillation"
    "|tree search|in-context learning|world models|multi-agent systems|gaussian splatting|pruning"
)
SUBJECTS = _listed(
    "clinical notes|code generation|protein structures|robot manipulation|speech recognition"
    "|video understanding|mathematical proofs|web navigation|machine translation|medical images"
    "|weather forecasting|molecular dynamics|remote sensing|question answering|theorem proving"
    "|autonomous driving|document layout|music generation|tabular records|time series|3D scenes"
    "|legal contracts|fake news|user interfaces|long documents|satellite imagery|drug discovery"
)
CLAIMS = _listed(
    "reaches the accuracy of far larger models|halves the memory of training"
    "|fails on inputs a child would solve|needs no labels|transfers to unseen languages"
    "|is robust to noise|scales to a million tokens|runs on a phone|explains its own decisions"
    "|beats every baseline on six benchmarks|leaks what it was trained on|is safe by construction"
)
WORDS = _listed(
    "we propose a new method and study how its parts depend on each other while the cost stays low"
    " results show that evaluation with open weights reveals gaps between human judgement and"
    " automatic scores across domains languages tasks scales seeds budgets and data sets",
    between=" ",
)
FAMILY = _listed(
    "Abe Brandt Costa Dubois Eriksen Farah Garcia Hoang Ito Jansen Kim Lopez Meyer Novak",
    between=" ",
)
GIVEN = _listed(
    "Ada Bao Chloe Dana Emil Fatima Goran Hana Ines Jun Kofi Lena Milan Noor", between=" "
)
CATEGORIES = ("cs.CL", "cs.LG", "cs.CV", "cs.AI", "cs.RO", "stat.ML", "eess.AS", "q-bio.QM")
TOPICS = 30


@dataclass(frozen=True, slots=True)
class Morning:
    """The inputs from which one issue and its editions are made."""

    issue: Issue
    readers: tuple[Reader, ...]


def morning(papers: int, readers: int, *, abstracts: Path | None = None, seed: int = 3) -> Morning:
    """Make the papers and readers of one issue; the same seed makes the same ones.

    Args:
        papers: the number of papers.
        readers: the number of readers.
        abstracts: JSON lines, gzipped or not, of papers with ``title`` and ``abstract``; None makes
            them up.
        seed: the seed of all random choices.
    """
    draw = random.Random(seed)
    items = _real(abstracts, papers, draw) if abstracts else [_item(draw) for _ in range(papers)]
    numbered = tuple(_paper(number, item) for number, item in enumerate(items, 1))
    issue = Issue(DAY, numbered, _topics(), cutoff=len(numbered), frozen_at=FROZEN)
    return Morning(issue, tuple(_reader(number, draw) for number in range(readers)))


def histories(readers: Sequence[Reader]) -> list[ReaderHistory]:
    """The history of new readers: nothing decided, nothing sent."""
    return [ReaderHistory(reader) for reader in readers]


def filters(readers: Sequence[Reader]) -> list[Filter]:
    """What each of the readers wants."""
    return [reader.subscriber.filter for reader in readers]


def _item(draw: random.Random) -> Item:
    method, subject = draw.choice(METHODS), draw.choice(SUBJECTS)
    filler = [" ".join(draw.choices(WORDS, k=draw.randrange(12, 30))) for _ in range(6)]
    told = [
        f"{filler[0]} for {subject} with {method}.",
        *(f"{text} {draw.choice((*METHODS, *SUBJECTS, *CLAIMS))}." for text in filler[1:]),
    ]
    return Item(
        title=f"{method} for {subject} {draw.choice(CLAIMS)}",
        abstract=" ".join(told),
        authors=tuple(f"{draw.choice(GIVEN)} {draw.choice(FAMILY)}" for _ in range(4)),
        categories=tuple(draw.sample(CATEGORIES, 2)),
        upvotes=draw.choice((None, int(draw.paretovariate(0.8)))),
    )


def _real(path: Path, count: int, draw: random.Random) -> list[Item]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        told = [json.loads(line) for line in lines]
    return [
        Item(title=paper["title"], abstract=paper["abstract"], upvotes=draw.choice((None, 3, 12)))
        for paper in draw.sample(told, count)
    ]


def _paper(number: int, item: Item) -> Paper:
    return Paper(number, f"arxiv:2608.{number:05d}", item, first_seen=FROZEN, group=number)


def _topics() -> tuple[Topic, ...]:
    names = (*METHODS, *SUBJECTS)[:TOPICS]
    return tuple(
        Topic(
            name,
            any=(
                parse_rule(name),
                parse_rule(f"title:{name.split()[0]}"),
                parse_rule(name.split()[-1]),
            ),
        )
        for name in names
    )


def _reader(number: int, draw: random.Random) -> Reader:
    wants = Filter(
        topics=tuple(dict.fromkeys(draw.choices([t.name for t in _topics()], k=draw.randrange(6)))),
        include=tuple(parse_rule(_rule(draw)) for _ in range(draw.choice((0, 0, 1, 2, 3)))),
        exclude=tuple(parse_rule(_rule(draw)) for _ in range(draw.choice((0, 0, 0, 1, 2)))),
        min_upvotes=draw.choice((0, 0, 2, 5, 10)),
        max_items=draw.choice((10, 20, 20, 40)),
    )
    email = f"reader-{number:06d}@example.org"
    return Reader(number, Subscriber(email, filter=wants), "confirmed", decided=0, origin="store")


def _rule(draw: random.Random) -> str:
    one, other = draw.choice((*METHODS, *SUBJECTS)), draw.choice(WORDS)
    return draw.choice(
        (
            one,
            one,
            one.split()[-1],
            f"title:{one.split()[0]}",
            f"author:{draw.choice(FAMILY)}",
            f"category:{draw.choice(CATEGORIES)}",
            f'({one} or {draw.choice(SUBJECTS)}) and not "{other}"',
        )
    )
