"""Texts of real listings become readable; skipped if the recorded listings are not installed."""

import gzip
import json
import re
from collections.abc import Iterator
from datetime import date
from functools import cache
from itertools import islice
from pathlib import Path

import pytest

from newsletter.errors import SourceError
from newsletter.letter.views import paper_view
from newsletter.model import Item
from newsletter.sources import feed, huggingface, saved_pages
from newsletter.text import clean, tex_to_unicode

SHARED = Path(__file__).parents[2].parent / "shared" / "data"

pytestmark = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the folder `shared` with real listings is not beside the checkout"
)

SURE = re.compile(
    r"\\(?:emph|textbf|textit|texttt|text)\s?\{[^{}\\$]*\}"
    r"|\{\\(?:em|bf|it|tt)\s[^{}\\$]*\}"
    r"|\\[%&#]"
    r"|(?<![\\$\w])\$(?!\d)(?:[A-Za-z0-9=+<>()]|\\(?:alpha|beta|gamma|times|approx|sim|leq|geq|%)|[\^_]\{?\d\}?)+\$"
)
"""TeX with an unambiguous meaning."""

RAW = re.compile(r"\\[A-Za-z]+|\\[()\[\]]|[\^_]\{|(?<!\\)\$[^$]*\$")
"""TeX that a reader would see: a macro, an index in braces, a pair of dollars (or of prices)."""

PRICES = ("or only $200k. With", "awarded $35,000 in tota")
"""Prices in two of the listings, which are not TeX."""


def recorded() -> Iterator[Item]:
    """The items of saved pages and of recorded listings, a few of them from each."""
    for path in sorted((SHARED / "pages").glob("*.txt")):
        yield from saved_pages.parse(path.read_text(encoding="utf-8"), date(2026, 1, 1), path.name)[
            1
        ]
    payloads = SHARED / "payloads"
    for path in sorted(payloads.glob("hf_daily/*.json")):
        yield from huggingface.parse(path.read_bytes(), path.name)
    for folder in ("arxiv_rss", "arxiv_api", "journals"):
        for path in sorted((payloads / folder).glob("*.xml")):
            yield from _listed(path)


def _listed(path: Path) -> tuple[Item, ...]:
    try:
        return feed.parse(path.read_bytes(), {}, "https://example.org/feed")
    except SourceError:
        return ()  # another test is about files that are not feeds


@cache
def texts() -> tuple[tuple[str, str], ...]:
    """Every title and abstract, as listed and as shown."""
    found = []
    for item in recorded():
        view = paper_view(item)
        found += [(item.title, view.title), (item.abstract, view.summaries["full"])]
    return tuple(found)


@pytest.mark.slow
def test_certain_tex_is_replaced() -> None:
    assert len(texts()) > 1000
    assert any(SURE.search(written) for written, _ in texts())
    assert [found[0] for _, shown in texts() if (found := SURE.search(shown))] == []


@pytest.mark.slow
def test_other_text_stays_as_written() -> None:
    plain = [
        (w, s)
        for w, s in texts()
        if not re.search(
            r"[\\$^`*]|''|[\w.)]~[\w(]|[_}\d]\{|\{\w+\}|\d ?times|--|x201|\b_\w|&#?\w+;", w
        )
        and 0 < len(w) < 3000
    ]
    assert len(plain) > 1000
    assert all(written == shown for written, shown in plain)
    assert any("&" in written for written, _ in plain)
    assert any(re.search(r" [<>] ", written) for written, _ in plain)


@pytest.mark.slow
def test_hardly_any_raw_tex_is_left() -> None:
    """At most 1 % of 2,000 recorded arXiv abstracts; docs/benchmarks.md has the figures of all."""
    with gzip.open(SHARED / "topics" / "abstracts.jsonl.gz", "rt") as lines:
        abstracts = [clean(json.loads(line)["abstract"]) for line in islice(lines, 2_000)]
    written = sum(bool(RAW.search(text)) for text in abstracts)
    left = sum(bool(RAW.search(tex_to_unicode(text))) for text in abstracts)
    print(f"{len(abstracts)} abstracts: {written} with TeX, {left} after the conversion")  # noqa: T201 - the figures
    assert left <= len(abstracts) / 100


def test_prices_stay_prices() -> None:
    for price in PRICES:
        assert {price in shown for written, shown in texts() if price in written} == {True}


@pytest.mark.slow
def test_summaries_end_and_authors_are_few() -> None:
    for item in recorded():
        view = paper_view(item)
        assert len(view.byline.split(" · ")[0].split(", ")) <= 3 or len(item.authors) <= 3
        for summary in (view.summaries["short"], view.summaries["lead"]):
            whole = summary == view.summaries["full"]
            assert whole or not summary or re.search(r"[.!?][\"')\]”’]*$", summary), summary  # noqa: RUF001 - what ends a sentence
