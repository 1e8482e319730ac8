"""A store that does not know what this newsletter has sent is refused; others are not."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from newsletter.app.guards import begin_anew, check_store, refuse_copy, refuse_missing_file
from newsletter.errors import ConfigurationError
from newsletter.model import Accepted
from newsletter.stores import SendJournal, open_store
from newsletter.stores.sql import JournaledStore
from tests.support.databases import new_sqlite_store
from tests.support.factories import NOON, subscriber
from tests.support.frozen_issues import claim, freeze_one_issue, mark, settle

FILE = "newsletter.yaml"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / FILE
    path.touch()
    return path


def journal_of(folder: Path, store: str, *, key: str = "k") -> SendJournal:
    """The journal of a store's file in a newsletter's folder."""
    return SendJournal(
        folder / ".newsletter" / "witness" / Path(store).name,
        lambda email: (key + email,),
        store=f"sqlite:///{Path(store).name}",
        config=str(folder / FILE),
        file=store,
    )


@pytest.fixture
def sent(tmp_path: Path, config: Path) -> SendJournal:
    """The journal of a store from which Ada's letter was sent."""
    assert config.exists()
    url = new_sqlite_store(tmp_path)
    journal = journal_of(tmp_path, url.removeprefix("sqlite:///"))
    with closing(JournaledStore(url, journal)) as store:
        send_one(store)
    return journal


def send_one(store: JournaledStore) -> None:
    freeze_one_issue(store, "ada", "bob")
    (ada,) = claim(store, limit=1)
    mark(store, ada)
    settle(store, ada, outcome=Accepted("250 2.0.0 taken"))


@pytest.fixture
def other(url: str, tmp_path: Path, sent: SendJournal) -> Iterator[JournaledStore]:
    """An empty store, on each kind of database, that the same configuration names now."""
    assert sent.says_anything
    if url.startswith("sqlite"):
        (tmp_path / "elsewhere").mkdir()
        url = new_sqlite_store(tmp_path / "elsewhere")
    with closing(JournaledStore(url, journal_of(tmp_path, "other"))) as store:
        yield store


