"""YAML as the person wrote it, with the line of everything in it.

Only YAML's structure is used (YAML 1.2, through ruamel.yaml's composer): every plain scalar stays
the text it is, so that ``NO`` is a country, ``12:30`` a time and ``2406.10000`` a paper. What a
text means is decided by the setting it stands in.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import StringIO

from ruamel.yaml import YAML
from ruamel.yaml.composer import ComposerError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from newsletter.errors import ConfigurationError

MAX_ALIASED = 10_000
MAX_DEPTH = 50
MAX_BYTES = 50 * 1024 * 1024

Value = None | str | list["Value"] | dict[str, "Value"]
"""What a file holds: texts, lists and mappings of them, and nothing."""

Path = tuple[str | int, ...]
"""The way to a place in a file: ``("sources", 1, "url")``."""

_NULL = {"", "~", "null", "Null", "NULL"}
_VARIABLE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PLAIN_TAGS = ("tag:yaml.org,2002:", "?", "!")


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
        ConfigurationError: not UTF-8, not YAML, a tag, a duplicate key, more than one document,
            nested or expanded beyond reason, or a variable that is not set; with the line.
    """
    node = _compose(_decoded(source, file), file)
    builder = _Builder(file, environment, limit=len(source) + MAX_ALIASED)
    value = None if node is None else builder.build(node, ())
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


def _compose(text: str, file: str) -> Node | None:
    yaml = YAML(typ="safe", pure=True)
    try:
        found: Node | None = yaml.compose(StringIO(text))
    except MarkedYAMLError as error:
        raise ConfigurationError(_problem(error), file=file, line=_line_of(error)) from error
    except (YAMLError, ValueError) as error:
        raise ConfigurationError(f"not YAML: {error}", file=file) from error
    except RecursionError as error:
        raise ConfigurationError(f"nested deeper than {MAX_DEPTH} levels", file=file) from error
    return found


def _problem(error: MarkedYAMLError) -> str:
    if isinstance(error, ComposerError) and "single document" in str(error):
        return "a second document begins here; keep one in a file"
    problem = error.problem or error.context or "not YAML"
    hint = "; indent with spaces, not tabs" if "\\t" in problem else ""
    return f"not YAML: {problem}{hint}"


def _line_of(error: MarkedYAMLError) -> int | None:
    mark = error.problem_mark or error.context_mark
    return None if mark is None else mark.line + 1


@dataclass(slots=True)
class _Builder:
    """Turns composed nodes into values, keeping count and lines.

    A byte makes one node at most, so what lies beyond the limit is expanded aliases.
    """

    file: str
    environment: Mapping[str, str]
    limit: int
    lines: dict[Path, int] = field(default_factory=dict)
    nodes: int = 0

    def build(self, node: Node, path: Path) -> Value:
        self.nodes += 1
        if self.nodes > self.limit:
            raise self.wrong(node, path, "aliases expand beyond reason; write the values out")
        if len(path) > MAX_DEPTH:
            raise self.wrong(node, path[:2], f"nested deeper than {MAX_DEPTH} levels")
        if not str(node.tag or "").startswith(_PLAIN_TAGS) or self.tagged(node):
            raise self.wrong(node, path, f"tags like {node.tag} are not read; write a plain value")
        self.lines.setdefault(path, node.start_mark.line + 1)
        match node:
            case ScalarNode():
                return self.scalar(node, path)
            case SequenceNode():
                return [self.build(child, (*path, at)) for at, child in enumerate(node.value)]
            case MappingNode():
                return dict(self.entries(node, path))
            case _:
                raise self.wrong(node, path, "neither a value, a list nor a mapping")

    def tagged(self, node: Node) -> bool:
        """Whether the person wrote a tag: ours are resolved by the composer, or none."""
        resolved = str(node.tag or "").removeprefix("tag:yaml.org,2002:")
        return resolved not in _RESOLVED

    def entries(self, node: MappingNode, path: Path) -> Iterator[tuple[str, Value]]:
        seen: dict[str, int] = {}
        for key, child in node.value:
            if not isinstance(key, ScalarNode):
                raise self.wrong(key, path, "a key must be a word")
            name, line = str(key.value), key.start_mark.line + 1
            if name == "<<":
                raise self.wrong(key, path, "merge keys (<<) are not read; write the values out")
            if name in seen:
                raise self.wrong(
                    key, (*path, name), f"this key stands in line {seen[name]} already"
                )
            seen[name] = line
            self.lines[(*path, name)] = line
            yield name, self.build(child, (*path, name))

    def scalar(self, node: ScalarNode, path: Path) -> str | None:
        text = str(node.value)
        if not node.style and text in _NULL:
            return None
        return _VARIABLE.sub(lambda found: self.variable(found, node, path), text)

    def variable(self, found: re.Match[str], node: Node, path: Path) -> str:
        name = found[1]
        if name is None:
            return "${"
        if name not in self.environment:
            raise self.wrong(
                node, path, f"the environment has no {name}; set it or write the value"
            )
        return self.environment[name]

    def wrong(self, node: Node, path: Path, problem: str) -> ConfigurationError:
        where = ".".join(str(part) for part in path)
        line = node.start_mark.line + 1
        return ConfigurationError(problem, file=self.file, line=line, where=where)


_RESOLVED = frozenset({"str", "int", "float", "bool", "null", "timestamp", "seq", "map", "merge"})
