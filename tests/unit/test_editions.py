from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from operator import itemgetter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.issue.composing import IssueMasks, compose_issue, quotes_own_rule
from newsletter.issue.editions import EditionLimits, HtmlSizes, compose_edition
from newsletter.issue.selecting import explain, group_by_topic, select_papers
from newsletter.model import (
    BY_FILTER,
    EVERY_PAPER,
    OTHER,
    TOP,
    TOP_TEN,
    Edition,
    Filter,
    Issue,
    Length,
    Paper,
    Reader,
    ReaderHistory,
    Summary,
    Topic,
    Verdict,
)
from newsletter.model.windows import MAX_PAPER_AGE
from newsletter.papers import topics
from newsletter.papers.filters import parse_rule
from newsletter.papers.matching import RulesMatcher
from newsletter.papers.topics import bit_indexes
from tests.support.factories import DAY, NOON, paper, reader

TOPICS = (
    Topic("Reasoning", any=(parse_rule("reasoning"),)),
    Topic("Agents", any=(parse_rule("agents"),)),
    Topic("Speech", any=(parse_rule("speech"),), formerly=("Talk", "Voice")),
)


def issue_of(*papers: Paper) -> Issue:
    return compose_issue(papers, TOPICS, day=DAY, cutoff=len(papers), after=0, frozen_at=NOON)


def masks_of(issue: Issue, *filters: Filter) -> IssueMasks:
    return IssueMasks(issue, topics.match_issue(issue, filters, RulesMatcher()))


def limits_of(
    papers: int, *, html: int = 102_400, cap: int = 60, page: bool = True
) -> EditionLimits:
    lengths: dict[Length, int] = {"short": 1000, "full": 3000, "titles": 500, "lead": 1500}
    cards = {length: (size,) * papers for length, size in lengths.items()}
    headings, more_in = defaultdict[str, int](lambda: 100), defaultdict[str, int](lambda: 80)
    sizes = HtmlSizes(1000, headings, more_in, 50, cards, (200,) * papers)
    return EditionLimits(sizes, cap, html, page)


def edition_of(issue: Issue, who: Reader, *, page: bool = True, **changes: int) -> Edition:
    masks = masks_of(issue, who.subscriber.filter)
    return compose_edition(
        masks, ReaderHistory(who), limits_of(len(issue.papers), page=page, **changes)
    )


def verdict_on(issue: Issue, history: ReaderHistory) -> Verdict:
    masks = masks_of(issue, history.reader.subscriber.filter)
    (verdict,) = explain(masks, history)
    return verdict


def shown(issue: Issue, edition: Edition) -> dict[str, list[int]]:
    """The papers' numbers, by section."""
    return {
        section.name: [issue.papers[p].number for p in section.papers]
        for section in edition.sections
    }


FIVE = issue_of(
    paper(1, "Reasoning agents with reasoning", upvotes=50, abstract="reasoning"),
    paper(2, "Agents", upvotes=40),
    paper(3, "Speech by agents", upvotes=30, abstract="speech"),
    paper(4, "Proteins", upvotes=20),
    paper(5, "Cells", upvotes=10),
)


def test_reader_without_choices_gets_every_paper_by_topic() -> None:
    edition = edition_of(FIVE, reader())
    assert shown(FIVE, edition) == {"Reasoning": [1], "Agents": [2, 3], OTHER: [4, 5]}
    assert edition.sections[-1].cards == (3, 4)
    assert edition.sections[-1].because == (EVERY_PAPER, EVERY_PAPER)
    assert (edition.left_out, edition.short, edition.more) == (0, (), ())


def test_sections_follow_the_readers_order_without_repeats() -> None:
    wants = Filter(topics=("Agents", "Nowhere", "Reasoning"), include=(parse_rule("cells"),))
    edition = edition_of(FIVE, reader(wants=wants))
    in_order = list(shown(FIVE, edition).items())
    assert in_order == [("Agents", [2, 3]), ("Reasoning", [1]), (BY_FILTER, [5])]
    assert edition.left_out == 1


