"""Builds the vector table from which papers and wishes are read: ``newsletter/data/meaning.npz``.

    python -m tools.build_table ABSTRACTS.jsonl.gz VOCAB.txt OUT.npz

ABSTRACTS has one JSON object per line, with ``title`` and ``abstract``; VOCAB is a WordPiece
vocabulary, one piece per line. The table has a vector of 256 numbers for each piece that at least
two abstracts have. It begins with the truncated singular value decomposition of the abstracts
(latent semantic analysis: Deerwester et al. 1990) and is then trained so that a title is close to
its own abstract and far from others, and a sentence to the rest of its abstract (InfoNCE: van den
Oord et al. 2018). A text's vector is the mean of its pieces' vectors, frequent pieces counting
less (SIF: Arora et al. 2017). Acronyms are found as in Schwartz and Hearst 2003.

The same files give the same bytes on the same machine, with the same numpy, scipy and zlib.
"""

import argparse
import gzip
import hashlib
import json
import math
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # sums in one order: read when numpy is imported

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags
from scipy.sparse.linalg import svds

from newsletter.meaning.stems import COMMON, plain, stem, tokens, words
from newsletter.meaning.table import FORMAT, Floats, longest_piece, rows_of_pieces

DIMENSIONS = 256
RARE = 1e-3
"""The constant of SIF weights: a piece of this share of all pieces counts half."""
COMMON_TO = 2  # papers at least, for a piece, a stem and an acronym to be in the table
BACKGROUND = 2500  # papers that say how close a text is to papers in general
LONGEST_STEM = 24


class Paper(NamedTuple):
    """The title and the abstract of a paper, each on one line."""

    title: str
    abstract: str

    @property
    def text(self) -> str:
        """The text from which the paper's vector is made."""
        return f"{self.title}. {self.abstract}"


@dataclass(frozen=True, slots=True)
class Pieces:
    """The pieces that the table has, and the weight of each in a text's vector."""

    names: tuple[str, ...]
    weights: Floats


def main() -> None:
    """Build the table and print the checksum of the file."""
    asked = _arguments()
    built = build(read_papers(asked.abstracts), read_vocabulary(asked.vocabulary))
    np.savez_compressed(asked.table, **built)  # dates every member 1980-01-01: no date of today
    print(hashlib.sha256(asked.table.read_bytes()).hexdigest(), asked.table)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build the vector table.")
    parser.add_argument("abstracts", type=Path, help="gzipped JSON lines: title, abstract")
    parser.add_argument("vocabulary", type=Path, help="WordPiece vocabulary, one piece per line")
    parser.add_argument("table", type=Path, help="where to write the table (.npz)")
    return parser.parse_args()


