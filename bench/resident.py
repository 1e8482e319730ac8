"""The resident memory of a process, from Linux's ``/proc``.

``ru_maxrss`` is of no use here: a child starts with the value of its parent.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Resident:
    """The resident memory of a process now and at its peak, in megabytes."""

    now: float
    peak: float


def resident(process: int | str = "self") -> Resident | None:
    """The memory of a process by its id; None once it has ended."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    said = dict(line.split(":", 1) for line in status)
    if "VmRSS" not in said:
        return None
    now, peak = (int(said[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    return Resident(now, peak)
