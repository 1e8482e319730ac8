"""The witness' files: each a line of JSON after the other, any of which a crash may have torn."""

import errno
import json
import os
import zlib
from base64 import b64decode, b64encode
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from newsletter.stores.journal.history import Noted, SeenWave

Line = Mapping[str, Any]

Named = Mapping[int, tuple[str, str]]
"""Some readers of a wave by id: the name of each, and the papers."""


def append(path: Path, lines: Iterable[Line], *, sync: bool = False) -> None:
    """Write lines to the end of a file, each at once.

    Each begins with its end, so that a torn line before it hurts no more.

    Raises:
        OSError: they cannot be written, or not whole.
    """
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        for line in lines:
            text = f"\n{json.dumps(line, separators=(',', ':'))}".encode()
            if os.write(file, text) < len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if sync:
            os.fsync(file)
    finally:
        os.close(file)


def lines_in(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a file, one by one; none where there is no file."""
    if path.exists():
        with path.open("rb") as file:
            yield from whole(file)


def whole(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The lines that are whole: the first may have been cut, any may have been torn by a crash."""
    for line in lines:
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            yield found


def written(wave: SeenWave, readers: Iterable[Named], count: int) -> Iterator[Line]:
    """The lines that tell of a wave: its bodies, some readers after others, how many it has.

    The last line says that all before it are there.
    """
    yield {
        "wave": wave.frozen,
        "due": wave.due.isoformat(),
        "body": b64encode(wave.body).decode(),
        "pieces": b64encode(wave.pieces).decode(),
    }
    for some in readers:
        packed = zlib.compress(json.dumps(some).encode(), 1)
        yield {"wave": wave.frozen, "readers": b64encode(packed).decode()}
    yield {"wave": wave.frozen, "count": count}


def waves_told(lines: Iterable[Line]) -> dict[str, SeenWave]:
    """The waves that lines tell of, by the instant they were frozen; the last word on each.

    Older files say all of a wave in one line.
    """
    heads: dict[str, SeenWave] = {}
    readers: defaultdict[str, dict[str, tuple[str, str]]] = defaultdict(dict)
    for line in lines:
        wave: str = line["wave"]
        if "body" in line:
            due = datetime.fromisoformat(line["due"])
            heads[wave] = SeenWave(wave, due, b64decode(line["body"]), b64decode(line["pieces"]))
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


def noted(lines: Iterable[Line]) -> dict[tuple[str, int], Noted]:
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
