"""The time zones of IANA's database, as the package tzdata ships it with every release.

The machine's own zone files are never asked: two machines, or an image without any, know the same
zones and the same rules.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: TID251 - the only place

_NO_ZONES = frozenset({"Factory"})  # IANA's name for a machine whose zone was never set

AREAS = (
    "Africa/", "America/", "Antarctica/", "Arctic/", "Asia/", "Atlantic/", "Australia/", "Europe/",
    "Indian/", "Pacific/",
)  # fmt: skip
"""How the names of time zones begin that people live in."""

_OTHER_NAMES: Mapping[str, str] = {
    "Africa/Johannesburg": "cape town, pretoria, durban",
    "Africa/Lagos": "abuja",
    "America/Chicago": "austin, dallas, houston, minneapolis, st louis, central, ct, cdt, cst,"
    " usa, us",
    "America/Denver": "boulder, salt lake city, mountain, mt, mdt, usa, us",
    "America/Los_Angeles": "san francisco, san jose, san diego, seattle, palo alto, stanford,"
    " berkeley, mountain view, pasadena, portland, la, sf, pacific, pt, pst, pdt, usa, us",
    "America/New_York": "boston, washington, philadelphia, pittsburgh, princeton, atlanta, miami,"
    " baltimore, ithaca, new haven, ny, nyc, cambridge, eastern, et, edt, usa, us",
    "America/Sao_Paulo": "rio de janeiro, brasilia, campinas",
    "America/Toronto": "ottawa, waterloo",
    "Asia/Dhaka": "bst",
    "Asia/Dubai": "abu dhabi",
    "Asia/Ho_Chi_Minh": "hanoi",
    "Asia/Jerusalem": "haifa, rehovot, ist",
    "Asia/Kolkata": "bangalore, bengaluru, chennai, delhi, new delhi, hyderabad, kanpur, mumbai,"
    " bombay, pune, ist",
    "Asia/Karachi": "lahore, islamabad",
    "Asia/Riyadh": "jeddah, thuwal",
    "Asia/Seoul": "daejeon, busan, kst",
    "Asia/Shanghai": "beijing, shenzhen, guangzhou, hangzhou, nanjing, wuhan, hefei, cst",
    "Asia/Singapore": "sgt",
    "Asia/Tokyo": "kyoto, osaka, nagoya, sendai, fukuoka, jst",
    "Australia/Sydney": "canberra, aest, aedt",
    "Europe/Berlin": "munich, munchen, hamburg, frankfurt, cologne, koln, heidelberg, tubingen,"
    " stuttgart, saarbrucken, bonn, dresden, leipzig, germany",
    "Europe/Dublin": "ist",
    "Europe/Istanbul": "ankara",
    "Europe/London": "cambridge, oxford, edinburgh, manchester, glasgow, bristol, england,"
    " scotland, uk, bst",
    "Europe/Madrid": "barcelona, valencia, sevilla, seville",
    "Europe/Moscow": "st petersburg",
    "Europe/Paris": "lyon, grenoble, toulouse, marseille, nice, cest",
    "Europe/Rome": "milan, milano, roma, turin, trento, bologna, pisa",
    "Europe/Lisbon": "porto, lisboa, coimbra",
    "Europe/Amsterdam": "delft, eindhoven, utrecht, leiden, the hague",
    "Europe/Brussels": "leuven, ghent, antwerp",
    "Europe/Stockholm": "gothenburg, lund, uppsala",
    "Europe/Vienna": "wien, graz, klosterneuburg",
    "Europe/Zurich": "geneva, basel, bern, lausanne, lugano",
    "Europe/Warsaw": "krakow, wroclaw",
    "Europe/Prague": "praha, brno",
    "Europe/Copenhagen": "kobenhavn, aarhus",
}  # fmt: skip
"""What people call some zones besides IANA's names; what is at several zones is ambiguous."""


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


def find_zones(text: str) -> tuple[str, ...]:
    """The zones that a text names: IANA's name, a city, a country, or a common abbreviation.

    Case, accents, spaces and underscores do not matter, nor what follows a comma ("Boston, MA").
    Several zones mean that the text is ambiguous.
    """
    if text in zone_names():
        return (text,)
    names = _zones_by_text()
    wanted = _folded(text)
    return names.get(wanted) or names.get(wanted.partition(",")[0].strip(), ())


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold()).replace("_", " ").replace("-", " ")
    return " ".join("".join(c for c in plain if not unicodedata.combining(c)).split())


@cache
def _zones_by_text() -> Mapping[str, tuple[str, ...]]:
    """The zones by each text that names them; a name of IANA's comes before other meanings."""
    found: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for zone, names in _OTHER_NAMES.items():
        for name in names.split(", "):
            found[name][zone] = None
    places = [*_places()]
    for zone, country in places:
        found[_folded(country)][zone] = None
    # Of the older names of a city's zone, such as America/Buenos_Aires, the present one is taken.
    older = sorted(zone for zone in zone_names() if zone.startswith(AREAS))
    # Australia/North and the like are no cities.
    older = [zone for zone in older if not zone.startswith("Australia/")]
    cities = [*older, *(zone for zone, _ in reversed(places))]
    by_city = {_folded(zone.rpartition("/")[2]): zone for zone in cities}
    whole = {_folded(zone): zone for zone in sorted(zone_names())}
    # "uk" and "usa" say more than a city of that name, and "EST" is a zone of its own.
    texts = {name: tuple(zones) for name, zones in found.items()}
    return texts | {text: (zone,) for text, zone in (by_city | whole).items()}


def _places() -> Iterator[tuple[str, str]]:
    """Each present zone of a country, with the country's name, as IANA's tables have them."""
    tables = files("tzdata").joinpath("zoneinfo")

    def rows(table: str) -> Iterator[list[str]]:
        for line in tables.joinpath(table).read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("#"):
                yield line.split("\t")

    countries = {row[0]: row[1] for row in rows("iso3166.tab")}
    for row in rows("zone.tab"):
        yield row[2], countries[row[0]]
