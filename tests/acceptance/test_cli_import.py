"""Importing and exporting readers by command, and the lists of other programs."""

import json
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.cli import Newsletter
from tests.unit.test_reader_lists import MAILCHIMP_FILES

RULES = ['"x; y" and z', "title:reasoning; agents", "=cmd", "-minus", "@at; =1"]


@pytest.fixture
def newsletter(tmp_path: Path) -> Newsletter:
    made = Newsletter(tmp_path)
    made.configure(topics=["Reasoning"])
    made.subscribe()
    return made


def write(newsletter: Newsletter, name: str, content: str) -> str:
    (newsletter.folder / name).write_text(content, encoding="utf-8", newline="")
    return name


def statuses(newsletter: Newsletter) -> dict[str, str]:
    return {each["email"]: each["status"] for each in newsletter.json("subscribers", "list")}


@pytest.mark.slow
def test_export_reads_back_whatever_a_rule_holds(newsletter: Newsletter) -> None:
    reader = {"email": "semi@example.org", "name": "=1+1", "include": RULES}
    write(newsletter, "one.yaml", json.dumps({"subscribers": [reader]}))
    newsletter.run("subscribers", "import", "one.yaml")
    newsletter.run("subscribers", "export", "out.csv")
    newsletter.run("subscribers", "remove", "semi@example.org")
    newsletter.run("subscribers", "import", "out.csv", "--again", "--yes")
    (listed,) = newsletter.json("subscribers", "list")
    assert (listed["include"], listed["name"]) == (RULES, "=1+1")
    newsletter.configure(topics=["Reasoning"], store="sqlite:///new.db")
    newsletter.run("store", "new", "--yes")
    newsletter.run("subscribers", "import", "out.csv")
    assert newsletter.json("subscribers", "list") == [listed]


@pytest.mark.slow
def test_archive_of_mailchimp_revives_nobody(newsletter: Newsletter) -> None:
    with zipfile.ZipFile(newsletter.folder / "audience.zip", "w") as archive:
        for name, text in MAILCHIMP_FILES.items():
            archive.writestr(name, text)
    tried = newsletter.run("subscribers", "import", "audience.zip", "--dry-run")
    assert tried.stdout == "1 new, 0 known and unchanged, 0 differ, 4 unsubscribed or blocked\n"
    assert "is a list of Mailchimp" in tried.stderr
    assert "ignored columns: MEMBER_RATING" in tried.stderr
    assert "never confirmed" in tried.stderr
    assert statuses(newsletter) == {}
    done = newsletter.json("subscribers", "import", "audience.zip")
    assert done["added"] == ["ada@x.org"]
    wanted = {
        "ada@x.org": "confirmed",
        "bob@x.org": "unsubscribed",
        "cyd@x.org": "unsubscribed",
        "dan@x.org": "unsubscribed",
        "eve@x.org": "blocked",
    }
    assert statuses(newsletter) == wanted
    write(newsletter, "later.csv", "\n".join(["email", *wanted]))
    assert newsletter.json("subscribers", "import", "later.csv")["left_out"] == 4
    assert statuses(newsletter) == wanted
    exported = newsletter.json("subscribers", "export")
    dates = {each["email"]: each.get("consented", "")[:10] for each in exported}
    assert dates["ada@x.org"] == dates["cyd@x.org"] == "2026-01-02"


def test_bad_rows_are_named_and_the_others_imported(newsletter: Newsletter) -> None:
    name = write(newsletter, "list.csv", "Email;Name\r\nada@x.org;A\r\nnobody;\r\nbob@x.org;B\r\n")
    refused = newsletter.run("subscribers", "import", name, code=3)
    assert "list.csv:3: " in refused.stderr
    assert "no reader was imported. 2 readers are without a mistake: --skip-" in refused.stderr
    assert statuses(newsletter) == {}
    done = newsletter.run("subscribers", "import", name, "--skip-invalid")
    assert done.stdout == "2 new, 0 known and unchanged, 0 differ\n"
    assert "left out: list.csv:3: " in done.stderr
    assert [*statuses(newsletter)] == ["ada@x.org", "bob@x.org"]