def test_former_names_of_a_topic_bring_its_papers() -> None:
    issue = issue_of(paper(1, "Of speech"), paper(2, "Of cells"))
    who = reader(wants=Filter(topics=("Voice", "Gone", "Talk")))
    edition = edition_of(issue, who)
    assert shown(issue, edition) == {"Speech": [1]}
    assert edition.sections[0].because == ("topic Speech: “speech”",)
    assert edition_of(issue, reader(wants=Filter(topics=("Gone",)))).papers == ()


def test_paper_falls_back_to_a_followed_topic() -> None:
    edition = edition_of(FIVE, reader(wants=Filter(topics=("Agents",))))
    assert shown(FIVE, edition) == {"Agents": [1, 2, 3]}
    assert edition.sections[0].cards[0] == 0
    assert edition.sections[0].because[0] == "topic Agents: “agents”"


def test_include_rules_alone_fill_your_filters_section() -> None:
    wants = Filter(
        include=(parse_rule("cells or proteins"), parse_rule("agents")),
        exclude=(parse_rule("speech"),),
    )
    edition = edition_of(FIVE, reader(wants=wants))
    assert shown(FIVE, edition) == {BY_FILTER: [1, 2, 4, 5]}
    assert list(edition.sections[0].because) == [
        "include “agents”",
        "include “agents”",
        "include “cells or proteins”",
        "include “cells or proteins”",
    ]


@pytest.mark.parametrize(
    ("last", "leads"), [("Speech", [1, 2, 7]), ("Proteins", [1, 2, 3])], ids=["topic", "none"]
)
def test_top_three_come_from_two_topics_if_possible(last: str, leads: list[int]) -> None:
    agents = (paper(n, "Agents", upvotes=90 - n) for n in range(1, 7))
    issue = issue_of(*agents, paper(7, last, upvotes=1))
    assert shown(issue, edition_of(issue, reader()))[TOP] == leads


def weekly_reader(day: int, wants: Filter | None = None) -> Reader:
    made = reader(wants=wants)
    return replace(made, subscriber=replace(made.subscriber, cadence="weekly", day=day))


def test_weekly_letter_opens_with_the_ten_best() -> None:
    issue = issue_of(*(paper(n, f"Agents {n}", upvotes=90 - n) for n in range(1, 15)))
    who, other_day = weekly_reader(DAY.weekday()), weekly_reader(DAY.weekday() + 1)
    masks, limits = masks_of(issue), replace(limits_of(14), cadence="daily")
    made = compose_edition(masks, ReaderHistory(who), limits)
    assert [(s.name, len(s.cards), len(s.rows)) for s in made.sections] == [
        (TOP_TEN, 10, 0),
        ("Agents", 0, 4),
    ]
    for as_daily, limit in ((other_day, limits), (who, limits_of(14)), (reader(), limits)):
        made = compose_edition(masks, ReaderHistory(as_daily), limit)
        assert [len(s.cards) for s in made.sections] == [3, 11]
    made = compose_edition(masks, ReaderHistory(reader()), replace(limits, cadence="weekly"))
    assert made.sections[0].name == TOP_TEN  # the day of readers who chose none is Monday, as DAY


@pytest.mark.parametrize(("most", "cards"), [(12, [10, 2]), (8, [3, 5]), (4, [4])])
def test_weekly_reader_may_choose_how_many_cards(most: int, cards: list[int]) -> None:
    issue = issue_of(*(paper(n, "Agents", upvotes=90 - n) for n in range(1, 15)))
    who = weekly_reader(DAY.weekday(), Filter(max_items=most))
    limits = replace(limits_of(14), cadence="daily")
    made = compose_edition(masks_of(issue), ReaderHistory(who), limits)
    assert [len(section.cards) for section in made.sections] == cards


def test_empty_edition_names_the_most_upvoted() -> None:
    issue = issue_of(*(paper(n, title, upvotes=n) for n, title in enumerate("abcdef")))
    wants = Filter(include=(parse_rule("zebra"),), exclude=(parse_rule("e"),))
    masks = masks_of(issue, wants)
    history = ReaderHistory(reader(wants=wants, decided=-1), sent=frozenset({3}))
    made = compose_edition(masks, history, limits_of(6))
    assert [issue.papers[index].item.title for index in made.popular] == ["f", "c", "b"]
    assert (made.papers, made.left_out) == ((), 5)
    assert edition_of(FIVE, reader()).popular == ()


