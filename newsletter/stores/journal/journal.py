"""The folder of a witness: what is written into it, and read back."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from newsletter.errors import StoreError
from newsletter.model import DeliveryState, Letter
from newsletter.stores.journal.history import Noted, SeenWave, Word
from newsletter.stores.journal.records import (
    Line,
    Named,
    append,
    lines_in,
    noted,
    waves_told,
    whole,
    written,
)

KEEP = timedelta(days=30)
"""How long an issue is remembered; papers are owed for at most 14 days."""

NEWEST = 4
"""Issues whose letters may still be leaving: local dates overlap, and letters wait 20 hours."""

TAIL = 64 * 1024
"""Octets at the end of a file that hold what left last: some hundreds of letters."""

_LETTERS, _WAVES, _READERS = ".letters", ".waves", "readers"


class SendJournal:
    """The folder in which it is written what has left.

    Attributes:
        folder: where; made with the first line.
        names: the names an address may stand under, the one to write first.
    """

    def __init__(self, folder: Path, names: Callable[[str], Sequence[str]]) -> None:
        self.folder = folder
        self.names = names

    @property
    def is_there(self) -> bool:
        """Whether it was there when letters left, or since the store was restored without it."""
        return any(path.name != _READERS for path in self.folder.glob("*"))

    def days(self) -> list[date]:
        """The issues it knows letters of, oldest first."""
        return sorted(date.fromisoformat(path.stem) for path in self.folder.glob(f"*{_LETTERS}"))

    def begin(self) -> None:
        """Be there, though nothing has left yet."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def see_wave(self, day: date, wave: SeenWave, readers: Iterable[Named], *, count: int) -> None:
        """Write down whose letters a wave has, safe on the disk; forget what is long past.

        Args:
            day: whose issue.
            wave: its bodies.
            readers: who is in it, some after others; those who are written down already need not
                be among them.
            count: how many readers it has.
        """
        lines = written(wave, readers, count)
        self._append_all(self.folder / f"{day}{_WAVES}", lines, sync=True)
        self._forget(before=day - KEEP)

    def see_letters(
        self,
        day: date,
        marked: Sequence[tuple[str, Letter]],
        settled: Sequence[tuple[str, int, int, DeliveryState, str]],
        *,
        now: datetime,
    ) -> None:
        """Write down what is about to leave, and what became of what left before.

        Args:
            day: whose issue.
            marked: letters, each with its wave's instant.
            settled: wave, reader, attempt, state and the server's words.
            now: when.
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

    def see_reader(self, email: str, word: Word, *, now: datetime) -> None:
        """Write down that a reader's status changed, or that they were erased."""
        line = {"at": now.isoformat(), "reader": self.names(email)[0], "word": word}
        self._append(self.folder / _READERS, line, sync=word != "confirmed")

    def last_words(self) -> dict[str, tuple[Word, datetime]]:
        """The last change of each reader, by the name of their address, and when it was."""
        return {
            line["reader"]: (line["word"], datetime.fromisoformat(line["at"]))
            for line in lines_in(self.folder / _READERS)
        }

    def close_book(self, now: datetime) -> None:
        """Note that the store was restored and holds all this now."""
        line = {"at": now.isoformat(), "restored": True}
        for name in ("restored", *(f"{day}{_LETTERS}" for day in self.days())):
            self._append(self.folder / name, line, sync=True)

    def last_letters(self) -> Iterator[tuple[date, list[Noted]]]:
        """What left last of the newest issues, since the store was restored if it was."""
        for day in self.days()[-NEWEST:]:
            with (self.folder / f"{day}{_LETTERS}").open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - TAIL))
                lines = list(whole(file))
            book = [number for number, line in enumerate(lines) if "restored" in line]
            yield day, [*noted(lines[book[-1] + 1 if book else 0 :]).values()]

    def letters(self, day: date) -> list[Noted]:
        """Every letter of an issue that was marked."""
        return [*noted(lines_in(self.folder / f"{day}{_LETTERS}")).values()]

    def seen(self, day: date, frozen: str) -> int:
        """How many readers of the wave frozen at this instant it knows."""
        lines = (line for line in self._waves(day) if line["wave"] == frozen)
        return max((line["count"] for line in lines if "count" in line), default=0)

    def waves(self, day: date) -> dict[str, SeenWave]:
        """An issue's waves by the instant they were frozen; the last word on each."""
        return waves_told(self._waves(day))

    def _waves(self, day: date) -> Iterator[Line]:
        return lines_in(self.folder / f"{day}{_WAVES}")

    def _append(self, path: Path, *lines: Line, sync: bool = False) -> None:
        self._append_all(path, lines, sync=sync)

    def _append_all(self, path: Path, lines: Iterable[Line], *, sync: bool) -> None:
        """Write lines to the end of a file.

        Raises:
            StoreError: they cannot be written.
        """
        try:
            self.begin()
            append(path, lines, sync=sync)
        except OSError as error:
            raise StoreError(
                f"{path}: what leaves cannot be written down here: {error.strerror}. Make room, or "
                "give this user the right to write; nothing is lost, and the same command goes on."
            ) from error

    def _forget(self, *, before: date) -> None:
        for day in self.days():
            for suffix in (_LETTERS, _WAVES) if day < before else ():
                (self.folder / f"{day}{suffix}").unlink(missing_ok=True)
