"""What commands print row by row."""

import json
from collections.abc import Iterator

import pytest

from newsletter.cli.output import Output

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
