"""Everything that a store knows comes along into another, whichever database each is on."""

from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from newsletter.errors import StoreError
from newsletter.model import Consent, Heartbeat, ListedReader, MailEvent, ReaderFault
from newsletter.readers.joining import OPEN_TO_ALL
from newsletter.stores import copy_rows
from newsletter.stores.sql import SqlStore, schema
from newsletter.stores.sql.moving import COPIED
from tests.support.databases import new_sqlite_store
from tests.support.factories import DAY, EVERY_FIELD, NOON, subscriber
from tests.support.frozen_issues import freeze_one_issue

ADA, BOB, CLEO = "ada@example.org", "bob@example.org", "cleo@example.org"


REST: dict[str, dict[str, Any]] = {
    "coverage": {"source": "s", "part": "", "day": DAY, "state": "covered", "papers": 1}
    | {"digest": "", "detail": ""},
    "corrections": {"paper": 1, "at": NOON, "title": "New", "was": "Old"},
    "muted_by": {"paper": 1, "source": "s"},
    "sketches": {"number": 7, "paper": 1},
    "copies": {"paper": 1, "original": 1},
    "former_addresses": {"reader": 2, "address": "robert@example.org"},
    "facts": {"name": "n", "value": "v"},
    "broadcasts": {"id": 1, "key": "k", "at": NOON, "body": "{}"},
    "broadcast_deliveries": {"broadcast": 1, "reader": 2, "planned": NOON, "state": "pending"},
    "operator_acts": {"at": NOON, "who": "w", "what": "added", "reader": 2, "detail": ""},
}
"""Rows of the tables that need more than a call of the store."""


@pytest.fixture(params=["sqlite to postgres", "postgres to sqlite", "sqlite to sqlite"])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """The addresses of two empty stores."""
    first, second = tmp_path / "1", tmp_path / "2"
    for folder in (first, second):
        folder.mkdir()
    kind: str = request.param
    postgres: str = request.getfixturevalue("empty_postgres") if "postgres" in kind else ""
    old = new_sqlite_store(first) if kind.startswith("sqlite") else postgres
    new = new_sqlite_store(second) if kind.endswith("sqlite") else postgres
    return old, new


def live(store: SqlStore) -> None:
    """Fill every table by what happens to a newsletter."""
    freeze_one_issue(store, "ada", "bob")
    cleo = store.save_reader(subscriber(CLEO), status="unconfirmed", now=NOON)
    store.record_consent(cleo.id, Consent(NOON, "by a link", "Yes, \N{GREEK SMALL LETTER OMEGA}."))
    store.set_status(ADA, "unsubscribed", now=NOON)
    store.record_mail_event(MailEvent("d", "complaint", 2, DAY, "spam"), now=NOON)
    store.record_faults(DAY, [ReaderFault(cleo.id, CLEO, "a fault")])
    store.record_request("address", "client", OPEN_TO_ALL.limits(is_reader=True), now=NOON)
    store.record_notices(["something"], now=NOON)
    store.record_heartbeat(Heartbeat("run", NOON, NOON, "stopped"))
    store.save_reader(EVERY_FIELD, status="unsubscribed", now=NOON)
    store.remember_mails("mailbox", {"a mail": "nobody knows why"}, now=NOON)
    store.refuse_address("a hash", lasting=True, now=NOON)
    store.like(2, 1, more=True, now=NOON)
    with store._database.writing() as connection:
        for table, row in REST.items():
            connection.execute(insert(schema.metadata.tables[table]).values(row))


def contents(url: str) -> dict[str, list[dict[str, Any]]]:
    """The rows of each table, but for the search's index, which the pages make again."""
    with closing(SqlStore(url)) as store, store._database.reading() as connection:
        return {
            table.name: [
                dict(row)
                for row in connection.execute(
                    select(table).order_by(*table.primary_key.columns)
                ).mappings()
            ]
            for table in COPIED
        }


@pytest.mark.slow
def test_every_row_comes_along(urls: tuple[str, str]) -> None:
    old, new = urls
    with closing(SqlStore(old)) as store:
        live(store)
    assert copy_rows(old, new) == 3
    moved = contents(new)
    assert moved == contents(old)
    assert [name for name, rows in moved.items() if not rows] == []
    with closing(SqlStore(new)) as store:
        assert {reader.status for reader in store.readers()} == {
            "unsubscribed",
            "blocked",
            "confirmed",
        }
        assert store.audit(DAY).ok
        assert (
            store.save_reader(subscriber("dora@example.org"), status="confirmed", now=NOON).id == 4
        )
        store.skip_issue(DAY + timedelta(days=1), reason="none", now=NOON)


def test_store_with_issues_of_its_own_is_not_replaced(urls: tuple[str, str]) -> None:
    old, new = urls
    for url in urls:
        with closing(SqlStore(url)) as store:
            freeze_one_issue(store, "ada")
    before = contents(new)
    with pytest.raises(StoreError, match="has issues of its own"):
        copy_rows(old, new)
    assert contents(new) == before


def test_readers_of_the_new_store_stay_and_departures_win(urls: tuple[str, str]) -> None:
    old, new = urls
    with closing(SqlStore(old)) as store:
        freeze_one_issue(store, "ada", "bob")
        store.set_status(ADA, "unsubscribed", now=NOON)
    with closing(SqlStore(new)) as store:
        store.sync_subscribers([subscriber(ADA), subscriber(BOB)], now=NOON)
        store.import_departure(ListedReader(subscriber(BOB), "blocked"), now=NOON)
        cleo = store.save_reader(subscriber(CLEO), status="unconfirmed", now=NOON)
        store.record_consent(cleo.id, Consent(NOON, "by a link", "Yes."))
    copy_rows(old, new)
    with closing(SqlStore(new)) as store:
        found = {reader.subscriber.email: reader.status for reader in store.readers()}
        assert found == {ADA: "unsubscribed", BOB: "blocked", CLEO: "confirmed"}
        (reader,) = store.readers(emails=[CLEO])
        assert len(store.consents(reader.id)) == 1


def test_a_long_table_comes_along_whole(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    old, new = new_sqlite_store(tmp_path), new_sqlite_store(tmp_path / "new")
    with closing(SqlStore(old)) as store, store._database.writing() as connection:
        rows = [{"event": f"event {n}", "told": NOON} for n in range(1234)]
        connection.execute(insert(schema.notices), rows)
    copy_rows(old, new)
    with closing(SqlStore(new)) as store, store._database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(schema.notices)).scalar() == 1234
