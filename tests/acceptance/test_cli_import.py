"""Importing and exporting readers by command, and the lists of other programs."""

import json
import zipfile
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


def test_export_reads_back_whatever_a_rule_holds(newsletter: Newsletter) -> None:
    reader = {"email": "semi@example.org", "name": "=1+1", "include": RULES}
    write(newsletter, "one.yaml", json.dumps({"subscribers": [reader]}))
    newsletter.run("subscribers", "import", "one.yaml")
    newsletter.run("subscribers", "export", "out.csv")
    newsletter.run("subscribers", "remove", "semi@example.org")
    newsletter.run("subscribers", "import", "out.csv", "--again")
    (listed,) = newsletter.json("subscribers", "list")
    assert (listed["include"], listed["name"]) == (RULES, "=1+1")
    newsletter.configure(topics=["Reasoning"], store="sqlite:///new.db")
    newsletter.run("subscribers", "import", "out.csv")
    assert newsletter.json("subscribers", "list") == [listed]


def test_archive_of_mailchimp_revives_nobody(newsletter: Newsletter) -> None:
    with zipfile.ZipFile(newsletter.folder / "audience.zip", "w") as archive:
        for name, text in MAILCHIMP_FILES.items():
            archive.writestr(name, text)
    tried = newsletter.run("subscribers", "import", "audience.zip", "--dry-run")
    assert tried.stdout == "1 reader would be added, 4 recorded as unsubscribed or blocked\n"
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
    assert "nobody was imported. 2 readers are without a mistake: --skip-invalid" in refused.stderr
    assert statuses(newsletter) == {}
    done = newsletter.run("subscribers", "import", name, "--skip-invalid")
    assert done.stdout == "2 readers added\n"
    assert "left out: list.csv:3: " in done.stderr
    assert [*statuses(newsletter)] == ["ada@x.org", "bob@x.org"]


def test_imported_list_keeps_what_a_reader_chose(newsletter: Newsletter) -> None:
    words = ("--topics", "Reasoning", "--include", "LoRA", "--name", "Ada")
    newsletter.run("subscribers", "add", "ada@example.org", *words)
    before = newsletter.json("subscribers", "list")
    write(newsletter, "list.txt", "ADA@example.org\n")
    newsletter.run("subscribers", "import", "list.txt")
    assert newsletter.json("subscribers", "list") == before
    write(newsletter, "list.csv", "email,include\nada@example.org,speech\n")
    newsletter.run("subscribers", "import", "list.csv")
    (after,) = newsletter.json("subscribers", "list")
    assert (after["include"], after["topics"]) == (["speech"], ["Reasoning"])
