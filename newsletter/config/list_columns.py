"""Which columns a list of readers has, and what a row says in them."""

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from newsletter.config.csv_file import INVISIBLE, Row, plain_cell, split_row
from newsletter.config.fields import address
from newsletter.config.list_formats import PLAIN, ListFormat, normal, recognise
from newsletter.config.subscribers import HISTORY_FIELDS
from newsletter.errors import ConfigurationError
from newsletter.model import SUBSCRIBER_FIELDS

FIELDS = {normal(name): name for name in (*SUBSCRIBER_FIELDS, *HISTORY_FIELDS)}
"""The settings that a column of the newsletter's own lists may hold, by :func:`normal` names."""

_BRACKETED = re.compile(r'"?([^<>"]*?)"?\s*<([^<>]+)>')


@dataclass(frozen=True)
class Columns:
    """The columns of a list, as they are written, and how they are read."""

    names: tuple[str, ...]
    format: ListFormat

    @cached_property
    def meanings(self) -> list[str | None]:
        """For each column its meaning, or the setting that it has; None if it is ignored."""
        own = FIELDS if self.format is PLAIN else {}
        normals = map(normal, self.names)
        return [self.format.columns.get(name) or own.get(name) for name in normals]

    def ignored(self) -> list[str]:
        """The names of the columns that are ignored."""
        pairs = zip(self.names, self.meanings, strict=True)
        return [name for name, meaning in pairs if name and meaning is None]


def find_columns(rows: Sequence[Row], file: str) -> tuple[Columns, Sequence[Row]]:
    """The columns, and the rows below them. A list of addresses alone needs no first line."""
    if not rows:
        raise _no_columns(file, None)
    if len(rows) > 1 and _is_title(rows[0]) and "email" in Columns(rows[1].cells, PLAIN).meanings:
        rows = rows[1:]
    first, *others = rows
    names = split_row(first.cells[0]) if len(first.cells) == 1 else first.cells
    while names and not names[-1]:
        names = names[:-1]
    columns = Columns(names, recognise([normal(name) for name in names]))
    if "email" not in columns.meanings:
        columns = Columns(tuple(_with_email(names, others)), columns.format)
        if _is_address(names[0]) and not any(names[1:]):
            return Columns(("email",), PLAIN), rows
    if "email" not in columns.meanings:
        raise _no_columns(file, first.line)
    _check_names(columns, file, first.line)
    return columns, others


def _is_title(row: Row) -> bool:
    """Whether this may be the name of a table, which Numbers writes above the columns."""
    return len([cell for cell in row.cells if cell]) == 1 and "@" not in row.cells[0]


def _with_email(names: Sequence[str], rows: Sequence[Row]) -> Iterator[str]:
    """The names, with ``email`` for the only column that has addresses, and those alone."""
    cells = [
        [row.cells[at] for row in rows if row.cells[at:] and row.cells[at]]
        for at in range(len(names))
    ]
    having = [bool(column) and all("@" in cell for cell in column) for column in cells]
    for name, has in zip(names, having, strict=True):
        yield "email" if has and having.count(True) == 1 and "@" not in name else name


def _check_names(columns: Columns, file: str, line: int) -> None:
    """Refuse two columns of one meaning, and a misspelt setting, which would be ignored.

    Raises:
        ConfigurationError: with the line of the names.
    """
    counts = Counter(meaning for meaning in columns.meanings if meaning)
    double = next((meaning for meaning, count in counts.items() if count > 1), None)
    if double:
        problem = f"two columns are the {double}; remove one of them"
        raise ConfigurationError(problem, file=file, line=line)
    for name in columns.ignored() if columns.format is PLAIN else ():
        if near := difflib.get_close_matches(normal(name), FIELDS, 1, 0.8):
            problem = f"there is no column {name!r}; did you mean {FIELDS[near[0]]!r}?"
            raise ConfigurationError(problem, file=file, line=line)


def _no_columns(file: str, line: int | None) -> ConfigurationError:
    problem = "the first line must name the columns, with at least email"
    return ConfigurationError(f"{problem}: {','.join(SUBSCRIBER_FIELDS)}", file=file, line=line)


def row_facts(row: Row, columns: Columns) -> dict[str, str]:
    """A row's cells that are not empty, by what their columns mean.

    Raises:
        ValueError: it has more cells than there are columns.
    """
    width, cells = len(columns.names), row.cells
    if len(cells) == 1 < width:
        cells = split_row(cells[0])
    if any(cells[width:]):
        raise ValueError(
            "this row has more cells than the first line names (beyond the last column:"
            f" {', '.join(filter(None, cells[width:]))}); put a cell with a separator in quotes"
        )
    pairs = zip(columns.meanings, cells, strict=False)
    return {meaning: plain_cell(cell) for meaning, cell in pairs if meaning and cell}


def split_address(cell: str) -> tuple[str, str]:
    """The name and the address of a cell: of ``Ada <ada@example.org>``, or of the address alone."""
    found = _BRACKETED.fullmatch(cell)
    name, email = (found[1].strip(), found[2]) if found else ("", cell)
    return name, email.strip(INVISIBLE + " \t\xa0").removeprefix("mailto:")


def _is_address(cell: str) -> bool:
    try:
        address(split_address(cell)[1])
    except ValueError:
        return False
    return True
