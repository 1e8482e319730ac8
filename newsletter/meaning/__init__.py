"""What papers and wishes mean: a table of word vectors, and how close two texts are by it.

A wish is what a reader writes in plain words ("mixture-of-experts routing, not speech"). Three
signals decide whether a paper is what it asks for: how close the two are in meaning, how many of
the wish's words the paper has, and how many of them are in its title. Everything here is pure and
gives the same result on every run.

This package alone imports numpy. It is imported where something is matched and nowhere else,
because the import takes a fifth of a second.
"""

from newsletter.meaning.blocks import IndexedPaper, PaperBlock, pack_block
from newsletter.meaning.engine import Engine
from newsletter.meaning.likes import compare_with, sort_by_likes
from newsletter.meaning.papers import PaperSignals, PaperText, read_papers
from newsletter.meaning.scoring import PreparedWish, prepare, score
from newsletter.meaning.table import VectorTable
from newsletter.meaning.wishes import Wish, parse_wish

__all__ = [
    "Engine",
    "IndexedPaper",
    "PaperBlock",
    "PaperSignals",
    "PaperText",
    "PreparedWish",
    "VectorTable",
    "Wish",
    "compare_with",
    "pack_block",
    "parse_wish",
    "prepare",
    "read_papers",
    "score",
    "sort_by_likes",
]
