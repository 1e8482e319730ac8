"""Holds the package against the house's bars and prints them: ``make bars``.

A function's length is the lines from its ``def`` to its end, docstring and blank lines left out;
decorators do not count. A public name is one that does not begin with an underscore, in a module
and a class that do not either. Exit code 1: a bar is broken.

The order of the rooms is read from ``[tool.importlinter]`` in pyproject.toml; an import that climbs
is one that order forbids, directly or by way of other modules.
"""

import argparse
import ast
import json
import statistics
import sys
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "newsletter"
TESTS = ROOT / "tests"

LONGEST_FUNCTION = 50
LONGEST_MODULE = 300

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Bar:
    """One measure: what it came to, what it may be, and the places that broke it."""

    name: str
    value: float
    bar: float
    at_least: bool = False
    places: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether the value keeps to the bar."""
        return self.value >= self.bar if self.at_least else self.value <= self.bar


@dataclass(frozen=True, slots=True)
class Source:
    """A module's tree and text."""

    name: str
    text: str

    @property
    def tree(self) -> ast.Module:
        """The parsed module."""
        return ast.parse(self.text)


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


def lengths(sources: Sequence[Source]) -> list[Bar]:
    """How long functions are."""
    found = [(length(s, f), f"{s.name}:{f.lineno} {f.name}") for s in sources for f in functions(s)]
    sizes = sorted(size for size, _ in found)
    longest = tuple(place for size, place in found if size > LONGEST_FUNCTION)
    return [
        Bar("function length, median", statistics.median(sizes), 7),
        Bar("function length, 90th percentile", sizes[int(len(sizes) * 0.9)], 25),
        Bar("function length, longest", sizes[-1], LONGEST_FUNCTION, places=longest),
    ]


def module_size(sources: Sequence[Source]) -> Bar:
    """How long modules are, in lines."""
    sizes = {source.name: len(source.text.splitlines()) for source in sources}
    over = tuple(name for name, size in sizes.items() if size > LONGEST_MODULE)
    return Bar("longest module, lines", max(sizes.values()), LONGEST_MODULE, places=over)


def public(body: Iterable[ast.stmt]) -> Iterator[Function | ast.ClassDef]:
    """The public functions, classes and methods of a body."""
    for node in body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body)


def docstrings(sources: Sequence[Source]) -> Bar:
    """The share of modules and public names that say what they mean."""
    nodes = [
        (source, node) for source in sources for node in (source.tree, *public(source.tree.body))
    ]
    bare = tuple(
        f"{source.name}:{getattr(node, 'lineno', 1)} {getattr(node, 'name', 'module')}"
        for source, node in nodes
        if ast.get_docstring(node) is None and not _is_told_elsewhere(node)
    )
    return Bar("docstrings, %", _share(len(nodes) - len(bare), len(nodes)), 100, True, bare)


def _is_told_elsewhere(node: ast.AST) -> bool:
    """Whether a method's meaning is its name's: a protocol's own callback."""
    return isinstance(node, Function) and node.name.startswith(("handle_", "visit_"))


def annotations(sources: Sequence[Source]) -> Bar:
    """The share of functions whose arguments and results have types."""
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
    """The share of the model's dataclasses that cannot change."""
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
    """How many handlers catch whatever there is."""
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
    """Mocks for each hundred tests."""
    used = sum(_mocks(node) for source in tests for node in ast.walk(source.tree))
    return Bar("mocks a hundred tests", round(100 * used / max(_tests(tests), 1), 1), 4)


def tests_a_module(tests: Sequence[Source], package: Sequence[Source]) -> Bar:
    """Tests for each module that has functions; a parametrized test counts once."""
    modules = sum(1 for source in package if any(functions(source)))
    return Bar("tests a module", round(_tests(tests) / max(modules, 1), 1), 3, True)


def _tests(tests: Sequence[Source]) -> int:
    return sum(node.name.startswith("test_") for source in tests for node in functions(source))


def _mocks(node: ast.AST) -> int:
    if isinstance(node, ast.Import | ast.ImportFrom):
        return int("mock" in ast.unparse(node).split())
    return int(isinstance(node, ast.Attribute) and ast.unparse(node) == "monkeypatch.setattr")


def cycles(graph: grimp.ImportGraph) -> Bar:
    """Modules that lead back to themselves, by way of what they import."""
    rings = tuple(
        f"{module} -> {imported} -> …"
        for module in sorted(graph.modules)
        for imported in sorted(graph.find_modules_directly_imported_by(module))
        if graph.chain_exists(imported, module)
    )
    return Bar("imports in a cycle", len(rings), 0, places=rings)


def climbs(graph: grimp.ImportGraph, street: Sequence[str], container: str) -> Bar:
    """Imports against the street's order.

    Args:
        graph: who imports whom.
        street: the rooms, highest first; those of one line, divided by ``|``, may not meet.
        container: the package the rooms are in.
    """
    layers = [grimp.Layer(*map(str.strip, line.split("|")), independent=True) for line in street]
    found = graph.find_illegal_dependencies_for_layers(layers=layers, containers={container})
    places = tuple(sorted(f"{each.importer} -> {each.imported}" for each in found))
    return Bar("imports that climb", len(places), 0, places=places)


def _street() -> list[str]:
    """The order of the rooms as pyproject.toml gives it."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (layers,) = (each["layers"] for each in contracts if each["type"] == "layers")
    return [str(line) for line in layers]


def _share(part: int, whole: int) -> float:
    return round(100 * part / max(whole, 1), 1)


def measure() -> list[Bar]:
    """Every bar of the house."""
    package, tests = read(PACKAGE), read(TESTS)
    graph = grimp.build_graph(PACKAGE.name)
    return [
        *lengths(package),
        module_size(package),
        cycles(graph),
        climbs(graph, _street(), PACKAGE.name),
        docstrings(package),
        annotations(package),
        frozen(package),
        broad_excepts(package),
        mocks(tests),
        tests_a_module(tests, package),
    ]


def verdict(found: Sequence[Bar], *, as_json: bool) -> int:
    """Print the bars, as a table or as JSON; 1 where one is broken, else 0."""
    if as_json:
        print(json.dumps([{**asdict(bar), "holds": bar.holds} for bar in found], indent=1))
    else:
        print("\n".join(line for bar in found for line in _lines(bar)))
    return int(not all(bar.holds for bar in found))


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
    return verdict(measure(), as_json=parser.parse_args().json)


if __name__ == "__main__":
    sys.exit(main())
