"""The vector table: what words mean, learnt from abstracts, as a few megabytes of numbers."""

import io
import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from newsletter.meaning.stems import COMMON, plain, stem, stems, tokens

Floats = NDArray[np.float32]

FORMAT = 1  # of the file; another one cannot be read

_ACRONYM = 0.9  # how much an acronym counts for its words, and they for it


@dataclass(frozen=True, slots=True)
class Quantized:
    """A vector of unit length as whole numbers from -127 to 127, times ``scale``.

    The products of two such vectors are whole numbers that float32 holds exactly (up to 2**24), so
    that their sum is the same in whatever order a library adds them.
    """

    steps: Floats
    scale: float

    @property
    def vector(self) -> Floats:
        """The vector itself."""
        return self.steps * np.float32(self.scale)


@dataclass(frozen=True, slots=True, eq=False)
class PieceVectors:
    """The vectors of word pieces (WordPiece, Schuster & Nakajima, ICASSP 2012).

    Attributes:
        rows: the row of each piece; pieces within a word begin with ``##``.
        steps: int8, a row for each piece, to be multiplied by its scale.
        scales: float32, one for each piece.
        weights: float32, how much each piece counts: less, the more frequent it is (SIF, Arora et
            al., ICLR 2017).
        mean: float32, of the vectors of papers in general.
        covariance: float32, of the same.
    """

    rows: Mapping[str, int]
    steps: NDArray[np.int8]
    scales: Floats
    weights: Floats
    mean: Floats
    covariance: Floats


