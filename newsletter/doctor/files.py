"""Checks of files and disks: who may read what, and whether there is room for the next issues."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import Any

from pydantic import SecretStr

from newsletter.app.files import store_address
from newsletter.app.wiring import App
from newsletter.config.fields import MASK
from newsletter.doctor.findings import Finding, ok, some, wrong
from newsletter.errors import ConfigurationError

MEGABYTE = 2**20
MIN_FREE_BYTES = 100 * MEGABYTE  # for sources' answers, which take up to 200 MB in a week
MIN_FREE_INODES = 1000
ISSUES_AHEAD = 7  # with less room than for so many issues, there is a week to act

_OTHERS = stat.S_IROTH | stat.S_IWOTH


def modes(app: App) -> Finding:
    """Whether files with addresses, letters or secrets are open to every user of this machine.

    A group may have been given them on purpose, so its rights are the operator's choice.
    """
    name = "file modes"
    found = [path for path in _private_files(app) if is_open_to_all(path)]
    if not found:
        return ok(name, "other users cannot read readers' addresses, emails and secrets")
    own = app.state_path
    tops = dict.fromkeys(own if path.is_relative_to(own) else path for path in found)
    files = " ".join(quote(str(path)) for path in tops)
    said = f"every user of this machine can read {some([str(path) for path in found])}"
    return wrong(name, said, f"chmod go= {files} (o= if a group is to read them)")


def is_open_to_all(path: Path) -> bool:
    """Whether everybody may read or write a file, and pass through all the folders above it."""
    path = path.resolve()
    try:
        is_open = path.stat().st_mode & _OTHERS
        return bool(is_open) and all(p.stat().st_mode & stat.S_IXOTH for p in path.parents)
    except OSError:
        return False


def _private_files(app: App) -> Iterator[Path]:
    database = database_file(app)
    if database is not None:
        yield database
    if app.listed_readers:
        yield app.subscribers_file
    if _has_secrets_in_the_clear(app):
        yield app.path
    yield from (path for path in sorted(app.state_path.rglob("*")) if path.is_file())
    if database is not None:
        yield from (Path(f"{database}{end}") for end in ("-wal", "-shm"))


def database_file(app: App) -> Path | None:
    """The file of an SQLite store; None for a store on a server."""
    _, sqlite, path = store_address(app.settings.store, app.folder).partition("sqlite:///")
    return Path(path) if sqlite else None


def _has_secrets_in_the_clear(app: App) -> bool:
    """Whether the configuration has a secret itself, not only the name of a variable."""
    text = app.path.read_text("utf-8", "replace")
    settings = app.settings
    secrets = _masked(settings.model_dump(), settings.model_dump(mode="json"))
    return any(secret in text for secret in secrets)


def _masked(plain: Any, shown: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    """The values that are masked when they are shown."""
    if isinstance(shown, dict):
        for key, value in shown.items():
            yield from _masked(plain[key], value)
    elif isinstance(shown, list):
        for one, value in zip(plain, shown, strict=True):
            yield from _masked(one, value)
    elif isinstance(shown, str) and MASK in shown:
        yield plain.get_secret_value() if isinstance(plain, SecretStr) else str(plain)


def disk(app: App, *, store_is_open: bool) -> Finding:
    """Whether there is room for the next issues on the disks of the store and of the own files."""
    try:
        folder = app.own_folder
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"\n")
    except ConfigurationError as error:
        said, _, fix = str(error).partition("; ")
        return wrong("disk", said, fix)
    except OSError as error:
        fix = f"make room, or let the newsletter's user write in {folder}, or set `state:`"
        return wrong("disk", f"{folder}: {error.strerror}", fix)
    database = database_file(app)
    places = [folder] if database is None or not store_is_open else [folder, database.parent]
    need, words = _next_issue(app) if store_is_open else (0, "")
    found = [_room(place, need) for place in {p.stat().st_dev: p for p in places}.values()]
    said = "; ".join(said for said, _ in found) + words
    fix = "; ".join(fix for _, fix in found if fix)
    return (
        wrong("disk", said, f"{fix}: with a full disk no email is sent")
        if fix
        else ok("disk", said)
    )


def _room(place: Path, need: int) -> tuple[str, str]:
    """How much room there is in a folder, and what to do if that is too little."""
    free, inodes = shutil.disk_usage(place).free, os.statvfs(place)
    if inodes.f_files and inodes.f_favail < MIN_FREE_INODES:
        return f"room for {inodes.f_favail} more files in {place} (inodes)", "delete some files"
    is_short = free < max(MIN_FREE_BYTES, ISSUES_AHEAD * need)
    return f"{free // MEGABYTE} MB free in {place}", "free some space" if is_short else ""


def _next_issue(app: App) -> tuple[int, str]:
    """The bytes that an issue adds for the readers there are now, as those so far did; in words.

    Each letter's share of the store counts twice: a frozen issue is in the write-ahead log first.
    """
    letters = sum(app.store.counts(day).planned for day in app.store.issue_days())
    readers = app.store.count_readers().get("confirmed", 0)
    database = database_file(app)
    if not (letters and readers):
        return 0, ""
    stored = 2 * database.stat().st_size if database is not None else 0
    journal = sum(path.stat().st_size for path in app.journal.folder.glob("*"))
    journaled = sum(app.store.counts(day).planned for day in app.journal.days())
    need = int(readers * (stored / letters + journal / max(journaled, 1)))
    whom = "1 reader" if readers == 1 else f"{readers} readers"
    return need, f"; the next issue, for {whom}, takes about {need // MEGABYTE + 1} MB"
