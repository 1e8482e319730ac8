"""Measure how many short summaries say what was done, and what came of it, on recorded abstracts.

The judge shares no code or pattern with the picker (``newsletter/text/gist.py``). It reads words:

- a *contribution* is a sentence where a subject ("we", "our …", "this study", "here") is followed
  within eight words by a verb of doing ("propos-", "measur-"), where something "was measured", or
  where a name is said to be something ("VibeBench is a benchmark …"); what "can", "may", "will" or
  "need to" be done is none;
- a *result* is another sentence that claims an outcome ("improv-", "higher", "we found") or has a
  quantity and a word of effect ("than", "error"); the second share counts only those with a
  quantity: a number that is no year, and no part of a name (``GPT-4``, ``3D``).

Usage: ``python -m bench.summaries FOLDER``, where the folder has ``payloads`` (recorded listings)
and ``topics/abstracts.jsonl.gz``. ``--sample 20 --seed 1`` prints summaries, for reading by eye.
"""

# ruff: noqa: RUF001 - characters that look alike are the subject here

import argparse
import gzip
import json
import random
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from newsletter.errors import SourceError
from newsletter.letter.views import paper_view
from newsletter.model import Item
from newsletter.sources import feed, huggingface
from newsletter.text import clean, shorten, split_sentences

HEADS = ("what was done", "a result", "with a number", "ends in …", "characters")
LIMIT_BEFORE = 420  # characters that the first two sentences were cut to
_OTHERS = 300  # abstracts of other fields than computer science


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_SUBJECTS = frozenset(_words("we our i authors here herein"))
_NOUNS = frozenset(
    _words("paper work study article report survey review thesis research letter note trial")
)
_DOING = _words(
    """
    propos introduc present develop design build built creat formulat describ releas investigat stud
    examin analy explor evaluat show demonstrat establish deriv conduct perform compar argu address
    consider use using appl combin extend revisit provid identif find found comput measur characteri
    tackl train collect survey review discuss determin test assess quantif model simulat observ
    search calculat estimat generat sequenc prov offer outlin reveal focus aim contribut construct
    unveil employ leverag adopt advanc report highlight bridg ask generaliz generalis unif formaliz
    formalis validat benchmark curat discover integrat implement map
    """
)
_UNDONE = frozenset(_words("can cannot could may might must should will would need hope still"))
_BEING = frozenset(_words("is are was were been"))
_CLAIMS = _words(
    """
    improv outperform surpass exceed increas decreas reduc achiev attain reach yield gain higher
    lower better worse faster slower fewer greater significan associat correlat reveal found find
    state-of-the-art sota competitive comparable superior boost drop rais rose fell win confirm
    demonstrat show suggest indicat prove
    """
)
"""How words begin that claim something has come out."""

_AMOUNTS = _words(
    """
    accura larger smaller more less than percent estimat score reliab error between range compar
    match success predict detect identif consist total speed cost perform measur obtain explain
    result observ
    """
)
"""How words begin that make a result of a sentence with a quantity."""

_WORD = re.compile(r"[^\s,;:()]+")


def is_contribution(sentence: str) -> bool:
    """Whether a sentence says what the authors did."""
    words = [word.strip(".'\"“”") for word in _WORD.findall(sentence)]
    low = [word.lower() for word in words]
    for at, word in enumerate(low):
        subject = word in _SUBJECTS or (word in _NOUNS and at < 8)
        later = low[at + 1 : at + 9]
        if subject and any(map(_is_doing, later)) and not _UNDONE.intersection(later[:2]):
            return True
        if word in _BEING and any(
            _is_doing(w) and w.endswith(("ed", "wn", "nd", "lt")) for w in later[:3]
        ):
            return True
    named = bool(words) and any(letter.isupper() for letter in words[0])
    return (
        named
        and len(low) > 2
        and bool({"is", "are"} & set(low[1:4]))
        and bool({"a", "an", "the"} & set(low[2:6]))
    )


def _is_doing(word: str) -> bool:
    return word.startswith(_DOING)


def is_result(sentence: str) -> bool:
    """Whether a sentence claims that something came out, or gives a quantity of it."""
    claims = any(word.startswith(_CLAIMS) for word in _WORD.findall(sentence.lower()))
    return claims or is_measured(sentence)


def is_measured(sentence: str) -> bool:
    """Whether a sentence has a quantity and a word of effect."""
    words = sentence.lower().split()
    effects = (word.strip("(").startswith(_CLAIMS + _AMOUNTS) for word in words)
    return any(map(_is_quantity, words)) and any(effects)