def read_papers(path: Path) -> list[Paper]:
    """The papers of a file, their white space made single spaces."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        read = [json.loads(line) for line in lines]
    return [Paper(_on_one_line(each["title"]), _on_one_line(each["abstract"])) for each in read]


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def read_vocabulary(path: Path) -> list[str]:
    """The pieces of a vocabulary, in its order."""
    return path.read_text(encoding="utf-8").splitlines()


def build(papers: Sequence[Paper], vocabulary: Sequence[str]) -> dict[str, Any]:
    """The arrays of the table, by the names that ``VectorTable.load`` reads."""
    known, start = begin([paper.text for paper in papers], vocabulary)
    vectors = train(start, make_pairs(papers, known))
    scale = np.abs(vectors).max(axis=1) / 127
    scale[scale == 0] = 1
    rounded = np.round(vectors / scale[:, None]).astype(np.int8)
    background = _background(papers, known, rounded * scale[:, None])
    return {
        "format": np.array(FORMAT),
        "q": rounded,
        "scale": scale.astype(np.float32),
        "sif": known.weights,
        "pieces": np.array("\n".join(known.names)),
        "mu": background.mean(axis=0).astype(np.float32),
        "cov": np.cov(background.T).astype(np.float32),
        **_stem_weights(papers),
        "acronyms": np.array(json.dumps(find_acronyms(papers), sort_keys=True)),
    }


# Bags of word pieces


def count_pieces(texts: Iterable[str], vocabulary: Sequence[str]) -> csr_matrix:
    """A row for each text, a column for each piece: 1 + ln of how often the text has it."""
    places = {name: place for place, name in enumerate(vocabulary)}
    pieces_of = cache(partial(rows_of_pieces, places, longest_piece(places)))
    ends, columns, values = [0], list[int](), list[float]()
    for text in texts:
        counted = Counter(place for word in tokens(plain(text)) for place in pieces_of(word))
        columns += counted.keys()
        values += [1 + math.log(times) for times in counted.values()]
        ends.append(len(columns))
    shape = (len(ends) - 1, len(vocabulary))
    return csr_matrix((np.array(values, np.float32), columns, ends), shape=shape)


def begin(texts: Sequence[str], vocabulary: Sequence[str]) -> tuple[Pieces, Floats]:
    """The pieces that at least two texts have, and the vectors that training starts with."""
    counted = count_pieces(texts, vocabulary)
    frequency = np.bincount(counted.indices, minlength=len(vocabulary))
    kept = np.flatnonzero(frequency >= COMMON_TO)
    counted, frequency = counted[:, kept], frequency[kept]
    often = np.asarray(counted.sum(axis=0))[0]
    weights = (RARE / (RARE + often / often.sum())).astype(np.float32)
    idf = np.log(1 + len(texts) / (1 + frequency)).astype(np.float32)
    pieces_kept = Pieces(tuple(vocabulary[place] for place in kept.tolist()), weights)
    return pieces_kept, _singular_vectors(counted.multiply(idf[None, :]).tocsr())


def _singular_vectors(weighted: csr_matrix) -> Floats:
    """The right singular vectors times √s, each row of length 1.

    Left at their own lengths, frequent pieces outweigh all others.
    """
    lengths = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1))[:, 0])
    rows = _divide_rows(weighted, np.maximum(lengths, 1e-9))
    size = min(DIMENSIONS, min(rows.shape) - 1)
    _, values, right = svds(rows, k=size, random_state=0)
    found = np.zeros((rows.shape[1], DIMENSIONS), np.float32)
    found[:, :size] = right.T * np.sqrt(values)
    found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)
    return found


def _divide_rows(matrix: csr_matrix, by: NDArray[Any]) -> csr_matrix:
    return (diags((1 / by).astype(np.float32)) @ matrix).astype(np.float32).tocsr()


def weigh(texts: Iterable[str], known: Pieces) -> csr_matrix:
    """The bags of texts, each piece by its weight, each row with the sum 1."""
    weighted = count_pieces(texts, known.names).multiply(known.weights[None, :]).tocsr()
    sums = np.asarray(weighted.sum(axis=1))[:, 0]
    sums[sums == 0] = 1
    return _divide_rows(weighted, sums)


# Training

TEMPERATURE = 0.05
EPOCHS = 2
BATCH = 512
RATE = 5e-3
WARM_UP = 50  # steps
MIN_SENTENCES = 4  # of an abstract that one is taken from
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")


class Pairs(NamedTuple):
    """Bags that belong together, row by row, and the paper that each row comes from."""

    left: csr_matrix
    right: csr_matrix
    papers: NDArray[np.int64]


def make_pairs(papers: Sequence[Paper], known: Pieces, seed: int = 0) -> Pairs:
    """Each title with its abstract, and one sentence of each longer abstract with the rest."""
    chance = np.random.RandomState(seed)
    left, right, owners = [], [], []
    for place, paper in enumerate(papers):
        left.append(paper.title)
        right.append(paper.abstract)
        owners.append(place)
        sentences = SENTENCE_END.split(paper.abstract)
        if len(sentences) >= MIN_SENTENCES:
            left.append(sentences.pop(chance.randint(len(sentences))))
            right.append(f"{paper.title}. {' '.join(sentences)}")
            owners.append(place)
    return Pairs(weigh(left, known), weigh(right, known), np.array(owners))


def train(start: Floats, pairs: Pairs, seed: int = 1) -> Floats:
    """Minimise InfoNCE both ways with Adam; the rate rises at first, then falls as a cosine."""
    vectors = start.copy()
    mean, square = np.zeros_like(vectors), np.zeros_like(vectors)
    batches = list(_batches(len(pairs.papers), seed))
    for step, rows in enumerate(batches, 1):
        slope = _slope(vectors, pairs, rows)
        mean += 0.1 * (slope - mean)
        square += 0.001 * (slope * slope - square)
        falling = max(0.02, (1 + math.cos(math.pi * step / len(batches))) / 2)
        rate = RATE * min(1, step / WARM_UP) * falling
        upright = np.sqrt(square / (1 - 0.999**step)) + 1e-8
        vectors -= rate * (mean / (1 - 0.9**step)) / upright
    return vectors


def _batches(rows: int, seed: int) -> Iterator[NDArray[np.int64]]:
    chance = np.random.RandomState(seed)
    size = min(BATCH, rows)
    for _ in range(EPOCHS):
        order = chance.permutation(rows)
        for begin_at in range(0, rows - size + 1, size):
            yield np.sort(order[begin_at : begin_at + size])


def _slope(vectors: Floats, pairs: Pairs, rows: NDArray[np.int64]) -> Floats:
    """The gradient of the loss over one batch."""
    left, right = pairs.left[rows], pairs.right[rows]
    (ours, our_length), (theirs, their_length) = _unit(left @ vectors), _unit(right @ vectors)
    close = ours @ theirs.T / TEMPERATURE
    owners = pairs.papers[rows]
    own = np.eye(len(rows), dtype=np.float32)
    same = (owners[:, None] == owners[None, :]) & (own == 0)
    close[same] = -1e4  # two pairs of one paper are not each other's contrast
    wrong = _softmax(close, axis=1) + _softmax(close, axis=0) - 2 * own
    wrong[same] = 0
    wrong /= 2 * len(rows) * TEMPERATURE
    our_slope = _along(np.asarray(wrong @ theirs, np.float32), ours, our_length)
    their_slope = _along(np.asarray(wrong.T @ ours, np.float32), theirs, their_length)
    return np.asarray(left.T @ our_slope + right.T @ their_slope)


def _unit(rows: Floats) -> tuple[Floats, Floats]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True) + 1e-9
    return rows / lengths, lengths


def _softmax(values: Floats, axis: int) -> Floats:
    powers = np.exp(values - values.max(axis=axis, keepdims=True))
    return np.asarray(powers / powers.sum(axis=axis, keepdims=True))


def _along(slope: Floats, unit: Floats, length: Floats) -> Floats:
    """The slope before the rows were made unit vectors."""
    return np.asarray((slope - (slope * unit).sum(axis=1, keepdims=True) * unit) / length)


# What the table has beside the vectors


def _background(papers: Sequence[Paper], known: Pieces, vectors: Floats) -> Floats:
    """The unit vectors of the first papers: what closeness is by chance."""
    bags = weigh((paper.text for paper in papers[:BACKGROUND]), known)
    return _unit(bags @ vectors)[0]


def _stem_weights(papers: Sequence[Paper]) -> dict[str, Any]:
    """The stems that at least two papers have, and their inverse document frequency."""
    found = Counter(
        each for paper in papers for each in set(_stems(f"{paper.title} {paper.abstract}"))
    )
    kept = sorted(
        name for name, often in found.items() if often >= COMMON_TO and len(name) <= LONGEST_STEM
    )
    count = len(papers)
    idf = [math.log(1 + (count - found[name] + 0.5) / (found[name] + 0.5)) for name in kept]
    return {
        "papers": np.array(count),
        "stems": np.array("\n".join(kept)),
        "idf": np.array(idf, np.float16),
    }


def _stems(text: str) -> Iterator[str]:
    return (stem(word) for word in words(plain(text)) if word not in COMMON)


# Acronyms

IN_BRACKETS = re.compile(r"\(([A-Za-z][A-Za-z0-9-]{1,9})\)")


def find_acronyms(papers: Sequence[Paper]) -> dict[str, str]:
    """The long form of each short form that at least two abstracts define so.

    Of several long forms the most frequent is taken, of equals the first in the alphabet.
    """
    forms: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for paper in papers:
        for short, long in set(_definitions(paper.abstract)):
            forms[short][long] += 1
    best = {
        short: min(found, key=lambda long: (-found[long], long)) for short, found in forms.items()
    }
    return {short: long for short, long in best.items() if forms[short][long] >= COMMON_TO}


def _definitions(text: str) -> Iterator[tuple[str, str]]:
    for found in IN_BRACKETS.finditer(text):
        short = found[1]
        if short != short.lower() and "-" not in short:
            before = text[: found.start()].split()[-min(len(short) + 5, 2 * len(short)) :]
            long = long_form(short.removesuffix("s"), " ".join(before))
            if long:
                yield stem(plain(short)), long


def long_form(short: str, before: str) -> str:
    """The end of a text that ``short`` stands for, folded; ``""`` if there is none.

    That is its last words if ``short`` has their initials, and otherwise the shortest end that has
    the letters of ``short`` in order and whose first word begins with the first of them.
    """
    last = words(plain(before))[-len(short) :]
    if "".join(word[0] for word in last) == short.lower():
        return " ".join(last)
    place = len(before)
    for number in range(len(short) - 1, -1, -1):
        place -= 1
        while place >= 0 and not _fits(before, place, short[number], is_first=number == 0):
            place -= 1
        if place < 0:
            return ""
    return " ".join(words(plain(before[place:])))


def _fits(text: str, place: int, letter: str, *, is_first: bool) -> bool:
    if text[place].lower() != letter.lower():
        return False
    return not is_first or place == 0 or not text[place - 1].isalnum()


if __name__ == "__main__":
    main()
