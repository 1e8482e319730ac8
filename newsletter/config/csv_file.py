"""Tables as spreadsheets and other programs write them (CSV, RFC 4180), with the line of each row.

Excel writes UTF-16 with tabs, semicolons where the comma is the decimal mark, Windows-1252, rows
of separators alone, and a first line ``sep=;``. All of that is read. A row with a quote that is
never closed is named, and the rows after it are read all the same.
"""

import codecs
import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO

from newsletter.errors import ConfigurationError

SEPARATORS = ",;\t|"
INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"
"""Characters that come along with a copied address, and that no strip removes."""

MAX_BYTES = 50 * 1024 * 1024
_ENCODINGS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""How .xlsx and .ods files begin, which are ZIP files, and .xls files."""

_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\r?\n?|"?sep=(.)"?\r', re.IGNORECASE)
_FORMULA = re.compile("'*[=+\\-@\\t\\r\\n\uff1d\uff0b\uff0d\uff20]")
"""How a cell begins that a spreadsheet runs as a formula (OWASP, "CSV Injection").

Apostrophes before it count too, so that each one that is written can be taken away again."""

_PART = re.compile(r"(?:[^;\\]|\\.?)+", re.DOTALL)
_ESCAPED = re.compile(r"\\(?:(\\)|; ?)")
_NAMED = re.compile(r'\s*"[^"]*"\s*<[^<>"]+>\s*')
"""A line of a list of addresses: a name in quotes, and an address in angle brackets."""

_QUOTES = "put a cell with quotes in quotes, and write each of its own quotes twice"


@dataclass(frozen=True, slots=True)
class Row:
    """A row's cells, without spaces around them, and the line that it begins on."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a file that are not empty, the first of which may name the columns.

    Attributes:
        mistakes: the rows that could not be read.
        guessed: whether the encoding is a guess, since the file is not in Unicode.
    """

    rows: tuple[Row, ...]
    mistakes: tuple[ConfigurationError, ...]
    guessed: bool


def read_table(source: bytes, file: str) -> Table:
    """The table in a file's bytes.

    Raises:
        ConfigurationError: this is not text, or there is too much of it.
    """
    if len(source) > MAX_BYTES:
        problem = f"the file has {len(source):,} bytes; the maximum is {MAX_BYTES:,}"
        raise ConfigurationError(problem, file=file)
    if source.startswith(_WORKBOOKS):
        raise ConfigurationError("this is a workbook; save the sheet as CSV", file=file)
    text, guessed = _decode(source, file)
    lines = list(StringIO(text, newline=""))
    named = _SEPARATOR_LINE.fullmatch(lines[0]) if lines else None
    skipped = 1 if named else 0
    separator = (named[1] or named[2]) if named else _separator(lines)
    rows: list[Row] = []
    mistakes: list[ConfigurationError] = []
    for found in _read_rows(lines, skipped, separator):
        if isinstance(found, Row):
            rows.append(found)
        else:
            line, problem = found
            mistakes.append(ConfigurationError(problem, file=file, line=line))
    return Table(tuple(rows), tuple(mistakes), guessed)


def _decode(source: bytes, file: str) -> tuple[str, bool]:
    """The text, and whether its encoding is a guess."""
    marked = next((name for mark, name in _ENCODINGS if source.startswith(mark)), None)
    encoding = marked or _unmarked(source)
    try:
        return source.decode(encoding).removeprefix("\ufeff"), False
    except UnicodeDecodeError as error:
        if encoding != "utf-8" or marked:
            line = source[: error.start].count(b"\n") + 1
            problem = f"this is not {encoding.upper()}, though it begins like it; save it again"
            raise ConfigurationError(problem, file=file, line=line) from error
    # Excel's plain "CSV" is in the code page of the machine; this is that of most.
    return source.decode("cp1252", "replace"), True


def _unmarked(source: bytes) -> str:
    """The Unicode encoding of bytes without a mark: every second byte of UTF-16 is mostly zero."""
    start = source[:4096]
    even, odd = start[::2].count(0), start[1::2].count(0)
    if odd * 3 > len(start) and even * 8 < odd:
        return "utf-16-le"
    if even * 3 > len(start) and odd * 8 < even:
        return "utf-16-be"
    return "utf-8"


def _separator(lines: Sequence[str]) -> str:
    """The separator that the first line has most of outside of quotes, or else the next lines."""
    filled = [re.sub(r'"[^"]*"', "", line) for line in lines if line.strip()]
    first, rest = "".join(filled[:1]), "".join(filled[1:20])
    return max(SEPARATORS, key=lambda each: (first.count(each), rest.count(each)))


def _read_rows(lines: Sequence[str], at: int, separator: str) -> Iterator[Row | tuple[int, str]]:
    """Every row that is not empty, or the line and the problem of one that cannot be read."""
    while at < len(lines):
        reader = csv.reader(
            (lines[each] for each in range(at, len(lines))),
            delimiter=separator,
            strict=True,
            skipinitialspace=separator != "\t",
        )
        begin = at
        try:
            for cells in reader:
                row = Row(begin + 1, tuple(cell.strip() for cell in cells))
                if any(cell.strip("\0\x1a") for cell in row.cells):  # DOS ended files by 1A
                    yield row
                begin = at + reader.line_num
        except csv.Error as error:
            if _NAMED.fullmatch(lines[begin]):
                yield Row(begin + 1, (lines[begin].strip(),))
            else:
                yield begin + 1, f"this row cannot be read: {error}; {_QUOTES}"
            at = begin + 1
        else:
            return


def split_row(cell: str) -> tuple[str, ...]:
    """The cells of a row that a spreadsheet took for a single one, and quoted as a whole."""
    table = read_table(cell.encode(), "")
    return table.rows[0].cells if len(table.rows) == 1 else (cell,)


def write_table(rows: Iterable[Sequence[str]]) -> str:
    """Rows as CSV text. A cell that a spreadsheet would run gets an apostrophe in front."""
    out = StringIO()
    csv.writer(out, lineterminator="\n").writerows(map(_neutralise, row) for row in rows)
    return out.getvalue()


def _neutralise(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell


def plain_cell(cell: str) -> str:
    """The cell as it was before :func:`write_table` put an apostrophe in front."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def join_list(parts: Iterable[str]) -> str:
    r"""Texts as one cell, with semicolons between them; a semicolon in a text becomes ``\; ``.

    A space follows each semicolon: Excel may take it for the end of the cell, and what comes next
    for a formula.
    """
    return "; ".join(part.replace("\\", "\\\\").replace(";", "\\; ") for part in parts)


def split_list(cell: str) -> list[str]:
    r"""The texts in a cell: between semicolons, except those after a backslash."""
    parts = _PART.findall(cell)
    texts = [_ESCAPED.sub(lambda found: found[1] or ";", part).strip() for part in parts]
    return [text for text in texts if text]