@pytest.mark.slow
def test_export_leaves_out_what_is_no_address(newsletter: Newsletter) -> None:
    """Another program, or a hand, may have written it; an import of the file would be refused."""
    for email in ("ada@example.org", "bob@example.org"):
        newsletter.run("subscribers", "add", email)
    with closing(sqlite3.connect(newsletter.folder / "newsletter.db")) as store, store:
        store.execute("UPDATE readers SET email = 'nobody' WHERE id = 2")
    done = newsletter.run("subscribers", "export", "out.csv")
    assert "left out: 'nobody' is stored as an address but is not one" in done.stderr
    assert newsletter.json("subscribers", "import", "out.csv")["unchanged"] == 1


@pytest.mark.slow
def test_imported_list_leaves_alone_what_readers_chose(newsletter: Newsletter) -> None:
    """Neither a column of addresses nor other values change a known reader without being asked."""
    words = ("--topics", "Reasoning", "--include", "LoRA", "--name", "Ada")
    newsletter.run("subscribers", "add", "ada@example.org", *words)
    before = newsletter.json("subscribers", "list")
    write(newsletter, "list.txt", "ADA@example.org\n")
    newsletter.run("subscribers", "import", "list.txt")
    newsletter.run("subscribers", "add", "ada@example.org", "--again", "--at", "09:00")
    write(newsletter, "list.csv", "email,include\nada@example.org,speech\nbob@example.org,\n")
    tried = newsletter.json("subscribers", "import", "list.csv", "--dry-run")
    assert newsletter.json("subscribers", "list") == before
    done = newsletter.run("subscribers", "import", "list.csv")
    assert done.stdout.splitlines() == [
        "1 new, 0 known and unchanged, 1 differs",
        "ada@example.org keeps: include: LoRA → speech",
    ]
    assert tried["added"] == ["bob@example.org"]
    fields = {"include": {"stored": ["LoRA"], "listed": ["speech"]}}
    assert tried["differs"] == [{"reader": "ada@example.org", "fault": "", "fields": fields}]
    assert newsletter.json("subscribers", "list")[:1] == before


@pytest.mark.slow
def test_overwriting_import_names_readers_and_asks(newsletter: Newsletter) -> None:
    newsletter.run("subscribers", "add", "ada@example.org", "--topics", "Reasoning")
    newsletter.run("subscribers", "add", "bob@example.org")
    newsletter.run("subscribers", "remove", "bob@example.org")
    write(newsletter, "list.csv", "email,include\nada@example.org,speech\nbob@example.org,\n")
    words = ("subscribers", "import", "list.csv", "--again", "--overwrite")
    refused = newsletter.run(*words, code=2)
    assert "ada@example.org: include: not set → speech" in refused.stderr
    assert "bob@example.org gets emails again, and was unsubscribed" in refused.stderr
    assert "Change what 2 readers chose? Not a terminal. Pass --yes" in refused.stderr
    assert statuses(newsletter)["bob@example.org"] == "unsubscribed"
    done = newsletter.json(*words, "--yes")
    assert (done["added"], done["overwritten"]) == (["bob@example.org"], ["ada@example.org"])
    ada, bob = newsletter.json("subscribers", "list")
    assert (ada["topics"], ada["include"]) == (["Reasoning"], ["speech"])
    assert bob["status"] == "confirmed"


@pytest.mark.slow
def test_import_by_which_a_reader_leaves_asks(newsletter: Newsletter) -> None:
    newsletter.run("subscribers", "add", "ada@example.org")
    write(newsletter, "list.csv", "email,status\nada@example.org,unsubscribed\n")
    refused = newsletter.run("subscribers", "import", "list.csv", code=2)
    assert "ada@example.org gets no more emails: unsubscribed by the list" in refused.stderr
    assert statuses(newsletter) == {"ada@example.org": "confirmed"}
    newsletter.run("subscribers", "import", "list.csv", "--yes")
    assert statuses(newsletter) == {"ada@example.org": "unsubscribed"}
