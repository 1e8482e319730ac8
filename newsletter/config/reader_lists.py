"""Lists of readers as CSV: the newsletter's own, a spreadsheet's, and other programs' exports.

A list is recognised by its columns. Other programs' lists say who left or bounced, and when each
reader agreed.
"""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from lzma import LZMAError
from pathlib import PurePath
from typing import get_args

from newsletter.config.csv_file import (
    MAX_BYTES,
    Row,
    join_list,
    read_table,
    split_list,
    write_table,
)
from newsletter.config.list_columns import (
    FIELDS,
    Columns,
    find_columns,
    row_facts,
    split_address,
)
from newsletter.config.list_formats import (
    Facts,
    date_of,
    gravest,
    name_of,
    status_of,
    status_of_file,
)
from newsletter.config.loading import sorted_by_line
from newsletter.config.subscribers import (
    HISTORY_FIELDS,
    mailbox_key,
    read_entries,
    to_listed_entry,
)
from newsletter.config.yaml_file import Value
from newsletter.errors import ConfigurationError, InvalidFileError
from newsletter.model import SUBSCRIBER_FIELDS, FormField, ListedReader, ListedStatus, Status
from newsletter.text.dates import find_day

_LISTS: tuple[FormField, ...] = ("choices", "lines")
"""Fields with several values, which share a cell."""

_DAMAGED = (
    zipfile.BadZipFile, RuntimeError, ValueError, OSError, EOFError, zlib.error, LZMAError,
    struct.error,
)  # fmt: skip
"""What :mod:`zipfile` raises for files that are encrypted, damaged or compressed in odd ways."""

_TIME = re.compile(r"(\d{1,2}):(\d\d)(?::00)?")
_SHOWN = 12  # how many names of ignored columns are shown


@dataclass(frozen=True, slots=True)
class ReaderList:
    """The readers in a list.

    Attributes:
        origin: the program that the list is from; empty if it is not known.
        mistakes: what is wrong, by line; the readers on these lines are not in ``readers``.
        notes: what the operator should know about how the list was read.
    """

    readers: tuple[ListedReader, ...]
    origin: str = ""
    mistakes: tuple[ConfigurationError, ...] = ()
    notes: tuple[str, ...] = ()

    def checked(self) -> tuple[ListedReader, ...]:
        """The readers, if nothing is wrong.

        Raises:
            InvalidFileError: every mistake, and how to go on without the rows that have one.
        """
        if not self.mistakes:
            return self.readers
        others = f"{len(self.readers)} {'reader is' if len(self.readers) == 1 else 'readers are'}"
        advice = f"no reader was imported. {others} without a mistake: --skip-invalid imports those"
        raise InvalidFileError([*self.mistakes, ConfigurationError(advice)])


@dataclass(frozen=True, slots=True)
class _Entry:
    """A row as an entry of subscribers.yaml, and the reader's status."""

    line: int
    settings: dict[str, Value]
    status: Status


def read_csv(source: bytes, file: str, topics: Collection[str]) -> ReaderList:
    """The readers in a CSV file's bytes.

    Args:
        source: the file's content.
        file: its name, for errors; that of Mailchimp's files says who left.
        topics: the names of the topics that a reader can follow; former ones too.

    Raises:
        ConfigurationError: this is not a list of readers; mistakes in rows are in the result.
    """
    table = read_table(source, file)
    columns, rows = find_columns(table.rows, file)
    entries: list[_Entry] = []
    mistakes = list(table.mistakes)
    for row in rows:
        try:
            entries.append(_entry(row, columns, file, guessed=table.guessed))
        except ValueError as error:
            mistakes.append(ConfigurationError(str(error), file=file, line=row.line))
    notes = [f"{file} is a list of {columns.format.name}"] if columns.format.name else []
    notes += [
        f"{file} is not in UTF-8 and is read as Windows-1252; if names look wrong, save it as UTF-8"
    ] * table.guessed
    if ignored := columns.ignored():
        more = f" and {len(ignored) - _SHOWN} more" if len(ignored) > _SHOWN else ""
        notes.append(f"ignored columns: {', '.join(ignored[:_SHOWN])}{more}")
    if columns.format.note:
        notes.append(columns.format.note)
    found = _checked(entries, file, topics)
    return replace(
        found,
        origin=columns.format.name,
        mistakes=tuple(sorted_by_line([*mistakes, *found.mistakes])),
        notes=(*notes, *found.notes),
    )


def _entry(row: Row, columns: Columns, file: str, *, guessed: bool) -> _Entry:
    """What a row says.

    Raises:
        ValueError: as for :func:`row_facts`; or it has no address, or one that depends on a
            ``guessed`` encoding, or an unknown status.
    """
    said = row_facts(row, columns)
    if "email" not in said:
        raise ValueError("this row has no address")
    named, email = split_address(said["email"])
    if guessed and not email.isascii():
        raise ValueError(f"{email!r} may be another address in UTF-8; save the file as UTF-8")
    facts: Facts = {each: said[each] for each in columns.format.columns.values() if each in said}
    settings = {
        name: _setting(name, text)
        for name, text in said.items()
        if name in FIELDS.values() and name != "status"
    }
    texts = {
        "email": email,
        "name": name_of(facts) or named,
        "since": date_of(facts, "bounced", "left"),
        "consented": date_of(facts, "agreed", "joined"),
    }
    settings |= {name: text for name, text in texts.items() if text}
    of_file = status_of_file(columns.format, PurePath(file).stem)
    return _Entry(row.line, settings, status_of(facts, of_file))


