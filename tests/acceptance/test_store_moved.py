"""A newsletter that moves to another store sends nothing twice, and nobody who left comes back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from newsletter.app.moving import copy_all, move_store
from newsletter.app.wiring import open_app
from newsletter.errors import UsageError
from tests.acceptance.test_cli_audit import a_paper
from tests.support.cli import Newsletter
from tests.support.http_servers import daily_papers, serve
from tests.support.inbox import Inbox, open_inbox

FIRST, SECOND = "2026-08-03", "2026-08-04"
ADA, BOB, CLEO = "ada@example.org", "bob@example.org", "cleo@example.org"


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with open_inbox() as opened:
        yield opened


class Moving(Newsletter):
    """A newsletter whose first issue was sent, and whom Ada left afterwards."""

    origin: str = ""

    def use(self, store: str) -> None:
        """Use another store from now on."""
        source = {"kind": "huggingface", "url": self.origin, "allow_private_addresses": True}
        self.configure(sources=[source], store=store)

    def got(self, inbox: Inbox) -> list[int]:
        return [len(inbox.to(email)) for email in (ADA, BOB, CLEO)]


@pytest.fixture
def newsletter(tmp_path: Path, inbox: Inbox) -> Iterator[Moving]:
    made = Moving(tmp_path, inbox.port)
    with serve(daily_papers({FIRST: [a_paper(1)], SECOND: [a_paper(2)]})) as made.origin:
        made.use("sqlite:///newsletter.db")
        made.subscribe({"email": ADA}, {"email": BOB})
        made.run("subscribers", "add", CLEO)
        made.send(FIRST)
        made.run("subscribers", "remove", ADA)
        yield made


@pytest.mark.slow
def test_empty_store_in_place_of_another_sends_nothing(newsletter: Moving, inbox: Inbox) -> None:
    newsletter.run("subscribers", "export", "all.yaml", "--status", "confirmed")
    newsletter.use("sqlite:///new.db")
    newsletter.run("subscribers", "import", "all.yaml", code=3)
    refused = newsletter.run("send", "--date", FIRST, "--yes", code=3)
    assert "write `store: sqlite:///newsletter.db` again" in refused.stderr
    assert newsletter.got(inbox) == [1, 1, 1]
    assert not (newsletter.folder / "new.db").exists()
    newsletter.run("store", "copy", "--from", "sqlite:///newsletter.db")
    newsletter.send(FIRST)
    assert newsletter.got(inbox) == [1, 1, 1]
    newsletter.send(SECOND)
    assert newsletter.got(inbox) == [1, 2, 2]
    assert newsletter.json("audit", SECOND)["ok"]


@pytest.mark.slow
def test_store_can_be_copied_before_the_move(newsletter: Moving, inbox: Inbox) -> None:
    said = newsletter.run("store", "copy", "sqlite:///new.db").stdout
    assert "set `store: sqlite:///new.db`" in said
    newsletter.use("sqlite:///new.db")
    newsletter.send(SECOND)
    assert newsletter.got(inbox) == [1, 2, 2]
    newsletter.run("store", "copy", "sqlite:///newsletter.db", code=1)


@pytest.mark.slow
def test_move_takes_the_configuration_along(newsletter: Moving, inbox: Inbox) -> None:
    moved = newsletter.json("store", "move", "sqlite:///new.db")
    assert (moved["written"], moved["rows"]["readers"]) == (True, 3)
    assert '"store": "sqlite:///new.db"' in (newsletter.folder / "newsletter.yaml").read_text()
    newsletter.send(SECOND)
    assert newsletter.got(inbox) == [1, 2, 2]
    newsletter.use("sqlite:///newsletter.db")
    refused = newsletter.run("send", "--date", SECOND, "--yes", code=3).stderr
    assert "write `store: sqlite:///new.db`" in refused


@pytest.mark.slow
def test_interrupted_move_can_be_made_again(newsletter: Moving) -> None:
    with open_app(newsletter.folder / "newsletter.yaml") as app:
        copy_all(app, app.settings.store, "sqlite:///new.db", moving=True)
        assert app.store.issue_days(), "the old one is in use until the move has ended"
    with open_app(newsletter.folder / "newsletter.yaml") as app:
        assert move_store(app, "sqlite:///new.db").written


@pytest.mark.slow
@pytest.mark.parametrize("command", ["run", "serve", "send"])
def test_store_in_use_is_not_moved(newsletter: Moving, command: str) -> None:
    with open_app(newsletter.folder / "newsletter.yaml") as app, app.run_lock(command):
        for work in (move_store, lambda app, to: copy_all(app, app.settings.store, to)):
            with pytest.raises(UsageError, match=rf"newsletter {command} \(process \d+\) uses"):
                work(app, "sqlite:///new.db")


@pytest.mark.slow
def test_letters_sent_after_the_copy_are_recovered(newsletter: Moving, inbox: Inbox) -> None:
    """The journal is copied last: it knows of letters that left during the copy."""
    newsletter.run("store", "copy", "sqlite:///new.db")
    newsletter.send(SECOND)
    old, new = sorted((newsletter.folder / ".newsletter" / "witness").iterdir(), key=_letters)[::-1]
    for file in old.iterdir():
        (new / file.name).write_bytes(file.read_bytes())
    newsletter.use("sqlite:///new.db")
    newsletter.run("send", "--date", SECOND, "--yes", code=3)
    newsletter.run("store", "restored")
    newsletter.send(SECOND)
    assert newsletter.got(inbox) == [1, 2, 2]


def _letters(folder: Path) -> int:
    return len([*folder.glob("*.letters")])


@pytest.mark.slow
def test_another_newsletter_in_the_folder_may_begin(newsletter: Moving, inbox: Inbox) -> None:
    newsletter.use("sqlite:///other.db")
    newsletter.subscribe({"email": "dora@example.org"})
    newsletter.run("send", "--date", SECOND, "--yes", code=3)
    newsletter.run("store", "new", "--yes")
    (newsletter.folder / "newsletter.yaml").rename(newsletter.folder / "other.yaml")
    newsletter.run("--help")
    newsletter.run("send", "--date", FIRST, "--yes", "--config", "other.yaml")
    assert newsletter.got(inbox) == [1, 1, 1]
    assert len(inbox.to("dora@example.org")) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name the file or the store"),
        (("backup.db", "--from", "sqlite:///x.db"), "name the file or the store"),
        (("sqlite:///newsletter.db",), "is the same store"),
    ],
)
def test_contradictory_copies_are_refused(
    newsletter: Moving, words: tuple[str, ...], said: str
) -> None:
    assert said in newsletter.run("store", "copy", *words, code=2).stderr