def test_topic_named_other_loses_no_paper() -> None:
    issue = replace(FIVE, topics=(*TOPICS, Topic(OTHER, any=(parse_rule("cells"),))))
    edition = edition_of(issue, reader())
    assert sorted(edition.papers) == [0, 1, 2, 3, 4]


def test_best_papers_are_cards_up_to_the_maximum() -> None:
    edition = edition_of(FIVE, reader(wants=Filter(max_items=2)))
    assert [len(section.cards) for section in edition.sections] == [1, 1, 0]
    assert [len(section.rows) for section in edition.sections] == [0, 1, 2]
    assert edition_of(FIVE, reader(), cap=0).sections[0].cards == ()


SEVEN = issue_of(*(paper(n, f"Agents {n}", upvotes=90 - n) for n in range(1, 8)))


def test_three_best_papers_lead_a_long_letter() -> None:
    edition = edition_of(SEVEN, reader(wants=Filter(topics=("Agents",), max_items=6)))
    top, agents = edition.sections
    assert (top.name, top.leads, top.rows) == (TOP, True, ())
    assert top.cards == (0, 1, 2)
    assert set(top.because) == {"topic Agents: “agents”"}
    assert (len(agents.cards), len(agents.rows), agents.leads) == (3, 1, False)
    assert edition.papers == tuple(range(7))


@pytest.mark.parametrize(("cap", "summary"), [(5, "short"), (60, "titles"), (60, "full")])
def test_short_and_titles_only_letters_have_no_leads(cap: int, summary: Summary) -> None:
    who = reader(wants=Filter(max_items=cap))
    asks = replace(who, subscriber=replace(who.subscriber, summary=summary))
    edition = edition_of(SEVEN, asks)
    assert any(section.leads for section in edition.sections) == (summary == "full")
    assert sorted(edition.papers) == list(range(7))


@pytest.mark.parametrize(("short_of_room", "names"), [(0, [TOP, "Agents"]), (1, ["Agents"])])
def test_top_three_are_three_or_none(short_of_room: int, names: list[str]) -> None:
    edition = edition_of(SEVEN, reader(), html=1000 + 200 + 3 * 1550 + 4 * 200 - short_of_room)
    assert list(shown(SEVEN, edition)) == names
    assert sum(len(section.cards) for section in edition.sections) == 3 + 2 * short_of_room


@pytest.mark.parametrize(
    ("html", "cards", "rows", "more"),
    [
        (102_400, 5, 0, 0),
        (5_900, 4, 1, 0),
        (4_500, 2, 3, 0),
        (2_300, 0, 5, 0),
        (1_960, 0, 2, 3),
        (900, 0, 0, 5),
    ],
)
def test_papers_beyond_the_size_become_rows_then_more(
    html: int, cards: int, rows: int, more: int
) -> None:
    edition = edition_of(FIVE, reader(), html=html)
    assert sum(len(section.cards) for section in edition.sections) == cards
    assert sum(len(section.rows) for section in edition.sections) == rows
    assert len(edition.more) == more
    assert sorted(edition.papers) == [0, 1, 2, 3, 4]


BUSY = issue_of(
    *(paper(n, "Agents", upvotes=900 - n) for n in range(1, 301)),
    *(paper(n, "Reasoning", upvotes=9) for n in range(301, 341)),
    *(paper(n, "Speech") for n in range(341, 343)),
)


def test_every_topic_has_cards_and_titles() -> None:
    edition = edition_of(BUSY, reader(), html=1_000 + 400 + 240 + 50_000)
    top, *sections = edition.sections
    assert top.leads
    assert [each.name for each in sections] == ["Reasoning", "Agents", "Speech"]
    assert all(each.cards and each.rows for each in sections)
    assert [each.more > 0 for each in sections] == [False, True, False]
    assert sum(each.more for each in sections) == len(edition.more)


def test_quarter_of_the_room_goes_to_cards() -> None:
    """Titles that fill the room, and more than fit; a card takes 850 bytes more than a row."""
    for papers in (230, 260, 300):
        many = issue_of(*(paper(n, "Agents", upvotes=400 - n) for n in range(1, papers + 1)))
        edition = edition_of(many, reader(), html=1_000 + 200 + 80 + 51_000)
        cards = sum(len(section.cards) for section in edition.sections)
        assert 51_000 / 4 - 850 <= 850 * cards + 3 * 500 <= 51_000 / 4
        assert sum(len(each.rows) for each in edition.sections) > 175


