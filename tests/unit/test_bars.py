"""The measures of tools/bars.py, on small sources."""

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
    median, ninetieth, longest = bars.function_lengths([module(short + long)])
    assert (median.value, ninetieth.value, longest.value) == (2, 51, 51)
    assert median.holds
    assert not ninetieth.holds
    assert longest.places == ("newsletter/model/m.py:19 long",)


def test_long_and_small_modules_are_named() -> None:
    fitting, big, small = module("pass\n" * 400), module("pass\n" * 401, "b.py"), module("", "s.py")
    longest, _, few, _ = bars.module_lengths([fitting])
    assert longest.holds
    assert few.holds
    longest, median, few, lines = bars.module_lengths([fitting, big, small])
    assert (longest.value, longest.places, longest.holds) == (401, ("b.py",), False)
    assert (few.value, few.places) == (1, ("s.py: 0",))
    assert (median.value, lines.value) == (400, 801)


def test_schema_revisions_count_only_as_code() -> None:
    revision = module("pass\n" * 20, "newsletter/stores/migrations/versions/v1.py")
    _, median, small, lines = bars.module_lengths([module("pass\n" * 100), revision])
    assert (median.value, small.value, lines.value) == (100, 0, 120)


def test_public_names_and_modules_need_docstrings() -> None:
    source = module('''
        """The module."""
        class C:
            """The class."""
            def bare(self): ...
            def _private(self): ...
            def handle_starttag(self): ...
            @override
            def inherited(self): ...
            def refers(self):
                """See :meth:`bare`."""
        class _Hidden:
            def method(self): ...
    ''')
    bar = bars.docstrings([source, module("x = 1", "bare.py")])
    assert bar.places == (
        "newsletter/model/m.py:4 bare",
        "newsletter/model/m.py:9 refers",
        "bare.py:1 module",
    )
    assert bar.value == 57.1
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
    bar = bars.tests_per_module(tests, package)
    assert (bar.value, bar.holds) == (2, False)


def test_words_of_test_names_are_counted() -> None:
    short = "".join(f"def test_short_{n}(): ...\n" for n in range(9))
    median, most, plain = bars.test_names([module(short + "def test_a_b_c_d_e_f_g_h_i_j_k(): ...")])
    assert (median.value, most.value, plain.value) == (2, 11, 90)
    assert most.places == ("test_a_b_c_d_e_f_g_h_i_j_k",)
    assert not plain.holds


def test_readme_starts_with_a_command() -> None:
    assert bars.readme_start("# N\n" * 17 + "```console\nmake demo\n```\n").holds
    assert not bars.readme_start("# N\n" * 18 + "```console\nmake demo\n```\n").holds
    assert not bars.readme_start("# N\n" * 30).holds


@pytest.mark.parametrize(
    ("mypy", "value"),
    [
        ({"strict": True, "packages": ["newsletter", "tests", "bench", "tools"]}, 100),
        ({"strict": True, "packages": ["newsletter", "bench", "tools"]}, 75),
        ({"packages": ["newsletter", "tests", "bench", "tools"]}, 0),
    ],
)
def test_mypy_must_check_all_folders_strictly(mypy: dict[str, object], value: float) -> None:
    assert bars.strict_types({"tool": {"mypy": mypy}}).value == value


def test_import_ring_is_a_cycle() -> None:
    assert bars.cycles(graph(("p.a", "p.b"), ("p.b", "p.c"))).holds
    ring = bars.cycles(graph(("p.a", "p.b"), ("p.b", "p.c"), ("p.c", "p.a")))
    assert ring.value == 3
    assert ring.places[0] == "p.a -> p.b -> …"


def test_upward_or_sideways_import_climbs() -> None:
    rooms = ["cli", "web | inbox", "model"]
    down = bars.climbs(
        graph(("p.cli", "p.web"), ("p.web", "p.model"), ("p.inbox", "p.model")), rooms, "p"
    )
    up = bars.climbs(
        graph(("p.cli", "p.web"), ("p.inbox", "p.model"), ("p.model", "p.cli")), rooms, "p"
    )
    across = bars.climbs(graph(("p.cli", "p.model"), ("p.web", "p.inbox")), rooms, "p")
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
    assert bars.report([Bar("good", 1, 1)], as_json=False) == 0
    assert bars.report([Bar("bad", 2, 1, places=("a.py:1 f",))], as_json=False) == 1
    table = capsys.readouterr().out
    assert table.startswith("ok    good")
    assert "OVER  bad" in table
    assert "a.py:1 f" in table
    assert bars.report([Bar("bad", 2, 1)], as_json=True) == 1
    assert json.loads(capsys.readouterr().out)[0]["holds"] is False


def test_bar_not_yet_due_is_printed_without_failing(capsys: pytest.CaptureFixture[str]) -> None:
    late = [Bar("late", 2, 1)]
    assert bars.report(late, as_json=False, not_yet={"late"}) == 0
    assert "OVER  late" in capsys.readouterr().out
    assert bars.report([*late, Bar("bad", 2, 1)], as_json=False, not_yet={"late"}) == 1


@pytest.mark.slow
def test_bars_not_yet_due_exist() -> None:
    assert {bar.name for bar in bars.measure()} >= bars.NOT_YET
