"""How long a search of the archive takes, and what memory it needs.

``python -m bench.search [--papers N] [--abstracts FILE] [--store ADDRESS]``

A store is filled with made-up papers, or with real ones from JSON lines, unless the one at the
address has papers already. Then its index is made, and searches of all kinds are timed in this
process.
"""

import argparse
import contextlib
import resource
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from bench.pages import fill
from bench.workload import morning
from newsletter.app.clock import SystemClock
from newsletter.app.files import load_engine
from newsletter.papers.meanings import MeaningMatcher
from newsletter.papers.searching import ArchiveSearch
from newsletter.ports import Store
from newsletter.stores import open_store

SEARCHES = (
    "graph networks", "KV cache compression", "quantum", "the", "nothing of the kind",
    "mixture-of-experts routing, medical imaging with vision-language models, not speech",
    "Ada Kim", "author:Kim and diffusion", "theorem", "zzzz qqqq", "画像", "2608.00017",
    "retrieval augmented generation for question answering", "protein structures",
    "reinforcement learning from human feedback", "speech recognition for children",
)  # fmt: skip
ROUNDS = 5
SHOWN = 50  # papers


def filled(store: Store, papers: int, abstracts: Path | None) -> None:
    """Fill a store that is empty; titles are told apart by a number."""
    if store.cutoff() == 0:
        made = [paper.item for paper in morning(papers, 0, abstracts=abstracts).issue.papers]
        items = [
            replace(item, title=f"{item.title} {number}", authors=("Ada Kim", f"Bao Ito {number}"))
            for number, item in enumerate(made)
        ]
        fill(store, items, SystemClock().now())


def memory() -> int:
    """The most memory that this process has had, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def measure(store: Store) -> None:
    """Make the index; time every search and what is related to a paper; print the figures."""
    search = ArchiveSearch(store, MeaningMatcher(load_engine), load_engine)
    began, blocks = time.process_time(), 0
    while search.fill():
        blocks += 1
    seconds = time.process_time() - began
    print(f"papers {store.cutoff()}; index: {blocks} blocks made in {seconds:.1f} s of CPU")
    search.find(SEARCHES[0], SHOWN)
    before, took = memory(), list[tuple[float, float]]()
    for _ in range(ROUNDS):
        for text in SEARCHES:
            wall, cpu = time.perf_counter(), time.process_time()
            search.find(text, SHOWN)
            took.append((time.perf_counter() - wall, time.process_time() - cpu))
    for name, each in (("wall", 0), ("CPU", 1)):
        times = sorted(1000 * one[each] for one in took)
        p99 = times[int(0.99 * len(times))]
        print(f"search, {name}: median {statistics.median(times):.0f} ms, p99 {p99:.0f} ms")
    (newest,) = store.papers_by_number([store.cutoff()])
    began = time.process_time()
    for _ in range(ROUNDS):
        search.related(newest)
    print(f"related papers: {(time.process_time() - began) * 1000 / ROUNDS:.1f} ms of CPU")
    print(f"memory: {before} MB after the first search, {memory()} MB after all")


def main() -> None:
    """Read the command line and measure."""
    reading = argparse.ArgumentParser(description=__doc__)
    reading.add_argument("--papers", type=int, default=100_000)
    reading.add_argument("--abstracts", type=Path)
    reading.add_argument("--store", default="")
    told = reading.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        address = told.store or f"sqlite:///{folder}/newsletter.db"
        with contextlib.closing(open_store(address)) as store:
            filled(store, told.papers, told.abstracts)
            measure(store)


if __name__ == "__main__":
    main()