def _setting(name: str, text: str) -> Value:
    """A setting from its cell; spreadsheets write times and dates in the form that they show."""
    if SUBSCRIBER_FIELDS.get(name) in _LISTS:
        return [*split_list(text)]
    if name == "at" and (time := _TIME.fullmatch(text)):
        return f"{time[1]:0>2}:{time[2]}"
    if name == "paused_until":
        return str(find_day(text) or text)
    return text


def _checked(entries: Iterable[_Entry], file: str, topics: Collection[str]) -> ReaderList:
    """The readers of entries; those listed twice with the same settings are one reader."""
    once: dict[str, _Entry] = {}
    kept: list[_Entry] = []
    double = 0
    for entry in entries:
        key = mailbox_key(str(entry.settings["email"]))
        known = once.get(key)
        if known and _choices(known) == _choices(entry):
            once[key] = _joined(known, entry)
            double += 1
        elif known:
            kept.append(entry)  # validation names both lines
        else:
            once[key] = entry
    kept = sorted((*once.values(), *kept), key=lambda entry: entry.line)
    listed = [entry for entry in kept if entry.status in get_args(ListedStatus)]
    rows = [(entry.line, entry.settings | {"status": entry.status}) for entry in listed]
    readers, mistakes = read_entries(rows, file, topics)
    notes = []
    if double:
        notes.append(f"{_rows(double)} of readers who are listed above already")
    if left_out := len(kept) - len(listed):
        notes.append(f"{_rows(left_out)} left out: of readers who never confirmed")
    return ReaderList(readers, mistakes=tuple(mistakes), notes=tuple(notes))


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number} rows"


def _choices(entry: _Entry) -> dict[str, Value]:
    return {
        name: value
        for name, value in entry.settings.items()
        if name not in {"email", "name", *HISTORY_FIELDS}
    }


def _joined(first: _Entry, second: _Entry) -> _Entry:
    """Two entries of one reader as one: with the graver status, and what either of them says."""
    status = gravest(first.status, second.status)
    graver, other = (first, second) if first.status == status else (second, first)
    settings = other.settings | graver.settings | {"email": first.settings["email"]}
    return _Entry(first.line, settings, status)


def read_zip(source: bytes, file: str, topics: Collection[str]) -> ReaderList:
    """The readers in the lists that a program's export holds, as Mailchimp's does.

    A reader who left by one of the lists has left.

    Raises:
        ConfigurationError: this is not a ZIP file, or it holds no list of a known program.
    """
    known, others = [], []
    for name, content in _unzip(source, file):
        try:
            known.append(read_csv(content, name, topics))
        except ConfigurationError:
            others.append(name)
    known = [each for each in known if each.origin]
    if not known:
        problem = (
            "there is no list of readers in it that is known; unpack it, and import a CSV file"
        )
        raise ConfigurationError(problem, file=file)
    readers: dict[str, ListedReader] = {}
    for reader in (reader for each in known for reader in each.readers):
        before = readers.setdefault(mailbox_key(reader.subscriber.email), reader)
        if gravest(before.status, reader.status) != before.status:
            readers[mailbox_key(reader.subscriber.email)] = reader
    return ReaderList(
        tuple(readers.values()),
        known[0].origin,
        tuple(mistake for each in known for mistake in each.mistakes),
        tuple(
            dict.fromkeys(
                [note for each in known for note in each.notes]
                + [f"{name} is not a list of readers" for name in others]
            )
        ),
    )


def _unzip(source: bytes, file: str) -> Iterator[tuple[str, bytes]]:
    """The CSV files of a ZIP file, each with its name in it.

    Raises:
        ConfigurationError: it cannot be read, or is too large when unpacked.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(source)) as archive:
            members = [
                each
                for each in archive.infolist()
                if each.filename.lower().endswith(".csv") and "__MACOSX" not in each.filename
            ]
            if sum(each.file_size for each in members) > MAX_BYTES:
                raise ConfigurationError(
                    f"unpacked it has more than {MAX_BYTES:,} bytes", file=file
                )
            for each in members:
                yield each.filename, archive.read(each)
    except _DAMAGED as error:
        problem = f"this is not a ZIP file that can be read: {error}; unpack it"
        raise ConfigurationError(problem, file=file) from error


def write_csv(readers: Iterable[ListedReader]) -> str:
    """Readers as CSV text, in the form that :func:`read_csv` reads."""
    columns = [*SUBSCRIBER_FIELDS, *HISTORY_FIELDS]
    rows = [columns]
    for reader in readers:
        entry = to_listed_entry(reader)
        rows.append([_cell(entry.get(name, "")) for name in columns])
    return write_table(rows)


def _cell(value: str | int | list[str]) -> str:
    return join_list(value) if isinstance(value, list) else str(value)
