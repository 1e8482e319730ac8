"""The docs are true: every command and setting is in them, and their examples work."""

import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from newsletter.cli import COMMANDS
from newsletter.config import Settings, WebSettings, read_settings
from newsletter.config.subscribers import ListedReaderSettings, read_subscribers
from tests.support.cli import Newsletter
from tests.support.http_servers import daily_papers, serve
from tests.support.inbox import Inbox, open_inbox

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CODE, CONFIG = (
    {
        access
        for file in (ROOT / "newsletter" / folder).rglob("*.py")
        for access in re.findall(r"\b(\w+)(?=\.(\w+))", file.read_text())
    }
    for folder in ("", "config")
)
"""Every name with what is read of it, as ``("smtp", "host")``: in all modules, in the settings."""


def settings(model: type[BaseModel], section: str = "") -> Iterator[str]:
    """Every setting below this one, with its section; a section itself has none."""
    for name, field in model.model_fields.items():
        sections = [*models_in(field.annotation)]
        if not sections:
            yield f"{section}{name}"
        for each in sections:
            yield from settings(each, f"{name}.")


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models_in(part)


SETTINGS = sorted({*settings(Settings)})


def blocks(file: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", file.read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("setting", [*SETTINGS, *ListedReaderSettings.model_fields])
def test_every_setting_has_its_row(setting: str) -> None:
    rows = [line for line in (DOCS / "configuration.md").read_text().splitlines() if "|" in line]
    assert any(f"`{setting}`" in row.split("|")[1] for row in rows)


@pytest.mark.parametrize("setting", [name for name in SETTINGS if name != "sources.kind"])
def test_every_setting_is_used(setting: str) -> None:
    """As ``smtp.host`` or ``settings.host`` somewhere, or as ``self.host`` in the settings."""
    section, _, name = setting.rpartition(".")
    owner = section if section not in {"", "sources"} else "settings"
    servers = {"smtp", "imap", "pop3"}  # their adapters take all of them
    owners = {owner, "settings", "_settings"} if owner in servers else {owner}
    used = any((each, name) in CODE for each in owners) or ("self", name) in CONFIG
    assert used, f"nothing uses the setting {setting}: no module has {owner}.{name}"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented_and_has_help(command: str, tmp_path: Path) -> None:
    assert f"## `newsletter {command}" in (DOCS / "commands.md").read_text()
    helped = Newsletter(tmp_path).run(command, "--help")
    assert f"Example: newsletter {command}" in helped.stdout


def test_help_lists_the_commands(tmp_path: Path) -> None:
    helped = Newsletter(tmp_path).run("--help").stdout
    assert [line.split()[0] for line in helped.splitlines() if line.startswith("  ")][-1]
    for command in COMMANDS:
        assert f"\n  {command} " in helped


@pytest.mark.parametrize("file", [ROOT / "README.md", DOCS / "configuration.md"])
def test_example_configurations_are_valid(file: Path) -> None:
    for block in blocks(file, "yaml"):
        if block.startswith("subscribers:\n"):
            topics = ["Mixture of Experts", "Reasoning"]
            assert read_subscribers(block.encode(), file.name, topics, {})
        else:
            assert read_settings(block.encode(), file.name, {}).sources


def test_example_logins_are_valid() -> None:
    secrets = {"OAUTH_CLIENT_SECRET": "secret", "OAUTH_REFRESH_TOKEN": "token"}
    for block in blocks(DOCS / "oauth.md", "yaml"):
        file = f"name: N\nsender: papers@example.org\n{block}"
        assert read_settings(file.encode(), "oauth.md", secrets).smtp.oauth


def test_readme_begins_with_two_commands() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert lines.index("make demo") < 20
    assert lines.index("make test") < 20


def test_readme_links_exist() -> None:
    for file in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)", file.read_text()):
            if not target.startswith("http"):
                assert (file.parent / target).exists(), f"{file.name}: {target}"


def test_lines_for_cron_and_aliases_have_the_whole_path() -> None:
    for file in (ROOT / "README.md", *DOCS.glob("*.md")):
        assert not re.search(
            r"(&&|\||=|\* ) ?newsletter (send|fetch|run|bounces)", file.read_text()
        )


