"""The folder of the send journal: appends to its files and reads them."""

import contextlib
import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from newsletter.errors import StoreError
from newsletter.model import DeliveryState, Letter, Settlement
from newsletter.model.windows import JOURNAL_KEPT, LIVE_ISSUES
from newsletter.ports import Store
from newsletter.stores.journal.records import (
    JournaledLetter,
    JournaledWave,
    Line,
    ReaderChange,
    ReaderEntries,
    Restoration,
    append,
    complete_lines,
    parse_letters,
    parse_settlement,
    parse_waves,
    read_lines,
    settlement_line,
    wave_lines,
)

TAIL = 64 * 1024
"""Octets read from the end of a file to find the last letters; they hold some hundreds."""

_LETTERS, _WAVES, _READERS, _STORE = ".letters", ".waves", "readers", "store"
_TAKEN_OVER = "taken-over"
_ABOUT = frozenset({_READERS, _STORE, _TAKEN_OVER})  # files that know of no letter
_UNRECORDED = "unrecorded-"


class SendJournal:
    """The folder in which sent letters are recorded.

    Attributes:
        folder: its path; it is created with the first line.
        names: returns the keyed hashes that may stand for an address, the current one first.
        store: the address of the store, without its password, for the operator.
        config: the path of the configuration file that uses it.
        file: the store's file; empty for a server.
    """

    def __init__(
        self,
        folder: Path,
        names: Callable[[str], Sequence[str]],
        *,
        store: str = "",
        config: str = "",
        file: str = "",
    ) -> None:
        self.folder = folder
        self.names = names
        self.store, self.config, self.file = store, config, file

    @property
    def exists(self) -> bool:
        """Whether letters were recorded, or the store was restored without this folder."""
        return any(path.name not in _ABOUT for path in self.folder.glob("*"))

    @property
    def is_empty(self) -> bool:
        """Whether neither letters nor readers were recorded."""
        return not self.exists and not (self.folder / _READERS).exists()

    @property
    def says_anything(self) -> bool:
        """Whether letters were recorded since the last restoration, or readers alone."""
        letters = any(letters for _, letters in self.last_letters())
        return letters or not (self.exists or self.is_empty)

    # -- whose it is -------------------------------------------------------------------------

    def identify(self) -> None:
        """Write down which store and configuration this is about, if anything was recorded."""
        path = self.folder / _STORE
        line = {"store": self.store, "config": self.config, "file": self.file}
        with contextlib.suppress(OSError):
            if not self.is_empty and line not in read_lines(path):
                append(path, [line])

    def reidentify(self) -> None:
        """Forget which stores and configurations this was about before."""
        (self.folder / _STORE).unlink(missing_ok=True)
        self.identify()

    def original(self) -> str:
        """The store's file in another folder of which this is a copy, if it is still there."""
        lines = read_lines(self.folder / _STORE)
        files = (one.get("file", "") for one in lines if one["config"] != self.config)
        there = (file for file in files if file and self.file and _is_there(file))
        others = (file for file in there if not Path(file).samefile(self.file))
        return next(others, "")

    def relatives(self, emails: Callable[[], Iterable[str]]) -> Iterator["SendJournal"]:
        """The journals of other stores from which this same newsletter was sent.

        It is the same if the configuration file is, or is gone, or if one of the readers with these
        addresses was sent a letter from there: two newsletters may share a folder.
        """
        for folder in sorted(self.folder.parent.glob("*")):
            other = SendJournal(folder, self.names)
            if folder == self.folder or other.is_empty:
                continue
            for line in read_lines(folder / _STORE):
                other.store, other.config = line["store"], line["config"]
            is_ours = other.config == self.config or not _is_there(other.config)
            if is_ours or other._has_letters_to(emails()):
                yield other

    def _has_letters_to(self, emails: Iterable[str]) -> bool:
        days = self.days()[-1:]
        readers = {n for d in days for wave in self.waves(d).values() for n in wave.names.values()}
        return any(name in readers for email in emails for name in self.names(email))

    def has_taken_over(self, other: "SendJournal") -> bool:
        """Whether :meth:`take_over` was called for another journal as it is now."""
        return other.summary() in read_lines(self.folder / _TAKEN_OVER)

    def take_over(self, other: "SendJournal", *, copy: bool = True) -> None:
        """Record that this store knows all that another journal has.

        What that has on record is copied here, if nothing is here yet.

        Raises:
            StoreError: this folder cannot be written.
        """
        try:
            self.create()
            if copy and not self.exists:
                leave = shutil.ignore_patterns(*_ABOUT - {_READERS})
                shutil.copytree(other.folder, self.folder, ignore=leave, dirs_exist_ok=True)
            append(self.folder / _TAKEN_OVER, [other.summary()])
        except OSError as error:
            raise StoreError(f"{self.folder} cannot be written: {error}") from error
        self.identify()

    def summary(self) -> dict[str, str | int]:
        """A line that becomes another one with every record in this journal."""
        days = [str(day) for day in self.days()[-1:]]
        files = (self.folder / name for name in (_READERS, *(f"{day}{_LETTERS}" for day in days)))
        size = sum(file.stat().st_size for file in files if file.exists())
        return {"journal": self.folder.name, "last": "".join(days), "size": size}

    # -- letters -----------------------------------------------------------------------------

    def days(self) -> list[date]:
        """The issues with recorded letters, oldest first."""
        return sorted(date.fromisoformat(path.stem) for path in self.folder.glob(f"*{_LETTERS}"))

    def create(self) -> None:
        """Create the folder, before any letter has left."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def record_wave(
        self, day: date, wave: JournaledWave, readers: Iterable[ReaderEntries], *, count: int
    ) -> None:
        """Record a wave's readers, synced to the disk, and delete the oldest issues.

        Args:
            day: the issue's day.
            wave: its bodies.
            readers: its readers in batches; those recorded already may be left out.
            count: the number of all its readers.
        """
        lines = wave_lines(wave, readers, count)
        self._append_all(self.folder / f"{day}{_WAVES}", lines, sync=True)
        self.identify()
        self._delete_old(before=day - JOURNAL_KEPT)

    def record_letters(
        self,
        day: date,
        marked: Sequence[tuple[str, Letter]],
        settled: Sequence[tuple[str, int, int, DeliveryState, str]],
        *,
        now: datetime,
    ) -> None:
        """Record letters that are about to leave, and the outcomes of letters recorded before.

        Args:
            day: the issue's day.
            marked: letters, each with its wave's instant.
            settled: wave, reader, attempt, state and reply of each outcome.
            now: the instant of these marks and outcomes.
        """
        line: dict[str, Any] = {"at": now.isoformat()}
        if settled:
            line["settled"] = settled
        if marked:
            line["marked"] = [
                (wave, a.claim.reader, a.claim.attempt, a.envelope.message_id, a.envelope.digest)
                for wave, a in marked
            ]
        self._append(self.folder / f"{day}{_LETTERS}", line)

    def record_reader(self, email: str, change: ReaderChange, *, now: datetime) -> None:
        """Record a reader's new status, or that they were erased."""
        self.record_readers([(email, change)], now=now)

    def record_readers(
        self, changes: Collection[tuple[str, ReaderChange]], *, now: datetime
    ) -> None:
        """Record the new statuses of several readers, by their addresses."""
        lines = [
            {"at": now.isoformat(), "reader": self.names(email)[0], "word": change}
            for email, change in changes
        ]
        if lines:
            sync = any(change != "confirmed" for _, change in changes)
            self._append(self.folder / _READERS, *lines, sync=sync)
            self.identify()

    def reader_changes(self) -> dict[str, tuple[ReaderChange, datetime]]:
        """The last change of each reader and its instant, by the hash of their address."""
        return {
            line["reader"]: (line["word"], datetime.fromisoformat(line["at"]))
            for line in read_lines(self.folder / _READERS)
        }

    def keep(self, settlements: Sequence[Settlement], marked: Collection[str]) -> None:
        """Keep outcomes that the store could not record, in a file of their own.

        ``marked`` has the tokens of the letters whose mark is in this journal.

        Raises:
            StoreError: the file cannot be written.
        """
        draft = self.folder / f"draft-{uuid4().hex}"
        lines = (settlement_line(one, marked=one.claim.token in marked) for one in settlements)
        self._append_all(draft, lines, sync=True)
        draft.rename(draft.with_name(f"{_UNRECORDED}{uuid4().hex}"))

    def kept(self) -> dict[Path, list[tuple[Settlement, bool]]]:
        """The outcomes that were kept, by file, each with whether its letter's mark is here.

        Who has recorded them deletes the file.
        """
        return {
            path: [parse_settlement(line) for line in read_lines(path)]
            for path in sorted(self.folder.glob(f"{_UNRECORDED}*"))
        }

    def record_restoration(self, now: datetime, *, days: Sequence[date] | None = None) -> None:
        """Record that a store need not know more of these issues, or of all, than it does."""
        line = {"at": now.isoformat(), "restored": True}
        for name in ("restored", *(f"{day}{_LETTERS}" for day in days or self.days())):
            self._append(self.folder / name, line, sync=True)

    def last_letters(self) -> Iterator[tuple[date, list[JournaledLetter]]]:
        """The last letters of the newest issues that were recorded after the last restoration."""
        for day in self.days()[-LIVE_ISSUES:]:
            with (self.folder / f"{day}{_LETTERS}").open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - TAIL))
                lines = list(complete_lines(file))
            restored = [number for number, line in enumerate(lines) if "restored" in line]
            since = restored[-1] + 1 if restored else 0
            yield day, [*parse_letters(lines[since:]).values()]

    def letters(self, day: date) -> list[JournaledLetter]:
        """Every marked letter of an issue."""
        return [*parse_letters(read_lines(self.folder / f"{day}{_LETTERS}")).values()]

    def count_readers(self, day: date, frozen: str) -> int:
        """The number of recorded readers of the wave frozen at this instant."""
        lines = (line for line in self._waves(day) if line["wave"] == frozen)
        return max((line["count"] for line in lines if "count" in line), default=0)

    def waves(self, day: date) -> dict[str, JournaledWave]:
        """An issue's waves by the instant they were frozen."""
        return parse_waves(self._waves(day))

    def _waves(self, day: date) -> Iterator[Line]:
        return read_lines(self.folder / f"{day}{_WAVES}")

    def _append(self, path: Path, *lines: Line, sync: bool = False) -> None:
        self._append_all(path, lines, sync=sync)

    def _append_all(self, path: Path, lines: Iterable[Line], *, sync: bool) -> None:
        """Append lines to a file.

        Raises:
            StoreError: they cannot be written.
        """
        try:
            try:
                append(path, lines, sync=sync)
            except FileNotFoundError:
                self.create()
                append(path, lines, sync=sync)
        except OSError as error:
            raise StoreError(
                f"{path}: sent emails cannot be recorded: {error.strerror}. Make room, or give "
                "this user the right to write, and run the same command again; nothing is lost."
            ) from error

    def _delete_old(self, *, before: date) -> None:
        for day in self.days():
            for suffix in (_LETTERS, _WAVES) if day < before else ():
                (self.folder / f"{day}{suffix}").unlink(missing_ok=True)


class Journaled(Store, Protocol):
    """A store with a send journal."""

    def emails(self) -> Sequence[str]:
        """The addresses of all readers."""

    def has_lost_its_journal(self) -> bool:
        """Whether letters may have left that no journal knows: waves without a journal."""

    def lacks(self, journal: SendJournal) -> str:
        """What a journal knows and this store does not, in words; empty if there is nothing."""

    def check_journal(self, *, now: datetime) -> None:
        """Check, at most once a minute, that the store knows the journal's last letters.

        Raises:
            OldStoreError: it was restored from a backup.
        """

    def recover_from_journal(self, *, now: datetime) -> Restoration:
        """Recover what was sent after the backup that this store was restored from.

        Letters with a recorded answer get the answer's state; the others are held. A second call
        finds nothing more to do.
        """


def _is_there(path: str) -> bool:
    with contextlib.suppress(OSError):
        return Path(path).exists()
    return False
