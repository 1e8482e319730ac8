"""Every closed set is written once: a member added without its table entry causes a named error."""

import os
import re
import subprocess
import sys
from dataclasses import asdict, replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from shutil import copy, copytree, ignore_patterns
from typing import Any, get_args

import pytest

from newsletter.app.clock import SystemClock
from newsletter.app.source_adapters import make_source
from newsletter.config import AnySource, read_settings
from newsletter.config.reader_lists import read_csv, write_csv
from newsletter.config.sources import SOURCE_KINDS, SourceSettings
from newsletter.config.subscribers import (
    SubscriberSettings,
    plain_values,
    read_subscribers,
    write_yaml,
)
from newsletter.errors import InvalidFileError
from newsletter.model import (
    ANSWERED,
    ARRIVED,
    CADENCES,
    DECIDING,
    DELIVERY_STATES,
    DONE_ISSUE,
    ERRORS,
    FREE,
    IN_DOUBT,
    ISSUE_STATES,
    LEASED,
    MAY_HAVE_LEFT,
    OPEN,
    OPEN_ISSUE,
    SETTLEABLE,
    STOPPED_ISSUE,
    SUBSCRIBER_FIELDS,
    TROUBLED,
    Cadence,
    Counts,
    Days,
    DeliveryState,
    IssueState,
    ListedReader,
    Outcome,
    Subscriber,
    allowing,
)
from newsletter.model.closed_sets import complete
from newsletter.model.deliveries import STATE_AFTER
from newsletter.model.windows import LONGEST_GAP
from newsletter.readers.due import is_due
from newsletter.readers.service import keep_fields
from newsletter.sources import Client
from newsletter.web.forms import fill_form, parse_subscriber
from tests.support.factories import EVERY_FIELD

ROOT = Path(__file__).parents[2]
DELIVERY_PAGE = (ROOT / "docs" / "delivery.md").read_text()
SOURCES_PAGE = (ROOT / "docs" / "sources.md").read_text()
SETTINGS_ROWS = {
    row.split("`")[1]: row
    for row in (ROOT / "docs" / "configuration.md").read_text().splitlines()
    if row.startswith("| `")
}
"""The tables of docs/configuration.md: a row for each setting."""


def copy_with(folder: Path, file: str, words: str, others: str) -> Path:
    """A copy of the package in this folder, with other words in one file of it."""
    if not (folder / "newsletter").exists():
        copytree(ROOT / "newsletter", folder / "newsletter", ignore=ignore_patterns("__pycache__"))
        copy(ROOT / "pyproject.toml", folder)
    source = (folder / file).read_text()
    assert words in source
    (folder / file).write_text(source.replace(words, others, 1))
    return folder


