"""A newsletter's topics, and the bundled topics that newsletter.yaml can use by name."""

import difflib
import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from newsletter.config.fields import RuleText, Strict, as_list
from newsletter.config.yaml_file import Document, SettingPath, Value
from newsletter.errors import ConfigurationError
from newsletter.model import Topic
from newsletter.papers.filters import parse_rule

_FILE = "topics.yaml"
_ITEM = "    - "
_ENTRY = re.compile(r"^- name: (.+)\n(?:  .*\n)*", re.MULTILINE)


class TopicSettings(Strict):
    """A section of the email, and what says which papers are in it."""

    name: str = Field(min_length=1)
    group: str = ""
    about: str = ""
    example: str = ""
    phrases: tuple[str, ...] = ()
    any: tuple[RuleText, ...] = ()
    none: tuple[RuleText, ...] = ()
    categories: tuple[str, ...] = ()
    formerly: Annotated[tuple[str, ...], BeforeValidator(as_list)] = ()

    @property
    def topic(self) -> Topic:
        """The topic with its rules parsed."""
        return Topic(
            name=self.name,
            any=tuple(parse_rule(text) for text in self.any),
            none=tuple(parse_rule(text) for text in self.none),
            categories=self.categories,
            about=self.about,
            formerly=self.formerly,
            phrases=self.phrases,
            group=self.group,
            example=self.example,
        )


def curated_topics() -> tuple[Topic, ...]:
    """Every bundled topic, in the order of its file."""
    return tuple(TopicSettings.model_validate(_parsed(each)).topic for each in _entries().values())


def curated_groups() -> dict[str, list[str]]:
    """The names of the bundled topics by their group."""
    groups: dict[str, list[str]] = {}
    for topic in curated_topics():
        groups.setdefault(topic.group, []).append(topic.name)
    return groups


def bundled_settings(name: str) -> dict[str, Value] | None:
    """What is written of the bundled topic of this name; None if there is none."""
    entry = _entries().get(name)
    return None if entry is None else _parsed(entry)


def _entries() -> dict[str, str]:
    """The text of each bundled topic by its name: a newsletter has to parse only its own ones."""
    return {found[1]: found[0] for found in _ENTRY.finditer(_source())}


@cache
def _source() -> str:
    return files("newsletter").joinpath("data", _FILE).read_text("utf-8")


@cache
def _parsed(entry: str) -> dict[str, Value]:
    """An entry's settings, of three forms: a text, a list in one line, a list with a line for each.

    A YAML reader takes forty times as long, which every command would notice.
    """
    settings: dict[str, Value] = {}
    listed: list[Value] = []
    for line in entry.splitlines():
        key, _, text = line[2:].partition(":")
        if line.startswith(_ITEM):
            listed.append(_unquoted(line.removeprefix(_ITEM)))
        elif text.startswith(" ["):
            settings[key] = [*text[2:-1].split(", ")]
        elif text:
            settings[key] = text.strip()
        else:
            settings[key] = listed = []
    return settings


def _unquoted(text: str) -> str:
    return text[1:-1] if text.startswith("'") else json.loads(text) if text[0] == '"' else text


def expand_name(value: Any) -> Any:  # noqa: ANN401 - before validation anything may be here
    """The settings of a bundled topic, if only its name is given.

    Under a name that the topic had in an earlier version it keeps that name, which readers know.

    Raises:
        ValueError: no bundled topic has that name.
    """
    if not isinstance(value, str):
        return value
    if (settings := bundled_settings(value)) is not None:
        return settings
    entries = _entries()
    for entry in map(_parsed, entries.values()):
        if value in as_list(entry.get("formerly", [])):
            return entry | {"name": value, "formerly": []}
    near = difflib.get_close_matches(value, entries, 1)
    hint = f"did you mean {near[0]!r}?" if near else "`newsletter topics list` shows them."
    raise ValueError(
        f"there is no bundled topic {value!r}; {hint} "
        "Your own topic needs `name:`, and `any:` or `phrases:`"
    )


def without_claimed(topics: Sequence[TopicSettings]) -> tuple[TopicSettings, ...]:
    """The topics, where a bundled one does without former names that another topic has taken."""
    own = [topic for topic in topics if topic != _bundled_topic(topic.name)]
    taken = {*(topic.name for topic in topics), *(old for topic in own for old in topic.formerly)}
    return tuple(
        topic
        if topic in own or taken.isdisjoint(topic.formerly)
        else topic.model_copy(
            update={"formerly": tuple(old for old in topic.formerly if old not in taken)}
        )
        for topic in topics
    )


def _bundled_topic(name: str) -> TopicSettings | None:
    entry = bundled_settings(name)
    return None if entry is None else TopicSettings.model_validate(entry)


def former_name_errors(document: Document) -> Iterator[ConfigurationError]:
    """The former names in newsletter.yaml that stand for a second topic as well."""
    entries = document.value.get("topics") if isinstance(document.value, dict) else None
    listed = [*enumerate(entries if isinstance(entries, list) else ())]
    present = {_name_in(entry): ("topics", place) for place, entry in listed}
    claimed: dict[str, SettingPath] = {}
    for place, entry in listed:
        former = as_list(entry.get("formerly") or []) if isinstance(entry, dict) else []
        for at, written in enumerate(former):
            path: SettingPath = ("topics", place, "formerly", at)
            name = _name_in(written)
            if name in present and present[name] != path[:2]:  # it may have been renamed back
                line = document.line(present[name])
                problem = f"{name!r} is also the name of the topic on line {line}"
                yield document.error_at(path, f"{problem}; its readers follow that one")
            elif name and name in claimed:
                line = document.line(claimed[name])
                problem = f"{name!r} is already a former name on line {line}"
                yield document.error_at(path, f"{problem}; leave it to one of the two topics")
            claimed.setdefault(name, path)


def _name_in(entry: Value) -> str:
    name = entry.get("name") if isinstance(entry, dict) else entry
    return name.strip() if isinstance(name, str) else ""
