"""The bars, on small sources."""

import json
from textwrap import dedent

import grimp
import pytest

from tools import bars
from tools.bars import Bar, Source


def module(text: str, name: str = "newsletter/model/m.py") -> Source:
    return Source(name, dedent(text).lstrip())


def graph(*imports: tuple[str, str]) -> grimp.ImportGraph:
    made = grimp.ImportGraph()
    made.add_module("p")
    for importer, imported in imports:
        made.add_module(importer)
        made.add_module(imported)
        made.add_import(importer=importer, imported=imported)
    return made


def test_function_length_skips_docstring_and_blank_lines() -> None:
    source = module('''
        @decorated
        def f(
            a: int,
        ) -> int:
            """What it means.

            More of it.
            """
            b = a

            # why
            return b
    ''')
    (function,) = bars.functions(source)
    assert bars.length(source, function) == 6


def test_methods_and_inner_functions_count() -> None:
    source = module("""
        class C:
            async def m(self): ...
        def f():
            def inner(): ...
    """)
    assert {function.name for function in bars.functions(source)} == {"m", "f", "inner"}


def test_lengths_give_median_p90_and_longest() -> None:
    short = "".join(f"def f{n}():\n    pass\n" for n in range(9))
    long = "def long():\n" + "    pass\n" * 50
    median, ninetieth, longest = bars.lengths([module(short + long)])
    assert (median.value, ninetieth.value, longest.value) == (2, 51, 51)
    assert median.holds
    assert not ninetieth.holds
    assert longest.places == ("newsletter/model/m.py:19 long",)


def test_long_module_is_named() -> None:
    assert bars.module_size([module("pass\n" * 300)]).holds
    over = bars.module_size([module("pass\n" * 300), module("pass\n" * 301, "big.py")])
    assert (over.value, over.places, over.holds) == (301, ("big.py",), False)


def test_public_names_and_modules_need_docstrings() -> None:
    source = module('''
        """The module."""
        class C:
            """The class."""
            def bare(self): ...
            def _private(self): ...
            def handle_starttag(self): ...
        class _Hidden:
            def method(self): ...
    ''')
    bar = bars.docstrings([source, module("x = 1", "bare.py")])
    assert bar.places == ("newsletter/model/m.py:4 bare", "bare.py:1 module")
    assert bar.value == 60
    assert not bar.holds


@pytest.mark.parametrize(
    ("signature", "value"),
    [
        ("(self, a: int, /, *args: int, b: str, **kwargs: str) -> None", 100),
        ("(a: int)", 0),
        ("(a) -> None", 0),
        ("(*, a) -> None", 0),
        ("(a, /) -> None", 0),
        ("(*args) -> None", 0),
        ("(**kwargs) -> None", 0),
    ],
)
def test_functions_need_full_annotations(signature: str, value: float) -> None:
    assert bars.annotations([module(f"def f{signature}: ...")]).value == value


def test_model_dataclasses_must_be_frozen() -> None:
    text = """
        @dataclass(frozen=True, slots=True)
        class A: ...
        @dataclass
        class B: ...
        class C: ...
    """
    bar = bars.frozen([module(text), module(text, "newsletter/web/letters.py")])
    assert (bar.value, bar.places) == (50, ("newsletter/model/m.py B",))


@pytest.mark.parametrize(
    ("caught", "count"),
    [
        ("", 1),
        (" Exception", 1),
        (" BaseException as error", 1),
        (" (OSError, Exception)", 1),
        (" (OSError, ValueError)", 0),
        (" SourceError", 0),
    ],
)
def test_broad_except_is_counted(caught: str, count: int) -> None:
    source = module(f"try:\n    pass\nexcept{caught}:\n    pass\n")
    assert bars.broad_excepts([source]).value == count


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("from unittest import mock", 50),
        ("import unittest.mock as mock", 50),
        ("monkeypatch.setattr(time, 'time', now)", 50),
        ("monkeypatch.setenv('A', 'b')", 0),
        ("mocking = 'mock'", 0),
    ],
)
def test_mocks_are_counted_per_hundred_tests(line: str, value: float) -> None:
    source = module(f"{line}\ndef test_a(): ...\ndef test_b(): ...\ndef other(): ...\n")
    assert bars.mocks([source]).value == value


def test_tests_are_counted_per_module() -> None:
    tests = [module("def test_a(): ...\ndef test_b(): ...\ndef help(): ...\n")]
    package = [module("def f(): ...\n"), module('"""Names alone."""\n')]
    bar = bars.tests_a_module(tests, package)
    assert (bar.value, bar.holds) == (2, False)


def test_import_ring_is_a_cycle() -> None:
    assert bars.cycles(graph(("p.a", "p.b"), ("p.b", "p.c"))).holds
    ring = bars.cycles(graph(("p.a", "p.b"), ("p.b", "p.c"), ("p.c", "p.a")))
    assert ring.value == 3
    assert ring.places[0] == "p.a -> p.b -> …"


def test_upward_or_sideways_import_climbs() -> None:
    street = ["cli", "web | inbox", "model"]
    down = bars.climbs(
        graph(("p.cli", "p.web"), ("p.web", "p.model"), ("p.inbox", "p.model")), street, "p"
    )
    up = bars.climbs(
        graph(("p.cli", "p.web"), ("p.inbox", "p.model"), ("p.model", "p.cli")), street, "p"
    )
    across = bars.climbs(graph(("p.cli", "p.model"), ("p.web", "p.inbox")), street, "p")
    assert down.holds
    assert "p.model -> p.cli" in up.places
    assert across.places == ("p.web -> p.inbox",)


def test_minimum_bar_holds_from_its_value() -> None:
    assert Bar("at most", 7, 7).holds
    assert not Bar("at most", 7.5, 7).holds
    assert Bar("at least", 100, 100, at_least=True).holds
    assert not Bar("at least", 99.9, 100, at_least=True).holds


def test_broken_bars_are_printed_with_exit_code_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert bars.verdict([Bar("good", 1, 1)], as_json=False) == 0
    assert bars.verdict([Bar("bad", 2, 1, places=("a.py:1 f",))], as_json=False) == 1
    table = capsys.readouterr().out
    assert table.startswith("ok    good")
    assert "OVER  bad" in table
    assert "a.py:1 f" in table
    assert bars.verdict([Bar("bad", 2, 1)], as_json=True) == 1
    assert json.loads(capsys.readouterr().out)[0]["holds"] is False