def words_of_failure(folder: Path, *arguments: str) -> str:
    """The error output of Python, which must fail in this folder."""
    done = subprocess.run(  # noqa: S603 - Python itself, on a copy of our package
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    return done.stdout + done.stderr


def drawing() -> str:
    """The delivery states and their transitions, in Mermaid."""
    steps = [
        f"  {state} --> {after}: {why}"
        for state, facts in DELIVERY_STATES.items()
        for after, why in facts.becomes.items()
    ]
    first = ["  [*] --> pending", "  [*] --> empty: no paper for this reader"]
    return "\n".join(["```mermaid", "stateDiagram-v2", *first, *steps, "```"])


class TestATableOfMembers:
    """``complete``, which every table goes through when it is defined."""

    def test_member_without_entry_is_named(self) -> None:
        with pytest.raises(TypeError, match="DELIVERY_STATES has no entry for astray, lost"):
            complete(
                "DELIVERY_STATES",
                (*get_args(DeliveryState), "astray", "lost"),
                dict(DELIVERY_STATES),
            )

    def test_entry_of_no_member_is_named(self) -> None:
        states = tuple(state for state in get_args(IssueState) if state != "held")
        with pytest.raises(TypeError, match="ISSUE_STATES does not know held"):
            complete("ISSUE_STATES", states, dict(ISSUE_STATES))

    def test_entries_come_in_the_order_of_the_members(self) -> None:
        assert list(complete("letters", "abc", {"c": 3, "a": 1, "b": 2})) == ["a", "b", "c"]


class TestDeliveryStates:
    """The table of delivery states, and what follows from it."""

    def test_named_sets(self) -> None:
        assert set(OPEN) == {"pending", "claimed", "committing", "deferred", "unknown"}
        assert FREE == ("pending", "deferred", "unknown")
        assert set(LEASED) == {"claimed", "committing"}
        assert set(SETTLEABLE) == {"claimed", "committing", "unknown", "held"}
        assert set(DECIDING) == {"accepted", "empty"}
        assert set(MAY_HAVE_LEFT) == {"committing", "accepted", "unknown", "held"}
        assert set(IN_DOUBT) == {"unknown", "held"}
        assert set(ARRIVED) == {"accepted"}
        assert set(ANSWERED) == {"accepted", "failed"}
        assert set(ERRORS) == {"failed", "held", "expired"}
        assert set(TROUBLED) == {*ERRORS, "deferred", "unknown"}

    def test_every_outcome_leads_to_a_settled_state(self) -> None:
        assert set(STATE_AFTER) == set(get_args(Outcome))
        for state in STATE_AFTER.values():
            assert state in DELIVERY_STATES["committing"].becomes

    def test_open_states_lead_on_and_end_states_do_not(self) -> None:
        final = {state for state, facts in DELIVERY_STATES.items() if not facts.becomes}
        assert final == set(DELIVERY_STATES) - OPEN - {"held"}

    def test_a_state_the_counts_do_not_know_is_named(self) -> None:
        with pytest.raises(TypeError, match="Counts has no entry for astray"):
            complete("Counts", [*map(str, DELIVERY_STATES), "astray"], asdict(Counts()))

    def test_counts_add_up_over_all_states(self) -> None:
        counts = Counts(**{state: 2**place for place, state in enumerate(DELIVERY_STATES)})
        assert counts.planned == 2 ** len(DELIVERY_STATES) - 1
        assert counts.open + counts.of(set(DELIVERY_STATES) - OPEN) == counts.planned
        assert counts.of(FREE) == counts.pending + counts.deferred + counts.unknown

    def test_the_page_draws_the_table(self) -> None:
        assert drawing() in DELIVERY_PAGE, f"docs/delivery.md should draw:\n{drawing()}"

    @pytest.mark.parametrize("state", DELIVERY_STATES)
    def test_the_page_says_what_each_state_means(self, state: DeliveryState) -> None:
        assert f"| `{state}` | {DELIVERY_STATES[state].meaning} |" in DELIVERY_PAGE


class TestIssueStates:
    """The table of issue states, and what follows from it."""

    def test_named_sets(self) -> None:
        assert set(OPEN_ISSUE) == {"frozen", "sending"}
        assert set(STOPPED_ISSUE) == {"held", "cancelled"}
        assert set(DONE_ISSUE) == {"done", "done_with_errors"}

    def test_commands(self) -> None:
        assert set(allowing("hold")) == {"frozen", "sending", "skipped"}
        assert set(allowing("release")) == {"held"}
        assert set(allowing("cancel")) == {*allowing("hold"), *STOPPED_ISSUE}

    def test_a_state_is_either_open_or_stopped_or_neither(self) -> None:
        assert not OPEN_ISSUE & STOPPED_ISSUE

    @pytest.mark.parametrize("state", ISSUE_STATES)
    def test_the_page_says_what_each_state_means(self, state: IssueState) -> None:
        assert f"| `{state}` | {ISSUE_STATES[state].meaning} |" in DELIVERY_PAGE


class TestCadences:
    """The table of cadences, and what follows from it."""

    def test_no_gap_between_issues_is_longer_than_the_table_says(self) -> None:
        """Over four years and each weekday, the longest gap is exactly the one of the table."""
        for facts in CADENCES.values():
            days = (date(2024, 1, 1) + timedelta(days=n) for n in range(4 * 365))
            issues = [day for day in days if facts.falls_on(day, 2)]
            gaps = [later - earlier for earlier, later in pairwise(issues)]
            assert max(gaps, default=None) == facts.longest_gap

    def test_only_those_that_ask_for_a_weekday_depend_on_it(self) -> None:
        days = [date(2026, 8, 3) + timedelta(days=n) for n in range(4 * 7)]
        for facts in CADENCES.values():
            issues = {tuple(facts.falls_on(day, chosen) for day in days) for chosen in range(7)}
            assert (len(issues) > 1) == facts.asks_weekday

    def test_the_page_about_settings_names_each(self) -> None:
        for cadence, facts in CADENCES.items():
            assert f"`{cadence}`" in SETTINGS_ROWS["cadence"]
            assert (f"`{cadence}`" in SETTINGS_ROWS["day"]) == facts.asks_weekday
        for days in get_args(Days):
            assert f"`{days}`" in SETTINGS_ROWS["schedule.days"]

    def test_the_example_configuration_names_each(self) -> None:
        example = (ROOT / "newsletter" / "data" / "newsletter.example.yaml").read_text()
        assert " | ".join(get_args(Days)) in example


class TestSubscriberFields:
    """The table of a subscriber's fields, which files and forms follow."""

    @pytest.mark.parametrize("field", SUBSCRIBER_FIELDS)
    def test_every_field_comes_back_from_files_and_forms(self, field: str) -> None:
        assert plain_values(EVERY_FIELD)[field] != plain_values(Subscriber(""))[field]
        topics = EVERY_FIELD.filter.topics
        (from_csv,) = read_csv(
            write_csv([ListedReader(EVERY_FIELD)]).encode(), "readers.csv", topics
        ).checked()
        (from_yaml,) = read_subscribers(
            write_yaml([ListedReader(EVERY_FIELD)]).encode(), "readers.yaml", topics, {}
        )
        assert from_csv == from_yaml == ListedReader(EVERY_FIELD)
        names = {name: name for name in topics}
        from_form = parse_subscriber(fill_form(EVERY_FIELD), EVERY_FIELD.email, names)
        if SUBSCRIBER_FIELDS[field] != "fixed":
            assert plain_values(from_form)[field] == plain_values(EVERY_FIELD)[field]

    @pytest.mark.parametrize("field", SUBSCRIBER_FIELDS)
    def test_letters_depend_on_each_field(self, field: str) -> None:
        rooms = ("papers", "issue", "letter", "readers", "publisher")
        files = [file for room in rooms for file in (ROOT / "newsletter" / room).glob("*.py")]
        read = any(re.search(rf"\.{field}\b", file.read_text()) for file in files)
        assert read, f"{field} is stored and shown, but nothing in {', '.join(rooms)} reads it"

    @pytest.mark.parametrize("weekday", range(7))
    @pytest.mark.parametrize("cadence", [name for name in CADENCES if name != "paused"])
    def test_without_a_pause_issues_come_within_the_longest_gap(
        self, cadence: Cadence, weekday: int
    ) -> None:
        """Papers older than the windows of time allow would never be sent."""
        chosen = replace(EVERY_FIELD, cadence=cadence, day=weekday, paused_until=None)
        days = (date(2026, 1, 1) + timedelta(days=n) for n in range(60))
        issues = [day for day in days if is_due(chosen, day)]
        gaps = (later - earlier for earlier, later in pairwise(issues))
        assert max(gaps, default=timedelta.max) <= LONGEST_GAP

    @pytest.mark.parametrize(
        "field", [name for name, way in SUBSCRIBER_FIELDS.items() if way != "fixed"]
    )
    def test_a_page_asks_for_each_field_that_is_not_fixed(self, field: str) -> None:
        pages = [page.read_text() for page in (ROOT / "templates" / "web").glob("*.html")]
        assert any(f'name="{field}"' in page for page in pages), f"no page asks for {field}"

    @pytest.mark.parametrize("field", SUBSCRIBER_FIELDS)
    def test_saving_a_form_can_keep_every_field(self, field: str) -> None:
        """Any field may be marked ``fixed``, those of the filter too."""
        saved = plain_values(keep_fields(EVERY_FIELD, Subscriber("eve@example.org"), [field]))
        unchanged = plain_values(Subscriber("eve@example.org"))
        assert saved == unchanged | {field: plain_values(EVERY_FIELD)[field]}

    def test_a_field_that_settings_do_not_read_is_named(self) -> None:
        with pytest.raises(TypeError, match="SubscriberSettings has no entry for shoe_size"):
            complete(
                "SubscriberSettings",
                [*SUBSCRIBER_FIELDS, "shoe_size"],
                SubscriberSettings.model_fields,
            )


class TestSourceKinds:
    """The settings of each kind of source."""

    @pytest.mark.parametrize("settings", get_args(AnySource))
    def test_each_kind_has_a_name_of_its_own(self, settings: type[SourceSettings]) -> None:
        assert "default_name" in vars(settings)

    @pytest.mark.parametrize("settings", get_args(AnySource))
    def test_the_pages_name_each_kind_and_its_settings(
        self, settings: type[SourceSettings]
    ) -> None:
        (kind,) = get_args(settings.model_fields["kind"].annotation)
        assert f"| `{kind}` |" in SOURCES_PAGE
        assert f"`{kind}`" in SETTINGS_ROWS["sources.kind"]
        for name in set(settings.model_fields) - set(SourceSettings.model_fields) - {"kind"}:
            assert f"`{kind}`" in SETTINGS_ROWS[f"sources.{name}"]

    @pytest.mark.parametrize("settings", get_args(AnySource))
    def test_the_adapter_gets_every_setting(self, settings: type[SourceSettings]) -> None:
        names = set(settings.model_fields) - {"kind", "name"}
        chosen: Any = settings.model_construct(None, **{name: f"{name} as set" for name in names})
        client = Client(contact="editor@example.org", clock=SystemClock())
        source = make_source("a source", chosen, Path(), client)
        if not hasattr(source, "client"):  # it reads files
            names -= set(SourceSettings.model_fields)
        for name in names:
            assert f"{name} as set" in repr(source), f"{name} has no effect"

    def test_a_wrong_kind_is_told_all_kinds(self) -> None:
        with pytest.raises(InvalidFileError, match=", ".join(SOURCE_KINDS[:-1])):
            read_settings(b"name: N\nsender: a@b.org\nsources: [{kind: x}]", "newsletter.yaml", {})


@pytest.mark.parametrize(
    ("module", "member", "more", "says"),
    [
        ("states", '"pending",', '"pending", "lost",', "DELIVERY_STATES has no entry for lost"),
        ("states", '"frozen", "sending",', '"frozen", "sent",', "ISSUE_STATES has no entry for s"),
        ("cadences", "timedelta(weeks=1)", "timedelta(weeks=2)", "finds the last issue it owes"),
        ("windows", "DRAIN = 30.0", "DRAIN = 90.0", "not true: a stopped run ends before its le"),
        ("cadences", '"weekly"]', '"weekly", "fortnightly"]', "CADENCES has no entry for fortnig"),
        ("readers", "    day: int = 0", "    day: int = 0\n    quiet: int = 0", "entry for quiet"),
        (
            "readers",
            "    min_upvotes: int",
            "    stars: int = 0\n    min_upvotes: int",
            "for stars",
        ),
        ("deliveries", "Accepted | Refused |", "Accepted | Letter | Refused |", "no entry for Le"),
    ],
)
def test_a_member_added_alone_stops_the_start(
    module: str, member: str, more: str, says: str, tmp_path: Path
) -> None:
    copied = copy_with(tmp_path, f"newsletter/model/{module}.py", member, more)
    assert says in words_of_failure(copied, "-c", "import newsletter.model")


@pytest.mark.slow
def test_mypy_names_the_place_that_builds_each_kind_of_source(tmp_path: Path) -> None:
    """The match that builds adapters ends in ``assert_never``."""
    added = "| GopherSource\n    | ArxivSource\n"
    file = "newsletter/config/sources.py"
    copied = copy_with(tmp_path, file, "| ArxivSource\n", added)
    copied = copy_with(
        tmp_path, file, "\nAnySource", "\nclass GopherSource(SourceSettings): ...\n\nAnySource"
    )
    words = words_of_failure(copied, "-m", "mypy", "newsletter/app")
    assert 'Argument 1 to "assert_never" has incompatible type "GopherSource"' in words
