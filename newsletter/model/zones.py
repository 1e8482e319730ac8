"""The time zones of IANA's database, as the package tzdata ships it with every release.

The machine's own zone files are never asked: two machines, or an image without any, know the same
zones and the same rules.
"""

from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: TID251 - the only place

_NO_ZONES = frozenset({"Factory"})  # IANA's name for a machine whose zone was never set


@cache
def zone_names() -> frozenset[str]:
    """Every name that IANA lists, with the links that keep older names working (US/Pacific)."""
    listed = files("tzdata").joinpath("zones").read_text(encoding="ascii")
    return frozenset(listed.split()) - _NO_ZONES


@cache
def load_zone(name: str) -> ZoneInfo:
    """The rules of a time zone.

    Raises:
        ZoneInfoNotFoundError: IANA lists no zone of this name.
    """
    if name not in zone_names():
        raise ZoneInfoNotFoundError(f"IANA lists no time zone {name!r}")
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as rules:
        return ZoneInfo.from_file(rules, key=name)
