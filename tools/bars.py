"""Measures the package against the bars of the project and prints them: ``make bars``.

- The length of a function is the number of lines from its ``def`` to its end, without docstring
  and blank lines; decorators do not count.
- A public name does not begin with an underscore, and neither do its class and module. A method
  marked ``@override`` inherits its docstring; "See :meth:`x`." is no docstring.
- The order of the rooms is read from ``[tool.importlinter]`` in pyproject.toml. An import climbs
  if that order forbids it, directly or through other modules.
- Revisions of the database schema count as code but not as modules: Alembic wants a file for each.

Exit code 1: a bar is broken that is not in ``NOT_YET``.
"""

import argparse
import ast
import json
import statistics
import sys
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import grimp

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "newsletter"
TESTS = ROOT / "tests"

NOT_YET: frozenset[str] = frozenset({"product code, lines"})
"""The names of bars that may still be broken. They are printed as OVER, but do not fail."""

LONGEST_FUNCTION = 50
LONGEST_MODULE = 400
SMALL_MODULE = 40
LONGEST_TEST_NAME = 10
PLAIN_TEST_NAME = 8
REVISIONS = "migrations/versions/"

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Bar:
    """One measure: its value, its limit, and the places that exceed the limit."""

    name: str
    value: float
    bar: float
    at_least: bool = False
    places: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether the value is within the limit."""
        return self.value >= self.bar if self.at_least else self.value <= self.bar


@dataclass(frozen=True, slots=True)
class Source:
    """The name and the text of a module."""

    name: str
    text: str

    @property
    def tree(self) -> ast.Module:
        """The parsed module."""
        return _parsed(self.text)


@cache
def _parsed(text: str) -> ast.Module:
    """The tree of a module: every bar walks over it, so it is parsed once."""
    return ast.parse(text)


def read(folder: Path) -> list[Source]:
    """Every module below a folder."""
    return [
        Source(str(path.relative_to(folder.parent)), path.read_text(encoding="utf-8"))
        for path in sorted(folder.rglob("*.py"))
    ]


def functions(source: Source) -> Iterator[Function]:
    """Every function and method of a module."""
    for node in ast.walk(source.tree):
        if isinstance(node, Function):
            yield node


def length(source: Source, function: Function) -> int:
    """The lines of a function, without its docstring and blank lines."""
    lines = source.text.splitlines()[function.lineno - 1 : function.end_lineno]
    first = function.body[0]
    doc = 0
    if ast.get_docstring(function) is not None:
        doc = (first.end_lineno or first.lineno) - first.lineno + 1
        quoted = source.text.splitlines()[first.lineno - 1 : first.end_lineno]
        doc -= sum(1 for line in quoted if not line.strip())
    return sum(1 for line in lines if line.strip()) - doc


def function_lengths(sources: Sequence[Source]) -> list[Bar]:
    """The median, the 90th percentile and the maximum of the lengths of functions."""
    found = [(length(s, f), f"{s.name}:{f.lineno} {f.name}") for s in sources for f in functions(s)]
    sizes = sorted(size for size, _ in found)
    longest = tuple(place for size, place in found if size > LONGEST_FUNCTION)
    return [
        Bar("function length, median", statistics.median(sizes), 7),
        Bar("function length, 90th percentile", sizes[int(len(sizes) * 0.9)], 25),
        Bar("function length, longest", sizes[-1], LONGEST_FUNCTION, places=longest),
    ]


def module_lengths(sources: Sequence[Source]) -> list[Bar]:
    """The maximum and the median of the lengths of modules, how many are small, and their sum."""
    lines = {source.name: len(source.text.splitlines()) for source in sources}
    modules = {name: size for name, size in lines.items() if REVISIONS not in name}
    over = tuple(name for name, size in modules.items() if size > LONGEST_MODULE)
    small = tuple(f"{name}: {size}" for name, size in modules.items() if size < SMALL_MODULE)
    median = statistics.median(modules.values())
    return [
        Bar("module length, longest", max(modules.values()), LONGEST_MODULE, places=over),
        Bar("module length, median", median, 100, at_least=True),
        Bar(f"modules under {SMALL_MODULE} lines", len(small), 39, places=small),
        Bar("product code, lines", sum(lines.values()), 22_000),
    ]


def public(body: Iterable[ast.stmt]) -> Iterator[Function | ast.ClassDef]:
    """Yield the public functions, classes and methods of a body."""
    for node in body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body)


def docstrings(sources: Sequence[Source]) -> Bar:
    """The share of modules and public names with a docstring, own or inherited."""
    nodes = [
        (source, node) for source in sources for node in (source.tree, *public(source.tree.body))
    ]
    bare = tuple(
        f"{source.name}:{getattr(node, 'lineno', 1)} {getattr(node, 'name', 'module')}"
        for source, node in nodes
        if not _says_something(node) and not _is_documented_elsewhere(node)
    )
    return Bar("docstrings, %", _share(len(nodes) - len(bare), len(nodes)), 100, True, bare)


def _says_something(node: Function | ast.ClassDef | ast.Module) -> bool:
    """False without a docstring, and for one that only refers to another name."""
    docstring = ast.get_docstring(node)
    return docstring is not None and not docstring.startswith("See :")


def _is_documented_elsewhere(node: ast.AST) -> bool:
    """True for an override, and for a callback whose library documents it."""
    if not isinstance(node, Function):
        return False
    overrides = any("override" in ast.unparse(each).split(".") for each in node.decorator_list)
    return overrides or node.name.startswith(("handle_", "visit_"))


def annotations(sources: Sequence[Source]) -> Bar:
    """The share of functions whose arguments and results are annotated."""
    found = [(source, node) for source in sources for node in functions(source)]
    bare = tuple(
        f"{source.name}:{node.lineno} {node.name}"
        for source, node in found
        if node.returns is None or any(_untyped(node))
    )
    share = _share(len(found) - len(bare), len(found))
    return Bar("annotated functions, %", share, 100, True, bare)


def _untyped(node: Function) -> Iterator[bool]:
    named = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
    arguments = (*named, node.args.vararg, node.args.kwarg)
    return (
        argument.annotation is None
        for argument in arguments
        if argument is not None and argument.arg not in {"self", "cls"}
    )


def frozen(sources: Sequence[Source]) -> Bar:
    """The share of the model's dataclasses that are frozen."""
    found = [
        (source.name, node, decorator)
        for source in sources
        if source.name.startswith("newsletter/model")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef)
        for decorator in node.decorator_list
        if "dataclass" in ast.unparse(decorator)
    ]
    loose = tuple(
        f"{name} {node.name}"
        for name, node, decorator in found
        if "frozen=True" not in ast.unparse(decorator)
    )
    share = _share(len(found) - len(loose), len(found))
    return Bar("frozen domain dataclasses, %", share, 100, True, loose)


