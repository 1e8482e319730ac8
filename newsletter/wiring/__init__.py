"""Wiring: the only place where ports meet adapters."""

from newsletter.wiring.files import read
from newsletter.wiring.house import OWN_FOLDER, House, open_house

__all__ = ["OWN_FOLDER", "House", "open_house", "read"]
