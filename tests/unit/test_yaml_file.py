import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.config.yaml_file import MAX_BYTES, Document, load
from newsletter.errors import ConfigurationError

QUOTE = "a value that begins with a character of YAML (! & * @ % ` { [ | >) needs 'single quotes'"


def read(text: str, **environment: str) -> Document:
    return load(text.encode(), "file.yaml", environment)


def error_of(text: str | bytes) -> str:
    source = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(ConfigurationError) as caught:
        load(source, "file.yaml", {})
    return str(caught.value)


@pytest.mark.parametrize(
    "written",
    ["NO", "yes", "12:30", "2406.10000", "2503.0213", "2026-08-03", "007", "1_000", "0x1f", "1e3"],
)
def test_values_stay_as_written(written: str) -> None:
    assert read(f"a: {written}\nb: [{written}]").value == {"a": written, "b": [written]}


def test_null_is_none_and_quoted_null_is_text() -> None:
    assert read('a: ~\nb:\nc: null\nd: "~"').value == {"a": None, "b": None, "c": None, "d": "~"}
    assert read("").value is None


def test_every_place_has_its_line() -> None:
    document = read("a: 1\nb:\n  - x\n  - y: 2\n")
    assert [document.line(path) for path in [("a",), ("b", 0), ("b", 1, "y")]] == [1, 3, 4]
    assert document.line(("b", 1, "z")) == 4
    assert str(document.error_at(("b", 1), "is wrong")) == "file.yaml:4: b.1: is wrong"


def test_variables_come_from_the_environment() -> None:
    assert read("a: x${B}y\nc: $${B}", B="-").value == {"a": "x-y", "c": "${B}"}
    assert error_of("a: 1\nb: ${NOPE}") == (
        "file.yaml:2: b: the environment variable NOPE is not set; set it or write the value"
    )


def test_aliases_are_read_and_bombs_refused() -> None:
    assert read("a: &x [1, 2]\nb: *x").value == {"a": ["1", "2"], "b": ["1", "2"]}
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
        for before, name in zip("abcdefg", "bcdefgh", strict=True)
    )
    assert "aliases expand to too many values" in error_of(bomb)


def test_alias_has_the_lines_of_its_anchor() -> None:
    document = read("a: &x\n  - b: 1\nc: *x\n&k key: *x\nd: *k\n")
    assert document.value == {"a": (one := [{"b": "1"}]), "c": one, "key": one, "d": "key"}
    assert [document.line(path) for path in [("c",), ("c", 0), ("c", 0, "b"), ("d",)]] == [
        3,
        2,
        2,
        5,
    ]


def test_all_errors_are_reported_together() -> None:
    assert error_of("a: ${B}\nc: !x 1\na: [2, '${D}']").splitlines() == [
        "file.yaml:1: a: the environment variable B is not set; set it or write the value",
        "file.yaml:2: c: tags like !x are not allowed; " + QUOTE,
        "file.yaml:3: a: this key is already on line 1",
        "file.yaml:3: a.1: the environment variable D is not set; set it or write the value",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: !!python/object/apply:os.system ['true']", "file.yaml:2: b: tags like"),
        ("a: 1\na: 2", "file.yaml:2: a: this key is already on line 1"),
        ("a:\n\t- b", "file.yaml:2: not YAML: found character '\\t'"),
        ("a: [", "file.yaml:1: not YAML"),
        ("--- a\n--- b", "file.yaml:2: a second document begins here"),
        ("x: &y {a: 1}\n<<: *y", "file.yaml:2: merge keys"),
        ("? [a]\n: b", "file.yaml:1: a key must be a word"),
        ("[" * 60 + "]" * 60, "nested deeper than 50 levels"),
        ("[" * 9000, "file.yaml"),
        ("a: *nobody", "file.yaml:1: a: *nobody is not defined"),
        ("a:\n  - &b [*b]", "file.yaml:2: a.0.0: *b is not defined"),
        ('a: 1\nb: "\\U00110000"', "file.yaml:2: not YAML: chr()"),
        ("a: 1\nb: \0", "file.yaml:2: not YAML: a character that is not allowed (U+0000)"),
        ("a: 1\nb: !e!x y", "file.yaml:2: not YAML: found undefined tag handle"),
        ("a:\n" + "".join(f"{' ' * n}a:\n" for n in range(1, 60)), "file.yaml:52: a.a: nested"),
    ],
)
def test_error_has_its_line(text: str, said: str) -> None:
    assert said in error_of(text)


def test_non_utf8_or_huge_file_is_refused() -> None:
    assert error_of(b"a: 1\nb: \xff") == "file.yaml:2: this is not UTF-8; save the file as UTF-8"
    assert "the maximum is" in error_of(b"#" * (MAX_BYTES + 1))


def test_byte_order_mark_is_ignored() -> None:
    assert load(b"\xef\xbb\xbfa: 1", "f", {}).value == {"a": "1"}


@given(st.binary() | st.text(st.characters(codec="utf-8")).map(str.encode))
def test_any_bytes_parse_or_give_a_clear_error(source: bytes) -> None:
    try:
        outcome: object = load(source, "file.yaml", {})
    except ConfigurationError as error:
        outcome = str(error)
    assert isinstance(outcome, Document) or str(outcome).startswith("file.yaml")