def test_empty_store_in_place_of_another_is_refused(other: JournaledStore, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not have the letters of"):
        check_store(journal_of(tmp_path, "other"), other, FILE)


@pytest.mark.slow
def test_store_accepted_by_the_operator_begins_anew(other: JournaledStore, tmp_path: Path) -> None:
    journal = journal_of(tmp_path, "other")
    assert begin_anew(journal, other, NOON) == ["sqlite:///store.db"]
    check_store(journal, other, FILE)


@pytest.mark.slow
def test_store_with_other_issues_is_refused(other: JournaledStore, tmp_path: Path) -> None:
    """Such as the one that the newsletter has moved away from."""
    freeze_one_issue(other, "ada", "bob")
    with pytest.raises(ConfigurationError, match=r"write `store: sqlite:///store\.db` again"):
        check_store(journal_of(tmp_path, "other"), other, FILE)


def test_same_store_under_another_name_is_accepted(tmp_path: Path, sent: SendJournal) -> None:
    journal = journal_of(tmp_path, "by another path")
    with closing(JournaledStore(f"sqlite:///{sent.file}", journal)) as store:
        check_store(journal, store, FILE)
        assert journal.days() == sent.days(), "it goes on where the other one ended"
        assert not store.has_lost_its_journal()


def test_backup_in_place_of_the_store_is_refused(tmp_path: Path, sent: SendJournal) -> None:
    backup = tmp_path / "backup.db"
    shutil.copy(sent.file, backup)
    with closing(JournaledStore(f"sqlite:///{sent.file}", sent)) as store:
        (bob,) = claim(store, limit=1)
        mark(store, bob)
    journal = journal_of(tmp_path, str(backup))
    with (
        closing(JournaledStore(f"sqlite:///{backup}", journal)) as store,
        pytest.raises(ConfigurationError, match="does not have the letters"),
    ):
        check_store(journal, store, FILE)


def test_deleted_file_is_not_created_again(sent: SendJournal, tmp_path: Path) -> None:
    Path(sent.file).unlink()
    with pytest.raises(ConfigurationError, match=r"put .*store\.db back"):
        refuse_missing_file(sent, FILE)
    with pytest.raises(ConfigurationError, match="does not exist"):
        refuse_missing_file(journal_of(tmp_path, str(tmp_path / "new.db")), FILE)


def test_readers_who_left_alone_protect_the_store(tmp_path: Path, config: Path) -> None:
    """Nothing was sent yet, but somebody has left already."""
    assert config.exists()
    url = new_sqlite_store(tmp_path)
    journal = journal_of(tmp_path, url.removeprefix("sqlite:///"))
    with closing(JournaledStore(url, journal)) as store:
        store.save_reader(subscriber("ada@example.org"), status="confirmed", now=NOON)
        store.set_status("ada@example.org", "unsubscribed", now=NOON)
    Path(journal.file).unlink()
    with pytest.raises(ConfigurationError, match="does not exist"):
        refuse_missing_file(journal, FILE)


def test_fresh_newsletter_is_not_refused(tmp_path: Path, config: Path) -> None:
    assert config.exists()
    url = new_sqlite_store(tmp_path)
    journal = journal_of(tmp_path, url.removeprefix("sqlite:///"))
    refuse_missing_file(journal_of(tmp_path, str(tmp_path / "none.db")), FILE)
    with closing(JournaledStore(url, journal)) as store:
        check_store(journal, store, FILE)
        send_one(store)
        check_store(journal, store, FILE)


def test_other_newsletter_beside_it_is_not_refused(tmp_path: Path, sent: SendJournal) -> None:
    (tmp_path / "other.yaml").touch()
    other = journal_of(tmp_path, str(tmp_path / "new.db"), key="another sender's")
    other.config = str(tmp_path / "other.yaml")
    assert sent.says_anything
    refuse_missing_file(other, "other.yaml")


def moved(sent: SendJournal, to: Path) -> SendJournal:
    """The journal of the newsletter in another folder, which has the same content."""
    return journal_of(to, str(to / Path(sent.file).name))


def test_moved_folder_is_not_refused(sent: SendJournal, tmp_path: Path) -> None:
    folder = tmp_path.rename(tmp_path.with_name("moved"))
    journal = moved(sent, folder)
    refuse_missing_file(journal, FILE)
    with closing(JournaledStore(f"sqlite:///{journal.file}", journal)) as store:
        check_store(journal, store, FILE)
        refuse_copy(journal, store, FILE)


def test_copied_folder_sends_nothing_beside_the_original(sent: SendJournal, tmp_path: Path) -> None:
    folder = tmp_path.with_name("copied")
    shutil.copytree(tmp_path, folder)
    journal = moved(sent, folder)
    with closing(JournaledStore(f"sqlite:///{journal.file}", journal)) as store:
        check_store(journal, store, FILE)
        with pytest.raises(ConfigurationError, match="which is still there"):
            refuse_copy(journal, store, FILE)
        begin_anew(journal, store, NOON)
        refuse_copy(journal, store, FILE)


def test_state_left_behind_is_asked_for(sent: SendJournal, tmp_path: Path) -> None:
    """The folder was copied without its hidden folder."""
    url = f"sqlite:///{sent.file}"
    with closing(JournaledStore(url, sent)) as store:
        check_store(sent, store, FILE)
    journal = journal_of(tmp_path / "elsewhere", sent.file)
    with closing(JournaledStore(url, journal)) as store:
        check_store(journal, store, FILE)
        with pytest.raises(ConfigurationError, match=r"cp -a .*/\.newsletter/\. "):
            refuse_copy(journal, store, FILE)


def test_facts_replace_one_another(url: str) -> None:
    with closing(open_store(url)) as store:
        assert store.facts() == {}
        store.record_fact("a", "1")
        store.record_fact("a", "2")
        store.record_fact("b", "3")
        store.record_fact("b", "")
        assert store.facts() == {"a": "2"}
