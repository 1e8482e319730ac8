"""Those who left or are blocked stay so when readers are exported, imported or listed anew."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Newsletter

ADA, BOB, CLEO = "ada@example.org", "bob@example.org", "cleo@example.org"


@pytest.fixture
def newsletter(tmp_path: Path) -> Newsletter:
    made = Newsletter(tmp_path)
    made.configure()
    made.subscribe({"email": ADA}, {"email": BOB})
    return made


def statuses(newsletter: Newsletter) -> dict[str, str]:
    return {each["email"]: each["status"] for each in newsletter.json("subscribers", "list")}


@pytest.mark.slow
@pytest.mark.parametrize("file", ["all.yaml", "all.csv"])
def test_export_carries_departures_into_an_empty_store(newsletter: Newsletter, file: str) -> None:
    newsletter.run("subscribers", "add", CLEO)
    newsletter.run("subscribers", "remove", ADA)
    newsletter.run("subscribers", "erase", CLEO, "--yes")
    newsletter.run("subscribers", "export", file)
    newsletter.configure(store="sqlite:///new.db")
    newsletter.run("store", "new", "--yes")
    assert f"{ADA} gets no more" in newsletter.run("subscribers", "import", file, code=2).stderr
    done = newsletter.json("subscribers", "import", file, "--yes")
    assert (done["added"], done["unchanged"], len(done["departed"])) == ([], 1, 2)
    assert statuses(newsletter) == {ADA: "unsubscribed", BOB: "confirmed"}
    refused = newsletter.run("subscribers", "add", CLEO, code=2)
    assert "left before" in refused.stderr


@pytest.mark.slow
def test_export_may_be_the_readers_file(newsletter: Newsletter) -> None:
    newsletter.run("subscribers", "remove", ADA)
    newsletter.run("subscribers", "export", "all.yaml")
    newsletter.configure(store="sqlite:///new.db", subscribers="all.yaml")
    newsletter.run("store", "new", "--yes")
    assert statuses(newsletter) == {ADA: "unsubscribed", BOB: "confirmed"}


def test_confirmed_readers_can_be_exported_alone(newsletter: Newsletter) -> None:
    newsletter.run("subscribers", "remove", ADA)
    listed = newsletter.json("subscribers", "export", "--status", "confirmed")
    assert [each["email"] for each in listed] == [BOB]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("left.txt", "Ada@example.org\n\ndora@example.org\n"),
        ("left.csv", "email\nada@example.org\ndora@example.org\n"),
    ],
)
def test_list_of_addresses_can_be_imported_as_departed(
    newsletter: Newsletter, file: str, text: str
) -> None:
    (newsletter.folder / file).write_text(text)
    done = newsletter.json("subscribers", "import", file, "--status", "unsubscribed")
    assert done["added"] == []
    assert statuses(newsletter) == {
        ADA: "unsubscribed",
        BOB: "confirmed",
        "dora@example.org": "unsubscribed",
    }
    newsletter.subscribe({"email": "dora@example.org"})
    assert statuses(newsletter)["dora@example.org"] == "unsubscribed"
    assert newsletter.json("subscribers", "import", file)["left_out"] == 2


def test_imported_consent_is_exported_again(newsletter: Newsletter) -> None:
    entry: dict[str, Any] = {"email": CLEO, "consented": "2026-07-01T09:30:00+00:00"}
    (newsletter.folder / "more.csv").write_text(",".join(entry) + "\n" + ",".join(entry.values()))
    newsletter.run("subscribers", "import", "more.csv")
    newsletter.run("subscribers", "import", "more.csv")
    assert entry in newsletter.json("subscribers", "export")


def test_address_list_with_a_mistake_names_the_line(newsletter: Newsletter) -> None:
    (newsletter.folder / "left.txt").write_text("ada@example.org\n\nnobody\n")
    done = newsletter.run("subscribers", "import", "left.txt", code=3)
    assert "left.txt:3: " in done.stderr


@pytest.mark.slow
def test_file_entry_leaves_a_readers_choices_alone(newsletter: Newsletter) -> None:
    newsletter.run("subscribers", "add", CLEO, "--include", "LoRA", "--exclude", "speech")
    own = newsletter.json("subscribers", "list")
    newsletter.subscribe({"email": ADA}, {"email": BOB}, {"email": CLEO, "exclude": []})
    listed = newsletter.json("subscribers", "list")[2]
    assert (listed["include"], "exclude" in listed, listed["origin"]) == (["LoRA"], False, "file")
    newsletter.subscribe({"email": ADA}, {"email": BOB})
    assert newsletter.json("subscribers", "list") == own


@pytest.mark.slow
def test_whom_the_readers_file_touches_is_said(newsletter: Newsletter) -> None:
    newsletter.run("subscribers", "add", CLEO, "--include", "LoRA")
    newsletter.subscribe({"email": ADA}, {"email": CLEO, "include": ["speech"]})
    said = newsletter.run("status").stderr
    assert f"{CLEO} choices replaced: include: LoRA → speech" in said
    assert f"{BOB} is not listed any more: no more emails" in said
    assert "the readers' file" not in newsletter.run("status").stderr
    (act, _) = newsletter.json("subscribers", "show", CLEO)["acts"]
    assert (act["who"], act["what"]) == ("readers' file", "changed by the file")


def test_list_without_readers_has_its_header(newsletter: Newsletter) -> None:
    newsletter.subscribe()
    shown = newsletter.run("subscribers", "list").stdout
    assert shown.split() == ["reader", "status", "from", "wants"]
