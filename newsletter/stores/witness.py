"""The witness: what has left, written down outside the store.

A store restored from an older backup has forgotten letters that readers have got. The witness has
not: two files for each issue, in a folder of its own, each a line of JSON after the other.
``DATE.waves`` says which papers stood in whose letter, ``DATE.letters`` which letters were marked
and what became of them; ``readers`` tells who left, or came back. Lines are appended after the
store's own commit, so that the witness is never ahead of a store that was not restored. It names
nobody: readers stand under keyed hashes.
"""

import errno
import json
import os
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from newsletter.errors import StoreError
from newsletter.model import OPEN, DeliveryState, Letter, Status

KEEP = timedelta(days=30)
"""How long an issue is remembered; papers are owed for at most 14 days."""

NEWEST = 4
"""Issues whose letters may still be leaving: local dates overlap, and letters wait 20 hours."""

TAIL = 64 * 1024
"""Octets at the end of a file that hold what left last: some hundreds of letters."""

_LETTERS, _WAVES, _READERS = ".letters", ".waves", "readers"

Word = Status | Literal["erased"]
"""What became of a reader."""


@dataclass(frozen=True, slots=True)
class Noted:
    """What the witness knows of one letter: its last try, and what became of that.

    ``wave`` is the instant its wave was frozen, in ISO 8601; ``reader`` the id the reader had.
    """

    wave: str
    reader: int
    attempt: int
    state: DeliveryState
    at: datetime
    reply: str = ""
    message_id: str = ""
    digest: str = ""

    def is_news_to(self, state: DeliveryState, attempts: int) -> bool:
        """Whether a ledger whose row says this has forgotten what became of the letter.

        A row that is pending after as many tries was settled so: the witness missed that.
        """
        if attempts != self.attempt:
            return attempts < self.attempt
        if self.state == "committing":
            return state == "claimed"
        return state in {"claimed", "committing"} or (
            self.state in {"accepted", "failed"} and state in OPEN
        )


@dataclass(frozen=True, slots=True)
class SeenWave:
    """A wave as it was stored: its bodies, and for each reader's id a name and the papers.

    ``names`` has the keyed hash of each reader's address, ``papers`` ingest numbers as JSON.
    """

    frozen: str
    due: datetime
    body: bytes
    pieces: bytes
    names: Mapping[int, str]
    papers: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Restoration:
    """What was taken up: letters by what became of them, and the issues they are of.

    ``gone`` counts letters of readers the restored store does not know. ``left`` are the readers
    who had left since, by address, ``erased`` those of them who had asked to be forgotten.
    """

    issues: tuple[date, ...] = ()
    accepted: int = 0
    failed: int = 0
    held: int = 0
    gone: int = 0
    left: tuple[str, ...] = ()
    erased: tuple[str, ...] = ()


@runtime_checkable
class Witnessed(Protocol):
    """A store that has a witness."""

    def has_lost_its_witness(self) -> bool:
        """Whether letters may have left that no witness knows of: it has issues, and none."""

    def take_from_witness(self, *, now: datetime) -> Restoration:
        """Take up from the witness what left since the backup this store was restored from.

        Letters the server answered for end as it said; those nobody knows the answer of are held.
        Called again, it finds nothing more to do.
        """


class Witness:
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

    def see_wave(self, day: date, wave: SeenWave) -> None:
        """Write down whose letters a wave has, safe on the disk; forget what is long past."""
        readers = {str(id_): [name, wave.papers[id_]] for id_, name in wave.names.items()}
        self._append(
            self.folder / f"{day}{_WAVES}",
            {
                "wave": wave.frozen,
                "due": wave.due.isoformat(),
                "body": b64encode(wave.body).decode(),
                "pieces": b64encode(wave.pieces).decode(),
                "count": len(readers),
                "readers": b64encode(zlib.compress(json.dumps(readers).encode(), 1)).decode(),
            },
            sync=True,
        )
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
        path = self.folder / _READERS
        lines = _lines(path.read_bytes()) if path.exists() else []
        return {
            line["reader"]: (line["word"], datetime.fromisoformat(line["at"])) for line in lines
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
                lines = _lines(file.read())
            book = [number for number, line in enumerate(lines) if "restored" in line]
            yield day, [*_noted(lines[book[-1] + 1 if book else 0 :]).values()]

    def letters(self, day: date) -> list[Noted]:
        """Every letter of an issue that was marked."""
        return [*_noted(_lines((self.folder / f"{day}{_LETTERS}").read_bytes())).values()]

    def seen(self, day: date, frozen: str) -> int:
        """How many readers of the wave frozen at this instant it knows."""
        found = (line for line in self._waves(day) if line["wave"] == frozen)
        return max((line["count"] for line in found), default=0)

    def waves(self, day: date) -> dict[str, SeenWave]:
        """An issue's waves by the instant they were frozen; the last word on each."""
        return {line["wave"]: _wave(line) for line in self._waves(day)}

    def _waves(self, day: date) -> list[dict[str, Any]]:
        path = self.folder / f"{day}{_WAVES}"
        return _lines(path.read_bytes()) if path.exists() else []

    def _append(self, path: Path, line: Mapping[str, Any], *, sync: bool = False) -> None:
        """One write; it begins with the line's end, so that a torn line before it hurts no more.

        Raises:
            StoreError: it cannot be written.
        """
        text = f"\n{json.dumps(line, separators=(',', ':'))}".encode()
        try:
            self.begin()
            file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                if os.write(file, text) < len(text):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                if sync:
                    os.fsync(file)
            finally:
                os.close(file)
        except OSError as error:
            raise StoreError(
                f"{path}: what leaves cannot be written down here: {error.strerror}. Make room, or "
                "give this user the right to write; nothing is lost, and the same command goes on."
            ) from error

    def _forget(self, *, before: date) -> None:
        for day in self.days():
            for suffix in (_LETTERS, _WAVES) if day < before else ():
                (self.folder / f"{day}{suffix}").unlink(missing_ok=True)


def _lines(text: bytes) -> list[dict[str, Any]]:
    """The lines that are whole: the first may have been cut, any may have been torn by a crash."""
    found = []
    for line in text.split(b"\n"):
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return [line for line in found if isinstance(line, dict)]


def _noted(lines: Iterable[Mapping[str, Any]]) -> dict[tuple[str, int], Noted]:
    """The last word on each letter, by its wave and reader."""
    found: dict[tuple[str, int], Noted] = {}
    for line in lines:
        at = datetime.fromisoformat(line["at"])
        for wave, reader, attempt, state, reply in line.get("settled", ()):
            one = found.get((wave, reader)) or Noted(wave, reader, attempt, state, at)
            if one.attempt <= attempt:
                ended = replace(one, attempt=attempt, state=state, reply=reply)
                found[wave, reader] = ended
        for wave, reader, attempt, message_id, digest in line.get("marked", ()):
            before = found.get((wave, reader))
            if before is None or before.attempt <= attempt:
                found[wave, reader] = Noted(
                    wave, reader, attempt, "committing", at, message_id=message_id, digest=digest
                )
    return found


def _wave(line: Mapping[str, Any]) -> SeenWave:
    readers = json.loads(zlib.decompress(b64decode(line["readers"])))
    return SeenWave(
        frozen=line["wave"],
        due=datetime.fromisoformat(line["due"]),
        body=b64decode(line["body"]),
        pieces=b64decode(line["pieces"]),
        names={int(id_): name for id_, (name, _) in readers.items()},
        papers={int(id_): papers for id_, (_, papers) in readers.items()},
    )