class VectorTable:
    """A vector for each word piece, and what else is known of words from the same abstracts.

    Args:
        vectors: those of the word pieces.
        rarity: for each stem its inverse document frequency; any other stem is rarer.
        acronyms: short forms with their words: ``moe`` with ``mixture``, ``of``, ``experts``.
        papers: how many abstracts all this is learnt from.
        checksum: of the file; vectors of different tables cannot be compared.
    """

    def __init__(
        self,
        vectors: PieceVectors,
        rarity: Mapping[str, float],
        acronyms: Mapping[str, Sequence[str]],
        papers: int,
        checksum: str = "",
    ) -> None:
        self.checksum = checksum
        self.mean, self.covariance = vectors.mean, vectors.covariance
        self._pieces, self._steps, self._rarity = vectors.rows, vectors.steps, rarity
        self._shares = vectors.scales * vectors.weights
        self._rarest = math.log(1 + (papers + 0.5) / 0.5)  # in none of them, by BM25's formula
        self._long_forms: dict[str, list[tuple[tuple[str, ...], str]]] = defaultdict(list)
        for short, long in acronyms.items():
            if len(long) > 1:
                form = tuple(map(stem, long))
                self._long_forms[form[0]].append((form, short))
        self._words_of = {
            short: tuple(stem(word) for word in long if word not in COMMON)
            for short, long in acronyms.items()
        }
        self._acronyms_by_stem: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for short, long in acronyms.items():
            for each in {stem(short), *self._words_of[short]}:
                self._acronyms_by_stem[each].append((short, " ".join(long)))
        find_rows = partial(rows_of_pieces, vectors.rows, longest_piece(vectors.rows))
        self._rows = lru_cache(maxsize=8192)(find_rows)

    @classmethod
    def load(cls, data: bytes) -> "VectorTable":
        """The table in a file's bytes.

        Raises:
            ValueError: the bytes are not a table of this format.
        """
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            if int(file["format"]) != FORMAT:
                raise ValueError(f"a vector table of format {int(file['format'])}, not {FORMAT}")
            acronyms = json.loads(str(file["acronyms"]))
            vectors = PieceVectors(
                rows={piece: row for row, piece in enumerate(str(file["pieces"]).split("\n"))},
                steps=file["q"],
                scales=file["scale"].astype(np.float32),
                weights=file["sif"].astype(np.float32),
                mean=file["mu"].astype(np.float32),
                covariance=file["cov"].astype(np.float32),
            )
            return cls(
                vectors,
                rarity=dict(zip(str(file["stems"]).split("\n"), file["idf"].tolist(), strict=True)),
                acronyms={short: tuple(long.split()) for short, long in acronyms.items()},
                papers=int(file["papers"]),
                checksum=sha256(data).hexdigest(),
            )

    def vector(self, text: str) -> Quantized:
        """The meaning of a text: the weighted mean of its pieces; zeros if it knows none."""
        counts = Counter(row for token in tokens(plain(text)) for row in self._rows(token))
        if not counts:
            return Quantized(np.zeros_like(self.mean), 0.0)
        rows = np.fromiter(counts, np.intp, len(counts))
        times = np.fromiter(counts.values(), np.float32, len(counts))
        shares = (1 + np.log(times)) * self._shares[rows]
        # einsum adds in a fixed order; the libraries behind @ do not promise that.
        return quantize(np.einsum("i,ij->j", shares, self._steps[rows].astype(np.float32)))

    def stem_counts(self, text: str) -> dict[str, float]:
        """How often a text has each stem; acronyms and their words count for one another.

        In a text with "MoE" also ``expert`` is found, and ``moe`` in one with "mixture of experts".
        """
        found = stems(plain(text))
        counts: dict[str, float] = dict(Counter(found))
        added = Counter[str]()
        for place, word in enumerate(found):
            for form, short in self._long_forms.get(word, ()):
                if tuple(found[place : place + len(form)]) == form:
                    added[short] += 1
        for short in [each for each in counts if each in self._words_of]:
            for word in self._words_of[short]:
                if word not in counts:
                    added[word] += int(counts[short])
        for word, times in added.items():
            counts[word] = max(counts.get(word, 0), _ACRONYM * times)
        return counts

    def rarities(self, telling: Sequence[str]) -> Floats:
        """The inverse document frequency of each of these stems."""
        return np.array([self._rarity.get(each, self._rarest) for each in telling], np.float32)

    def acronyms_of(self, telling: Sequence[str]) -> list[tuple[str, str]]:
        """The acronyms, with their words, of which a text with these stems may have a word."""
        found = (pair for each in telling for pair in self._acronyms_by_stem.get(each, ()))
        return list(dict.fromkeys(found))

    def known_words(self, text: str) -> tuple[int, int]:
        """How many of a text's telling words the table knows, and how many there are."""
        telling = dict.fromkeys(word for word in tokens(plain(text)) if word not in COMMON)
        asked = [word for word in telling if word[0].isalnum()]
        known = [word for word in asked if word in self._pieces or stem(word) in self._rarity]
        return len(known), len(asked)


def quantize(vector: Floats) -> Quantized:
    """A vector of any length, as a :class:`Quantized` one of unit length."""
    most = float(np.abs(vector).max())
    if most == 0:
        return Quantized(vector, 0.0)
    steps = np.round(vector / np.float32(most / 127)).astype(np.float32)
    length = math.sqrt(float((steps.astype(np.float64) ** 2).sum()))
    return Quantized(steps, 1 / length)


def longest_piece(pieces: Iterable[str]) -> int:
    """The letters of the longest of some pieces."""
    return max(map(len, pieces), default=0)


def rows_of_pieces(rows: Mapping[str, int], longest: int, word: str) -> tuple[int, ...]:
    """The rows of a word's pieces, the longest first; letters of no piece are left out.

    No piece has more letters than ``longest``: a "word" of a thousand letters, such as a sequence
    of genes, would take seconds without that bound, and one of a hundred thousand a day.
    """
    found, start = list[int](), 0
    while start < len(word):
        for end in range(min(len(word), start + longest), start, -1):
            piece = word[start:end] if start == 0 else f"##{word[start:end]}"
            if (row := rows.get(piece)) is not None:
                found.append(row)
                start = end
                break
        else:
            start += 1
    return tuple(found)