def test_leads_are_papers_that_somebody_noticed() -> None:
    voted = [paper(n, "Agents", upvotes=9 - n, sources=("A",)) for n in range(1, 4)]
    listed = [paper(n, "Agents", sources=("B",)) for n in range(4, 8)]
    issue = issue_of(*voted, *listed)
    assert shown(issue, edition_of(issue, reader()))[TOP] == [1, 2, 3]


def test_maximum_of_summaries_does_not_limit_titles() -> None:
    who = reader(wants=Filter(max_items=3))
    titles = replace(who, subscriber=replace(who.subscriber, summary="titles"))
    edition = edition_of(FIVE, titles, cap=2)
    assert [(len(section.cards), len(section.rows)) for section in edition.sections] == [
        (0, 1),
        (0, 2),
        (0, 2),
    ]


@pytest.mark.parametrize("room", [20_000, 40_000])
def test_letter_without_room_for_all_keeps_cards(room: int) -> None:
    many = issue_of(*(paper(n, "Agents", upvotes=300 - n) for n in range(1, 251)))
    edition = edition_of(many, reader(), html=1_100 + room, page=False)
    (section,) = (each for each in edition.sections if not each.leads)
    cards = sum(len(each.cards) for each in edition.sections)
    assert room / 4 - 1_050 <= 850 * cards + 3 * 500
    assert edition.papers == tuple(range(cards + len(section.rows)))


def test_corrections_come_with_papers_and_within_the_size() -> None:
    sizes = replace(limits_of(5).sizes, corrections=(400,) * 30, corrections_frame=300)
    limits = EditionLimits(sizes, 60, 1_100 + 300 + 20 * 400 + 1_100)
    told = ReaderHistory(reader(), corrected=tuple(range(30)))
    edition = compose_edition(masks_of(FIVE), told, limits)
    assert edition.corrections == tuple(range(10, 30))
    assert len(edition.papers) == 4
    nothing_new = replace(told, reader=reader(decided=5))
    assert compose_edition(masks_of(FIVE), nothing_new, limits).corrections == ()


def test_paper_without_room_waits_and_says_so() -> None:
    history = ReaderHistory(reader())
    edition = edition_of(FIVE, reader(), html=1_960, page=False)
    assert (edition.papers, edition.waiting, edition.more) == ((0, 1), (2, 3, 4), ())
    verdicts = list(explain(masks_of(FIVE), history, edition))
    assert [verdict.included for verdict in verdicts] == [True, True, False, False, False]
    assert verdicts[2].reason == "did not fit; comes with the next email"


def test_paper_given_up_has_its_reason() -> None:
    waited = replace(paper(1), first_seen=NOON - MAX_PAPER_AGE - timedelta(seconds=1))
    verdict = verdict_on(issue_of(waited), ReaderHistory(reader(decided=1), again=AGAIN))
    assert (verdict.included, verdict.reason) == (False, "did not fit into any email for 22 days")


def test_paper_judged_again_is_not_listed_anew() -> None:
    """It is judged again for some days after the first time, not after each."""
    issue, who = issue_of(paper(1, upvotes=4), paper(2, upvotes=3)), Filter(min_upvotes=5)
    history = ReaderHistory(reader(wants=who, decided=1), again=AGAIN)
    assert compose_edition(masks_of(issue, who), history, limits_of(2)).short == (1,)


def test_minimum_upvotes_ignores_papers_without_upvotes() -> None:
    issue = issue_of(paper(1, upvotes=4), paper(2, upvotes=5), paper(3))
    edition = edition_of(issue, reader(wants=Filter(min_upvotes=5)))
    assert shown(issue, edition) == {OTHER: [2, 3]}
    assert [issue.papers[place].number for place in edition.short] == [1]


AGAIN = frozenset({1})
ASKS = Filter(topics=("Reasoning",), exclude=(parse_rule("speech or (not a)"),), min_upvotes=5)


