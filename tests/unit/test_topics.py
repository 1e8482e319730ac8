from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from newsletter.app.files import load_engine
from newsletter.issue.composing import IssueMasks, compose_issue, name_reason
from newsletter.model import Filter, Issue, Matching, Paper, Term, Topic
from newsletter.papers import topics
from newsletter.papers.filters import parse_rule
from newsletter.papers.matching import RulesMatcher
from newsletter.papers.meanings import MeaningMatcher
from newsletter.papers.topics import bit_indexes
from tests.support.factories import DAY, NOON, paper

REASONING = Topic("Reasoning", any=(parse_rule("reasoning"), parse_rule("chain of thought")))
AGENTS = Topic("Agents", any=(parse_rule("agent or agents"),), none=(parse_rule("title:survey"),))
VISION = Topic("Vision", categories=("cs.CV",), about="moving pictures")


ROBOTICS = Topic(
    "Robotics",
    any=(parse_rule("robot"),),
    none=(parse_rule("title:survey"),),
    categories=("cs.RO",),
    about="Machines that move, grasp and find their way. Not software agents.",
    phrases=(
        "robots that learn to walk",
        "robots that learn to manipulate objects",
        "navigation of mobile robots",
    ),
)
GRASPING = "A gripper learns dexterous manipulation from demonstrations of a visuomotor policy."


def issue_of(*papers: Paper) -> Issue:
    made = (REASONING, AGENTS, VISION)
    return Issue(DAY, papers, made, cutoff=len(papers), frozen_at=NOON)


def match(*papers: Paper, wants: Filter | None = None) -> Matching:
    return topics.match_issue(issue_of(*papers), [wants or Filter()], RulesMatcher())


def test_topic_needs_any_rule_and_no_excluding_rule() -> None:
    matching = match(
        paper(1, "Reasoning agents"),
        paper(2, "A survey of agents"),
        paper(3, "Nothing"),
        paper(4, "Reasonable"),
    )
    assert matching.topics == {"Reasoning": 0b0001, "Agents": 0b0001, "Vision": 0}


def test_former_names_stand_for_the_present_topic() -> None:
    present = topics.present_names([replace(AGENTS, formerly=("Bots", "Robots")), VISION])
    chosen = ("Robots", "Vision", "Alchemy", "Bots", "Agents")
    assert topics.followed_topics(chosen, present) == ("Agents", "Vision")
    assert topics.lost_topics(chosen, present) == ("Alchemy",)
    names = topics.names_to_choose(chosen, present)
    assert (names["Alchemy"], names["Bots"]) == ("Alchemy", "Agents")


def test_category_or_description_assigns_a_topic() -> None:
    matching = match(
        paper(1, categories=("cs.CV",)), paper(2, abstract="Pictures that keep moving.")
    )
    assert matching.topics["Vision"] == 0b11
    assert matching.because["Vision", 0] == "cs.CV"
    assert matching.because["Vision", 1] == "moving pictures"


def test_most_hits_win_and_titles_count_three() -> None:
    matching = match(
        paper(1, "An agent", abstract="with reasoning"),
        paper(2, "A chain of thought", abstract="of agents, with reasoning"),
        paper(3, "Agents", abstract="reasoning by chain of thought"),
        paper(4, "Both", abstract="reasoning agents"),
    )
    assert matching.best == {"Reasoning": 0b1010, "Agents": 0b0101, "Vision": 0}


def test_reason_is_the_rule_that_counts_most() -> None:
    matching = match(
        paper(1, "A chain of thought", abstract="with reasoning"),
        paper(2, "Both", abstract="reasoning by chain of thought"),
    )
    assert matching.because["Reasoning", 0] == "chain of thought"
    assert matching.because["Reasoning", 1] == "reasoning"


def test_every_filter_term_has_a_mask() -> None:
    wants = Filter(include=(parse_rule("LoRA and not author:Li"),), exclude=(parse_rule("speech"),))
    matching = match(paper(1, "LoRA for speech"), paper(2, "speech"), wants=wants)
    assert matching.terms[Term("text", "LoRA")] == 0b01
    assert matching.terms[Term("text", "speech")] == 0b11
    assert matching.terms[Term("author", "Li")] == 0


def test_upvotes_come_from_sources_that_count_them() -> None:
    assert match(paper(1, upvotes=3), paper(2)).upvotes == (3, None)


