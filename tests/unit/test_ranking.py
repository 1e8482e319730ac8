"""What wishes in plain words bring a reader, in which order, and why."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import pytest
from typing_extensions import override

from newsletter.issue.composing import IssueMasks, compose_issue, name_reason
from newsletter.issue.editions import compose_edition
from newsletter.issue.ranking import nearest_first
from newsletter.issue.selecting import explain
from newsletter.model import (
    BY_FILTER,
    TOP,
    TOP_TEN,
    All,
    Breadth,
    Edition,
    Filter,
    Issue,
    Item,
    Matches,
    Paper,
    ReaderHistory,
    Rule,
    Term,
    Topic,
    WishMasks,
)
from newsletter.papers.filters import parse_rule
from newsletter.papers.matching import RulesMatcher
from newsletter.papers.topics import match_issue
from tests.support.factories import DAY, NOON, paper, reader
from tests.unit.test_editions import limits_of

TOPICS = (
    Topic("Agents", any=(parse_rule("agents"),)),
    Topic("Speech and audio", any=(parse_rule("speech"),)),
)

Odds = Mapping[str, Mapping[int, float]]
"""For each wish the probability of some papers, by number."""


@dataclass
class Wishing(RulesMatcher):
    """Knows how probable each wish makes each paper; everything else is found by words."""

    odds: Odds
    numbers: Mapping[int, int]
    """The papers' numbers by their place in the issue."""

    @override
    def match(self, items: Sequence[Item], terms: Collection[Term]) -> Matches:
        wishes = {term: self._wish(term.text) for term in terms if term.field == "about"}
        normal = {term: wish.found("normal") for term, wish in wishes.items()}
        others = [term for term in terms if term not in wishes]
        return Matches({**self.masks(items, others), **normal}, wishes)

    def _wish(self, text: str) -> WishMasks:
        wanted, _, unwanted = text.partition(", not ")
        by_place = {place: self.odds[wanted].get(n, 0) for place, n in self.numbers.items()}
        ranked = sorted((i for i in by_place if by_place[i] >= 0.05), key=lambda i: -by_place[i])
        remote, possible, likely, strong = (
            sum(1 << i for i in ranked if by_place[i] >= least) for least in (0, 0.1, 0.3, 0.5)
        )
        kept_out = {unwanted: 0} if unwanted else {}
        return WishMasks(tuple(ranked), remote, possible, likely, strong, kept_out)

    @override
    def evidence(self, items: Sequence[Item], index: int, wish: Term) -> str:
        return f"“{wish.text.partition(',')[0]}”: in the title"


def issue_of(papers: Sequence[Paper]) -> Issue:
    """An issue with these papers in their order."""
    voted = [
        replace(each, item=replace(each.item, upvotes=100 - place))
        for place, each in enumerate(papers)
    ]
    return compose_issue(voted, TOPICS, day=DAY, cutoff=99, after=0, frozen_at=NOON)


def masks_of(papers: Sequence[Paper], wants: Filter, odds: Odds) -> IssueMasks:
    issue = issue_of(papers)
    matcher = Wishing(odds, {place: each.number for place, each in enumerate(issue.papers)})
    return IssueMasks(issue, match_issue(issue, [wants], matcher), matcher)


def wishing(*wishes: str, breadth: Breadth = "normal", **fields: tuple[str, ...]) -> Filter:
    rules = {name: tuple(map(parse_rule, fields.get(name, ()))) for name in ("include", "exclude")}
    own = (*rules["include"], *(Rule(f"about: {wish}", Term("about", wish)) for wish in wishes))
    return Filter(fields.get("topics", ()), own, rules["exclude"], breadth=breadth)


def plain(count: int) -> list[Paper]:
    return [paper(number, f"Paper {number}") for number in range(1, count + 1)]


