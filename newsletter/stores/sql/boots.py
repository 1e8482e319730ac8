"""Which start of this machine it is: what a power cut may have taken from the disk's cache."""

from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def this_boot() -> str | None:
    """A name for the time since this machine was started; None where the system gives none.

    See random(4): a UUID drawn at the start.
    """
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return None
