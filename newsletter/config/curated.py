"""The topics that ship with the newsletter, to be taken by name."""

import difflib
from functools import cache
from importlib.resources import files
from typing import Any

from newsletter.config.yaml_file import Value, load
from newsletter.model import Topic
from newsletter.papers.filters import parse_rule

_FILE = "topics.yaml"


@cache
def _catalogue() -> dict[str, dict[str, Value]]:
    """Each curated topic's settings by name."""
    found = load(files("newsletter").joinpath("data", _FILE).read_bytes(), _FILE, {}).value
    assert isinstance(found, list)
    entries = [entry for entry in found if isinstance(entry, dict)]
    return {str(entry["name"]): entry for entry in entries}


def curated(value: Any) -> Any:  # noqa: ANN401 - before validation anything may stand here
    """A topic's settings, looked up where only its name is given.

    Raises:
        ValueError: no topic of that name ships.
    """
    if not isinstance(value, str):
        return value
    catalogue = _catalogue()
    if value in catalogue:
        return catalogue[value]
    near = difflib.get_close_matches(value, catalogue, 1)
    hint = f"did you mean {near[0]!r}?" if near else "`newsletter topics list` names them"
    raise ValueError(f"no topic {value!r} ships; {hint} A topic of your own has name: and any:")


def curated_topics() -> tuple[Topic, ...]:
    """Every topic that ships, in the catalogue's order."""
    return tuple(
        Topic(
            name=name,
            any=tuple(parse_rule(text) for text in _texts(entry.get("any"))),
            none=tuple(parse_rule(text) for text in _texts(entry.get("none"))),
            categories=_texts(entry.get("categories")),
            about=str(entry.get("about") or ""),
        )
        for name, entry in _catalogue().items()
    )


def _texts(value: Value) -> tuple[str, ...]:
    return tuple(str(text) for text in value) if isinstance(value, list) else ()
