"""The figures of ``bench.topics``, on small files."""

import json
from pathlib import Path

import numpy as np
import pytest

from bench.labelled import Asked, FileError, average_precision, bootstrap, read_filters, read_gold
from bench.rivals import RIVALS
from bench.topics import Pool, most_probable
from newsletter.app.files import load_engine
from newsletter.model import Item
from newsletter.papers.meanings import MeaningMatcher
from newsletter.papers.topics import match_issue

GOLD = (
    {"title": "Speech on Phones", "abstract": "We recognise words.", "topics": ["speech"]},
    {"title": "Dwarf  Galaxies", "abstract": "We count satellites.", "topics": []},
)


def written(folder: Path, *lines: str) -> Path:
    path = folder / "labels"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def asked(right: list[int], count: int, borderline: tuple[int, ...] = ()) -> Asked:
    places = np.arange(count)
    return Asked("", np.isin(places, right), ~np.isin(places, borderline))


def test_titles_of_wishes_are_found(tmp_path: Path) -> None:
    papers = read_gold([written(tmp_path, *map(json.dumps, GOLD))])
    table = written(
        tmp_path, "filter\tright\tborderline", "phones\tspeech on phones\tDwarf Galaxies"
    )
    (found,) = read_filters(table, papers)
    assert (found.right.tolist(), found.scored.tolist()) == ([True, False], [True, False])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"title": "No topics"}', "line 2: has no “topics”"),
        ("not JSON", "line 2: Expecting value"),
    ],
)
def test_broken_label_is_named(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(FileError, match=said):
        read_gold([written(tmp_path, json.dumps(GOLD[0]), line)])


def test_unknown_title_is_named(tmp_path: Path) -> None:
    papers = read_gold([written(tmp_path, *map(json.dumps, GOLD))])
    with pytest.raises(FileError, match=r"line 1: no paper .* has the title “Gone”"):
        read_filters(written(tmp_path, "phones\tGone"), papers)


@pytest.mark.parametrize(
    ("scores", "right", "borderline", "expected"),
    [
        ((3, 2, 1), [0, 2], (), (1 + 2 / 3) / 2),
        ((3, 2, 1), [0, 2], (1,), 1),
        ((3, 0, 0), [0, 2], (), 1 / 2),
    ],
)
def test_average_precision_by_hand(
    scores: tuple[int, ...], right: list[int], borderline: tuple[int, ...], expected: float
) -> None:
    found = average_precision(np.array(scores), asked(right, 3, borderline))
    assert found == pytest.approx(expected)


def test_interval_holds_the_figure() -> None:
    values = np.array([0.2, 0.4, 0.9, 1.0])
    figure = bootstrap(lambda weights: float(weights @ values / weights.sum()), 4)
    assert figure.value == pytest.approx(values.mean())
    assert figure.low < figure.value < figure.high
    assert figure == bootstrap(lambda weights: float(weights @ values / weights.sum()), 4)


@pytest.mark.parametrize("name", RIVALS)
def test_rival_finds_the_paper_of_its_words(name: str) -> None:
    items = [Item(str(paper["title"]), str(paper["abstract"])) for paper in GOLD]
    assert RIVALS[name](items, "recognised phones").argmax() == 0
    assert RIVALS[name](items, "quark").tolist() == [0, 0]


@pytest.mark.slow
def test_most_probable_topic_of_unlikely_paper() -> None:
    pool = Pool([Item("Sorting Socks", "We look at how people sort their socks.")])
    matching = match_issue(pool.issue, (), MeaningMatcher(load_engine))
    assert not any(matching.best.values())
    assert sum(flags.sum() for flags in most_probable(pool).values()) == 1
