"""Bad input and failing systems: one clear error, the documented exit code, nothing half done."""

import json
import os
import re
import resource
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.support.cli import Newsletter
from tests.support.http_servers import daily_papers, serve
from tests.support.inbox import open_inbox

ROOT = Path(__file__).parents[2]
DAY = "2026-08-03"
PAPERS = [
    {
        "paper": {
            "id": f"2608.{number:05d}",
            "title": f"Paper {number}",
            "summary": "About it.",
            "authors": [],
            "upvotes": number,
        }
    }
    for number in range(1, 4)
]


@pytest.fixture
def newsletter(tmp_path: Path) -> Newsletter:
    made = Newsletter(tmp_path)
    made.configure()
    made.subscribe({"email": "ada@example.org"})
    return made


def test_missing_configuration_says_how_to_start(tmp_path: Path) -> None:
    done = Newsletter(tmp_path).run("send", "--yes", code=3)
    assert done.stderr == (
        "newsletter: newsletter.yaml: no such file; `newsletter init` writes one\n"
    )
    assert not list(tmp_path.iterdir())


def test_wrong_files_are_reported_and_touch_nothing(newsletter: Newsletter) -> None:
    newsletter.subscribe({"email": "ada@example.org"}, {"email": "nobody", "include": ["a and"]})
    done = newsletter.run("send", "--yes", code=3)
    lines = done.stderr.splitlines()
    assert lines[0].startswith("newsletter: subscribers.yaml:7: subscribers.1.email: 'nobody' is")
    assert lines[1].startswith("subscribers.yaml:9: subscribers.1.include.0: ")
    assert "Traceback" not in done.stderr
    assert not (newsletter.folder / "newsletter.db").exists()


def test_missing_subscribers_file_is_named(newsletter: Newsletter) -> None:
    (newsletter.folder / "subscribers.yaml").unlink()
    said = newsletter.run("send", "--yes", code=3).stderr
    assert "subscribers.yaml: no such file; `newsletter init` writes one" in said
    newsletter.run("init")
    assert (newsletter.folder / "subscribers.yaml").is_file()


def test_missing_file_message_is_accurate(newsletter: Newsletter) -> None:
    newsletter.configure(subscribers="readers.yaml")
    said = newsletter.run("send", "--yes", code=3).stderr
    assert "readers.yaml: no such file; write it (`subscribers: []` lists nobody)" in said
    assert "or correct `subscribers:` in newsletter.yaml" in said
    said = newsletter.run("config", "check", "--config", "other.yaml", code=3).stderr
    assert "other.yaml: no such file; write it, or name another with --config" in said
    said = newsletter.run("fetch", "--config", "my papers/newsletter.yaml", code=3).stderr
    assert "no such file; `newsletter init 'my papers'` writes one" in said
    (newsletter.folder / "newsletter.yaml").write_text("")
    said = newsletter.run("send", "--yes", code=3).stderr
    assert "the file is empty; delete it, then `newsletter init` writes a new" in said


def test_errors_are_json_lines_on_request(newsletter: Newsletter) -> None:
    newsletter.configure(subscribers="readers.yaml")
    errors = newsletter.run("send", "--yes", "--log-format", "json", code=3).stderr
    (line,) = map(json.loads, errors.splitlines())
    assert (line["level"], line["logger"]) == ("error", "newsletter.cli")
    assert "readers.yaml: no such file" in line["message"]


@pytest.mark.parametrize(
    "group", ["bounces", "config", "issue", "store", "subscribers", "templates", "topics"]
)
def test_group_help_describes_each_command_fully(newsletter: Newsletter, group: str) -> None:
    listed = newsletter.run(group, "--help").stdout.partition("Commands:")[2]
    assert "..." not in listed
    assert "…" not in listed
    sentences = " ".join(listed.split())
    for command in re.findall(r"^  (\w+) ", listed, re.MULTILINE):
        assert re.search(rf"\b{command} [A-Z]", sentences)
    assert sentences.endswith(".")


