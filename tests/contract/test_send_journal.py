"""The send journal: a restored store sends nothing until it has recovered what it forgot."""

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update

from newsletter.errors import OldStoreError, StoreError
from newsletter.model import Accepted, Consent, MailEvent, NotSent, Refused
from newsletter.stores.journal import JournaledLetter, Restoration, SendJournal
from newsletter.stores.sql import JournaledStore, SqlStore, schema
from newsletter.stores.sql.engine import Database
from tests.support.factories import DAY, NOON
from tests.support.frozen_issues import (
    claim,
    decided_papers,
    freeze,
    freeze_one_issue,
    join,
    list_papers,
    list_states,
    make_wave,
    mark,
    plan_edition,
    settle,
    wave_on,
)

LATER = NOON + timedelta(hours=2)


@pytest.fixture
def journal(tmp_path: Path) -> SendJournal:
    return SendJournal(tmp_path / "journal", lambda email: (email[::-1],))


@pytest.fixture
def store(url: str, journal: SendJournal) -> Iterator[JournaledStore]:
    opened = JournaledStore(url, journal)
    yield opened
    opened.close()


@pytest.fixture
def restored(store: JournaledStore, url: str, journal: SendJournal) -> Iterator[JournaledStore]:
    """A store restored to a time when it knew only its readers.

    Since then Ada's letter was accepted, Bob's was marked without an outcome, Cec's was refused,
    Dan's connection broke before the dot, and Eve's letter was not claimed.
    """
    freeze_one_issue(store, "ada", "bob", "cec", "dan", "eve")
    ada, bob, cec, dan = claim(store, limit=4)
    mark(store, ada, bob, cec, dan)
    settle(store, ada, outcome=Accepted("250 2.0.0 taken"))
    settle(store, cec, outcome=Refused("550 5.1.1 nobody"))
    settle(store, dan, outcome=NotSent("the line broke"))
    forget_all_but_readers(url)
    opened = JournaledStore(url, journal)
    yield opened
    opened.close()


def forget_all_but_readers(url: str) -> None:
    database = Database(url)
    with database.writing() as connection:
        for table in (
            *("deliveries", "editions", "waves", "issues"),
            *("readings", "wordings", "aliases", "papers", "sources"),
        ):
            connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - our own names
        connection.execute(text("UPDATE readers SET decided = 0"))
    database.close()


def test_restored_store_neither_freezes_nor_claims(restored: JournaledStore) -> None:
    papers = list_papers(restored, "arxiv:1")
    readers = restored.readers()
    with pytest.raises(OldStoreError, match="newsletter store restored"):
        freeze(restored, readers, papers)
    with pytest.raises(OldStoreError, match="4 of the last 4"):
        claim(restored)
    assert restored.issue_days() == ()


def test_journal_restores_sends_and_the_rest_goes(restored: JournaledStore) -> None:
    list_papers(restored, "arxiv:0", "arxiv:2")
    found = restored.recover_from_journal(now=LATER)
    assert found == Restoration(issues=(DAY,), accepted=1, failed=1, held=1)
    assert list_states(restored) == [("ada", "accepted"), ("bob", "held"), ("cec", "failed")]
    assert restored.issue_state(DAY) == ("done_with_errors", "")
    assert restored.audit(DAY).ok
    (wave,) = restored.waves(DAY)
    assert [paper.key for paper in wave.issue.papers] == ["arxiv:1", "arxiv:2"]
    assert [paper.number for paper in wave.issue.papers] == [3, 2], "each under its number here"
    assert decided_papers(restored)[0] == 3
    assert restored.recover_from_journal(now=LATER) == Restoration()
    late = make_wave(wave.issue.papers, due=LATER)
    restored.freeze(late, [plan_edition(reader, 0, 1) for reader in restored.readers()])
    assert [each.edition.to.email[:3] for each in claim(restored, now=LATER)] == ["dan", "eve"]


def test_papers_not_in_recovered_letter_are_owed_again(store: JournaledStore, url: str) -> None:
    (ada,) = join(store, "ada")
    papers = list_papers(store, "arxiv:1", "arxiv:2", "arxiv:3")
    store.freeze(make_wave(papers), [plan_edition(ada, 1, waiting=(0, 2))])
    (letter,) = claim(store)
    mark(store, letter)
    settle(store, letter, outcome=Accepted("250 2.0.0 taken"))
    forget_all_but_readers(url)
    store.recover_from_journal(now=LATER)
    (ada,) = store.readers()
    (history,) = store.reader_histories([ada], store.papers(after=0, since=NOON), day=DAY)
    assert history.sent == {2}
    assert history.again == {1, 3}
    assert store.audit(DAY).ok


@pytest.mark.slow
def test_unknown_readers_are_counted_and_not_confused(restored: JournaledStore, url: str) -> None:
    database = Database(url)
    with database.writing() as connection:
        connection.execute(
            text(
                "UPDATE readers SET email = replace(email, 'ada', 'zoe'), "
                "body = replace(body, 'ada', 'zoe')"
            )
        )
    database.close()
    found = restored.recover_from_journal(now=LATER)
    assert (found.accepted, found.held, found.gone) == (0, 1, 1)
    assert "zoe" not in dict(list_states(restored))


