"""The cost of matching: bitmasks for all readers, against a search for each reader and paper.

Both ways take turns on the same made-up papers and readers, and must choose the same papers. The
figures are medians of CPU time::

    python -m bench.match [--readers 10000] [--papers 200] [--abstracts FILE.jsonl.gz] [--json FILE]
"""

import argparse
import json
import re
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import ParamSpec, TypeVar

from bench.workload import Morning, filters, histories, morning
from newsletter.issue.composing import IssueMasks
from newsletter.issue.editions import EditionLimits, HtmlSizes, compose_edition
from newsletter.issue.selecting import select_papers
from newsletter.model import (
    All,
    AnyOf,
    Expression,
    Filter,
    Item,
    Length,
    Matching,
    Not,
    ReaderHistory,
    Rule,
    Term,
    Topic,
)
from newsletter.papers import topics
from newsletter.papers.matching import RulesMatcher
from newsletter.text import (
    fold,
    literal_text,
    name_phrases,
    name_text,
    phrases,
    tex_to_unicode,
    word_text,
)

MEGABYTE = 1 << 20
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def main() -> None:
    """Run the bench and print its figures."""
    asked = _arguments()
    made = morning(asked.papers, asked.readers, abstracts=asked.abstracts)
    figures = measure(made, rounds=asked.rounds, searched=asked.searched)
    for name, figure in figures.items():
        print(f"{name:<44}{figure:>14,.2f}")
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=10_000)
    parser.add_argument("--papers", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--searched", type=int, default=40, help="readers searched for a round")
    parser.add_argument("--abstracts", type=Path, help="JSON lines with title and abstract")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    return parser.parse_args()


def measure(made: Morning, *, rounds: int, searched: int) -> Mapping[str, float]:
    """Time every step ``rounds`` times, alternating between the ways; return figures by name."""
    at = histories(made.readers)
    limits = limits_of(len(made.issue.papers))
    spent: dict[str, list[float]] = {name: [] for name in ("match", "select", "compose", "search")}
    for turn in range(rounds):
        masks = IssueMasks(made.issue, _timed(spent["match"], _match, made))
        chosen = _timed(spent["select"], _select, masks, at)
        _timed(spent["compose"], _compose, masks, at, limits)
        some = slice(turn * searched, (turn + 1) * searched)
        found = _timed(spent["search"], _search, made, at[some])
        assert found, "more rounds than readers to search for"
        assert found == chosen[some], "the two ways chose different papers"
    return _figures(spent, readers=len(at), searched=searched)


def _figures(
    spent: Mapping[str, Sequence[float]], *, readers: int, searched: int
) -> Mapping[str, float]:
    match, select, compose, search = (median(seconds) for seconds in spent.values())
    selecting, searching = select / readers * 1e6, search / searched * 1e6
    return {
        "match the issue, all filters (ms)": match * 1e3,
        "select, a reader (µs)": selecting,
        "match and select, a reader (µs)": (match + select) / readers * 1e6,
        "select and compose, a reader (µs)": compose / readers * 1e6,
        "the obvious way, a reader (µs)": searching,
        "the obvious way ÷ match and select": searching / ((match + select) / readers * 1e6),
        "peak memory (MB)": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MEGABYTE,
    }


def _timed(
    spent: list[float],
    run: Callable[Arguments, Result],
    *args: Arguments.args,
    **kw: Arguments.kwargs,
) -> Result:
    started = time.process_time()
    result = run(*args, **kw)
    spent.append(time.process_time() - started)
    return result


def _match(made: Morning) -> Matching:
    return topics.match_issue(made.issue, filters(made.readers), RulesMatcher())


def _select(masks: IssueMasks, at: Sequence[ReaderHistory]) -> list[int]:
    return [select_papers(masks, history).chosen for history in at]


def _compose(masks: IssueMasks, at: Sequence[ReaderHistory], limits: EditionLimits) -> None:
    for history in at:
        compose_edition(masks, history, limits)


def limits_of(papers: int) -> EditionLimits:
    """The limits of letters of an issue with so many papers."""
    headings, more_in = defaultdict[str, int](lambda: 900), defaultdict[str, int](lambda: 200)
    cards: dict[Length, tuple[int, ...]] = {"short": (1200,) * papers, "lead": (1500,) * papers}
    sizes = HtmlSizes(8000, headings, more_in, 120, cards, (250,) * papers)
    return EditionLimits(sizes, max_items=60)


# The obvious way: for each reader and paper, search the text for every rule.


def _search(made: Morning, at: Sequence[ReaderHistory]) -> list[int]:
    return [_found(made, history) for history in at]


def _found(made: Morning, history: ReaderHistory) -> int:
    wants, issue = history.reader.subscriber.filter, made.issue
    return sum(
        1 << place
        for place, paper in enumerate(issue.papers)
        if _wanted(paper.item, wants, issue.topics)
    )


def _wanted(item: Item, wants: Filter, known: Sequence[Topic]) -> bool:
    rules = [rule for topic in known if topic.name in wants.topics for rule in topic.any]
    brought = wants.everything or _any_holds((*rules, *wants.include), item)
    if not brought or _any_holds(wants.exclude, item):
        return False
    return item.upvotes is None or item.upvotes >= wants.min_upvotes


def _any_holds(rules: Sequence[Rule], item: Item) -> bool:
    return any(_holds(rule.expression, item) for rule in rules)


def _holds(expression: Expression, item: Item) -> bool:
    match expression:
        case Term():
            return _occurs(expression, item)
        case Not(of=inner):
            return not _holds(inner, item)
        case All(of=parts):
            return all(_holds(part, item) for part in parts)
        case AnyOf(of=parts):
            return any(_holds(part, item) for part in parts)


def _occurs(term: Term, item: Item) -> bool:
    """Whether one of a term's spellings is in one of the texts, which are cached."""
    match term.field:
        case "category":
            names = [fold(name) for name in item.categories]
            return fold(term.text) in {*names, *(name.partition(".")[0] for name in names)}
        case "author":
            names = [name_text(name) for name in item.authors]
            return any(phrase in name for phrase in name_phrases(term.text) for name in names)
    texts = [tex_to_unicode(item.title)]
    if term.field != "title":
        texts.append(tex_to_unicode(item.abstract))
    if term.exact:
        quoted = rf"(?<![^\W_]){re.escape(literal_text(term.text))}(?![^\W_])"
        return any(re.search(quoted, literal_text(text)) for text in texts)
    return any(phrase in word_text(text) for phrase in phrases(term.text) for text in texts)


if __name__ == "__main__":
    main()