def edition_of(
    papers: Sequence[Paper],
    wants: Filter,
    odds: Odds,
    *,
    cap: int = 60,
    again: frozenset[int] = frozenset(),
    decided: int = 0,
) -> Edition:
    masks = masks_of(papers, wants, odds)
    history = ReaderHistory(reader(wants=wants, decided=decided), again=again)
    return compose_edition(masks, history, limits_of(len(papers), cap=cap))


def numbers(edition: Edition) -> list[tuple[str, list[int], list[int]]]:
    """Each section's cards and rows, by number: papers are numbered in the issue's order."""
    return [
        (each.name, [i + 1 for i in each.cards], [i + 1 for i in each.rows])
        for each in edition.sections
    ]


def test_sure_papers_come_before_likely_ones() -> None:
    odds = {"cats": {1: 0.2, 2: 0.35, 3: 0.9}}
    edition = edition_of(plain(4), wishing("cats"), odds)
    assert numbers(edition) == [(BY_FILTER, [3, 2, 1], [])]


def test_rule_of_words_is_sure() -> None:
    papers = [paper(1, "Cats"), paper(2, "Dogs"), paper(3, "Horses")]
    wants = wishing("cats", include=("dogs", "horses"))
    edition = edition_of(papers, wants, {"cats": {1: 0.4, 2: 0.1}})
    assert numbers(edition) == [(BY_FILTER, [2, 3, 1], [])]
    assert edition.sections[0].because[0] == "include “dogs”"


def test_near_misses_begin_with_the_nearest() -> None:
    odds = {"cats": {1: 0.06, 2: 0.09, 4: 0.07}}
    wants = wishing("cats")
    assert nearest_first(masks_of(plain(4), wants, odds), wants, 0b1111) == [2, 1, 3, 0]


def test_best_five_of_a_wish_are_cards() -> None:
    odds = {"cats": {n: 0.5 + n / 100 for n in range(1, 8)}, "dogs": {8: 0.1}}
    edition = edition_of(plain(8), wishing("cats", "dogs"), odds)
    assert numbers(edition) == [(BY_FILTER, [3, 4, 5, 6, 7, 8], [1, 2])]


def test_best_five_are_those_still_owed() -> None:
    odds = {"cats": {n: 0.2 - n / 100 for n in range(1, 9)}}
    edition = edition_of(plain(8), wishing("cats"), odds, decided=3)
    assert numbers(edition) == [(BY_FILTER, [4, 5, 6, 7, 8], [])]


@pytest.mark.parametrize(
    ("breadth", "found"), [("strict", [1]), ("normal", [1, 2, 3]), ("broad", [1, 2, 3, 4])]
)
def test_breadth_says_how_sure_papers_must_be(breadth: Breadth, found: list[int]) -> None:
    odds = {"cats": {1: 0.9, 2: 0.3, 3: 0.1, 4: 0.05, 5: 0.04}}
    edition = edition_of(plain(5), wishing("cats", breadth=breadth), odds)
    assert [i + 1 for i in edition.papers] == found


def test_one_paper_of_each_wish_leads() -> None:
    odds = {
        "cats": {1: 0.9, 2: 0.9, 3: 0.9},
        "dogs": {4: 0.9, 5: 0.8},
        "birds": {6: 0.7, 7: 0.4},
    }
    edition = edition_of(plain(7), wishing("cats", "dogs", "birds"), odds)
    assert numbers(edition) == [(TOP, [1, 4, 6], []), (BY_FILTER, [2, 3, 5, 7], [])]


def test_topics_lead_beside_one_paper_of_a_wish() -> None:
    papers = [*plain(5), *(paper(n, f"Agents {n}") for n in (6, 7, 8))]
    wants = wishing("cats", topics=("Agents",))
    edition = edition_of(papers, wants, {"cats": dict.fromkeys(range(1, 6), 0.9)})
    assert numbers(edition)[0] == (TOP, [1, 6, 7], [])


