"""``newsletter topics rename | merge | remove``, and who is told of lost topics."""

from pathlib import Path

import pytest

from newsletter.app.clock import SystemClock
from newsletter.config import read_settings
from newsletter.model import Filter, IdentifiedItem, SourceHealth, Topic
from newsletter.readers.operating import COMMAND_LINE
from newsletter.stores import open_store
from tests.support.cli import Newsletter
from tests.support.factories import identity, item, subscriber

VISION = {"name": "Vision", "any": ["vision"], "categories": ["cs.CV"]}
SOUND = {"name": "Sound", "any": ["sound"]}
TITLES = ("Of vision", "Of sound", "Of vision and sound")
READERS = {"bob": ("Vision",), "cleo": ("Sound",), "dan": ()}


@pytest.fixture
def newsletter(tmp_path: Path) -> Newsletter:
    """Ada follows Vision in the file; three readers in the store; three papers of today."""
    made = Newsletter(tmp_path)
    made.configure(topics=[VISION, SOUND])
    made.subscribe({"email": "ada@example.org", "topics": ["Vision"]})
    now = SystemClock().now()
    store = open_store(f"sqlite:///{tmp_path / 'newsletter.db'}")
    for name, topics in READERS.items():
        wants = subscriber(f"{name}@example.org", filter=Filter(topics=topics))
        store.save_reader(wants, status="confirmed", now=now)
    entries = [IdentifiedItem(item(title), identity(title)) for title in TITLES]
    store.ingest(now.date(), SourceHealth("made", "ok"), entries, now=now)
    store.close()
    return made


def topics_of(newsletter: Newsletter) -> dict[str, Topic]:
    content = (newsletter.folder / "newsletter.yaml").read_bytes()
    found = read_settings(content, "newsletter.yaml", {}).topics
    return {settings.name: settings.topic for settings in found}


@pytest.mark.slow
def test_renaming_shows_readers_asks_and_keeps_them(newsletter: Newsletter) -> None:
    before = (newsletter.folder / "newsletter.yaml").read_bytes()
    asked = newsletter.run("topics", "rename", "Vision", "Sight", code=2)
    assert "2 readers affected, 1 in the readers' file, 1 in the store" in asked.stderr
    assert "subscribers.yaml:6: Vision: a former name works on" in asked.stderr
    assert (newsletter.folder / "newsletter.yaml").read_bytes() == before
    done = newsletter.json("topics", "rename", "Vision", "Sight", "--yes")
    counts = {each["reader"]: (each["before"], each["after"]) for each in done["readers"]}
    assert counts == {"ada@example.org": (2, 2), "bob@example.org": (2, 2)}
    assert topics_of(newsletter)["Sight"].formerly == ("Vision",)
    store = open_store(f"sqlite:///{newsletter.folder / 'newsletter.db'}")
    (act,) = store.operator_acts(limit=1)
    store.close()
    assert (act.who, act.what, act.detail) == (COMMAND_LINE, "changed topics", "Vision → Sight")
    newsletter.run("topics", "rename", "Sight", "Vision", "--yes")
    assert "Sight" in topics_of(newsletter)["Vision"].formerly


@pytest.mark.slow
def test_merging_joins_rules_and_readers(newsletter: Newsletter) -> None:
    done = newsletter.json("topics", "merge", "Vision", "Sound", "Perception", "--yes")
    assert {each["reader"]: (each["before"], each["after"]) for each in done["readers"]} == {
        "ada@example.org": (2, 3),
        "bob@example.org": (2, 3),
        "cleo@example.org": (2, 3),
    }
    (topic,) = topics_of(newsletter).values()
    assert ([rule.text for rule in topic.any], topic.categories) == (
        ["vision", "sound"],
        ("cs.CV",),
    )
    assert topic.formerly == ("Vision", "Sound")
    newsletter.run("topics", "merge", "Perception", "Perception", "--yes", code=2)


@pytest.mark.slow
def test_removing_asks_what_becomes_of_the_readers(newsletter: Newsletter) -> None:
    asked = newsletter.run("topics", "remove", "Sound", "--yes", code=2)
    assert "Sound has 1 reader: pass --to TOPIC" in asked.stderr
    listed = newsletter.run("topics", "remove", "Vision", "--keep", "--yes", code=2)
    assert "subscribers.yaml:6: Vision: remove Vision there first" in listed.stderr
    newsletter.run("topics", "remove", "Vision", "--to", "Sound", "--yes")
    assert topics_of(newsletter)["Sound"].formerly == ("Vision",)
    done = newsletter.json("topics", "rename", "Sound", "Noise", "--yes")
    assert len(done["readers"]) == 3


@pytest.mark.slow
def test_kept_lost_topic_is_told_everywhere(newsletter: Newsletter) -> None:
    done = newsletter.json("topics", "remove", "Sound", "--keep", "--yes")
    assert done["readers"] == [
        {"reader": "cleo@example.org", "from": "store", "before": 2, "after": 0}
    ]
    said = "there is no topic 'Sound', but 1 reader follows it: cleo@example.org"
    checked = newsletter.run("config", "check")
    assert f": topics: {said}; add it to the `formerly:`" in checked.stderr
    assert checked.stderr.startswith("warning: newsletter.yaml:")
    assert said in newsletter.run("doctor", code=None).stdout
    assert said in newsletter.run("send", "--yes", "--dry-run").stderr
    newsletter.run("topics", "rename", "Sound", "Vision", "--yes")
    assert topics_of(newsletter)["Vision"].formerly == ("Sound",)
    assert said not in newsletter.run("config", "check").stderr
