"""The engine: which papers a wish finds, how sure it is of each, and why, in words."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from newsletter.meaning.evidence import describe, strongest_part
from newsletter.meaning.papers import PaperSignals, PaperText, read_papers
from newsletter.meaning.scoring import (
    REMOTE,
    PreparedPart,
    PreparedWish,
    WithVectors,
    closeness,
    prepare,
    prepare_mean,
    prepare_part,
    score_parts,
    word_shares,
)
from newsletter.meaning.table import Floats, VectorTable
from newsletter.meaning.wishes import parse_wish
from newsletter.model import WishMasks

STRONG, LIKELY, POSSIBLE = 0.5, 0.3, 0.1
"""Probabilities that bands and modes begin at."""

TOPIC_MEANING, TOPIC_NAME = 1.4, 1.1
"""What closeness to a topic's texts and the words of its name add to the log odds."""
TOPIC_DEVIATION = 0.078
"""The usual deviation, by which closeness to every topic is measured. By its own, a topic that few
papers are near, such as number theory, would seem close to all that are a little nearer."""

_CACHED_WISHES = 20_000  # prepared wishes kept, about 2 kB each


class Engine:
    """Finds papers by meaning. It keeps what it prepared: a wish costs half a millisecond once."""

    def __init__(self, table: VectorTable) -> None:
        self.table = table
        self.prepare = lru_cache(maxsize=_CACHED_WISHES)(self._prepare)
        self._prepare_topic = lru_cache(maxsize=256)(self._topic_part)
        self._prepare_phrase = lru_cache(maxsize=1024)(self._phrase_part)

    def _prepare(self, wish: str) -> PreparedWish:
        return prepare(self.table, wish)

    def read(self, papers: Sequence[PaperText], wish: PreparedWish | None = None) -> PaperSignals:
        """What the engine knows of these papers, which takes it about a millisecond each.

        With a ``wish`` it is what that one asks for, in half the time.
        """
        return read_papers(self.table, papers, None if wish is None else wish.stems)

    def _topic_part(self, name: str, texts: tuple[str, ...]) -> PreparedPart:
        wanted = (", ".join(parse_wish(text).wanted) for text in texts if text)
        return prepare_mean(self.table, (name, *wanted), name)

    def _phrase_part(self, phrase: str) -> PreparedPart:
        return prepare_part(self.table, phrase)

    def find(self, papers: PaperSignals, wishes: Sequence[str]) -> list[WishMasks]:
        """For each wish the papers that it finds, as bitmasks: bit *i* is ``papers.texts[i]``.

        Raises:
            FilterError: one of the wishes has no words to look for.
        """
        prepared = [self.prepare(wish) for wish in wishes]
        if not len(papers):
            return [WishMasks()] * len(prepared)
        found, kept_out = score_parts(papers, prepared)
        masks = [WishMasks(*each) for each in zip(*_masks(found), strict=True)]
        for row, of_parts in kept_out.items():
            unwanted = zip(prepared[row].wish.unwanted, _integers(of_parts), strict=True)
            masks[row] = replace(masks[row], unwanted=dict(unwanted))
        return masks

    def topic_closeness(
        self, papers: PaperSignals, topics: Sequence[tuple[str, tuple[str, ...]]]
    ) -> Floats:
        """For each topic (name and texts) what its meaning adds to each paper's log odds."""
        if not topics:
            return np.zeros((0, len(papers)), np.float32)
        parts = [self._prepare_topic(name, texts) for name, texts in topics]
        in_name = word_shares(papers, parts, anywhere=TOPIC_NAME, in_title=0)
        usual = np.array([part.deviation / TOPIC_DEVIATION for part in parts], np.float32)
        return TOPIC_MEANING * usual[:, None] * closeness(papers, parts) + in_name

    def nearest(
        self, papers: PaperSignals, indexes: Sequence[int], phrases: Sequence[str]
    ) -> list[str]:
        """For each of some papers the phrase that is closest to it in meaning."""
        if not indexes:
            return []
        chosen = replace(papers, steps=papers.steps[indexes], scales=papers.scales[indexes])
        close = closeness(chosen, [self._prepare_phrase(each) for each in phrases])
        return [phrases[row] for row in close.argmax(axis=0).tolist()]

    def closeness_to(self, text: PaperText, papers: WithVectors) -> Floats:
        """How close papers are to one in meaning, in standard deviations."""
        part = prepare_part(self.table, f"{text.title}. {text.abstract}")
        found: Floats = closeness(papers, [part])[0]
        return found

    def evidence(self, papers: PaperSignals, index: int, wish: str) -> str:
        """Why a wish finds a paper, in words: ``“KV cache”: in the title``."""
        part = strongest_part(papers, self.prepare(wish).wanted, index)
        return describe(self.table, papers, part, index)

    def known_words(self, text: str) -> tuple[int, int]:
        """How many of a text's telling words the engine knows, and how many there are."""
        return self.table.known_words(text)


def _masks(found: Floats) -> Sequence[Sequence[Any]]:
    """Of each row of probabilities the papers in order, and the bitmasks from each bound on."""
    order = np.argsort(-found, axis=1, kind="stable")  # ties: the better paper comes first
    counts = np.count_nonzero(found >= REMOTE, axis=1).tolist()
    ranked = [tuple(row[:count].tolist()) for row, count in zip(order, counts, strict=True)]
    return ranked, *(_integers(found >= least) for least in (REMOTE, POSSIBLE, LIKELY, STRONG))


def _integers(flags: NDArray[np.bool_]) -> list[int]:
    packed = np.packbits(flags, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]