def test_issue_without_papers_matches_nothing() -> None:
    empty = compose_issue([], [REASONING], day=DAY, cutoff=0, after=0, frozen_at=NOON)
    matching = topics.match_issue(empty, [], RulesMatcher())
    assert (matching.topics, matching.best) == ({"Reasoning": 0}, {"Reasoning": 0})


@given(st.sets(st.integers(0, 300)))
def test_bits_are_positions_of_a_mask(places: set[int]) -> None:
    assert bit_indexes(sum(1 << place for place in places)) == sorted(places)


def test_widened_matching_equals_matching_at_once() -> None:
    papers = (paper(1, "LoRA for speech"), paper(2, "speech and agents"))
    wants = Filter(
        include=(parse_rule("speech"), parse_rule("agents")), exclude=(parse_rule("title:LoRA"),)
    )
    issue, alone = issue_of(*papers), match(*papers)
    widened = topics.extend_matching(alone, issue, [wants], RulesMatcher())
    assert widened == match(*papers, wants=wants)
    assert widened.terms[Term("text", "speech")] == 0b11
    assert topics.extend_matching(widened, issue, [wants], RulesMatcher()) is widened


def match_robots(*papers: Paper, other: Topic = REASONING) -> IssueMasks:
    issue = replace(issue_of(*papers), topics=(other, ROBOTICS))
    return IssueMasks(issue, topics.match_issue(issue, (), MeaningMatcher(load_engine)))


def test_meaning_decides_with_rules_as_evidence() -> None:
    """Known by no rule, named in passing, and kept out by a rule."""
    masks = match_robots(
        paper(1, "Grasping clutter", abstract=GRASPING),
        paper(2, "Tax law", abstract="Courts ask whether a robot pays tax, by legal reasoning."),
        paper(3, "A survey of grasping", abstract=GRASPING),
    )
    assert masks.matching.topics == {"Reasoning": 0b010, "Robotics": 0b001}
    assert match(paper(1, "Grasping", abstract=GRASPING)).topics["Vision"] == 0


def test_reason_without_a_rule_is_the_nearest_phrase() -> None:
    masks = match_robots(
        paper(1, "Grasping clutter", abstract=GRASPING),
        paper(2, "A robot grasps clutter", abstract=GRASPING),
    )
    close, by_rule = masks.topic_reasons["Robotics"].values()
    assert close == "topic Robotics: close to “robots that learn to manipulate objects”"
    assert by_rule == "topic Robotics: “robot”"
    assert name_reason(close) == name_reason(by_rule) == "Robotics"


def test_first_category_defines_a_topic() -> None:
    """A paper is cross-listed in categories whose subject it only touches."""
    motion = "We plan collision-free trajectories."
    masks = match_robots(
        paper(1, "Planning", abstract=motion, categories=("cs.RO", "cs.LG")),
        paper(2, "Planning", abstract=motion, categories=("cs.LG", "cs.RO")),
    )
    assert masks.matching.topics["Robotics"] == 0b01


def test_most_probable_topic_is_the_best() -> None:
    """One word in a title says less than an abstract that means the other topic."""
    thinking = replace(REASONING, phrases=("language models that think in several steps",))
    grasping = paper(1, "Reasoning robots that grasp", abstract=GRASPING)
    masks = match_robots(grasping, other=thinking)
    assert masks.matching.topics == {"Reasoning": 1, "Robotics": 1}
    assert masks.matching.best == {"Reasoning": 0, "Robotics": 1}


def test_closeness_alone_needs_a_science_that_is_known() -> None:
    """Nor does it overrule the categories that authors chose, nor judge by a title."""
    others = replace(ROBOTICS, any=(), categories=("physics.bio-ph",))
    grasping = paper(1, "Grasping clutter", abstract=GRASPING)
    assert match_robots(grasping).matching.topics["Robotics"] == 0b1
    assert match_robots(grasping, other=replace(others, name="Gait")).matching.topics["Gait"] == 0
    elsewhere = paper(1, "Grasping clutter", abstract=GRASPING, categories=("cs.CL",))
    assert match_robots(elsewhere).matching.topics["Robotics"] == 0
    only_title = paper(
        1, "A gripper learns dexterous manipulation and grasping by a visuomotor policy"
    )
    assert match_robots(only_title).matching.topics["Robotics"] == 0
