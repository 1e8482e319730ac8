"""The secret that is drawn for a newsletter whose configuration names none."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from newsletter.config.models import MIN_SECRET_LENGTH
from newsletter.errors import ConfigurationError


def kept_secret(folder: Path) -> str:
    """The newsletter's own secret: drawn at first use, the same ever after.

    Several processes may begin at once and a crash may come at any time: one of them draws, all
    have the same, and it is in its place whole or not at all. Links signed with another would lead
    nowhere, and with an empty one anybody could sign.

    Args:
        folder: the newsletter's own folder, which the secret is kept in.

    Raises:
        ConfigurationError: what is kept there is no secret.
    """
    path = folder / "secret"
    if not path.exists():
        with _alone(folder) as descriptor:
            if not path.exists():
                _put(path, secrets.token_urlsafe(32))
                os.fsync(descriptor)
    found = path.read_text(encoding="utf-8", errors="replace")
    if len(found.strip()) < MIN_SECRET_LENGTH or not found.isascii():
        raise ConfigurationError(
            "holds no secret; put back the one that was there, or take the file away: another is "
            "drawn, and the links in letters sent so far lead nowhere",
            file=str(path),
        )
    return found


@contextmanager
def _alone(folder: Path) -> Iterator[int]:
    """Hold the folder's lock until the block ends; the folder's descriptor."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _put(path: Path, text: str) -> None:
    """Put a file in its place whole, for its owner's eyes alone."""
    draft = path.with_suffix(".new")
    draft.touch(mode=0o600)
    with draft.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