@pytest.mark.parametrize(
    ("words", "end"),
    [
        ("send --nosuch", "No such option: --nosuch (see: newsletter send --help)"),
        ("subscribers add", "Missing argument 'email'. (see: newsletter subscribers add --help)"),
        ("nosuch", "No such command 'nosuch'. (see: newsletter --help)"),
    ],
)
def test_unknown_word_points_to_help(tmp_path: Path, words: str, end: str) -> None:
    assert Newsletter(tmp_path).run(*words.split(), code=2).stderr == f"newsletter: {end}\n"


@pytest.mark.parametrize("group", ["", "subscribers"])
def test_group_alone_shows_its_help_only(tmp_path: Path, group: str) -> None:
    newsletter = Newsletter(tmp_path)
    listed = newsletter.run(*group.split(), code=2).stderr
    assert listed.strip() == newsletter.run(*group.split(), "--help").stdout.strip()


@pytest.mark.parametrize(
    "words",
    ["templates eject file", "preview --no-open --out file", "demo --no-serve --out file"],
)
def test_path_refused_by_the_system_is_named(newsletter: Newsletter, words: str) -> None:
    (newsletter.folder / "file").touch()
    said = newsletter.run(*words.split(), code=1).stderr
    assert re.search(r"^newsletter: file\S*: cannot be read or written: .*; fix that, or", said)
    assert "unexpected" not in said


def test_config_check_gives_every_mistake_as_json(newsletter: Newsletter) -> None:
    newsletter.configure(colour="red", timezone="Mars")
    found = newsletter.json("config", "check", code=3)
    assert [error["where"] for error in found["errors"]] == ["timezone", "colour"]
    assert all(error["file"] == "newsletter.yaml" and error["line"] for error in found["errors"])


def test_config_check_covers_readers_and_templates(newsletter: Newsletter) -> None:
    newsletter.configure(templates="mine")
    newsletter.subscribe({"email": "nobody"})
    (newsletter.folder / "mine").mkdir()
    (newsletter.folder / "mine" / "issue.txt").write_text("{{ nonsense")
    found = newsletter.json("config", "check", code=3)
    assert [error["where"] for error in found["errors"]] == ["subscribers.0.email", ""]
    assert "issue.txt" in found["errors"][1]["file"]


WISH = "about: Sprachmodelle für Bilder"


@pytest.mark.slow
def test_config_check_warns_of_dead_rules(newsletter: Newsletter) -> None:
    """Such rules were accepted once: the readers who have them are served as before."""
    newsletter.configure(
        sources=[{"kind": "huggingface"}], topics=[{"name": "Vision", "categories": ["cs.CV"]}]
    )
    rules = ["category:cs.CL", "diffus* model", "agents, work", WISH, "LoRA"]
    newsletter.subscribe({"email": "ada@example.org", "include": rules})
    found = newsletter.json("config", "check")
    assert [warning["where"] for warning in found["warnings"]] == [
        "topics.0.categories",
        *(f"subscribers.0.include.{place}" for place in range(4)),
    ]
    assert all(warning["line"] for warning in found["warnings"])
    said = newsletter.run("config", "check").stderr
    assert "subscribers.0.include.2: a comma is read as “or”; write “agents or work”" in said
    assert "subscribers.0.include.3: only 1 of these 3 words is understood" in said
    added = newsletter.run("subscribers", "add", "c@example.org", "--include", WISH)
    assert "warning: only 1 of these 3 words is understood" in added.stderr
    refused = newsletter.run("subscribers", "add", "b@example.org", "--include", "diff* y", code=3)
    assert "write whole words" in refused.stderr


HEAVY = {"alembic", "feedparser", "httpx2", "jinja2", "mjml", "numpy", "starlette", "uvicorn"}
"""What takes long to import, and only some commands need."""


