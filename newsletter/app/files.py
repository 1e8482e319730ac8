"""Files: those the operator writes, and the folder of those the newsletter keeps for itself."""

import fcntl
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, assert_never
from urllib.parse import urlsplit

from newsletter.config.models import Matching
from newsletter.errors import ConfigurationError
from newsletter.ports import Matcher

# ruff: noqa: PLC0415 - most commands find no papers

if TYPE_CHECKING:
    from newsletter.meaning import Engine

OWN_FOLDER = ".newsletter"
"""The folder beside the configuration in which the newsletter keeps its own files by default."""

STATE_VARIABLE = "NEWSLETTER_STATE"
_NAME_ANOTHER = (
    f"let this user write there, or name another folder: `state:` in the configuration, or the "
    f"environment variable {STATE_VARIABLE}"
)

_DATA = Path(str(files("newsletter"))) / "data"

_REINSTALL = (
    "install the newsletter again, or set `matching: rules` in newsletter.yaml, which goes by "
    "words alone"
)

WRITTEN_BY_INIT = frozenset({"newsletter.yaml", "subscribers.yaml"})
"""The files that ``newsletter init`` writes."""


def cron_lines(folder: Path) -> str:
    """The lines for cron: send each morning, finish half an hour later, read the sources twice."""
    return f"{cron_line(folder)}\n{cron_line(folder, 'fetch --quiet', at='0 12,22')}"


def cron_line(folder: Path, words: str = "send --yes --quiet", at: str = "0,30 7") -> str:
    """The line for cron that sends each morning; cron's PATH is short, so it has the whole path.

    ``words`` are another command, and ``at`` its minutes and hours.
    """
    line = f"cd {quote(str(folder.absolute()))} && {own_command()} {words}"
    return f"{at} * * *  " + line.replace("%", r"\%")  # to cron, % ends a line


def own_command() -> str:
    """This program as other programs can call it: with its whole path, quoted for a shell."""
    script = shutil.which(sys.argv[0])
    if script is not None and Path(script).name == "newsletter":
        return quote(str(Path(script).absolute()))
    return f"{quote(sys.executable)} -m newsletter"


def remedy(path: Path, otherwise: str) -> str:
    """What to do if the operator's file does not exist: ``init``, for the files it writes."""
    if path.name not in WRITTEN_BY_INIT:
        return otherwise
    here = path.absolute().parent == Path.cwd()
    return f"`newsletter init{'' if here else f' {quote(str(path.parent))}'}` writes one"


def read_file(path: Path, remedy: str) -> bytes:
    """A file's bytes; ``remedy`` tells the operator what to do if the file does not exist.

    Raises:
        ConfigurationError: the file does not exist or cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ConfigurationError(f"no such file; {remedy}", file=str(path)) from error
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", file=str(path)) from error


def store_address(url: str, folder: Path) -> str:
    """The address of a store; a relative SQLite file is in the configuration's folder."""
    scheme, slashes, path = url.partition("sqlite:///")
    if not slashes or scheme or path.startswith("/"):
        return url
    return f"sqlite:///{folder / path}"


def store_file(url: str, folder: Path) -> str:
    """The absolute path of the file of an SQLite store; empty for another store."""
    before, found, path = store_address(url, folder).partition("sqlite:///")
    return os.path.abspath(path) if found and not before else ""  # noqa: PTH100 - it ends ".."


def store_place(url: str) -> str:
    """Where a store is: its address without the user and the password, which may change."""
    try:
        parts = urlsplit(url)
        place = f"{parts.hostname}:{parts.port}{parts.path}"
    except ValueError:  # several hosts, or a slash in the password
        place = url.partition("://")[2].rpartition("@")[2].partition("?")[0]
    return place


def made_state_folder(own: Path, beside: Path) -> Path:
    """The folder for the newsletter's own files; it is created if it does not exist.

    ``beside`` is the folder it has by default. Its files must not be forgotten when the operator
    names another: without them links in sent emails end, and sent emails are not known.

    Raises:
        ConfigurationError: the folder cannot be written, or the files are still in the other one.
    """
    if own != beside and not _has_files(own) and _has_files(beside):
        raise ConfigurationError(
            f"is empty, but {beside} holds this newsletter's files; copy them there: "
            f"mkdir -p {quote(str(own))} && cp -a {quote(str(beside))}/. {quote(str(own))}/",
            file=str(own),
        )
    try:
        own.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = f"cannot be created: {error.strerror}; {_NAME_ANOTHER}"
        raise ConfigurationError(problem, file=str(own)) from error
    if not os.access(own, os.W_OK | os.X_OK):
        raise ConfigurationError(f"cannot be written; {_NAME_ANOTHER}", file=str(own))
    return own


def _has_files(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


@contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Hold the folder's lock until the block ends; the folder's file descriptor."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read; it is complete when it appears."""
    draft = path.with_name(f"{path.name}.new")
    draft.touch(mode=0o600)
    with draft.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def make_matcher(matching: Matching) -> Matcher:
    """What finds papers; it loads the engine when it is asked for a meaning."""
    from newsletter.papers.matching import RulesMatcher
    from newsletter.papers.meanings import MeaningMatcher

    match matching:
        case "meaning":
            return MeaningMatcher(load_engine)
        case "rules":
            return RulesMatcher()
        case other:
            assert_never(other)


@cache
def load_engine() -> "Engine":
    """The engine that compares meanings, once for all newsletters of a process.

    Raises:
        ConfigurationError: this installation lacks its vector table or numpy.
    """
    data = read_table()
    try:
        from newsletter.meaning import Engine, VectorTable  # imports numpy
    except ImportError as error:
        raise ConfigurationError(f"numpy cannot be imported: {error}; {_REINSTALL}") from error
    return Engine(VectorTable.load(data))


def read_table(folder: Path = _DATA) -> bytes:
    """The vector table that this version ships with; ``meaning.md`` beside it has its checksum.

    Raises:
        ConfigurationError: it is missing, or damaged.
    """
    table, described = folder / "meaning.npz", folder / "meaning.md"
    data, about = (read_file(path, _REINSTALL) for path in (table, described))
    if sha256(data).hexdigest().encode() not in about:
        raise ConfigurationError(f"the file is damaged; {_REINSTALL}", file=str(table))
    return data


def check_matching(matching: Matching) -> None:
    """Check that there is what the matcher needs, without the time that loading it takes.

    Raises:
        ConfigurationError: as for :func:`load_engine`.
    """
    if matching == "meaning":
        read_table()
        if find_spec("numpy") is None:
            raise ConfigurationError(f"numpy is not installed; {_REINSTALL}")
