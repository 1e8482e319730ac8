"""What a check found."""

from dataclasses import dataclass
from typing import Literal

Health = Literal["ok", "wrong", "not checked"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report: what was looked at, how it is, and what mends it."""

    name: str
    state: Health
    said: str
    fix: str = ""


def well(name: str, said: str) -> Finding:
    """All is well there."""
    return Finding(name, "ok", said)


def wrong(name: str, said: str, fix: str) -> Finding:
    """Something is wrong there, and this mends it."""
    return Finding(name, "wrong", said, fix)


def unchecked(name: str, said: str) -> Finding:
    """It could not be looked at, or there is nothing to look at."""
    return Finding(name, "not checked", said)
