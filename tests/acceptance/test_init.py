"""`newsletter init`: from a few questions to a first email whose every link works."""

import asyncio
import re
from pathlib import Path

import pytest

from newsletter.config import curated_groups
from tests.support.cli import Newsletter
from tests.support.daemons import free_port
from tests.support.http_servers import daily_papers, serve
from tests.support.inbox import open_inbox
from tests.support.smtp_servers import FaultyServer, faulty_server
from tests.support.terminals import on_a_terminal

PAPER = {"paper": {"id": "2608.00001", "title": "The first", "summary": "About it.", "authors": []}}
ANSWERS = {
    "come from": "papers@example.org",
    "That person": "ada@example.org",
    "Sources": "huggingface",
    "now?": "n",
}


@pytest.mark.slow
def test_questions_lead_to_a_letter_whose_links_work(tmp_path: Path) -> None:
    """Nothing serves pages or reads a mailbox, so every link writes to the person who was named."""
    with open_inbox() as inbox, serve(daily_papers({"2026-08-03": [PAPER]})) as origin:
        answers = ANSWERS | {"Mail server": f"127.0.0.1:{inbox.port}", "Postal": "1 Lane"}
        code, screen = on_a_terminal(tmp_path, "init", "mine", answers=answers)
        assert (code, "It takes emails from this sender" in screen) == (0, True)
        assert "newsletter preview" in screen
        assert inbox.arrivals == []
        mine = Newsletter(tmp_path / "mine")
        local = f"{{kind: huggingface, url: '{origin}', allow_private_addresses: true}}"
        file = mine.folder / "newsletter.yaml"
        file.write_text(file.read_text().replace("{kind: huggingface}", local))
        said = mine.run("send", "--date", "2026-08-03", "--yes").stderr
        assert "nothing reads" not in said
        (letter,) = inbox.to("ada@example.org")
    links = {*re.findall(r'(?:href="|List-Unsubscribe: <)([^">?]+)', letter.html)}
    links |= {*re.findall(r"mailto:[^>?]+", str(letter.message["List-Unsubscribe"]))}
    assert {link for link in links if "huggingface" not in link and "arxiv" not in link} == {
        "mailto:ada@example.org"
    }
    assert letter.message["Reply-To"] == "ada@example.org"
    assert "1 Lane" in letter.text


def test_mail_server_that_is_away_is_asked_for_again(tmp_path: Path) -> None:
    server = f"127.0.0.1:{free_port()}"
    answers = ANSWERS | {"Mail server": server, "again?": "n"}
    code, screen = on_a_terminal(tmp_path, "init", answers=answers)
    assert f"Trying {server}" in screen
    assert "check smtp.host and smtp.port" in screen
    assert (code, (tmp_path / "newsletter.yaml").exists()) == (0, True)


@pytest.mark.slow
def test_refused_password_is_told_and_the_good_one_kept_private(tmp_path: Path) -> None:
    async def talk() -> tuple[str, FaultyServer]:
        script = {"AUTH": ["535 5.7.8 wrong password"], "EHLO": [GREETING] * 2}
        async with faulty_server(script) as server:  # type: ignore[arg-type]
            answers = ANSWERS | {
                "Mail server": f"127.0.0.1:{server.port}",
                "User name": "ada",
                "Password": 'pass${word}"\\',
            }
            _, screen = await asyncio.to_thread(on_a_terminal, tmp_path, "init", answers=answers)
            return screen, server

    screen, server = asyncio.run(talk())
    assert "535 5.7.8 wrong password" in screen
    assert "It takes emails from this sender" in screen
    assert 'pass${word}"\\' not in screen
    assert [line.split()[0] for line in server.commands].count("AUTH") == 2
    assert (tmp_path / "newsletter.yaml").stat().st_mode & 0o777 == 0o600
    shown = Newsletter(tmp_path).json("config", "show")
    assert shown["smtp"]["username"] == "ada"


GREETING = "250-localhost\r\n250-AUTH PLAIN\r\n250 8BITMIME"


@pytest.mark.slow
def test_options_answer_without_a_terminal(tmp_path: Path) -> None:
    newsletter = Newsletter(tmp_path)
    newsletter.run(
        *("init", "--sender", "p@example.org", "--operator", "ada@example.org", "--topic", "14"),
        *("--smtp", "mx.example.org:465", "--timezone", "Europe/Zurich", "--name", "Ü ${x}"),
        *("--source", "cs.CL", "--source", "https://example.org/feed", "--topic", "Agents"),
        *("--url", "https://papers.example.org"),
    )
    shown = newsletter.json("config", "show")
    assert (shown["name"], shown["sender"]) == ("Ü ${x}", "Ü ${x} <p@example.org>")
    assert (shown["operator"], shown["reply_to"]) == ("ada@example.org", "ada@example.org")
    assert [(s["kind"]) for s in shown["sources"]] == ["feed", "arxiv"]
    names = [topic["name"] for topic in shown["topics"]]
    assert names == [*curated_groups()["Earth and climate"], "Agents"]
    assert (shown["smtp"]["port"], shown["smtp"]["security"]) == (465, "tls")
    assert (shown["url"], shown["web"]["port"]) == ("https://papers.example.org", 8000)
    assert newsletter.json("config", "check")["readers"] == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--name", "N"), "--sender is needed without a terminal"),
        (("--sender", "nobody"), "--sender: 'nobody' is not a valid email address"),
        (("--sender", "a@example.org", "--topic", "Coking"), "there is no topic 'coking'"),
        (("--sender", "a@example.org", "--source", "?"), "'?' is none of huggingface"),
        (("--sender", "a@example.org", "--smtp", "a b"), "--smtp: write the name of a server"),
        (("--sender", "a@example.org", "--timezone", "Europe/Zurih"), "Europe/Zurich"),
    ],
)
def test_unusable_options_are_named(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done = Newsletter(tmp_path).run("init", *words, code=2)
    assert said in done.stderr
    assert not (tmp_path / "newsletter.yaml").exists()
