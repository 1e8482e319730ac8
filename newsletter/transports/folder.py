"""Letters written into a folder, one ``.eml`` file for each recipient: a dry run to look at."""

import re
from collections.abc import AsyncIterator
from hashlib import blake2b
from pathlib import Path

from newsletter.errors import TransportError
from newsletter.model import Accepted, Letter, NotSent, Outcome
from newsletter.ports import Mark, Settle

_UNSAFE = re.compile(r"[^A-Za-z0-9.@_+-]|(?<![A-Za-z0-9])\.|\.(?![A-Za-z0-9])")
_LONGEST = 100


def file_name(address: str) -> str:
    """The name of the file for an address: readable, unique to it, never a way out of a folder.

    An address that is no plain file name is spelled with underscores and ends in a digest of
    itself, so that two addresses never share a file; so does one with capitals, which some
    file systems take for small letters.
    """
    plain = _UNSAFE.sub("_", address)[:_LONGEST].lower()
    if plain == address:
        return f"{plain}.eml"
    digest = blake2b(address.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    return f"{plain}.{digest}.eml"


class FolderTransport:
    """Writes letters into ``folder``, which it makes where there is none.

    The file gets its name only once the letter is marked, so that whoever reads the folder sees
    whole letters alone. A later letter to the same recipient replaces the earlier one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def send(self, letters: AsyncIterator[Letter], mark: Mark, settle: Settle) -> None:
        """Write every letter of the stream.

        Raises:
            TransportError: the folder cannot be written; the letter in hand was not.
        """
        async for letter in letters:
            outcome: Outcome | None = NotSent("not written")
            try:
                outcome = await self._write(letter, mark)
            except OSError as error:
                raise TransportError(
                    f"{self.folder}: cannot write letters: {error.strerror or error}; "
                    "choose a folder that can be written, with room on its disk"
                ) from error
            finally:
                if outcome is not None:
                    await settle(letter, outcome)

    async def _write(self, letter: Letter, mark: Mark) -> Outcome | None:
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
        return Accepted(f"written to {target.name}")
