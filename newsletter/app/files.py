"""The operator's files: where they are, and what is in them."""

from pathlib import Path
from shlex import quote

from newsletter.errors import ConfigurationError

BEGUN = frozenset({"newsletter.yaml", "subscribers.yaml"})
"""The files that ``newsletter init`` writes."""


def remedy(path: Path, otherwise: str) -> str:
    """What to do where the operator's file is not there: begin it, if ``init`` knows its name."""
    if path.name not in BEGUN:
        return otherwise
    here = path.absolute().parent == Path.cwd()
    return f"`newsletter init{'' if here else f' {quote(str(path.parent))}'}` writes one"


def read(path: Path, remedy: str) -> bytes:
    """A file's bytes; ``remedy`` is what to do where there is no such file.

    Raises:
        ConfigurationError: there is no such file, or it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ConfigurationError(f"there is no such file; {remedy}", file=str(path)) from error
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", file=str(path)) from error


def placed(url: str, folder: Path) -> str:
    """A store's address, a relative SQLite file taken from the configuration's folder."""
    scheme, slashes, path = url.partition("sqlite:///")
    if not slashes or scheme or path.startswith("/"):
        return url
    return f"sqlite:///{folder / path}"
