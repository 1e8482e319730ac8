"""One thing found."""

from dataclasses import dataclass
from typing import Literal

Weight = Literal["wrong", "notice", "fine"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: ``about`` what, how much it weighs, and what was found with its remedy."""

    weight: Weight
    about: str
    said: str
