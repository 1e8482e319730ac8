"""What commands print: rows one by one, deliveries, mistakes in options."""

import json
from collections.abc import Iterator

import pytest

from newsletter.app.files import load_engine
from newsletter.cli.command import read_options
from newsletter.cli.output import Output
from newsletter.cli.status import delivery_lines
from newsletter.errors import ConfigurationError
from newsletter.model import Delivery
from newsletter.papers.meanings import MeaningMatcher
from tests.support.factories import DAY, NOON

ROWS = ({"title": "Ångström", "in": True}, {"title": "“Two”\nlines", "in": False})


def pairs(count: int) -> Iterator[tuple[object, str]]:
    return ((row, str(row["title"])) for row in ROWS[:count])


@pytest.mark.parametrize("count", [0, 1, 2])
def test_rows_are_one_json_array(capsys: pytest.CaptureFixture[str], count: int) -> None:
    Output(json=True, quiet=False).rows(pairs(count))
    assert json.loads(capsys.readouterr().out) == list(ROWS[:count])


def test_rows_are_printed_before_the_next_is_made(capsys: pytest.CaptureFixture[str]) -> None:
    printed = []

    def watched() -> Iterator[tuple[object, str]]:
        for pair in pairs(2):
            printed.append(capsys.readouterr().out)
            yield pair

    Output(json=False, quiet=False).rows(watched())
    assert printed == ["", "Ångström\n"]


def test_deferred_email_shows_its_next_try() -> None:
    waiting = Delivery(DAY, "ada@example.org", "deferred", 2, "451 later", NOON)
    failed = Delivery(DAY, "bob@example.org", "failed", 1, "550 no")
    lines = delivery_lines([waiting, failed], "Europe/Paris").splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["ada@example.org", "deferred", "2", "Mon", "14:00", "451", "later"],
        ["bob@example.org", "failed", "1", "550", "no"],
    ]


@pytest.mark.parametrize(
    ("email", "options", "told"),
    [
        ("ada@example.org", {"at": "25:00"}, '--at: write a time of day as "07:30"'),
        ("ada@example.org", {"max_items": "x"}, "--max-items: write a whole number"),
        ("ada@example.org", {"include": ["(a"]}, "--include: this bracket is never closed"),
        (
            "ada@example.org",
            {"include": ["about: not x"]},
            "--include: this says only what you do not",
        ),
        ("ada@example.org", {"topics": ["A", "B"]}, "--topics: the newsletter has no topic 'B'"),
        ("ada@example.org", {"day": "Funday"}, "--day: write 'Monday', 'Tuesday'"),
        ("ada", {}, "EMAIL: 'ada' is not a valid email address"),
    ],
)
def test_mistake_in_an_option_names_it(email: str, options: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read_options(email, options, ["A"], MeaningMatcher(load_engine))
    assert str(raised.value).startswith(told)
