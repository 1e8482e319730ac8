"""Changes of the topics in newsletter.yaml, as small edits of its text.

Only the places that change are written; comments, order and layout of everything else stay. (A
round trip through ruamel.yaml keeps comments too, but sets the indentation, the quotes and the line
breaks of the whole file anew.)
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any, Protocol, cast

from ruamel.yaml import YAML

from newsletter.config.fields import as_list
from newsletter.config.topics import bundled_settings
from newsletter.errors import ConfigurationError

_LISTS = ("formerly", "phrases", "any", "none", "categories")


class _Mark(Protocol):
    index: int
    column: int


class _Node(Protocol):
    """What is used of ruamel.yaml's nodes, which have no types."""

    value: Any
    flow_style: bool | None
    start_mark: _Mark
    end_mark: _Mark


@dataclass(frozen=True, slots=True)
class TopicsText:
    """The text of newsletter.yaml; each method returns another one.

    Raises:
        ConfigurationError: the topics are not written in a way that can be edited.
    """

    text: str
    file: str

    def add_names(
        self, name: str, former: Sequence[str], rules: Sequence[str] = (), *, new: str = ""
    ) -> "TopicsText":
        """The topic with these former names and rules besides its own, and with another name."""
        _, entry = self._find(name)
        if isinstance(entry.value, str):
            return self._described(entry, name).add_names(name, former, rules, new=new)
        text = self.with_items(name, "any", rules).with_items(name, "formerly", former)
        return text.rename(name, new) if new else text

    def rename(self, name: str, new: str) -> "TopicsText":
        """The text in which a topic has another name."""
        value = self._field(self._find(name)[1], "name")
        assert value is not None
        return self._replaced(value.start_mark.index, value.end_mark.index, _quoted(new))

    def remove(self, name: str) -> "TopicsText":
        """The text without a topic."""
        topics, entry = self._find(name)
        if topics.flow_style:
            place = topics.value.index(entry)
            if place + 1 < len(topics.value):
                end = topics.value[place + 1].start_mark.index
                return self._replaced(entry.start_mark.index, end, "")
            start = topics.value[place - 1].end_mark.index if place else entry.start_mark.index
            return self._replaced(start, entry.end_mark.index, "")
        end = self.text.find("\n", _last_index(entry))
        rest = "" if len(topics.value) > 1 else "  []\n"
        line = self.text.rfind("\n", 0, entry.start_mark.index) + 1
        return self._replaced(line, len(self.text) if end < 0 else end + 1, rest)

    def _described(self, entry: _Node, name: str) -> "TopicsText":
        """The text in which a bundled topic, given by its name, has its rules written out."""
        found = bundled_settings(name)
        if found is None:
            raise self._error(f"there is no topic {name!r}")
        if self._topics().flow_style:
            raise self._error(f"write `topics:` as a list with one topic a line, {name!r} in one")
        indent = " " * entry.start_mark.column
        lines = [f"name: {_quoted(name)}"]
        for key, value in found.items():
            if key in _LISTS:
                lines += [f"{key}:", *(f"  - {_quoted(str(each))}" for each in as_list(value))]
            elif key != "name":
                lines.append(f"{key}: {_quoted(str(value))}")
        written = f"\n{indent}".join(lines)
        return self._replaced(entry.start_mark.index, entry.end_mark.index, written)

    def with_items(self, name: str, key: str, values: Sequence[str]) -> "TopicsText":
        """The text in which a list of the topic has these values besides its own."""
        if not values:
            return self
        _, entry = self._find(name)
        known = self._field(entry, key)
        if known is not None and not isinstance(known.value, str):
            had = [each.value for each in known.value]
            values = [each for each in values if each not in had]
            return self._appended(known, values) if values else self
        written = f"[{', '.join(map(_quoted, values))}]"
        if known is not None:  # one name, without brackets
            joined = f"[{_quoted(known.value)}, {written[1:]}"
            return self._replaced(known.start_mark.index, known.end_mark.index, joined)
        after = self._field(entry, "name")
        assert after is not None
        if entry.flow_style:
            return self._inserted(after.end_mark.index, f", {key}: {written}")
        end = self.text.find("\n", after.end_mark.index)
        line = f"{' ' * entry.start_mark.column}{key}: {written}"
        if end < 0:
            return self._inserted(len(self.text), f"\n{line}\n")
        return self._inserted(end + 1, f"{line}\n")

    def _appended(self, known: _Node, values: Sequence[str]) -> "TopicsText":
        items = [_quoted(each) for each in values]
        if known.flow_style:
            comma = ", " if known.value else ""
            return self._inserted(known.end_mark.index - 1, comma + ", ".join(items))
        lines = [f"\n{' ' * known.start_mark.column}- {each}" for each in items]
        end = self.text.find("\n", _last_index(known))
        return self._inserted(len(self.text) if end < 0 else end, "".join(lines))

    def _topics(self) -> _Node:
        root = cast("_Node", YAML(typ="rt", pure=True).compose(StringIO(self.text)))
        topics = self._field(root, "topics")
        if topics is None or not isinstance(topics.value, list):
            raise self._error("there is no list of topics")
        return topics

    def _find(self, name: str) -> tuple[_Node, _Node]:
        """All topics, and what is written of one: its settings, or the name of a bundled one."""
        topics = self._topics()
        for entry in topics.value:
            named = entry if isinstance(entry.value, str) else self._field(entry, "name")
            if named is not None and named.value.strip() == name:
                return topics, entry
        raise self._error(f"there is no topic {name!r}")

    def _field(self, entry: _Node, key: str) -> _Node | None:
        pairs: list[tuple[_Node, _Node]] = entry.value
        return next((value for name, value in pairs if name.value == key), None)

    def _inserted(self, at: int, text: str) -> "TopicsText":
        return self._replaced(at, at, text)

    def _replaced(self, start: int, end: int, text: str) -> "TopicsText":
        return TopicsText(self.text[:start] + text + self.text[end:], self.file)

    def _error(self, problem: str) -> ConfigurationError:
        return ConfigurationError(problem, file=self.file, where="topics")


def _last_index(node: _Node) -> int:
    """Where the last value in a node ends; a block's own end is that of the comments after it."""
    return max(_ends(node))


def _ends(node: _Node) -> Iterator[int]:
    if isinstance(node.value, str) or node.flow_style:
        yield node.end_mark.index
        return
    for part in node.value:
        for each in part if isinstance(part, tuple) else (part,):
            yield from _ends(each)


def _quoted(text: str) -> str:
    """A text as a value of YAML, in quotes where it needs some."""
    plain = text.replace(" ", "").replace("-", "")
    if plain.isalnum() and text[:1].isalpha() and text.strip() == text and plain != "null":
        return text
    return json.dumps(text, ensure_ascii=False).replace("${", "$${")
