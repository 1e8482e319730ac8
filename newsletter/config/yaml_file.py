"""YAML as the person wrote it, with the line of everything in it.

Only YAML's structure is used (YAML 1.2, through ruamel.yaml's parser): every plain scalar stays
the text it is, so that ``NO`` is a country, ``12:30`` a time and ``2406.10000`` a paper. What a
text means is decided by the setting it stands in.

Values are built from the parser's events as they come; composing these into a tree first takes
nearly twice as long, which a roster of ten thousand readers feels.
"""

import re
from collections.abc import Iterator, Mapping
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

MAX_ALIASED = 10_000
MAX_DEPTH = 50
MAX_BYTES = 50 * 1024 * 1024

Value = None | str | list["Value"] | dict[str, "Value"]
"""What a file holds: texts, lists and mappings of them, and nothing."""

Path = tuple[str | int, ...]
"""The way to a place in a file: ``("sources", 1, "url")``."""

_NULL = {"", "~", "null", "Null", "NULL"}
_VARIABLE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_CORE = "tag:yaml.org,2002:"
_PLAIN_TAGS = frozenset({"!", *(_CORE + kind for kind in ("str", "int", "float", "bool", "null"))})


@dataclass(frozen=True, slots=True)
class Document:
    """A file's value, with the line (from 1) of every place in it."""

    file: str
    value: Value
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int | None:
        """The line of a place, or of the nearest place around it that is there."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)

    def wrong(self, path: Path, problem: str) -> ConfigurationError:
        """An error that names a place in this file."""
        where = ".".join(str(part) for part in path)
        return ConfigurationError(problem, file=self.file, line=self.line(path), where=where)


def load(source: bytes, file: str, environment: Mapping[str, str]) -> Document:
    """Read a YAML file's bytes.

    ``${NAME}`` becomes the environment's word of that name, ``$${`` a literal ``${``.

    Raises:
        InvalidFileError: tags, duplicate keys and variables that are not set; all at once.
        ConfigurationError: not UTF-8, not YAML, more than one document, or nested or expanded
            beyond reason; with the line.
    """
    text = _decoded(source, file)
    events = YAML(typ="safe", pure=True).parse(StringIO(text))
    builder = _Builder(file, environment, events, limit=len(source) + MAX_ALIASED)
    try:
        value = builder.document()
    except MarkedYAMLError as error:
        raise ConfigurationError(_problem(error), file=file, line=_line_of(error)) from error
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        said = f"not YAML: a character that may not stand in it (U+{error.character:04X})"
        raise ConfigurationError(said, file=file, line=line) from error
    except (YAMLError, ValueError) as error:
        raise ConfigurationError(f"not YAML: {error}", file=file, line=builder.line) from error
    if builder.faults:
        raise InvalidFileError(builder.faults)
    return Document(file, value, builder.lines)


def _decoded(source: bytes, file: str) -> str:
    if len(source) > MAX_BYTES:
        raise ConfigurationError(
            f"the file has {len(source):,} bytes; {MAX_BYTES:,} is the most", file=file
        )
    try:
        return source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = source[: error.start].count(b"\n") + 1
        raise ConfigurationError(
            "this is not UTF-8; save the file as UTF-8", file=file, line=line
        ) from error


def _problem(error: MarkedYAMLError) -> str:
    problem = error.problem or error.context or "not YAML"
    hint = "; indent with spaces, not tabs" if "\\t" in problem else ""
    return f"not YAML: {problem}{hint}"


def _line_of(error: MarkedYAMLError) -> int | None:
    mark = error.problem_mark or error.context_mark
    return None if mark is None else mark.line + 1


@dataclass(slots=True)
class _Builder:
    """Turns the parser's events into a value, keeping count and lines.

    A byte makes one value at most, so what lies beyond the limit is expanded aliases.
    ``faults`` are what does not keep the rest from being read; ``line`` is where reading is.
    """

    file: str
    environment: Mapping[str, str]
    events: Iterator[Event]
    limit: int
    lines: dict[Path, int] = field(default_factory=dict)
    anchors: dict[str, tuple[Value, Path]] = field(default_factory=dict)
    faults: list[ConfigurationError] = field(default_factory=list)
    values: int = 0
    line: int = 1

    def next(self) -> Event:
        event = next(self.events)
        self.line = event.start_mark.line + 1
        return event

    def document(self) -> Value:
        value: Value = None
        documents = 0
        for event in self.events:
            documents += isinstance(event, DocumentStartEvent)
            self.line = event.start_mark.line + 1
            if documents > 1:
                raise self.wrong((), "a second document begins here; keep one in a file")
            if isinstance(event, NodeEvent):
                value = self.build(event, ())
        return value

    def build(self, event: Event, path: Path) -> Value:
        self.enter(path)
        if isinstance(event, AliasEvent):
            return self.again(event, path)
        assert isinstance(event, ScalarEvent | CollectionStartEvent)
        if event.tag is not None and event.tag not in _PLAIN_TAGS:
            self.fault(path, f"tags like {event.tag} are not read; write a plain value")
        value: Value
        if isinstance(event, ScalarEvent):
            value = self.scalar(event, path)
        elif isinstance(event, SequenceStartEvent):
            value = list(self.members(path))
        else:
            value = dict(self.entries(path))
        if event.anchor:
            self.anchors[event.anchor] = (value, path)
        return value

    def enter(self, path: Path) -> None:
        """Count a value, and keep its line where its key has not given one."""
        self.values += 1
        if self.values > self.limit:
            raise self.wrong(path, "aliases expand beyond reason; write the values out")
        if len(path) > MAX_DEPTH:
            raise self.wrong(path[:2], f"nested deeper than {MAX_DEPTH} levels")
        self.lines.setdefault(path, self.line)

    def members(self, path: Path) -> Iterator[Value]:
        at = 0
        while not isinstance(event := self.next(), SequenceEndEvent):
            yield self.build(event, (*path, at))
            at += 1

    def entries(self, path: Path) -> Iterator[tuple[str, Value]]:
        seen: dict[str, int] = {}
        while not isinstance(key := self.next(), MappingEndEvent):
            if not isinstance(key, ScalarEvent):
                raise self.wrong(path, "a key must be a word")
            name = str(key.value)
            here = (*path, name)
            if name == "<<":
                self.fault(path, "merge keys (<<) are not read; write the values out")
            if name in seen:
                self.fault(here, f"this key stands in line {seen[name]} already")
            seen[name] = self.lines[here] = self.line
            if key.anchor:
                self.anchors[key.anchor] = (name, here)
            yield name, self.build(self.next(), here)

    def again(self, event: AliasEvent, path: Path) -> Value:
        """What an alias stands for, built anew in its place."""
        if event.anchor not in self.anchors:
            raise self.wrong(
                path,
                f"*{event.anchor} stands for nothing; mark a value above it with &{event.anchor}",
            )
        return self.copied(*self.anchors[event.anchor], path)

    def copied(self, value: Value, origin: Path, path: Path) -> Value:
        self.lines.setdefault(path, self.lines[origin])
        match value:
            case list():
                return [self.copy(v, (*origin, at), (*path, at)) for at, v in enumerate(value)]
            case dict():
                return {k: self.copy(v, (*origin, k), (*path, k)) for k, v in value.items()}
            case _:
                return value

    def copy(self, value: Value, origin: Path, path: Path) -> Value:
        self.enter(path)
        self.lines[path] = self.lines[origin]
        return self.copied(value, origin, path)

    def scalar(self, event: ScalarEvent, path: Path) -> str | None:
        text = str(event.value)
        if not event.style and text in _NULL:
            return None
        return _VARIABLE.sub(lambda found: self.variable(found, path), text)

    def variable(self, found: re.Match[str], path: Path) -> str:
        name = found[1]
        if name is None:
            return "${"
        if name not in self.environment:
            self.fault(path, f"the environment has no {name}; set it or write the value")
        return self.environment.get(name, "")

    def fault(self, path: Path, problem: str) -> None:
        self.faults.append(self.wrong(path, problem))

    def wrong(self, path: Path, problem: str) -> ConfigurationError:
        where = ".".join(str(part) for part in path)
        return ConfigurationError(problem, file=self.file, line=self.line, where=where)
