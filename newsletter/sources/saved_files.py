"""Listings saved as files."""

from pathlib import Path

from newsletter.errors import SourceError


def matching(pattern: Path) -> list[Path]:
    """The files an absolute path or pattern (``/srv/saved/*.txt``) names, by name.

    Raises:
        SourceError: it names none.
    """
    files = sorted(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))
    if not files:
        raise SourceError(f"{pattern}: no file is there; check the source's path")
    return files
