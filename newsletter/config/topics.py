"""A newsletter's topics, and the bundled topics that newsletter.yaml can use by name."""

import difflib
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import Field

from newsletter.config.fields import RuleText, Strict
from newsletter.config.yaml_file import Value, load
from newsletter.model import Topic
from newsletter.papers.filters import parse_rule

_FILE = "topics.yaml"


class TopicSettings(Strict):
    """A section of the email, and the rules for the papers in it."""

    name: str = Field(min_length=1)
    about: str = ""
    any: tuple[RuleText, ...] = ()
    none: tuple[RuleText, ...] = ()
    categories: tuple[str, ...] = ()

    @property
    def topic(self) -> Topic:
        """The topic with its rules parsed."""
        return Topic(
            name=self.name,
            any=tuple(parse_rule(text) for text in self.any),
            none=tuple(parse_rule(text) for text in self.none),
            categories=self.categories,
            about=self.about,
        )


@cache
def _bundled() -> dict[str, dict[str, Value]]:
    """The settings of each bundled topic, by name."""
    topics = load(files("newsletter").joinpath("data", _FILE).read_bytes(), _FILE, {}).value
    assert isinstance(topics, list)
    return {str(entry["name"]): entry for entry in topics if isinstance(entry, dict)}


def curated_topics() -> tuple[Topic, ...]:
    """Every bundled topic, in the order of its file."""
    return tuple(TopicSettings.model_validate(entry).topic for entry in _bundled().values())


def expand_name(value: Any) -> Any:  # noqa: ANN401 - before validation anything may be here
    """The settings of a bundled topic, if only its name is given.

    Raises:
        ValueError: no bundled topic has that name.
    """
    if not isinstance(value, str):
        return value
    bundled = _bundled()
    if value in bundled:
        return bundled[value]
    near = difflib.get_close_matches(value, bundled, 1)
    hint = f"did you mean {near[0]!r}?" if near else "`newsletter topics list` shows them."
    raise ValueError(
        f"there is no bundled topic {value!r}; {hint} Your own topic needs `name:` and `any:`"
    )
