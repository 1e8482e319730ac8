"""Edits of the topics in newsletter.yaml change what they are about, and nothing else."""

import pytest

from newsletter.config import read_settings
from newsletter.config.topic_edits import TopicsText
from newsletter.errors import ConfigurationError

TEXT = """\
# head
name: N
sender: N <n@example.org>   # who
topics:
  # first
  - Reasoning      # bundled
  - name: Vision   # see
    any:
      - vision
      # more
      - image segmentation
    # after
  # flow
  - {name: Sound, any: [sound]}
  - name: "A: b"
    formerly: Was
    any: [x]
# end
operator: o@example.org
"""


def edited(text: TopicsText) -> tuple[list[str], list[str]]:
    """The lines that an edit took out and those that it put in; the result is a right file."""
    read_settings(text.text.encode(), "newsletter.yaml", {})
    old, new = TEXT.splitlines(), text.text.splitlines()
    return [line for line in old if line not in new], [line for line in new if line not in old]


@pytest.fixture
def text() -> TopicsText:
    return TopicsText(TEXT, "newsletter.yaml")


def test_renamed_topic_gets_a_line_with_its_former_name(text: TopicsText) -> None:
    gone, come = edited(text.add_names("Vision", ["Vision"], new="Sight: all"))
    assert gone == ["  - name: Vision   # see"]
    assert come == ['  - name: "Sight: all"   # see', "    formerly: [Vision]"]


def test_names_and_rules_join_what_is_written(text: TopicsText) -> None:
    gone, come = edited(text.add_names("Sound", ["Noise"], ["sound", '"so loud"'], new="Audio"))
    assert gone == ["  - {name: Sound, any: [sound]}"]
    assert come == [r'  - {name: Audio, formerly: [Noise], any: [sound, "\"so loud\""]}']
    gone, come = edited(text.add_names("A: b", ["Is"]).with_items("Vision", "any", ["seeing"]))
    assert (gone, come) == (["    formerly: Was"], ["      - seeing", "    formerly: [Was, Is]"])


def test_bundled_topic_is_written_out_to_be_renamed(text: TopicsText) -> None:
    changed = text.add_names("Reasoning", ["Reasoning"], new="Thinking")
    before = read_settings(TEXT.encode(), "newsletter.yaml", {}).topics[0]
    after = read_settings(changed.text.encode(), "newsletter.yaml", {}).topics[0]
    assert (after.name, after.formerly) == ("Thinking", ("Reasoning",))
    assert (after.any, after.none, after.about) == (before.any, before.none, before.about)


def test_removed_topic_leaves_its_neighbours(text: TopicsText) -> None:
    gone, come = edited(text.remove("Vision"))
    assert gone == TEXT.splitlines()[6:11]
    assert come == []
    for name in ("Reasoning", "Sound", "A: b"):
        text = text.remove(name)
        edited(text)
    assert "topics:\n  # first\n" in text.remove("Vision").text


@pytest.mark.parametrize("name", ["Reasoning", "Agents", "Vision"])
def test_topics_on_one_line_are_removed_too(name: str) -> None:
    text = TopicsText("topics: [Reasoning, Agents, Vision]\n", "newsletter.yaml").remove(name)
    others = [each for each in ("Reasoning", "Agents", "Vision") if each != name]
    assert text.text == f"topics: [{', '.join(others)}]\n"


def test_missing_topics_are_named(text: TopicsText) -> None:
    with pytest.raises(ConfigurationError, match="there is no topic 'Zzz'"):
        text.remove("Zzz")
    with pytest.raises(ConfigurationError, match="there is no list of topics"):
        TopicsText("name: N\n", "newsletter.yaml").remove("Vision")