@pytest.mark.slow
def test_commands_import_only_what_they_need(newsletter: Newsletter) -> None:
    """Beside the time, numpy takes 16 MB."""
    newsletter.configure(topics=["Robotics", {"name": "Notes", "any": ["notes"]}])
    newsletter.subscribe({"email": "ada@example.org", "include": ["LoRA"]})
    newsletter.run("status")  # makes the store
    assert not _imported(newsletter, "--help") & {*HEAVY, "pydantic", "sqlalchemy", "asyncio"}
    light = ["status", "config check", "config show"]
    assert not _imported(newsletter, *light) & {*HEAVY, "aiosmtplib", "rich"}
    assert "numpy" not in _imported(newsletter, "topics list", "subscribers list")
    newsletter.subscribe({"email": "ada@example.org", "include": [WISH]})
    assert "numpy" in _imported(newsletter, "config check")


@pytest.mark.slow
def test_missing_numpy_is_named_with_a_remedy(newsletter: Newsletter) -> None:
    """Without it no topic is matched; the rules alone need none."""
    newsletter.configure(topics=["Robotics"])
    for words in ("config check", "doctor", "topics test robots"):
        script = f"import sys\nsys.modules['numpy'] = None\n{_RUN}sys.exit(run({words.split()}))"
        done = _run_script(newsletter, script)
        assert done.returncode == (1 if words == "doctor" else 3), done.stderr
        assert re.search(r"numpy\D*install the newsletter again", done.stdout + done.stderr)
    newsletter.configure(topics=["Robotics"], matching="rules")
    assert _run_script(newsletter, script).returncode == 0


_RUN = "from newsletter.cli import run\n"


def _imported(newsletter: Newsletter, *commands: str) -> set[str]:
    """The packages that are there after these commands, which run one after the other."""
    script = f"import sys\n{_RUN}for words in {commands!r}:\n"
    script += "    assert run(words.split()) == 0, words\nprint('modules:', *sys.modules)"
    done = _run_script(newsletter, script)
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stdout.rpartition("modules:")[2].split()}


def _run_script(newsletter: Newsletter, script: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - a script of this test
        [sys.executable, "-c", script],
        cwd=newsletter.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_config_show_masks_secrets(newsletter: Newsletter) -> None:
    newsletter.configure(
        secret="a-secret-of-many-letters",
        store="postgresql://me:hunter2@127.0.0.1:1/none",
        sources=[
            {
                "kind": "feed",
                "url": "https://example.org/rss",
                "headers": {"Authorization": "Bearer hunter4"},
            }
        ],
        smtp={"host": "localhost", "port": 25, "security": "none", "password": "hunter3"},
        bounces={"webhooks": {"brevo": "hunter5-of-many-letters"}},
    )
    shown = (
        newsletter.run("config", "show").stdout + newsletter.run("config", "show", "--json").stdout
    )
    assert "a-secret" not in shown
    assert "hunter" not in shown
    assert "smtp.port = 25" in shown


@pytest.mark.slow
def test_wrong_arguments_are_usage_errors(newsletter: Newsletter) -> None:
    newsletter.run("nonsense", code=2)
    newsletter.run("send", "--nonsense", code=2)
    assert "2026-08-03" in newsletter.run("fetch", "--date", "yesterday", code=2).stderr
    assert "--yes" in newsletter.run("send", code=2).stderr
    assert "subscribers list" in newsletter.run("why", "eve@example.org", code=2).stderr
    assert "--all" in newsletter.run("why", code=2).stderr
    assert "65535" in newsletter.run("preview", "--port", "70000", code=2).stderr
    assert "--lost" in newsletter.run("issue", "resolve", DAY, code=2).stderr
    both = newsletter.run("issue", "resolve", DAY, "--arrived", "--lost", code=2).stderr
    assert "either --arrived or --lost" in both


@pytest.mark.slow
def test_failed_source_is_reported_before_sending(
    newsletter: Newsletter,
) -> None:
    newsletter.configure(sources=[{"kind": "page", "name": "Saved", "path": "nothing/*.txt"}])
    assert "Saved: " in newsletter.run("preview", "--date", DAY, "--out", "seen").stderr
    assert "Saved: " in newsletter.run("send", "--date", DAY, "--dry-run", code=4).stderr


def test_init_keeps_and_reports_existing_files(tmp_path: Path) -> None:
    made = Newsletter(tmp_path)
    assert made.run("init").stdout
    (tmp_path / "subscribers.yaml").write_text("mine", encoding="utf-8")
    again = made.run("init")
    assert not again.stdout
    assert "nothing was written" in again.stderr
    assert (tmp_path / "subscribers.yaml").read_text("utf-8") == "mine"


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"this is no database, not at all" * 40, "newsletter.db"), (None, "newsletter.db")],
)
def test_unreadable_store_is_named_with_the_remedy(
    newsletter: Newsletter, content: bytes | None, said: str
) -> None:
    store = newsletter.folder / "newsletter.db"
    if content is None:
        store.mkdir()
    else:
        store.write_bytes(content)
    done = newsletter.run("send", "--yes", code=1)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    if content is not None:
        assert store.read_bytes() == content


