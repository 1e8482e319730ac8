"""Holds the package against the house's bars and prints them: ``make bars``.

A function's length is the lines from its ``def`` to its end, docstring and blank lines left out;
decorators do not count. A public name is one that does not begin with an underscore, in a module
and a class that do not either. Exit code 1: a bar is broken.
"""

import argparse
import ast
import json
import statistics
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "newsletter"
TESTS = ROOT / "tests"

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
    longest = tuple(place for size, place in found if size > 50)  # noqa: PLR2004 - the bar below
    return [
        Bar("function length, median", statistics.median(sizes), 7),
        Bar("function length, 90th percentile", sizes[int(len(sizes) * 0.9)], 25),
        Bar("function length, longest", sizes[-1], 50, places=longest),
    ]


def module_size(sources: Sequence[Source]) -> Bar:
    """How long modules are, in lines."""
    sizes = {source.name: len(source.text.splitlines()) for source in sources}
    over = tuple(name for name, size in sizes.items() if size > 300)  # noqa: PLR2004 - as below
    return Bar("longest module, lines", max(sizes.values()), 300, places=over)


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
        (source, node)
        for source in sources
        for node in (source.tree, *public(source.tree.body))
        if not source.name.endswith("py.typed")
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
    return Bar(
        "annotated functions, %", _share(len(found) - len(bare), len(found)), 100, True, bare
    )


def _untyped(node: Function) -> Iterator[bool]:
    arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
    return (
        argument.annotation is None for argument in arguments if argument.arg not in {"self", "cls"}
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
    return Bar(
        "frozen domain dataclasses, %",
        _share(len(found) - len(loose), len(found)),
        100,
        True,
        loose,
    )


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
    return node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"}


def mocks(tests: Sequence[Source]) -> Bar:
    """Mocks for each hundred tests."""
    count = sum(
        1 for source in tests for node in functions(source) if node.name.startswith("test_")
    )
    used = sum(_mocks(node) for source in tests for node in ast.walk(source.tree))
    return Bar("mocks a hundred tests", round(100 * used / max(count, 1), 1), 4)


def _mocks(node: ast.AST) -> int:
    if isinstance(node, ast.Import | ast.ImportFrom):
        return int("mock" in ast.unparse(node).split())
    return int(isinstance(node, ast.Attribute) and ast.unparse(node) == "monkeypatch.setattr")


def cycles() -> Bar:
    """Packages of the house that import one another round in a ring."""
    graph = grimp.build_graph("newsletter")
    rooms = sorted(graph.find_children("newsletter"))
    rings = tuple(
        f"{one} <-> {other}"
        for at, one in enumerate(rooms)
        for other in rooms[at + 1 :]
        if graph.chain_exists(one, other, as_packages=True)
        and graph.chain_exists(other, one, as_packages=True)
    )
    return Bar("import cycles between rooms", len(rings), 0, places=rings)


def _share(part: int, whole: int) -> float:
    return round(100 * part / max(whole, 1), 1)


def measure() -> list[Bar]:
    """Every bar of the house."""
    package, tests = read(PACKAGE), read(TESTS)
    return [
        *lengths(package),
        module_size(package),
        cycles(),
        docstrings(package),
        annotations(package),
        frozen(package),
        broad_excepts(package),
        mocks(tests),
    ]


def main() -> int:
    """Print the bars; 1 where one is broken."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--json", action="store_true", help="one JSON document")
    bars = measure()
    if asked.parse_args().json:
        print(json.dumps([{**asdict(bar), "holds": bar.holds} for bar in bars], indent=1))
    else:
        for bar in bars:
            sign = ">=" if bar.at_least else "<="
            verdict = "ok  " if bar.holds else "OVER"
            print(f"{verdict}  {bar.name:36} {bar.value:>7g}  ({sign} {bar.bar:g})")
            for place in () if bar.holds else bar.places:
                print(f"        {place}")
    return 0 if all(bar.holds for bar in bars) else 1


if __name__ == "__main__":
    sys.exit(main())
