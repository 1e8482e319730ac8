"""What wishes in plain words are compared with: simpler ways to rank papers for one."""

import math
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from newsletter.meaning.stems import COMMON, plain, words
from newsletter.model import Item, Term
from newsletter.papers.matching import RulesMatcher

Rank = Callable[[Sequence[Item], str], NDArray[np.float64]]
"""The score of each paper for a wish; 0: it does not find the paper."""


def all_words(items: Sequence[Item], wish: str) -> NDArray[np.float64]:
    """Papers that have every word of the wish: what ``matching: rules`` makes of it."""
    term = Term("about", wish)
    found = RulesMatcher().masks(items, (term,))[term]
    return np.array([float(found >> place & 1) for place in range(len(items))])


def tf_idf(items: Sequence[Item], wish: str) -> NDArray[np.float64]:
    """The cosine of tf-idf vectors of the words without a plural's s (Salton and Buckley 1988)."""
    counted = [Counter(_singulars(f"{item.title} {item.abstract}")) for item in items]
    frequency = Counter(word for words_of in counted for word in words_of)
    idf = {word: math.log(1 + len(items) / often) for word, often in frequency.items()}
    asked = Counter(word for word in _singulars(wish) if word in idf)
    return np.array([_cosine(asked, each, idf) for each in counted])


def _singulars(text: str) -> list[str]:
    found = (word for word in words(plain(text)) if word not in COMMON)
    return [word[:-1] if len(word) > 3 and word[-1] == "s" != word[-2] else word for word in found]


def _cosine(asked: Counter[str], paper: Counter[str], idf: Mapping[str, float]) -> float:
    weights = {word: (1 + math.log(times)) * idf[word] for word, times in paper.items()}
    length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1
    product = sum(
        (1 + math.log(times)) * idf[word] * weights.get(word, 0) for word, times in asked.items()
    )
    return product / length


def fts5(items: Sequence[Item], wish: str) -> NDArray[np.float64]:
    """SQLite's FTS5: Porter stems, any of the words, BM25 with a title of triple weight."""
    found = np.zeros(len(items))
    asked = dict.fromkeys(word for word in words(plain(wish)) if word not in COMMON)
    with sqlite3.connect(":memory:") as database:
        database.execute("CREATE VIRTUAL TABLE p USING fts5(title, abstract, tokenize='porter')")
        database.executemany(
            "INSERT INTO p (rowid, title, abstract) VALUES (?, ?, ?)",
            ((place, item.title, item.abstract) for place, item in enumerate(items, 1)),
        )
        query = " OR ".join(f'"{word}"' for word in asked)
        for place, rank in database.execute(
            "SELECT rowid, bm25(p, 3.0, 1.0) FROM p WHERE p MATCH ?", (query,)
        ):
            found[place - 1] = -rank
    database.close()
    return found


RIVALS: Mapping[str, Rank] = {
    "all words": all_words,
    "TF-IDF": tf_idf,
    "FTS5, porter, bm25(3, 1)": fts5,
}
