"""A process's resident memory, as Linux tells it.

``ru_maxrss`` will not do: a child begins with what its parent had.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Resident:
    """What a process has in memory now, and the most it ever had, in megabytes."""

    now: float
    peak: float


def resident(process: int | str = "self") -> Resident | None:
    """That of a process, by its id; None once it has ended."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    said = dict(line.split(":", 1) for line in status)
    if "VmRSS" not in said:
        return None
    now, peak = (int(said[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    return Resident(now, peak)