@pytest.mark.parametrize(
    ("history", "change", "reason"),
    [
        (ReaderHistory(reader()), lambda p: replace(p, muted=True), "listed before its source was"),
        (ReaderHistory(reader(), sent=AGAIN), lambda p: p, "already sent"),
        (ReaderHistory(reader(decided=1)), lambda p: p, "decided in an earlier issue"),
        (
            ReaderHistory(reader()),
            lambda p: replace(p, first_seen=NOON - MAX_PAPER_AGE - timedelta(seconds=1)),
            "first seen more than 22 days ago",
        ),
        (
            ReaderHistory(reader(wants=Filter(topics=("Speech",)))),
            lambda p: p,
            "in no followed topic",
        ),
        (
            ReaderHistory(
                reader(wants=replace(ASKS, exclude=(parse_rule("speech"), parse_rule("a"))))
            ),
            lambda p: p,
            "exclude “a”",
        ),
        (ReaderHistory(reader(wants=ASKS)), lambda p: p, "has 4 upvotes, fewer than 5"),
    ],
)
def test_rejected_paper_has_one_reason(
    history: ReaderHistory, change: Callable[[Paper], Paper], reason: str
) -> None:
    issue = issue_of(change(paper(1, "A reasoning paper", upvotes=4)))
    verdict = verdict_on(issue, history)
    assert not verdict.included
    assert verdict.reason.startswith(reason)
    assert (
        compose_edition(
            masks_of(issue, history.reader.subscriber.filter), history, limits_of(1)
        ).papers
        == ()
    )


def test_quarantined_paper_is_in_no_edition() -> None:
    issue = replace(issue_of(paper(1)), quarantined=((paper(1).key, "no template takes it"),))
    verdict = verdict_on(issue, ReaderHistory(reader()))
    assert (verdict.included, verdict.reason) == (False, "quarantined: no template takes it")
    assert edition_of(issue, reader()).papers == ()


@pytest.mark.parametrize(
    ("wants", "reason"),
    [
        (Filter(), EVERY_PAPER),
        (Filter(topics=("Reasoning",)), "topic Reasoning: “reasoning”"),
        (Filter(include=(parse_rule("author:Shazeer"),)), "include “author:Shazeer”"),
        (Filter(include=(parse_rule("about:" + "reasoning " * 20),)), "include “about:reasoning"),
    ],
)
def test_included_paper_has_its_reason(wants: Filter, reason: str) -> None:
    issue = issue_of(paper(1, "M$^3$ reasoning", authors=("Noam Shazeer",)))
    verdict = verdict_on(issue, ReaderHistory(reader(wants=wants)))
    assert verdict.included
    assert verdict.reason.startswith(reason)
    assert len(verdict.reason) < 100
    assert (verdict.title, verdict.paper) == ("M³ reasoning", paper(1).key)


@pytest.mark.parametrize(
    ("wants", "reason"),
    [
        (
            Filter(include=(parse_rule("deep-learning"),)),
            "include “deep-learning” (as “deep learnings”)",
        ),
        (
            Filter(include=(parse_rule("keyword:finetuning"),)),
            "include “keyword:finetuning” (as “Fine-Tuning”)",
        ),
    ],
)
def test_reason_names_the_form_that_matched(wants: Filter, reason: str) -> None:
    issue = issue_of(paper(1, "On deep learnings", keywords=("efficient Fine-Tuning",)))
    masks = masks_of(issue, wants)
    (verdict,) = explain(masks, ReaderHistory(reader(wants=wants)))
    assert verdict.reason == reason


def test_paper_below_minimum_upvotes_is_judged_again() -> None:
    issue = issue_of(paper(1, upvotes=7))
    history = ReaderHistory(
        reader(wants=Filter(min_upvotes=5), decided=1), again=frozenset({1, 99})
    )
    assert verdict_on(issue, history).included


@pytest.mark.parametrize("topics", [("Agents",), ("Speech",)])
def test_author_asked_for_is_named_in_any_section(topics: tuple[str, ...]) -> None:
    issue = issue_of(
        paper(1, "Agents", authors=("Ada", "Bo", "Geoffrey E. Hinton", "Cy", "Di")),
        paper(2, "Agents"),
    )
    who = reader(wants=Filter(topics=topics, include=(parse_rule("author:hinton"),)))
    reason = "include “author:hinton” (as “Geoffrey E. Hinton”)"
    (section,) = edition_of(issue, who).sections
    assert dict(zip(section.papers, section.because, strict=True))[1] == reason
    assert [
        verdict.reason
        for verdict in explain(masks_of(issue, who.subscriber.filter), ReaderHistory(who))
        if verdict.paper == paper(1).key
    ] == [reason]