def test_unrestored_store_goes_on(store: JournaledStore, url: str, journal: SendJournal) -> None:
    store.skip_issue(DAY, reason="no source answered", now=NOON)
    assert not store.has_lost_its_journal()
    freeze_one_issue(store, "ada", "bob", "cec")
    ada, bob, cec = claim(store)
    assert not store.has_lost_its_journal()
    mark(store, ada, bob)
    settle(store, ada, outcome=Accepted("250 taken"))
    settle(store, cec, outcome=Refused("550 5.1.1 nobody"))
    again = JournaledStore(url, journal)
    (bobs,) = claim(again, now=LATER, run="again")
    settle(store, bob, outcome=Accepted("250 too late"))
    mark(again, bobs, now=LATER)
    settle(again, bobs, outcome=NotSent("the line broke"), now=LATER)
    third = JournaledStore(url, journal)
    assert len(claim(third, now=LATER, run="third")) == 1
    assert third.recover_from_journal(now=LATER) == Restoration()
    for opened in (again, third):
        opened.close()


def test_doubt_returned_after_late_answer_is_remembered(
    store: JournaledStore, url: str, journal: SendJournal
) -> None:
    freeze_one_issue(store, "ada")
    (ada,) = claim(store)
    mark(store, ada)
    again = JournaledStore(url, journal)
    (adas,) = claim(again, now=LATER, run="again")
    settle(store, ada, outcome=Accepted("250 too late"))
    settle(again, adas, outcome=NotSent("given back"), now=LATER)
    third = JournaledStore(url, journal)
    assert len(claim(third, now=LATER, run="third")) == 1
    for opened in (again, third):
        opened.close()


def test_store_without_a_journal_gets_one(url: str, journal: SendJournal) -> None:
    before = SqlStore(url)
    freeze_one_issue(before, "ada", "bob")
    (ada,) = claim(before, limit=1)
    before.close()
    store = JournaledStore(url, journal)
    assert store.has_lost_its_journal()
    (bob,) = claim(store)
    assert not store.has_lost_its_journal()
    mark(store, bob)
    assert [letter.reader for letter in journal.letters(DAY)] == [bob.reader]
    (wave,) = journal.waves(DAY).values()
    assert wave.names == {ada.reader: "gro.elpmaxe@ada", bob.reader: "gro.elpmaxe@bob"}
    store.close()


def wave_lines(journal: SendJournal) -> list[dict[str, Any]]:
    """The journal's lines about the day's waves."""
    text = (journal.folder / f"{DAY}.waves").read_text()
    return [json.loads(line) for line in text.splitlines() if line]


@pytest.mark.slow
def test_wave_is_journaled_in_batches_of_readers(
    store: JournaledStore, journal: SendJournal
) -> None:
    readers = join(store, *(f"reader{n}" for n in range(1200)))
    wave = freeze(store, readers, list_papers(store, "arxiv:1"))
    assert [sorted(line) for line in wave_lines(journal)] == [
        ["body", "due", "pieces", "wave"],
        *[["readers", "wave"]] * 3,
        ["count", "wave"],
    ]
    (seen,) = journal.waves(DAY).values()
    assert seen.names == {one.id: one.subscriber.email[::-1] for one in readers}
    assert set(seen.papers.values()) == {"[1]"}
    assert journal.count_readers(DAY, wave.issue.frozen_at.isoformat()) == 1200


@pytest.mark.slow
def test_unfinished_wave_is_journaled_before_any_letter(
    store: JournaledStore, url: str, journal: SendJournal
) -> None:
    readers = join(store, *(f"reader{n}" for n in range(700)))
    freeze(store, readers, list_papers(store, "arxiv:1"))
    path = journal.folder / f"{DAY}.waves"
    *whole, _count = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join(whole)[:-20])
    assert len(journal.waves(DAY)[NOON.isoformat()].names) == 500
    again = JournaledStore(url, journal)
    mark(again, *claim(again, limit=1))
    assert len(journal.waves(DAY)[NOON.isoformat()].names) == 700
    again.close()


def test_later_readers_of_a_wave_are_appended(store: JournaledStore, journal: SendJournal) -> None:
    ada, bob, cec = join(store, "ada", "bob", "cec")
    papers = list_papers(store, "arxiv:1")
    wave = freeze(store, [ada, cec], papers)
    store.freeze(wave, [plan_edition(bob, 0)])
    bodies, later = wave_lines(journal)[-3:-1], journal.waves(DAY)[NOON.isoformat()]
    assert [list(read_readers(line)) for line in bodies if "readers" in line] == [[str(bob.id)]]
    assert sorted(later.names) == [ada.id, bob.id, cec.id]
    lines = len(wave_lines(journal))
    mark(store, *claim(store))
    assert len(wave_lines(journal)) == lines


