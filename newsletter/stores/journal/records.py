"""What the send journal records: lines of JSON. A crash may have cut any of them."""

import errno
import json
import os
import zlib
from base64 import b64decode, b64encode
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

from newsletter.model import (
    ANSWERED,
    LEASED,
    OPEN,
    STATE_AFTER,
    Claim,
    DeliveryState,
    Edition,
    Recipient,
    Settlement,
    Status,
)
from newsletter.stores.logic import reply_of

ReaderChange = Status | Literal["erased"]
"""A reader's new status, or that their data was erased."""


@dataclass(frozen=True, slots=True)
class JournaledLetter:
    """What the journal knows of one letter: the last attempt and its outcome.

    ``wave`` is the instant its wave was frozen, in ISO 8601; ``reader`` is the reader's id then.
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
        """Whether a ledger with this row has forgotten what became of the letter.

        If the row is pending after the same number of attempts, the ledger is ahead: it recorded
        that the letter was not sent, and the journal missed that.
        """
        if attempts != self.attempt:
            return attempts < self.attempt
        if self.state == "committing":
            return state == "claimed"
        return state in LEASED or (self.state in ANSWERED and state in OPEN)


@dataclass(frozen=True, slots=True)
class JournaledWave:
    """A wave as it was stored: its bodies, and each reader's name and papers by id.

    ``names`` has keyed hashes of the readers' addresses, ``papers`` ingest numbers as JSON.
    """

    frozen: str
    due: datetime
    body: bytes
    pieces: bytes
    names: Mapping[int, str] = field(default_factory=dict)
    papers: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Restoration:
    """What was recovered: the number of letters by their outcome, and their issues.

    ``gone`` counts letters to readers whom the restored store does not know. ``left`` has the
    addresses of readers who had left since the backup, ``erased`` those who were erased.
    """

    issues: tuple[date, ...] = ()
    accepted: int = 0
    failed: int = 0
    held: int = 0
    gone: int = 0
    left: tuple[str, ...] = ()
    erased: tuple[str, ...] = ()


def combined(found: Iterable[Restoration]) -> Restoration:
    """What was recovered from several journals."""
    each = list(found)
    return Restoration(
        issues=tuple(sorted({day for one in each for day in one.issues})),
        accepted=sum(one.accepted for one in each),
        failed=sum(one.failed for one in each),
        held=sum(one.held for one in each),
        gone=sum(one.gone for one in each),
        left=tuple(sorted({email for one in each for email in one.left})),
        erased=tuple(sorted({email for one in each for email in one.erased})),
    )


Line = Mapping[str, Any]

ReaderEntries = Mapping[int, tuple[str, str]]
"""Some readers of a wave by id, each with name and papers."""


def settlement_line(settlement: Settlement, *, marked: bool) -> Line:
    """An outcome that the store has not recorded, without the letter's content.

    ``marked`` says whether the journal knows the letter's mark.
    """
    claim, outcome, again = settlement.claim, settlement.outcome, settlement.next_try
    return {
        "claim": (claim.wave, claim.reader, claim.token, claim.attempt),
        "state": STATE_AFTER[type(outcome)],
        "reply": reply_of(outcome),
        "next_try": again and again.isoformat(),
        "marked": marked,
    }


def parse_settlement(line: Line) -> tuple[Settlement, bool]:
    """The outcome in a line of :func:`settlement_line`, with an empty edition; if it was marked."""
    wave, reader, token, attempt = line["claim"]
    edition = Edition(Recipient(reader, ""), sections=())
    outcome = next(kind for kind, state in STATE_AFTER.items() if state == line["state"])
    again = line["next_try"]
    settlement = Settlement(
        Claim(wave, reader, token, edition, attempt),
        outcome(line["reply"]),
        again and datetime.fromisoformat(again),
    )
    return settlement, line["marked"]


_to_json = json.JSONEncoder(separators=(",", ":")).encode


def append(path: Path, lines: Iterable[Line], *, sync: bool = False) -> None:
    """Append lines to a file, each with one system call.

    Each line begins with a line break, so that a line cut by a crash does not spoil the next.

    Raises:
        OSError: a line cannot be written completely.
    """
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        for line in lines:
            text = f"\n{_to_json(line)}".encode()
            if os.write(file, text) < len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if sync:
            os.fsync(file)
    finally:
        os.close(file)


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The complete lines of a file; none if there is no file."""
    if path.exists():
        with path.open("rb") as file:
            yield from complete_lines(file)


def complete_lines(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Skips lines that are incomplete: the first of a file's tail, any one cut by a crash."""
    for line in lines:
        try:
            parsed = json.loads(line)
        except ValueError:
            continue
        if isinstance(parsed, dict):
            yield parsed


def wave_lines(wave: JournaledWave, readers: Iterable[ReaderEntries], count: int) -> Iterator[Line]:
    """The lines of a wave: its bodies, its readers in batches, and their number.

    The last line is the proof that the lines before it are complete.
    """
    yield {
        "wave": wave.frozen,
        "due": wave.due.isoformat(),
        "body": b64encode(wave.body).decode(),
        "pieces": b64encode(wave.pieces).decode(),
    }
    for batch in readers:
        packed = zlib.compress(json.dumps(batch).encode(), 1)
        yield {"wave": wave.frozen, "readers": b64encode(packed).decode()}
    yield {"wave": wave.frozen, "count": count}


def parse_waves(lines: Iterable[Line]) -> dict[str, JournaledWave]:
    """The waves in these lines, by the instant they were frozen; later lines win.

    Older files have all of a wave in one line.
    """
    heads: dict[str, JournaledWave] = {}
    readers: defaultdict[str, dict[str, tuple[str, str]]] = defaultdict(dict)
    for line in lines:
        wave: str = line["wave"]
        if "body" in line:
            due = datetime.fromisoformat(line["due"])
            heads[wave] = JournaledWave(
                wave, due, b64decode(line["body"]), b64decode(line["pieces"])
            )
        if "readers" in line:
            readers[wave].update(json.loads(zlib.decompress(b64decode(line["readers"]))))
    return {
        wave: replace(
            head,
            names={int(id_): name for id_, (name, _) in readers[wave].items()},
            papers={int(id_): papers for id_, (_, papers) in readers[wave].items()},
        )
        for wave, head in heads.items()
    }


def parse_letters(lines: Iterable[Line]) -> dict[tuple[str, int], JournaledLetter]:
    """The last state of each letter, by its wave and reader."""
    found: dict[tuple[str, int], JournaledLetter] = {}
    for line in lines:
        at = datetime.fromisoformat(line["at"])
        for wave, reader, attempt, state, reply in line.get("settled", ()):
            one = found.get((wave, reader)) or JournaledLetter(wave, reader, attempt, state, at)
            if one.attempt <= attempt:
                ended = replace(one, attempt=attempt, state=state, reply=reply)
                found[wave, reader] = ended
        for wave, reader, attempt, message_id, digest in line.get("marked", ()):
            before = found.get((wave, reader))
            if before is None or before.attempt <= attempt:
                found[wave, reader] = JournaledLetter(
                    wave, reader, attempt, "committing", at, message_id=message_id, digest=digest
                )
    return found
