"""Writes letters into a folder, one ``.eml`` file for each recipient, for a look at them."""

import re
from hashlib import blake2b
from pathlib import Path

from typing_extensions import override

from newsletter.errors import TransportError
from newsletter.model import RECEIPT, Accepted, Letter, NotSent, Outcome
from newsletter.ports import Letters, Mark, Settle, Transport

_UNSAFE = re.compile(r"[^A-Za-z0-9.@_+-]|(?<![A-Za-z0-9])\.|\.(?![A-Za-z0-9])")
_MAX_NAME = 100


def file_name(address: str) -> str:
    """A file name for an address: readable, different for every address, and inside its folder.

    An address with unsafe characters gets underscores in their place and a digest of the address
    at the end. So does an address with capitals, because some file systems ignore case.
    """
    plain = _UNSAFE.sub("_", address)[:_MAX_NAME].lower()
    if plain == address:
        return f"{plain}.eml"
    digest = blake2b(address.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    return f"{plain}.{digest}.eml"


class FolderTransport(Transport):
    """Writes letters into ``folder``, and creates the folder if necessary.

    A file gets its final name only after the mark, so a program that watches the folder sees
    complete letters only. A later letter to the same recipient replaces the earlier one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @override
    async def send(self, letters: Letters, mark: Mark, settle: Settle) -> None:
        async for batch in letters:
            for letter in batch:
                await self._send(letter, mark, settle)

    async def _send(self, letter: Letter, mark: Mark, settle: Settle) -> None:
        outcome: Outcome | None = NotSent("not written")
        try:
            outcome = await self._write(letter, mark)
        except OSError as error:
            raise TransportError(
                f"{self.folder}: cannot write emails: {error.strerror or error}; "
                "choose a folder that can be written, with room on its disk"
            ) from error
        finally:
            if outcome is not None:
                settle(letter, outcome)

    async def _write(self, letter: Letter, mark: Mark) -> Outcome | None:
        """Write one letter; None if its mark was refused."""
        target = self.folder / file_name(letter.envelope.recipient)
        unfinished = target.with_suffix(".part")
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            unfinished.write_bytes(b"".join(letter.envelope.content))
            if not await mark(letter):
                return None
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
        return Accepted(f"{RECEIPT}written to {target.name}")
