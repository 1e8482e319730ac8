"""The time zones that ship with the program, and what is refused as one."""

import json
import os
import subprocess
import sys
from pathlib import Path
from zoneinfo import ZoneInfoNotFoundError

import pytest

from newsletter.config.reader_lists import read_csv
from newsletter.config.subscribers import read_subscribers
from newsletter.errors import InvalidFileError
from newsletter.model.zones import find_zones, load_zone, zone_names
from newsletter.web.forms import Form, InvalidFormError, parse_subscriber

REFUSED = (
    "localtime",
    "posixrules",
    "posix/Europe/Zurich",
    "right/Europe/Zurich",
    "Factory",
    "Europe",
    "../UTC",
    "/etc/localtime",
    "zone.tab",
)
"""Names that many machines have files for, or that only look like zones."""

SHOW_NOON = """
from datetime import date, time
from newsletter.readers.due import local_instant
print(local_instant(date(2026, 8, 3), time(12), "US/Pacific").isoformat())
"""


def test_every_listed_zone_can_be_loaded() -> None:
    assert {"UTC", "Europe/Zurich", "US/Pacific", "Etc/GMT+12", "CET"} < zone_names()
    assert all(load_zone(name).key == name for name in zone_names())


@pytest.mark.parametrize("name", REFUSED)
def test_names_of_the_machine_are_no_zones(name: str) -> None:
    with pytest.raises(ZoneInfoNotFoundError, match="IANA lists no time zone"):
        load_zone(name)


@pytest.mark.parametrize("name", REFUSED)
def test_files_and_forms_refuse_other_names(name: str) -> None:
    entry = {"email": "ada@example.org", "timezone": name}
    with pytest.raises(InvalidFileError, match=r"f\.yaml:.*timezone: there is no time zone"):
        read_subscribers(json.dumps({"subscribers": [entry]}).encode(), "f.yaml", (), {})
    with pytest.raises(InvalidFileError, match=r"f\.csv:2: .*timezone: there is no time zone"):
        read_csv(f"email,timezone\nada@example.org,{name}\n".encode(), "f.csv", {}).checked()
    with pytest.raises(InvalidFormError) as caught:
        parse_subscriber(Form({"timezone": [name]}), "ada@example.org", {})
    assert list(caught.value.problems) == ["timezone"]


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("Zurch", "Europe/Zurich"),
        ("posix/Europe/Zurich", "Europe/Zurich"),
        ("Mars/Olympus", "Write a city, or Europe/Zurich"),
        ("Cambridge", "write America/New_York or Europe/London"),
        ("IST", "write Asia/Jerusalem or Asia/Kolkata or Europe/Dublin"),
        ("Germany", "write Europe/Berlin or Europe/Busingen"),
    ],
)
def test_ambiguous_zone_is_answered_with_near_ones(wrong: str, near: str) -> None:
    with pytest.raises(InvalidFormError) as caught:
        parse_subscriber(Form({"timezone": [wrong]}), "ada@example.org", {})
    assert near in str(caught.value)


@pytest.mark.parametrize(
    ("written", "zone"),
    [
        ("Tokyo", "Asia/Tokyo"),
        ("europe/zurich", "Europe/Zurich"),
        ("  new YORK ", "America/New_York"),
        ("Zürich", "Europe/Zurich"),
        ("São Paulo", "America/Sao_Paulo"),
        ("port-au-prince", "America/Port-au-Prince"),
        ("Boston, MA", "America/New_York"),
        ("Bangalore", "Asia/Kolkata"),
        ("buenos aires", "America/Argentina/Buenos_Aires"),
        ("India", "Asia/Kolkata"),
        ("utc", "UTC"),
        ("Pacific", "America/Los_Angeles"),
        ("jst", "Asia/Tokyo"),
    ],
)
def test_zone_is_found_by_what_people_call_it(written: str, zone: str) -> None:
    found = parse_subscriber(Form({"timezone": [written]}), "ada@example.org", {})
    assert found.timezone == zone


def test_other_names_lead_to_zones_of_iana() -> None:
    assert {zone for name in zone_names() for zone in find_zones(name)} == zone_names()
    assert find_zones("united states")[0] == "America/New_York"


@pytest.mark.parametrize("content", [None, b"", b"TZif, but not really"])
def test_times_do_not_depend_on_the_machine(tmp_path: Path, content: bytes | None) -> None:
    """The machine has no zone files, or broken ones."""
    if content is not None:
        (tmp_path / "US").mkdir()
        (tmp_path / "US" / "Pacific").write_bytes(content)
    environment = {**os.environ, "PYTHONTZPATH": "" if content is None else str(tmp_path)}
    shown = subprocess.check_output(  # noqa: S603 - our own Python
        [sys.executable, "-c", SHOW_NOON], env=environment, text=True
    )
    assert shown.strip() == "2026-08-03T19:00:00+00:00"