def test_room_is_kept_for_shown_reasons() -> None:
    issue = issue_of(*(paper(n, "Agents at work") for n in range(1, 4)))
    exact = 1000 + 100 + 3 * 1000  # the frame, a heading, three cards
    for wants, cards in (
        (Filter(topics=("Agents",)), 3),
        (Filter(include=(parse_rule("work"),)), 2),
    ):
        (section,) = edition_of(issue, reader(wants=wants), html=exact).sections
        assert len(section.cards) == cards


WORDS = ("reasoning", "agents", "speech", "cells")
RULES = st.sampled_from(
    [parse_rule(text) for text in (*WORDS, "title:agents", "agents and not cells", "about: cells")]
)
FILTERS = st.builds(
    Filter,
    topics=st.lists(st.sampled_from(["Reasoning", "Agents", "Speech", "Gone"]), max_size=3).map(
        tuple
    ),
    include=st.lists(RULES, max_size=2).map(tuple),
    exclude=st.lists(RULES, max_size=1).map(tuple),
    min_upvotes=st.sampled_from([0, 3]),
    max_items=st.none() | st.integers(0, 5),
)
ISSUES = st.lists(
    st.tuples(
        st.lists(st.sampled_from(WORDS), max_size=3).map(" ".join),
        st.none() | st.integers(0, 5),
        st.booleans(),
        st.sampled_from([0, 20]),
    ),
    max_size=12,
).map(
    lambda drawn: issue_of(
        *(
            replace(
                paper(number, title, upvotes=upvotes),
                muted=muted,
                first_seen=NOON - timedelta(days=age),
            )
            for number, (title, upvotes, muted, age) in enumerate(drawn, 1)
        )
    )
)


@pytest.mark.slow
@given(
    ISSUES,
    FILTERS,
    st.integers(0, 6),
    st.frozensets(st.integers(1, 12)),
    st.tuples(st.integers(0, 9000), st.booleans()),
)
def test_edition_agrees_with_its_reasons(
    issue: Issue, wants: Filter, decided: int, numbers: frozenset[int], room: tuple[int, bool]
) -> None:
    masks = masks_of(issue, wants)
    history = ReaderHistory(reader(wants=wants, decided=decided), again=numbers, sent=numbers)
    limits = limits_of(len(issue.papers), html=room[0], page=room[1])
    edition = compose_edition(masks, history, limits)
    verdicts = list(explain(masks, history, edition))
    assert [verdict.paper for verdict in verdicts] == [paper.key for paper in issue.papers]
    assert all(verdict.reason for verdict in verdicts)
    included = {place for place, verdict in enumerate(verdicts) if verdict.included}
    assert set(edition.papers) == included
    assert len(edition.papers) == len(included)
    assert not set(edition.short) & included
    chosen = select_papers(masks, history).chosen
    assert sorted((*edition.papers, *edition.waiting)) == bit_indexes(chosen)
    assert compose_edition(masks, history, limits) == edition


@given(ISSUES, FILTERS, st.tuples(st.integers(0, 9000), st.booleans()))
def test_sections_name_their_best_papers_first(
    issue: Issue, wants: Filter, room: tuple[int, bool]
) -> None:
    masks, history = masks_of(issue, wants), ReaderHistory(reader(wants=wants))
    limits = limits_of(len(issue.papers), html=room[0], page=room[1])
    edition = compose_edition(masks, history, limits)
    groups = group_by_topic(masks, wants, select_papers(masks, history).chosen)
    papers = {group.name: bit_indexes(group.papers) for group in groups}
    unnamed = iter((*edition.more, *edition.waiting))
    leads = {place for each in edition.sections if each.leads for place in each.cards}
    for section in edition.sections:
        rest = tuple(islice(unnamed, section.more))
        if not section.leads:
            in_order = [place for place in papers[section.name] if place not in leads]
            assert in_order == [*section.papers, *rest]
    assert not {*unnamed} & {place for section in edition.sections for place in section.papers}