def test_letter_of_one_wish_has_no_leads() -> None:
    odds = {"cats": dict.fromkeys(range(1, 10), 0.9)}
    edition = edition_of(plain(9), wishing("cats"), odds)
    assert numbers(edition) == [(BY_FILTER, [1, 2, 3, 4, 5], [6, 7, 8, 9])]


def test_weekly_ten_are_the_first_of_all_bands() -> None:
    odds = {
        "cats": {n: 0.1 + n / 20 for n in range(1, 9)},
        "dogs": dict.fromkeys(range(9, 14), 0.9),
    }
    wants = wishing("cats", "dogs")
    masks = masks_of(plain(14), wants, odds)
    who = reader(wants=wants)
    weekly = replace(who, subscriber=replace(who.subscriber, cadence="weekly", day=DAY.weekday()))
    limits = replace(limits_of(14), cadence="daily")
    first = compose_edition(masks, ReaderHistory(weekly), limits).sections[0]
    assert (first.name, [i + 1 for i in first.cards]) == (TOP_TEN, [8, *range(9, 14), 4, 5, 6, 7])


def test_unwanted_topic_keeps_its_papers_out() -> None:
    papers = [paper(1, "Cats"), paper(2, "Speech of cats")]
    wants = wishing("cats, not speech papers")
    edition = edition_of(papers, wants, {"cats": {1: 0.9, 2: 0.9}})
    assert numbers(edition) == [(BY_FILTER, [1], [])]


def test_excluding_wish_keeps_out_what_it_surely_means() -> None:
    wants = wishing("cats", exclude=("about: dogs",))
    odds = {"cats": {1: 0.9, 2: 0.9}, "dogs": {1: 0.6, 2: 0.4}}
    edition = edition_of(plain(2), wants, odds)
    assert numbers(edition) == [(BY_FILTER, [2], [])]


def test_cards_show_the_evidence_and_rows_the_wish() -> None:
    odds = {"cats, birds": dict.fromkeys(range(1, 7), 0.9)}
    (section,) = edition_of(plain(6), wishing("cats, birds"), odds).sections
    assert section.because[0] == "include “about: cats, birds” (“cats”: in the title)"
    assert section.because[5] == "include “about: cats, birds”"
    assert list(map(name_reason, section.because[4:])) == ["“cats”: in the title", "cats, birds"]


def test_evidence_is_of_the_wish_that_is_surest() -> None:
    odds = {"cats": {1: 0.2}, "dogs": {1: 0.8}}
    (section,) = edition_of(plain(1), wishing("cats", "dogs"), odds).sections
    assert name_reason(section.because[0]) == "“dogs”: in the title"


def test_reasons_against_say_what_was_missing() -> None:
    papers = [paper(1, "Cats"), paper(2, "Speech"), paper(3, "Cattle"), paper(4, "Stars")]
    wants = wishing("cats, not speech")
    masks = masks_of(papers, wants, {"cats": {1: 0.9, 2: 0.9, 3: 0.06}})
    verdicts = explain(masks, ReaderHistory(reader(wants=wants)))
    assert [(each.included, each.reason) for each in verdicts] == [
        (True, "include “about: cats, not speech” (“cats”: in the title)"),
        (False, "left out: closer to “speech”, which you do not want"),
        (False, "not close enough to “cats, not speech”"),
        (False, "in no followed topic, and no include matches"),
    ]


def test_other_conditions_limit_a_wish() -> None:
    papers = [paper(1, "Cats"), paper(2, "Survey"), paper(3, "Survey of survey")]
    term = Term("about", "cats")
    rule = Rule("survey and about: cats", All((Term("text", "survey"), term)))
    odds = {"cats": {1: 0.9, 2: 0.3, 3: 0.6}}
    (section,) = edition_of(papers, Filter(include=(rule,)), odds).sections
    assert (section.cards, name_reason(section.because[0])) == ((2, 1), "“cats”: in the title")