def test_missing_store_is_named_without_password(newsletter: Newsletter) -> None:
    newsletter.configure(store="postgresql://me:hunter2@127.0.0.1:1/none")
    done = newsletter.run("status", code=75)
    assert "127.0.0.1" in done.stderr
    assert "hunter2" not in done.stderr


FREEZING = -170_000
"""The bytes by which the store may grow; negative: too few to freeze the issue."""


@pytest.mark.slow
@pytest.mark.parametrize("left", [FREEZING, 40_000], ids=["while it freezes", "while it sends"])
def test_full_disk_loses_nothing_and_next_run_continues(tmp_path: Path, left: int) -> None:
    """A limit on the size of files simulates a disk that is full from then on."""
    with open_inbox() as inbox, serve(daily_papers({DAY: PAPERS})) as origin:
        newsletter = Newsletter(tmp_path, inbox.port)
        newsletter.configure(
            sources=[{"kind": "huggingface", "url": origin, "allow_private_addresses": True}]
        )
        newsletter.subscribe(*({"email": f"reader{n}@example.org"} for n in range(200)))
        newsletter.run("subscribers", "list")
        room = sum(path.stat().st_size for path in tmp_path.glob("newsletter.db*")) + left

        def full() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

        done = subprocess.run(  # noqa: S603 - our own command, in a process of its own
            [sys.executable, "-m", "newsletter", "send", "--date", DAY, "--yes"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            preexec_fn=full,
        )
        assert done.returncode == 1, (done.stdout, done.stderr)
        assert "newsletter.db" in done.stderr
        assert "Traceback" not in done.stderr
        before = len(inbox.arrivals)
        result = newsletter.send(DAY)
        assert newsletter.json("audit", DAY)["ok"]
    assert result["accepted"] == 200
    copies = Counter(arrival.recipient for arrival in inbox.arrivals)
    assert len(copies) == 200
    assert (before == 0) == (left == FREEZING)
    # A reply that could not be recorded leaves its letter in doubt: at most one per connection.
    assert sum(copies.values()) <= 200 + 8 * (before > 0)
    assert max(copies.values()) <= 2


@pytest.mark.slow
def test_subscribers_are_added_and_removed_by_command(newsletter: Newsletter) -> None:
    newsletter.configure(topics=["Reasoning"])
    newsletter.run("subscribers", "add", "bob@example.org", "--topics", "Reasoning")
    assert (
        "no topic"
        in newsletter.run("subscribers", "add", "cy@example.org", "--topics", "Nope", code=3).stderr
    )
    listed = {reader["email"]: reader for reader in newsletter.json("subscribers", "list")}
    assert listed["ada@example.org"]["origin"] == "file"
    assert listed["bob@example.org"]["topics"] == ["Reasoning"]
    newsletter.run("subscribers", "remove", "bob@example.org")
    assert "--again" in newsletter.run("subscribers", "add", "bob@example.org", code=2).stderr
    newsletter.run("subscribers", "add", "bob@example.org", "--again")
    newsletter.run("subscribers", "export", "readers.csv")
    written = newsletter.json("subscribers", "export", "readers.yaml")
    assert written == {"file": "readers.yaml", "readers": 2}
    csv = (newsletter.folder / "readers.csv").read_text()
    assert [line.split(",")[0] for line in csv.splitlines()] == [
        "email",
        "ada@example.org",
        "bob@example.org",
    ]
    newsletter.run("subscribers", "import", "readers.csv")
    newsletter.run("subscribers", "import", "readers.yaml")
    assert (
        "subscribers list"
        in newsletter.run("subscribers", "remove", "eve@example.org", code=2).stderr
    )


@pytest.mark.slow
def test_reader_is_found_by_any_spelling(newsletter: Newsletter) -> None:
    newsletter.run("subscribers", "add", "Bob@BÜCHER.example")
    removed = newsletter.json("subscribers", "remove", "bob@bücher.EXAMPLE")
    assert removed == {"removed": ["Bob@xn--bcher-kva.example"]}
    done = newsletter.run("subscribers", "remove", "ADA@Example.org")
    assert "subscribers.yaml still lists them" in done.stderr


@pytest.mark.slow
def test_departed_reader_cannot_return_under_another_spelling(newsletter: Newsletter) -> None:
    newsletter.run("subscribers", "remove", "ada@example.org")
    assert "--again" in newsletter.run("subscribers", "add", "ADA@example.org", code=2).stderr
    (newsletter.folder / "more.CSV").write_text("email\nAda@Example.org\nbob@example.org\n")
    done = newsletter.json("subscribers", "import", "more.CSV")
    assert (done["added"], done["left_out"]) == (["bob@example.org"], 1)
    newsletter.run("subscribers", "add", "ADA@example.org", "--again")
    listed = {r["email"]: r["status"] for r in newsletter.json("subscribers", "list")}
    assert listed == {"ada@example.org": "confirmed", "bob@example.org": "confirmed"}


@pytest.mark.slow
def test_readers_are_exported_in_the_chosen_format(newsletter: Newsletter) -> None:
    assert newsletter.run("subscribers", "export", "--format", "csv").stdout.startswith("email,")
    newsletter.run("subscribers", "export", "readers.txt", "--format", "csv")
    newsletter.run("subscribers", "export", "readers.CSV")
    newsletter.run("subscribers", "export", "odd.csv", "--format", "yaml")
    written = {
        name: (newsletter.folder / name).read_text().splitlines()[0].split(",")[0]
        for name in ("readers.txt", "readers.CSV", "odd.csv")
    }
    assert written == {"readers.txt": "email", "readers.CSV": "email", "odd.csv": "subscribers:"}
    assert "cannot be written" in newsletter.run("subscribers", "export", "no/x.csv", code=2).stderr


@pytest.mark.slow
def test_import_with_a_mistake_adds_nobody(newsletter: Newsletter) -> None:
    (newsletter.folder / "more.csv").write_text("email\nbob@example.org\nnobody\n")
    done = newsletter.run("subscribers", "import", "more.csv", code=3)
    assert done.stderr.startswith("newsletter: more.csv:3: subscribers.1.email")
    missing = newsletter.run("subscribers", "import", "none.csv", code=3)
    assert "CSV, YAML, text or ZIP" in missing.stderr
    assert [r["email"] for r in newsletter.json("subscribers", "list")] == ["ada@example.org"]


@pytest.mark.slow
def test_preview_writes_the_bytes_that_send_would(tmp_path: Path) -> None:
    with open_inbox() as inbox, serve(daily_papers({DAY: PAPERS})) as origin:
        newsletter = Newsletter(tmp_path, inbox.port)
        newsletter.configure(
            sources=[{"kind": "huggingface", "url": origin, "allow_private_addresses": True}]
        )
        newsletter.subscribe({"email": "ada@example.org"}, {"email": "bob@example.org"})
        newsletter.run("preview", "--date", DAY, "--out", "anyone")
        newsletter.run("preview", "--date", DAY, "--as", "all", "--out", "all")
        assert newsletter.send(DAY)["accepted"] == 2
        newsletter.run("preview", "--date", DAY, "--as", "ada@example.org", "--out", "sent")
    html = (tmp_path / "anyone" / "issue.html").read_text()
    assert "Paper 3" in html
    assert (tmp_path / "all" / "bob@example.org" / "issue.txt").exists()
    sent = (tmp_path / "sent" / "issue.eml").read_bytes()
    assert sent == inbox.to("ada@example.org")[0].content


@pytest.mark.slow
def test_status_and_fetch_give_json(tmp_path: Path) -> None:
    with open_inbox() as inbox, serve(daily_papers({DAY: PAPERS})) as origin:
        newsletter = Newsletter(tmp_path, inbox.port)
        newsletter.configure(
            sources=[{"kind": "huggingface", "url": origin, "allow_private_addresses": True}]
        )
        newsletter.subscribe({"email": "ada@example.org"})
        assert newsletter.json("status")["state"] is None
        fetched = newsletter.json("fetch", "--date", DAY)
        assert (fetched["new"], fetched["seen"]) == (3, 0)
        assert newsletter.json("fetch", "--date", DAY)["seen"] == 3
        newsletter.send(DAY)
        status = newsletter.json("status")
    assert (status["issue"], status["state"], status["accepted"]) == (DAY, "done", 1)
    counted = ("accepted", "failed", "suppressed", "empty", "expired", "held", "open")
    assert status["planned"] == sum(status[name] for name in counted)
    assert json.dumps(status["readers"]) == "[]"
    assert [source["name"] for source in status["sources"]] == ["Hugging Face Daily Papers"]


@pytest.mark.slow
def test_older_issue_ignores_later_source_failures(
    newsletter: Newsletter,
) -> None:
    feed = {"kind": "feed", "name": "Later", "url": "https://example.org/feed"}
    newsletter.configure(sources=[feed])
    for day in (DAY, "2026-08-04"):
        newsletter.run("issue", "cancel", day, "--yes")
    with sqlite3.connect(newsletter.folder / "newsletter.db") as store:
        row = "('Later', 'failed', 'gone', NULL, NULL)"
        store.execute(
            f"INSERT INTO sources (name, state, detail, checked, last_ok) VALUES {row}"  # noqa: S608 - our own words
        )
        store.execute("UPDATE issues SET state = 'skipped' WHERE day = '2026-08-04'")
    assert newsletter.json("status", DAY)["sources"] == []
    assert "gone" not in newsletter.run("status", DAY).stdout
    for newest in (newsletter.json("status"), newsletter.json("status", "2026-08-04")):
        assert [source["detail"] for source in newest["sources"]] == ["gone"]
    newsletter.run("issue", "cancel", "2026-08-05", "--yes")
    assert newsletter.json("status", "2026-08-04")["sources"], "a day called off fetched nothing"
    listed = newsletter.run("status").stdout
    assert re.search(r"^source +state\nLater +failed +gone$", listed, re.MULTILINE)


@pytest.mark.slow
def test_why_accepts_any_key_of_a_paper(tmp_path: Path) -> None:
    with serve(daily_papers({DAY: PAPERS})) as origin:
        newsletter = Newsletter(tmp_path)
        newsletter.configure(
            sources=[{"kind": "huggingface", "url": origin, "allow_private_addresses": True}]
        )
        newsletter.subscribe({"email": "ada@example.org", "min_upvotes": 2})
        newsletter.run("fetch", "--date", DAY)
        for name in ("arxiv:2608.00001", "2608.00001v2", "https://arxiv.org/abs/2608.00001"):
            (verdict,) = newsletter.json("why", "ada@example.org", name, "--date", DAY)
            assert verdict["reason"] == "has 1 upvotes, fewer than 2"
        said = newsletter.run("why", "ada@example.org", "2608.09999", "--date", DAY).stderr
        assert said.startswith(f"no paper of {DAY} is called '2608.09999'")


def test_unreadable_cache_is_silently_refetched(tmp_path: Path) -> None:
    with serve(daily_papers({DAY: PAPERS})) as origin:
        newsletter = Newsletter(tmp_path)
        newsletter.configure(
            sources=[{"kind": "huggingface", "url": origin, "allow_private_addresses": True}]
        )
        newsletter.subscribe()
        (tmp_path / ".newsletter").mkdir()
        (tmp_path / ".newsletter" / "http.db").write_text(
            "no database, as after a crash of the disk"
        )
        done = newsletter.run("fetch", "--date", DAY)
    assert "ok     3" in done.stdout
    assert done.stderr == ""


@pytest.mark.slow
def test_output_is_utf8_in_any_locale(newsletter: Newsletter) -> None:
    newsletter.subscribe({"email": "ada@example.org", "name": "Ada “Łovelace”"})
    done = subprocess.run(
        [sys.executable, "-m", "newsletter", "subscribers", "export", "--json"],
        cwd=newsletter.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout.decode("utf-8"))[0]["name"] == "Ada “Łovelace”"


@pytest.mark.slow
def test_filters_can_be_tried(tmp_path: Path) -> None:
    with serve(daily_papers({DAY: PAPERS})) as origin:
        newsletter = Newsletter(tmp_path)
        newsletter.configure(
            sources=[{"kind": "huggingface", "url": origin, "allow_private_addresses": True}],
            topics=[{"name": "Threes", "any": ['"paper 3"']}],
        )
        newsletter.subscribe({"email": "ada@example.org"})
        newsletter.run("fetch", "--date", DAY)
        newsletter.subscribe(
            {"email": "ada@example.org", "min_upvotes": 2, "exclude": ['"paper 3"']}
        )
        (topic,) = newsletter.json("topics", "test", "--date", DAY)
        (ada,) = newsletter.json("topics", "test", "--as", "ada@example.org", "--date", DAY)
        said = newsletter.run("topics", "test", "--as", "ada@example.org", "--date", DAY).stdout
        stored = newsletter.json("why", "ADA@example.org", "2608.00003", "--date", DAY)
        wish = newsletter.run("topics", "test", "about: Paper 3, not speech", "--date", DAY)
        by_name = newsletter.run("topics", "test", "Threes", "--date", DAY)
        dead = newsletter.run("topics", "test", "not speech", code=3)
    assert [paper["title"] for paper in topic["days"][0]["included"]] == ["Paper 3"]
    (day,) = ada["days"]
    assert (day["papers"], [paper["title"] for paper in day["included"]]) == (3, ["Paper 2"])
    assert [paper["reason"] for paper in day["near_misses"]] == [
        'exclude “"paper 3"”',
        "has 1 upvotes, fewer than 2",
    ]
    assert said.startswith("ada@example.org: 1.0 papers a day over 1 day\n  in    Paper 2")
    assert stored[0]["in"] is False
    assert wish.stdout.startswith(
        "Paper 3, not speech: 3.0 papers a day over 1 day\n  in    Paper 3 (“"
    )
    assert "include" not in wish.stdout
    assert by_name.stdout.startswith("Threes: 1.0 papers a day")
    assert "write what you want first\n    about: not speech\n" in dead.stderr


def test_departed_reader_stays_out_under_another_file_spelling(
    newsletter: Newsletter,
) -> None:
    newsletter.run("subscribers", "remove", "ada@example.org")
    newsletter.subscribe({"email": "ADA@Example.org"})
    listed = newsletter.json("subscribers", "list")
    assert [(r["email"], r["status"]) for r in listed] == [("ada@example.org", "unsubscribed")]