def broad_excepts(sources: Sequence[Source]) -> Bar:
    """The number of handlers that catch every exception."""
    places = tuple(
        f"{source.name}:{node.lineno}"
        for source in sources
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ExceptHandler) and _is_broad(node)
    )
    return Bar("broad excepts", len(places), 1, places=places)


def _is_broad(node: ast.ExceptHandler) -> bool:
    caught = () if node.type is None else tuple(ast.walk(node.type))
    names = {each.id for each in caught if isinstance(each, ast.Name)}
    return node.type is None or bool(names & {"Exception", "BaseException"})


def mocks(tests: Sequence[Source]) -> Bar:
    """The number of mocks per hundred tests."""
    used = sum(_mocks(node) for source in tests for node in ast.walk(source.tree))
    return Bar("mocks per 100 tests", round(100 * used / max(len(_tests(tests)), 1), 1), 4)


def tests_per_module(tests: Sequence[Source], package: Sequence[Source]) -> Bar:
    """The number of tests per module that has functions; a parametrized test counts once."""
    modules = sum(1 for source in package if any(functions(source)))
    return Bar("tests per module", round(len(_tests(tests)) / max(modules, 1), 1), 3, True)


def test_names(tests: Sequence[Source]) -> list[Bar]:
    """The median and the maximum of the words in a test's name, and the share of short names."""
    words = {name: name.count("_") for name in _tests(tests)}
    long = tuple(name for name, count in words.items() if count > LONGEST_TEST_NAME)
    plain = sum(count <= PLAIN_TEST_NAME for count in words.values())
    return [
        Bar("words in a test's name, median", statistics.median(words.values()), PLAIN_TEST_NAME),
        Bar("words in a test's name, most", max(words.values()), LONGEST_TEST_NAME, places=long),
        Bar("test names within 8 words, %", _share(plain, len(words)), 95, True),
    ]