def _is_quantity(word: str) -> bool:
    bare = word.strip(".,;:()[]'\"“”")
    if re.fullmatch(r"(?:19|20)\d\d", bare):
        return False
    return bool(re.match(r"[~≈<>≤≥=±+$€−-]*\d[\d.,/–-]*(?:$|[%×xk°]|-?fold|-?point|b$)", bare))


def main() -> None:
    """Print the shares for each set of papers, before and now."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--sample", type=int, default=0, help="how many summaries of each set to print"
    )
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    print(f"{'':<24}{'papers':>7}", *(f"{head:>15}" for head in HEADS), sep="")
    for name, find in SETS.items():
        papers = find(asked.folder)
        if not papers:
            print(f"{name:<24}skipped: {asked.folder} has none of them", file=sys.stderr)
            continue
        print(f"{name:<24}{len(papers):>7}{_figures(papers)}")
        for item in random.Random(asked.seed).sample(papers, min(asked.sample, len(papers))):
            print(f"  {item.title}\n    {paper_view(item).summaries['short']}")


def _figures(papers: Sequence[Item]) -> str:
    views = [paper_view(item).summaries for item in papers]
    now = [view["short"] for view in views]
    before = [shorten(" ".join(split_sentences(view["full"])[:2]), LIMIT_BEFORE) for view in views]
    shares = (
        f"{sum(map(judge, texts)) / len(texts):>{width}.1%}"
        for judge in (says_what_was_done, tells_result, tells_measured_result)
        for texts, width in ((before, 8), (now, 7))
    )
    counts = [sum(text.endswith("…") for text in texts) for texts in (before, now)]
    counts += [sum(map(len, texts)) // len(texts) for texts in (before, now)]
    return "".join((*shares, *(f"{count:>{8 - at % 2}}" for at, count in enumerate(counts))))


def says_what_was_done(summary: str) -> bool:
    """Whether one of the sentences is a contribution."""
    return any(map(is_contribution, split_sentences(summary)))


def tells_result(summary: str) -> bool:
    """Whether a sentence after the contribution is a result."""
    return any(map(is_result, _after_contribution(summary)))


def tells_measured_result(summary: str) -> bool:
    """Whether a sentence after the contribution is a result with a quantity."""
    return any(map(is_measured, _after_contribution(summary)))


def _after_contribution(summary: str) -> list[str]:
    sentences = split_sentences(summary)
    places = (at for at, each in enumerate(sentences) if is_contribution(each))
    return sentences[next(places, -1) + 1 :]


def _hugging_face(folder: Path) -> list[Item]:
    return _read(sorted(folder.glob("payloads/hf_*/*.json")), huggingface.parse)


def _arxiv(folder: Path) -> list[Item]:
    paths = (
        "arxiv_rss/*.xml",
        "arxiv_feed_service/*.xml",
        "arxiv_api/query*.xml",
        "arxiv_feed_scale/atom*.xml",
    )
    listed = _read(
        [path for form in paths for path in sorted(folder.glob(f"payloads/{form}"))], _feed
    )
    return [item for item in listed if not _is_other(item.categories)]


def _other_fields(folder: Path) -> list[Item]:
    paths = [
        *folder.glob("payloads/arxiv_*/*.xml"),
        *folder.glob("payloads/journals/biorxiv*"),
    ]
    listed = [item for item in _read(sorted(paths), _feed) if _is_other(item.categories)]
    recorded = folder / "topics" / "abstracts.jsonl.gz"
    if recorded.exists():
        with gzip.open(recorded, "rt", encoding="utf-8") as lines:
            papers = [json.loads(line) for line in lines]
        listed += [
            Item(clean(each["title"]), abstract=clean(each["abstract"]))
            for each in papers
            if _is_other(each["categories"])
        ]
    return random.Random(1).sample(listed, min(_OTHERS, len(listed)))


SETS: dict[str, Callable[[Path], list[Item]]] = {
    "Hugging Face": _hugging_face,
    "arXiv, computer science": _arxiv,
    "other fields": _other_fields,
}
"""The sets of papers by their names."""


def _is_other(categories: Sequence[str]) -> bool:
    """Whether a paper's first category is not one of computer science."""
    return not categories or not categories[0].startswith("cs.")


def _feed(body: bytes, name: str) -> tuple[Item, ...]:
    return feed.parse(body, {}, f"https://example.org/{name}")


def _read(paths: Sequence[Path], parse: Callable[[bytes, str], tuple[Item, ...]]) -> list[Item]:
    """The papers of the files that have an abstract, each title once."""
    return list(
        {
            item.title: item for path in paths for item in _papers(path, parse) if item.abstract
        }.values()
    )


def _papers(path: Path, parse: Callable[[bytes, str], tuple[Item, ...]]) -> Iterator[Item]:
    try:
        yield from parse(path.read_bytes(), path.name)
    except SourceError as error:
        print(f"{path.name} is left out: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
