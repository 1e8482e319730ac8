"""The secrets that sign links: those configured, and those that the newsletter draws for itself."""

import os
import secrets
from pathlib import Path

from newsletter.app.files import locked, write_private
from newsletter.config.fields import MIN_SECRET_LENGTH
from newsletter.errors import ConfigurationError, UsageError
from newsletter.letter.links import Keyring

SECRET = "secret"  # noqa: S105 - the name of the file with the newest one


def kept_secret(folder: Path) -> str:
    """The secret of a newsletter whose configuration has none: drawn once, and kept in a file.

    Several processes may start at once, and a crash may come at any time. So one process draws it
    under a lock, and the file appears complete or not at all: links signed with another secret
    would not work, and links signed with an empty one could be forged.

    Raises:
        ConfigurationError: the file has no secret in it.
    """
    path = folder / SECRET
    if not path.exists():
        with locked(folder) as descriptor:
            if not path.exists():
                write_private(path, secrets.token_urlsafe(32))
                os.fsync(descriptor)
    return _read(path)


def _read(path: Path) -> str:
    secret = path.read_text(encoding="utf-8", errors="replace")
    if len(secret.strip()) < MIN_SECRET_LENGTH or not secret.isascii():
        raise ConfigurationError(
            "contains no secret; restore the file, or delete it: then a new secret is made, and "
            "the links in emails sent so far stop working",
            file=str(path),
        )
    return secret


def all_secrets(folder: Path, configured: tuple[str, ...]) -> tuple[str, ...]:
    """Every secret that verifies, the one that signs first.

    A drawn secret stays good when another one is configured, or drawn: unsubscribe links never
    expire, and readers who left are known by a hash.

    Raises:
        ConfigurationError: a file has no secret in it.
    """
    drawn = () if configured and not (folder / SECRET).exists() else (kept_secret(folder),)
    return tuple(dict.fromkeys((*configured, *drawn, *former_secrets(folder).values())))


def secret_files(folder: Path) -> list[Path]:
    """The files with secrets that there are, in the order of their names."""
    return sorted(file for file in folder.glob(f"{SECRET}*") if file.suffix != ".new")


def former_secrets(folder: Path) -> dict[Path, str]:
    """The secrets that were replaced by newer ones, newest first, by their files."""
    kept = [file for file in secret_files(folder) if file.name != SECRET]
    return {file: _read(file) for file in sorted(kept, key=_changed, reverse=True)}


def _changed(file: Path) -> int:
    return file.stat().st_mtime_ns


def rotate_secret(folder: Path) -> str:
    """Draw a new secret, and keep the one before it; returns the fingerprint of the new one.

    After a crash in between, the file of the old one is there twice, which does no harm.
    """
    old = kept_secret(folder)
    with locked(folder) as descriptor:
        write_private(folder / f"{SECRET}.{Keyring((old,)).fingerprint}", old)
        os.fsync(descriptor)
        new = secrets.token_urlsafe(32)
        write_private(folder / SECRET, new)
        os.fsync(descriptor)
    return Keyring((new,)).fingerprint


def forget_secret(folder: Path, fingerprint: str) -> bool:
    """Delete a former secret; returns whether there was one.

    Raises:
        UsageError: it signs at present.
    """
    for file, secret in former_secrets(folder).items():
        if Keyring((secret,)).fingerprint == fingerprint:
            file.unlink()
            return True
    if (folder / SECRET).exists() and Keyring((kept_secret(folder),)).fingerprint == fingerprint:
        raise UsageError(
            f"{folder / SECRET} holds this secret; run `newsletter secret rotate` first, or delete "
            "the file if `secret:` is set"
        )
    return False