@pytest.mark.slow
def test_line_for_cron_works_without_a_path(tmp_path: Path) -> None:
    folder = tmp_path / "my papers"
    said = Newsletter(tmp_path).run("init", str(folder)).stderr
    line = re.search(r"by cron:\n0,30 7 \* \* \*  (.*) send --yes --quiet\n0 12,22 \* \*", said)
    assert line is not None
    environment = {"HOME": "/root", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(  # noqa: S603 - our own command
        ["/bin/sh", "-c", f"{line[1]} config check"],
        env=environment,
        capture_output=True,
        check=True,
    )
    assert b"newsletter.yaml: ok" in done.stdout


def test_readme_setup_works(tmp_path: Path) -> None:
    newsletter = Newsletter(tmp_path)
    newsletter.run("init", "my-papers")
    mine = Newsletter(tmp_path / "my-papers")
    mine.run("config", "check")
    assert (mine.folder / "newsletter.schema.json").exists()
    before = (mine.folder / "newsletter.yaml").read_text()
    (mine.folder / "subscribers.yaml").write_text("subscribers: []\n")
    mine.run("init", ".")
    assert (mine.folder / "newsletter.yaml").read_text() == before
    assert (mine.folder / "subscribers.yaml").read_text() == "subscribers: []\n"


def steps(page: str) -> list[str]:
    """The lines of each example of a page, which stand in a list or not."""
    text = (DOCS / page).read_text()
    found = re.findall(r"^ *```console\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(block) for block in found]


def follow(block: str, newsletter: Newsletter, *others: int) -> None:
    """Run each line of an example; ``others`` are exit codes that are right besides 0."""
    for line in block.splitlines():
        program, *words = shlex.split(line, comments=True)
        if program == "newsletter":
            code = newsletter.run(*words, code=None).returncode
            assert code in {0, *others} or words == ["doctor"], line
        else:
            subprocess.run(["/bin/sh", "-c", line], cwd=newsletter.folder, check=True)  # noqa: S603


@pytest.fixture
def sent(tmp_path: Path) -> Iterator[tuple[Newsletter, Inbox]]:
    """A newsletter that has sent an issue to one reader."""
    paper = {"paper": {"id": "2608.00001", "title": "A paper", "summary": "Text.", "authors": []}}
    with open_inbox() as inbox, serve(daily_papers({"2026-08-03": [paper]})) as origin:
        made = Newsletter(tmp_path / "old", inbox.port)
        made.folder.mkdir()
        server = ("--smtp", f"127.0.0.1:{inbox.port}")
        made.run("init", *server, "--sender", "ada@example.org", "--source", "huggingface")
        file = made.folder / "newsletter.yaml"
        local = f"{{kind: huggingface, url: '{origin}', allow_private_addresses: true}}"
        file.write_text(file.read_text().replace("{kind: huggingface}", local))
        made.send("2026-08-03")
        yield made, inbox


@pytest.mark.slow
@pytest.mark.parametrize("page", ["backups.md", "upgrading.md", "moving.md"])
def test_pages_for_operators_repeat_no_letter(page: str, sent: tuple[Newsletter, Inbox]) -> None:
    newsletter, inbox = sent
    first, *more = steps(page)[:2] if page == "backups.md" else steps(page)
    follow(first, newsletter)
    newsletter.send("2026-08-03")
    for block in more:
        follow(block, newsletter)
    newsletter.send("2026-08-03")
    assert len(inbox.arrivals) == 1


@pytest.mark.slow
def test_restoring_on_another_machine_holds_the_issue(sent: tuple[Newsletter, Inbox]) -> None:
    old, inbox = sent
    make, _, restore = steps("backups.md")
    follow(make, old)
    new = Newsletter(old.folder.parent / "new", inbox.port)
    shutil.copytree(old.folder / "backups", new.folder / "backups")
    follow(restore, new, 5)
    assert new.json("status")["state"] == "held"
    secrets = [(each.folder / ".newsletter" / "secret").read_text() for each in (old, new)]
    assert secrets[0] == secrets[1]


def test_makefile_has_every_documented_target() -> None:
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)", (ROOT / "CONTRIBUTING.md").read_text()))
    done = subprocess.run(  # noqa: S603 - our own Makefile
        [shutil.which("make") or "make", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    offered = {line.split()[0] for line in done.stdout.splitlines() if line.strip()}
    assert named <= offered


def test_help_imports_nothing_heavy() -> None:
    """The help is fast because it imports no command's module and no library behind one."""
    probe = (
        "import sys; from newsletter.cli import run; run(['--help']);"
        "print(sorted({m.partition('.')[0] for m in sys.modules}"
        " & {'sqlalchemy', 'pydantic', 'httpx2', 'mjml', 'rich', 'starlette'}))"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


FAULTS = sorted({f"R{number:02d}" for number in range(1, 39)} - {"R18", "R32", "R33"})
"""The faults that deliveries must survive, by their numbers in docs/delivery.md."""


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_row_names_existing_tests(fault: str) -> None:
    (row,) = re.findall(rf"^\| {fault} \|.*$", (DOCS / "delivery.md").read_text(), re.MULTILINE)
    shown_by = row.split("|")[-2]
    named = re.findall(r"`(\w+\.py)::(\w+)`", shown_by)
    assert named
    for file, test in named:
        (path,) = (ROOT / "tests").glob(f"*/{file}")
        assert re.search(rf"^def {test}\(", path.read_text(), re.MULTILINE), f"{file}::{test}"


def test_container_runs_an_existing_command_and_port() -> None:
    text = (ROOT / "Containerfile").read_text()
    found = re.search(r'^CMD \["newsletter", "(\w+)"\]$', text, re.MULTILINE)
    assert found
    assert found[1] in COMMANDS
    assert f"EXPOSE {WebSettings().port}\n" in text


def test_every_security_row_names_existing_tests() -> None:
    rows = [line.split("|") for line in (DOCS / "security.md").read_text().splitlines()]
    tests_by_row = {
        row[1].strip(): set(re.findall(r"`(test_\w+)`", row[4])) for row in rows if len(row) > 5
    }
    held = {number for ids in tests_by_row for number in re.findall(r"S\d\d", ids)}
    assert held == {f"S{number:02}" for number in range(1, 31)} - {"S11", "S22"}
    written = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)
    }
    for row, names in tests_by_row.items():
        assert names <= written, row
        assert names or not row.startswith("S"), row