def read_readers(line: dict[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = json.loads(zlib.decompress(b64decode(line["readers"])))
    return found


def test_wave_on_one_line_is_read(restored: JournaledStore, journal: SendJournal) -> None:
    """Earlier versions recorded a wave in one line."""
    lines = wave_lines(journal)
    everybody = {
        id_: said for line in lines if "readers" in line for id_, said in read_readers(line).items()
    }
    packed = b64encode(zlib.compress(json.dumps(everybody).encode(), 1)).decode()
    one = {**lines[0], "count": len(everybody), "readers": packed}
    (journal.folder / f"{DAY}.waves").write_text("\n" + json.dumps(one))
    assert journal.count_readers(DAY, NOON.isoformat()) == 5
    found = restored.recover_from_journal(now=LATER)
    assert found == Restoration(issues=(DAY,), accepted=1, failed=1, held=1)


def test_torn_line_costs_that_line_alone(
    store: JournaledStore, url: str, journal: SendJournal
) -> None:
    freeze_one_issue(store, "ada", "bob")
    ada, bob = claim(store)
    mark(store, ada)
    with (journal.folder / f"{DAY}.letters").open("a") as book:
        book.write('\n{"at":"2026-0')
    mark(store, bob)
    forget_all_but_readers(url)
    assert store.recover_from_journal(now=LATER).held == 2


def test_departures_since_backup_repeat_but_returns_stay(store: JournaledStore, url: str) -> None:
    ada, bob, cec, dan, eve = join(store, "ada", "bob", "cec", "dan", "eve")
    soon, later = NOON + timedelta(minutes=1), NOON + timedelta(minutes=2)
    store.set_status(ada.subscriber.email, "unsubscribed", now=soon)
    store.record_mail_event(MailEvent("mail", "complaint", bob.id, DAY), now=soon)
    store.erase(cec.id, "c0ffee.erased@example.invalid", now=soon)
    store.set_status(dan.subscriber.email, "unsubscribed", now=soon)
    store.record_consent(dan.id, Consent(later, "by the page", "Yes."))
    store.record_mail_event(MailEvent("other", "complaint", eve.id, DAY), now=soon)
    store.unsuppress(eve.subscriber.email, now=later)
    database = Database(url)
    with database.writing() as connection:
        table = schema.readers
        for reader in (ada, bob, cec, dan, eve):
            connection.execute(
                update(table)
                .where(table.c.id == reader.id)
                .values(status="confirmed", email=reader.subscriber.email, changed=NOON)
            )
    database.close()
    found = store.recover_from_journal(now=LATER)
    assert found.left == ("ada@example.org", "bob@example.org", "cec@example.org")
    assert found.erased == ("cec@example.org",)
    assert [one.email for one in store.suppressions()] == ["bob@example.org"]
    assert store.count_readers() == {"blocked": 1, "confirmed": 2, "unsubscribed": 2}


def test_unwritable_journal_stops_sending(store: JournaledStore, journal: SendJournal) -> None:
    freeze_one_issue(store, "ada")
    claims = claim(store)
    (journal.folder / f"{DAY}.letters").mkdir()
    with pytest.raises(StoreError, match="cannot be recorded"):
        mark(store, *claims)


def test_old_journal_entries_are_dropped(store: JournaledStore, journal: SendJournal) -> None:
    old = DAY - timedelta(days=40)
    journal.create()
    for suffix in ("letters", "waves"):
        (journal.folder / f"{old}.{suffix}").write_text("")
    freeze_one_issue(store, "ada")
    mark(store, *claim(store))
    assert journal.days() == [DAY]
    assert not (journal.folder / f"{old}.waves").exists()


def test_letters_sent_during_recovery_count_as_known(
    store: JournaledStore, url: str, journal: SendJournal
) -> None:
    tomorrow, papers = DAY + timedelta(days=1), list_papers(store, "arxiv:1")
    readers = join(store, "ada", "bob", "cec")
    freeze(store, readers, papers)
    mark(store, *claim(store))
    store.freeze(
        wave_on(make_wave(papers), tomorrow, LATER), [plan_edition(reader, 0) for reader in readers]
    )
    ada, bob = claim(store, limit=2, day=tomorrow, now=LATER)
    mark(store, ada, now=LATER)

    class Meanwhile(SendJournal):
        def last_letters(self) -> Iterator[tuple[date, list[JournaledLetter]]]:
            for day, letters in super().last_letters():
                yield day, letters
                if day == DAY:
                    mark(store, bob, now=LATER)

    other = JournaledStore(url, Meanwhile(journal.folder, journal.names))
    assert [one.edition.to.email for one in claim(other, day=tomorrow, now=LATER, run="other")]
    other.close()


def test_undone_issue_is_not_missed(store: JournaledStore) -> None:
    freeze_one_issue(store, "ada")
    (ada,) = claim(store)
    mark(store, ada)
    settle(store, ada, outcome=NotSent("the line broke"))
    assert store.undo_issue(DAY, now=NOON)
    freeze_one_issue(store, "ada")
    assert claim(store, now=LATER)
