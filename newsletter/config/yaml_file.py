"""YAML files as texts, lists and mappings, with the line of every value.

Only YAML's structure is used (YAML 1.2, with ruamel.yaml's parser). Every plain scalar stays text,
so that ``NO`` is a country, ``12:30`` a time and ``2406.10000`` a paper; the setting it belongs to
decides what it means.

Values are built directly from the parser's events. Composing a tree of nodes first would take
nearly twice as long, which matters for a file of ten thousand readers.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from io import StringIO

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from newsletter.errors import ConfigurationError, InvalidFileError

MAX_EXPANDED = 10_000  # how many values aliases may add to a file

LARGE = 100_000  # bytes of a file for which a faster parser is tried first

MAX_DEPTH = 50
MAX_BYTES = 50 * 1024 * 1024

SECRETS = frozenset(
    {
        "secret",
        "password",
        "operator_password",
        "api_key",
        "client_secret",
        "refresh_token",
        "headers",
        "store",
        "proxy",
        "webhooks",
    }
)
"""Settings that may hold a password: no error quotes what is written there."""

_QUOTE = "a value that begins with a character of YAML (! & * @ % ` { [ | >) needs 'single quotes'"

Value = None | str | list["Value"] | dict[str, "Value"]
"""The content of a file: texts, and lists and mappings of them; None for null."""

SettingPath = tuple[str | int, ...]
"""The place of a value in a file: ``("sources", 1, "url")``."""

_NAMED = re.compile(
    r"found character '[^\\]' that.*|, but found '.'$|(?<=tag handle) .*|(?<=escape character) .*"
)
"""What the parser quotes of a value, which may be a password."""

_NULL = {"", "~", "null", "Null", "NULL"}
_VARIABLE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_CORE = "tag:yaml.org,2002:"
_PLAIN_TAGS = frozenset({"!", *(_CORE + kind for kind in ("str", "int", "float", "bool", "null"))})


@dataclass(frozen=True, slots=True)
class Document:
    """A file's value, with the line (from 1) of every value in it."""

    file: str
    value: Value
    lines: Mapping[SettingPath, int]

    def line(self, path: SettingPath) -> int | None:
        """The line of a value; if it is missing, the line of the nearest value around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)

    def error_at(self, path: SettingPath, problem: str) -> ConfigurationError:
        """An error that names the file, the line and the dotted path of a value."""
        return _error(problem, self.file, self.line(path), path)


def load(source: bytes, file: str, environment: Mapping[str, str]) -> Document:
    """Read a YAML file's bytes.

    ``${NAME}`` becomes the value of that environment variable, ``$${`` a literal ``${``.

    Raises:
        InvalidFileError: tags, duplicate keys and variables that are not set; all at once.
        ConfigurationError: not UTF-8, not YAML, more than one document, or too deeply nested or
            expanded; with the line.
    """
    text = _decode(source, file)
    limit = len(source) + MAX_EXPANDED
    if len(source) >= LARGE:  # by libyaml, 20 times as fast; the other parser says what is wrong
        fast = _Builder(file, environment, YAML(typ="safe").parse(text), limit)
        with suppress(YAMLError, ValueError, ConfigurationError):
            value = fast.read_document()
            if not fast.errors:
                return Document(file, value, fast.lines)
    events = YAML(typ="safe", pure=True).parse(StringIO(text))
    builder = _Builder(file, environment, events, limit)
    try:
        value = builder.read_document()
    except MarkedYAMLError as error:
        problem = error.problem or error.context or "not YAML"
        problem = _NAMED.sub(f": {_QUOTE}", problem).removeprefix(": ")
        hint = "; indent with spaces, not tabs" if "\\t" in problem else ""
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        raise ConfigurationError(f"not YAML: {problem}{hint}", file=file, line=line) from error
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = f"not YAML: a character that is not allowed (U+{error.character:04X})"
        raise ConfigurationError(problem, file=file, line=line) from error
    except (YAMLError, ValueError) as error:
        raise ConfigurationError(f"not YAML: {error}", file=file, line=builder.line) from error
    if builder.errors:
        raise InvalidFileError(builder.errors)
    return Document(file, value, builder.lines)


def _decode(source: bytes, file: str) -> str:
    if len(source) > MAX_BYTES:
        raise ConfigurationError(
            f"the file has {len(source):,} bytes; the maximum is {MAX_BYTES:,}", file=file
        )
    try:
        return source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = source[: error.start].count(b"\n") + 1
        raise ConfigurationError(
            "this is not UTF-8; save the file as UTF-8", file=file, line=line
        ) from error


def _error(problem: str, file: str, line: int | None, path: SettingPath) -> ConfigurationError:
    where = ".".join(str(part) for part in path)
    return ConfigurationError(problem, file=file, line=line, where=where)


@dataclass(slots=True)
class _Builder:
    """Builds a value from the parser's events, and records the line of each part.

    Attributes:
        limit: the number of values that is too many. A byte makes at most one value, so more values
            than bytes come from aliases.
        errors: problems after which the file could still be read on.
        line: the line that is being read.
    """

    file: str
    environment: Mapping[str, str]
    events: Iterator[Event]
    limit: int
    lines: dict[SettingPath, int] = field(default_factory=dict)
    anchors: dict[str, tuple[Value, SettingPath]] = field(default_factory=dict)
    errors: list[ConfigurationError] = field(default_factory=list)
    values: int = 0
    line: int = 1

    def next_event(self) -> Event:
        event = next(self.events)
        self.line = event.start_mark.line + 1
        return event

    def read_document(self) -> Value:
        value: Value = None
        documents = 0
        for event in self.events:
            documents += isinstance(event, DocumentStartEvent)
            self.line = event.start_mark.line + 1
            if documents > 1:
                raise self.error_at((), "a second document begins here; a file can have only one")
            if isinstance(event, NodeEvent):
                value = self.read_value(event, ())
        return value

    def read_value(self, event: Event, path: SettingPath) -> Value:
        self.count_value(path)
        if isinstance(event, AliasEvent):
            return self.expand_alias(event, path)
        assert isinstance(event, ScalarEvent | CollectionStartEvent)
        if event.tag is not None and event.tag not in _PLAIN_TAGS:
            tag = "tags" if SECRETS.intersection(path) else f"tags like {event.tag}"
            self.add_error(path, f"{tag} are not allowed; {_QUOTE}")
        value: Value
        if isinstance(event, ScalarEvent):
            value = self.read_scalar(event, path)
        elif isinstance(event, SequenceStartEvent):
            value = list(self.read_items(path))
        else:
            value = dict(self.read_entries(path))
        if event.anchor:
            self.anchors[event.anchor] = (value, path)
        return value

    def count_value(self, path: SettingPath) -> None:
        """Count a value, and record its line unless its key has a line already."""
        self.values += 1
        if self.values > self.limit:
            raise self.error_at(path, "aliases expand to too many values; write the values out")
        if len(path) > MAX_DEPTH:
            raise self.error_at(path[:2], f"nested deeper than {MAX_DEPTH} levels")
        self.lines.setdefault(path, self.line)

    def read_items(self, path: SettingPath) -> Iterator[Value]:
        index = 0
        while not isinstance(event := self.next_event(), SequenceEndEvent):
            yield self.read_value(event, (*path, index))
            index += 1

    def read_entries(self, path: SettingPath) -> Iterator[tuple[str, Value]]:
        key_lines: dict[str, int] = {}
        while not isinstance(key := self.next_event(), MappingEndEvent):
            if not isinstance(key, ScalarEvent):
                raise self.error_at(path, "a key must be a word")
            name = str(key.value)
            here = (*path, name)
            if name == "<<":
                self.add_error(path, "merge keys (<<) are not allowed; write the values out")
            if name in key_lines:
                self.add_error(here, f"this key is already on line {key_lines[name]}")
            key_lines[name] = self.lines[here] = self.line
            if key.anchor:
                self.anchors[key.anchor] = (name, here)
            yield name, self.read_value(self.next_event(), here)

    def expand_alias(self, event: AliasEvent, path: SettingPath) -> Value:
        if event.anchor not in self.anchors:
            name = "this alias" if SECRETS.intersection(path) else f"*{event.anchor}"
            raise self.error_at(path, f"{name} is not defined; {_QUOTE}")
        value, origin = self.anchors[event.anchor]
        self.lines.setdefault(path, self.lines[origin])
        return self.copy_parts(value, origin, path)

    def copy_parts(self, value: Value, origin: SettingPath, path: SettingPath) -> Value:
        """A copy of an anchor's value whose parts have the lines of the original."""
        match value:
            case list():
                return [self.copy(v, (*origin, at), (*path, at)) for at, v in enumerate(value)]
            case dict():
                return {k: self.copy(v, (*origin, k), (*path, k)) for k, v in value.items()}
            case _:
                return value

    def copy(self, value: Value, origin: SettingPath, path: SettingPath) -> Value:
        self.count_value(path)
        self.lines[path] = self.lines[origin]
        return self.copy_parts(value, origin, path)

    def read_scalar(self, event: ScalarEvent, path: SettingPath) -> str | None:
        text = str(event.value)
        if not event.style and text in _NULL:
            return None
        return _VARIABLE.sub(lambda match: self.substitute(match, path), text)

    def substitute(self, match: re.Match[str], path: SettingPath) -> str:
        name = match[1]
        if name is None:
            return "${"
        if name not in self.environment:
            problem = f"the environment variable {name} is not set; set it or write the value"
            self.add_error(path, problem)
        return self.environment.get(name, "")

    def add_error(self, path: SettingPath, problem: str) -> None:
        self.errors.append(self.error_at(path, problem))

    def error_at(self, path: SettingPath, problem: str) -> ConfigurationError:
        return _error(problem, self.file, self.line, path)