@pytest.mark.slow
@given(ISSUES, st.integers(0, 9000))
def test_disjoint_filters_give_disjoint_editions(issue: Issue, html: int) -> None:
    one, other = (
        Filter(include=(parse_rule("agents"),)),
        Filter(include=(parse_rule("not agents"),)),
    )
    masks, limits = masks_of(issue, one, other), limits_of(len(issue.papers), html=html)
    first, second = (
        compose_edition(masks, ReaderHistory(reader(wants=w)), limits).papers for w in (one, other)
    )
    everyone = compose_edition(masks, ReaderHistory(reader()), limits).papers
    assert not set(first) & set(second)
    assert set(first) | set(second) == set(everyone)


@pytest.mark.slow
@given(ISSUES, FILTERS, st.integers(1500, 12_000))
@example(issue_of(paper(1, "reasoning"), paper(2, "reasoning")), Filter(), 3100)
def test_edition_keeps_within_its_size(issue: Issue, wants: Filter, html: int) -> None:
    limits = limits_of(len(issue.papers), html=html)
    edition = compose_edition(masks_of(issue, wants), ReaderHistory(reader(wants=wants)), limits)
    cards = sum(len(section.cards) for section in edition.sections)
    rows = sum(len(section.rows) for section in edition.sections)
    leads = sum(len(section.cards) for section in edition.sections if section.leads)
    reasons = sum(
        section.leads or quotes_own_rule(reason)
        for section in edition.sections
        for _, reason in zip(section.cards, section.because, strict=False)
    )
    used = 1000 + 100 * len(edition.sections) + 1000 * cards + 500 * leads + 200 * rows
    used += 50 * reasons + 80 * sum(section.more > 0 for section in edition.sections)
    assert used <= html
    assert cards <= (60 if wants.max_items is None else wants.max_items)


def test_papers_that_waited_come_last_even_beyond_the_size() -> None:
    many = issue_of(*(paper(n, "Agents", upvotes=300 - n) for n in range(1, 41)))
    waited = frozenset(range(31, 41))
    history = ReaderHistory(reader(), again=waited)
    limits = limits_of(40, html=1_180 + 2_000, cap=0, page=False)
    edition = compose_edition(masks_of(many), history, limits)
    assert edition.papers == (*range(5), *range(30, 40))
    assert edition.waiting == tuple(range(5, 30))
    with_page = compose_edition(masks_of(many), history, replace(limits, has_page=True))
    assert sum(len(section.rows) for section in with_page.sections) == 10


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(st.integers(200, 3_000), st.integers(50, 900), st.integers(1, 6)), max_size=40
    ),
    st.integers(1_100, 30_000),
    st.sampled_from(["short", "full", "titles"]),
)
@example([(200, 50, 1), (200, 51, 1), (552, 900, 1)], 1100, "short")
def test_paper_waits_for_one_letter_at_most(
    sizes: list[tuple[int, int, int]], room: int, summary: Summary
) -> None:
    sizes = sorted(sizes, key=itemgetter(2))
    papers = [paper(n, upvotes=n % 7) for n in range(1, len(sizes) + 1)]
    who = reader()
    who = replace(who, subscriber=replace(who.subscriber, summary=summary))
    named, again, decided = list[int](), frozenset[int](), 0
    for today in range(1, 8):
        known = [each for each in papers if sizes[each.number - 1][2] <= today]
        issue = issue_of(*known)
        cards = tuple(sizes[each.number - 1][0] for each in issue.papers)
        rows = tuple(sizes[each.number - 1][1] for each in issue.papers)
        lengths: list[Length] = ["short", "full", "titles", "lead"]
        headings, more_in = {TOP: 100, OTHER: 100}, {TOP: 0, OTHER: 0}
        html = HtmlSizes(0, headings, more_in, 50, dict.fromkeys(lengths, cards), rows)
        history = ReaderHistory(replace(who, decided=decided), again=again, sent=frozenset(named))
        edition = compose_edition(masks_of(issue), history, EditionLimits(html, 60, room))
        now = [issue.papers[place].number for place in edition.papers]
        assert again <= set(now)
        named += now
        again = frozenset(issue.papers[place].number for place in edition.waiting)
        decided = len(known)
    assert sorted(named) == list(range(1, len(papers) + 1))