def _tests(tests: Sequence[Source]) -> list[str]:
    """The names of all tests, which begin with ``test_``."""
    names = [node.name for source in tests for node in functions(source)]
    return [name for name in names if name.startswith("test_")]


def _mocks(node: ast.AST) -> int:
    if isinstance(node, ast.Import | ast.ImportFrom):
        return int("mock" in ast.unparse(node).split())
    return int(isinstance(node, ast.Attribute) and ast.unparse(node) == "monkeypatch.setattr")


def cycles(graph: grimp.ImportGraph) -> Bar:
    """The imports that are part of a cycle."""
    rings = tuple(
        f"{module} -> {imported} -> …"
        for module in sorted(graph.modules)
        for imported in sorted(graph.find_modules_directly_imported_by(module))
        if graph.chain_exists(imported, module)
    )
    return Bar("imports in a cycle", len(rings), 0, places=rings)


def climbs(graph: grimp.ImportGraph, rooms: Sequence[str], container: str) -> Bar:
    """The imports that the order of the rooms forbids.

    Args:
        graph: which module imports which.
        rooms: the rooms, highest first; rooms in one line, separated by ``|``, may not import
            one another.
        container: the package that contains the rooms.
    """
    layers = [grimp.Layer(*map(str.strip, line.split("|")), independent=True) for line in rooms]
    found = graph.find_illegal_dependencies_for_layers(layers=layers, containers={container})
    places = tuple(sorted(f"{each.importer} -> {each.imported}" for each in found))
    return Bar("imports that climb", len(places), 0, places=places)


def readme_start(readme: str) -> Bar:
    """The line number of the first command in the README."""
    lines = readme.splitlines()
    first = next((n for n, line in enumerate(lines, 1) if line.startswith("```")), len(lines))
    return Bar("README, line of its first command", first + 1, 19)


def strict_types(settings: Mapping[str, Any]) -> Bar:
    """The share of the folders that mypy must check, strictly, which it does check."""
    mypy = settings["tool"]["mypy"]
    needed = {"newsletter", "tests", "bench", "tools"}
    checked = needed & set(mypy.get("packages", ())) if mypy.get("strict") else set()
    missing = tuple(sorted(needed - checked))
    return Bar(
        "folders under mypy strict, %", _share(len(checked), len(needed)), 100, True, missing
    )


def _rooms(settings: Mapping[str, Any]) -> list[str]:
    """The order of the rooms."""
    contracts = settings["tool"]["importlinter"]["contracts"]
    (layers,) = (each["layers"] for each in contracts if each["type"] == "layers")
    return [str(line) for line in layers]


def _share(part: int, whole: int) -> float:
    return round(100 * part / max(whole, 1), 1)


def measure() -> list[Bar]:
    """Measure every bar."""
    package, tests = read(PACKAGE), read(TESTS)
    graph = grimp.build_graph(PACKAGE.name)
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return [
        *function_lengths(package),
        *module_lengths(package),
        cycles(graph),
        climbs(graph, _rooms(settings), PACKAGE.name),
        docstrings(package),
        annotations(package),
        frozen(package),
        broad_excepts(package),
        strict_types(settings),
        mocks(tests),
        tests_per_module(tests, package),
        *test_names(tests),
        readme_start((ROOT / "README.md").read_text(encoding="utf-8")),
    ]


def report(bars: Sequence[Bar], *, as_json: bool, not_yet: Collection[str] = NOT_YET) -> int:
    """Print the bars as a table or as JSON; return the exit code."""
    if as_json:
        print(json.dumps([{**asdict(bar), "holds": bar.holds} for bar in bars], indent=1))
    else:
        print("\n".join(line for bar in bars for line in _lines(bar)))
    return int(any(not bar.holds and bar.name not in not_yet for bar in bars))


def _lines(bar: Bar) -> Iterator[str]:
    sign = ">=" if bar.at_least else "<="
    word = "ok  " if bar.holds else "OVER"
    yield f"{word}  {bar.name:36} {bar.value:>7g}  ({sign} {bar.bar:g})"
    for place in () if bar.holds else bar.places:
        yield f"        {place}"


def main() -> int:
    """Measure the package and print its bars."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    return report(measure(), as_json=parser.parse_args().json)


if __name__ == "__main__":
    sys.exit(main())
