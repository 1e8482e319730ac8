"""Faults of a database: missing, full, foreign, newer; and the constraints of its tables."""

import contextlib
import json
import multiprocessing
import os
import re
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    CheckConstraint,
    Connection,
    Table,
    delete,
    event,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError

from newsletter.errors import StoreError
from newsletter.model import (
    Accepted,
    Claim,
    IdentifiedItem,
    IngestCounts,
    PlannedEdition,
    Reader,
    SourceHealth,
    Subscriber,
)
from newsletter.model.states import NOT_BUILT
from newsletter.papers.identity import identify
from newsletter.ports import Store
from newsletter.stores import migrations, open_store
from newsletter.stores.migrations import configuration
from newsletter.stores.sql import SqlStore, schema
from newsletter.stores.sql.codec import dump
from newsletter.stores.sql.engine import Database
from tests.support.factories import DAY, EVERY_FIELD, NOON, item, subscriber
from tests.support.frozen_issues import (
    claim,
    freeze,
    freeze_one_issue,
    join,
    list_papers,
    list_states,
    settle,
)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url)
    yield opened
    opened.close()


@pytest.fixture
def sql_store(url: str) -> Iterator[SqlStore]:
    opened = SqlStore(url)
    yield opened
    opened.close()


# -- opening -----------------------------------------------------------------------------------


def test_reopened_store_has_what_was_stored(url: str) -> None:
    first = open_store(url)
    freeze_one_issue(first, "ada")
    claim(first)
    first.close()
    second = open_store(url)
    assert list_states(second) == [("ada", "claimed")]
    second.close()


def test_newest_migration_is_the_schema_version() -> None:
    assert (
        ScriptDirectory(str(Path(migrations.__file__).parent)).get_current_head() == schema.REVISION
    )


@pytest.mark.usefixtures("sql_store")
def test_migrated_tables_match_the_schema(database: Database) -> None:
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []


@pytest.mark.usefixtures("sql_store")
@pytest.mark.parametrize("table", schema.metadata.sorted_tables, ids=lambda table: str(table.name))
def test_migrated_tables_take_every_member_of_a_closed_set(
    database: Database, table: Table
) -> None:
    """A new member needs a migration that widens the CHECK constraint; Alembic compares none."""
    checks = [each for each in table.constraints if isinstance(each, CheckConstraint)]
    with database.reading() as connection:
        migrated = inspect(connection).get_check_constraints(table.name)
    wanted = sorted(sorted(re.findall(r"'(\w+)'", str(check.sqltext))) for check in checks)
    assert wanted == sorted(sorted(re.findall(r"'(\w+)'", check["sqltext"])) for check in migrated)


@pytest.mark.usefixtures("sql_store")
class TestReaderColumns:
    """A column that one of the writers of readers forgets is named."""

    def test_a_change_writes_what_a_new_reader_gets(
        self, database: Database, sql_store: SqlStore
    ) -> None:
        def save(each: Subscriber) -> None:
            sql_store.save_reader(each, status="confirmed", now=NOON)

        def list_in_file(each: Subscriber) -> None:
            sql_store.sync_subscribers([each], now=NOON)

        for write in (save, list_in_file):
            write(EVERY_FIELD)
            new = _take_reader(database)
            write(subscriber(EVERY_FIELD.email))
            write(EVERY_FIELD)
            assert _take_reader(database) == new

    def test_each_is_read_and_erased(self, database: Database, sql_store: SqlStore) -> None:
        """An erased reader keeps only ``decided`` and the day of joining."""
        sql_store.save_reader(EVERY_FIELD, status="confirmed", now=NOON)
        sql_store.sync_subscribers([EVERY_FIELD], now=NOON)
        (reader,) = sql_store.readers()
        with database.reading() as connection:
            before = connection.execute(select(schema.readers)).mappings().one()
        read = {field.name for field in fields(Reader)} - {
            "subscriber",
            "fault",
            "fallback",
            "stored",
        }
        assert read == before.keys() - {"email", "body", "listed", "own", "joined", "changed"}
        assert all(getattr(reader, name) == before[name] for name in read)
        sql_store.erase(reader.id, "x@erased.invalid", now=NOON + timedelta(days=1))
        after = _take_reader(database)
        assert {name for name in after if after[name] == before[name]} == {"decided", "joined"}


def _take_reader(database: Database) -> dict[str, Any]:
    """Remove the only reader; return the columns except for the id."""
    with database.writing() as connection:
        (row,) = connection.execute(select(schema.readers)).mappings().all()
        connection.execute(delete(schema.readers))
    return {name: value for name, value in row.items() if name != "id"}


def test_store_of_newer_version_is_refused(
    url: str, database: Database, sql_store: SqlStore
) -> None:
    sql_store.close()
    _set_version(database, "9999")
    try:
        with pytest.raises(StoreError, match=r"newer version.*Upgrade"):
            open_store(url)
    finally:
        _set_version(database, schema.REVISION)


def _set_version(database: Database, version: str) -> None:
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": version})


def test_store_without_page_tables_is_migrated(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    old = Database(url)
    with old.writing() as connection:
        command.upgrade(configuration(connection), "0003")
        values = {"body": dump(subscriber(at="07:00")), "now": "2026-08-03 12:00:00.000000"}
        connection.execute(text(_OLD_READER), values)
        connection.execute(
            text(
                'INSERT INTO papers (number, key, first_seen, "group", muted, body) VALUES'
                " (1, 'arxiv:1', :now, 1, 0, :body)"
            ),
            {
                "body": dump(item("Étude", authors=("Ada Byron",))),
                "now": "2026-08-03 12:00:00.000000",
            },
        )
    old.close()
    store = open_store(url)
    store.save_reader(subscriber(at="09:00"), status="confirmed", now=NOON)
    store.sync_subscribers([subscriber(at="07:00")], now=NOON)
    assert store.readers()[0].subscriber.at == "09:00"
    assert [paper.number for paper in store.search_papers(["etude", "byron"], limit=9)] == [1]
    store.close()


def test_old_names_and_muted_papers_are_known_after_upgrade(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    old = Database(url)
    with old.writing() as connection:
        command.upgrade(configuration(connection), "0009")
        for number, name in enumerate(_OLD_NAMES, 1):
            values = {"n": number, "name": name, "now": "2026-08-03 12:00:00.000000"}
            connection.execute(text(_OLD_PAPER), values | {"body": dump(item(name))})
            connection.execute(text("INSERT INTO aliases (name, paper) VALUES (:name, :n)"), values)
    old.close()
    with contextlib.closing(open_store(url)) as store:
        assert _list(store, "10.21203/rs.3.rs-7/v2") == IngestCounts(seen=1)
        assert _list(store, "https://doi.org/10.1234/X") == IngestCounts(seen=1)
        assert _list(store, "2608.00001", past=True) == IngestCounts(seen=1)
        assert _list(store, "2608.00001") == IngestCounts(new=1)


def test_readers_may_wait_after_an_upgrade(tmp_path: Path) -> None:
    """Other tables refer to the readers while the constraint of theirs changes."""
    url = f"sqlite:///{tmp_path}/store.db"
    old = Database(url)
    with old.writing() as connection:
        command.upgrade(configuration(connection), "0015")
        values = {"body": dump(subscriber()), "now": "2026-08-03 12:00:00.000000"}
        connection.execute(text(_OLD_READER), values)
        connection.execute(text("INSERT INTO former_addresses VALUES (1, 'a@x.org')"))
    old.close()
    with contextlib.closing(open_store(url)) as store:
        assert store.set_status("ada@example.org", "waiting", now=NOON)
        assert [reader.status for reader in store.readers()] == ["waiting"]
    with contextlib.closing(sqlite3.connect(tmp_path / "store.db")) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


_OLD_READER = (
    "INSERT INTO readers (email, status, decided, origin, body, joined, changed)"
    " VALUES ('ada@example.org', 'confirmed', 0, 'file', :body, :now, :now)"
)

# The last one is muted, and nothing says by which source.
_OLD_NAMES = ("doi:10.21203/rs.3.rs-7/v1", "url:j.example/doi/10.1234/x", "arxiv:2608.00001")
_OLD_PAPER = (
    'INSERT INTO papers (number, key, first_seen, "group", muted, body)'
    " VALUES (:n, :name, :now, :n, :n = 3, :body)"
)


def _list(store: Store, raw: str, *, past: bool = False) -> IngestCounts:
    listed = item(raw, ids=(raw,))
    entry = IdentifiedItem(listed, identify(listed, "J"), past=past)
    return store.ingest(DAY, SourceHealth("J", "ok", "", NOON, NOON), [entry], now=NOON)


def test_frozen_letter_is_the_same_after_upgrade(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    before = open_store(url)
    freeze_one_issue(before, "ada", "bob")
    frozen, plans = _frozen(before), _plans(before)
    before.close()
    _put_back_to_0007(tmp_path / "store.db", plans)
    after = open_store(url)
    assert _frozen(after) == frozen
    assert [one.edition.to.email for one in claim(after)] == ADDRESSES
    after.close()


ADDRESSES = ["ada@example.org", "bob@example.org"]


def _frozen(store: Store) -> list[object]:
    """The editions of DAY, by address and with the readers' histories."""
    return [_plans(store), *(store.edition(DAY, address) for address in ADDRESSES)]


def _plans(store: Store) -> Sequence[PlannedEdition]:
    (wave,) = store.waves(DAY)
    return store.plans_at_freeze(wave, [reader.id for reader in store.readers()])


def _put_back_to_0007(file: Path, plans: Sequence[PlannedEdition]) -> None:
    """Write the editions as revision 0007 had them, with the history and each paper's reason.

    The rows move to tables made by the migrations up to then, whatever columns came later.
    """
    later = file.rename(file.with_name("later.db"))
    then = Database(f"sqlite:///{file}")
    with then.writing() as connection:
        command.upgrade(configuration(connection), "0007")
    then.close()
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("ATTACH ? AS later", (str(later),))
        for table in schema.metadata.tables.keys() - {"editions"}:
            rows = connection.execute(f"PRAGMA main.table_info({table})").fetchall()
            columns = ", ".join(f'"{row[1]}"' for row in rows)
            if columns:
                connection.execute(
                    f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM later.{table}"  # noqa: S608 - our own names
                )
        for plan in plans:
            connection.execute(
                "INSERT INTO editions (wave, reader, short, body, papers, owed, left_out)"
                " VALUES (1, ?, '', ?, '[1,2]', 2, 0)",
                (plan.edition.to.id, _together(plan)),
            )
        connection.commit()


def _together(plan: PlannedEdition) -> str:
    edition = json.loads(dump(plan.edition))
    edition["standing"] = json.loads(dump(plan.history))
    del edition["to"]
    for section in edition["sections"]:
        pairs = list(zip(section["cards"], section.pop("because"), strict=True))
        # The oldest editions had an object for each paper.
        oldest = [{"paper": paper, "because": because} for paper, because in pairs[:1]]
        section["cards"] = [*oldest, *pairs[1:]]
    return json.dumps(edition)


@pytest.mark.slow
def test_concurrent_first_opens_all_succeed(tmp_path: Path) -> None:
    forks = multiprocessing.get_context("forkserver")
    ready = forks.Barrier(4)
    running = [
        forks.Process(target=_opened, args=[f"sqlite:///{tmp_path}/store.db", ready])
        for _ in range(4)
    ]
    for process in running:
        process.start()
    for process in running:
        process.join(60)
    assert [process.exitcode for process in running] == [0] * 4


def _opened(url: str, ready: Barrier) -> None:
    ready.wait(60)
    open_store(url).cutoff()


def test_importing_stores_imports_no_database() -> None:
    code = "import sys, newsletter.stores; sys.exit('sqlalchemy' in sys.modules)"
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=root)  # noqa: S603


# -- addresses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://localhost/x", "'mysql' is not a kind of store; write sqlite:///"),
        ("newsletter.db", "is not a kind of store"),
        ("sqlite://", "no file is named"),
        ("sqlite://newsletter.db", "no file is named"),
        ("sqlite:///:memory:", "no file is named"),
        ("postgresql://user:pass@host:port/x", "this is not a database's address"),
    ],
)
def test_unknown_store_address_is_refused(url: str, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        open_store(url)


def test_relative_path_starts_at_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    open_store("sqlite:///here.db").close()
    assert (tmp_path / "here.db").exists()


def test_postgres_is_an_alias_of_postgresql(postgres: str) -> None:
    open_store(postgres.replace("postgresql://", "postgres://")).close()


@pytest.mark.slow
def test_missing_driver_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from newsletter.errors import StoreError\n"
        "from newsletter.stores import open_store\n"
        "try: open_store('postgresql://u:secret@h/x')\n"
        "except StoreError as error: print(error)"
    )
    said = _run(code)
    assert "pip install 'daily-papers-newsletter[postgres]'" in said


def _run(code: str) -> str:
    """Run Python code in its own process; return what it printed."""
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    return done.stdout + done.stderr


# -- faults ---------------------------------------------------------------


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no folder .*/nowhere\. Create it"):
        open_store(f"sqlite:///{tmp_path}/nowhere/store.db")


def test_folder_is_refused_as_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="this is a folder"):
        open_store(f"sqlite:///{tmp_path}")


def test_other_kind_of_file_is_refused_as_store(tmp_path: Path) -> None:
    file = tmp_path / "subscribers.yaml"
    file.write_text("subscribers: []\n" * 100)
    with pytest.raises(StoreError, match=r"subscribers\.yaml: this file is not an SQLite database"):
        open_store(f"sqlite:///{file}")
    assert file.read_text().startswith("subscribers:")


def test_read_only_file_is_named(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="this user may not write"):
        open_store(f"sqlite:///{tmp_path}/store.db")


def test_unwritable_folder_is_named() -> None:
    if not Path("/proc/self").is_dir():
        pytest.skip("there is no /proc here")
    with pytest.raises(StoreError, match=r"/proc/self/store\.db: "):
        open_store("sqlite:////proc/self/store.db")


def test_unreachable_server_is_named_without_password() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(StoreError, match="no PostgreSQL server answers there") as raised:
            open_store(f"postgresql://ada:hunter2@127.0.0.1:{port}/news")
    assert f"postgresql://***@127.0.0.1:{port}/news" in str(raised.value)
    assert "hunter2" not in str(raised.value)


@pytest.mark.slow
def test_silent_server_is_named_within_its_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"postgresql://ada@127.0.0.1:{silent.getsockname()[1]}/news?connect_timeout=2"
        with pytest.raises(StoreError, match="the server accepts connections but does not answer"):
            open_store(address)


def test_vanished_server_is_given_up(postgres: str) -> None:
    store = Database(f"{postgres}&keepalives_idle=7")
    with store.reading() as connection:
        driver: Any = connection.connection.driver_connection
        parameters = driver.info.get_parameters()
    store.close()
    assert parameters["connect_timeout"] == "10"
    assert parameters["tcp_user_timeout"] == "20000"
    assert parameters["keepalives_idle"] == "7"


def test_missing_database_is_named(postgres: str) -> None:
    with pytest.raises(StoreError, match="the server has no such database or user"):
        open_store(postgres.replace("/postgres?", "/elsewhere?"))


def test_reads_inside_a_write_use_its_transaction(database: Database) -> None:
    with database.writing() as writing, database.reading() as amid:
        assert amid is writing
    with database.reading() as after:
        assert after is not writing


def test_read_inside_a_write_explains_its_error(database: Database) -> None:
    with (
        database.writing(),
        pytest.raises(StoreError),
        database.reading() as amid,
    ):
        amid.execute(text("SELECT number FROM nowhere"))


def test_full_disk_stops_a_freeze_without_harm(tmp_path: Path) -> None:
    store = SqlStore(f"sqlite:///{tmp_path}/store.db")
    readers = join(store, *(f"reader{n}" for n in range(300)))
    papers = list_papers(store, "arxiv:1")
    event.listen(store._database._engine, "begin", _let_grow_little)
    with pytest.raises(StoreError, match=r"the disk is full\. Make room and run the same"):
        freeze(store, readers, papers)
    event.remove(store._database._engine, "begin", _let_grow_little)
    assert (store.issue_state(DAY), store.planned_readers(DAY)) == (None, frozenset())
    store.close()
    again = open_store(f"sqlite:///{tmp_path}/store.db")
    freeze(again, readers, papers)
    assert again.counts(DAY).pending == 300
    again.close()


def _let_grow_little(connection: Connection) -> None:
    """Let the file grow by only four pages, to simulate a full disk."""
    pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 4}")


@pytest.mark.slow
def test_file_size_limit_stops_a_write_without_harm(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    open_store(url).close()
    said = _run(
        "import resource\n"
        "from newsletter.errors import StoreError\n"
        "from newsletter.stores import open_store\n"
        "from tests.support.frozen_issues import join\n"
        f"store = open_store({url!r})\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "try: join(store, *(f'reader{n}' for n in range(9000)))\n"
        "except StoreError as error: print(error)\n"
    )
    assert f"{tmp_path}/store.db: " in said
    assert "disk is full" in said
    again = open_store(url)
    assert again.readers() == ()
    again.close()


def test_store_locked_by_another_writer_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.stores.sql.engine.BUSY_SECONDS", 0.1)
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    with sqlite3.connect(tmp_path / "store.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another program has been writing"):
            store.sync_subscribers([subscriber()], now=NOON)
        assert store.readers() == ()
    other.close()
    store.sync_subscribers([subscriber()], now=NOON)
    store.close()


def test_postgresql_lock_is_reported(empty_postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("newsletter.stores.sql.engine.BUSY_SECONDS", 0.1)
    store = open_store(empty_postgres)
    with psycopg.connect(empty_postgres) as other:
        other.execute("LOCK TABLE readers IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StoreError, match="another program has been holding it"):
            store.sync_subscribers([subscriber()], now=NOON)
    store.sync_subscribers([subscriber()], now=NOON)
    store.close()


# -- rows that cannot be read --------------------------------------------------------------


@pytest.mark.parametrize("broken", [("ada",), ("ada", "bob", "cec")])
def test_unreadable_edition_defers_that_letter_alone(
    sql_store: SqlStore, database: Database, broken: tuple[str, ...]
) -> None:
    freeze_one_issue(sql_store, "ada", "bob", "cec", "dan")
    editions, readers = schema.editions, schema.readers.c
    names = [f"{name}@example.org" for name in broken]
    theirs = select(readers.id).where(readers.email.in_(names)).scalar_subquery()
    with database.writing() as connection:
        connection.execute(
            update(editions).where(editions.c.reader.in_(theirs)).values(body=b"\xff\x07")
        )
    claimed = claim(sql_store, limit=3)  # the first three
    assert all(name not in broken for name in (_name(one) for one in claimed))
    assert claimed
    waiting = sql_store.deliveries(DAY, states={"deferred"}, reply=NOT_BUILT)
    assert [delivery.email for delivery in waiting] == names


def test_reader_of_an_unreadable_edition_can_be_erased(
    sql_store: SqlStore, database: Database
) -> None:
    freeze_one_issue(sql_store, "ada", "bob")
    editions = schema.editions
    with database.writing() as connection:
        rubbish = {"body": b"\xff ada@example.org", "own": '["ada@example.org'}
        connection.execute(update(editions).where(editions.c.reader == 1).values(rubbish))
    sql_store.erase(1, "x@erased.invalid", now=NOON)
    with database.reading() as connection:
        rows = connection.execute(select(editions.c.body, editions.c.own)).all()
    assert "ada@example.org" not in repr(rows)
    assert [one.email for one in sql_store.deliveries(DAY)] == [
        "bob@example.org",
        "x@erased.invalid",
    ]


def _name(claimed: Claim) -> str:
    return claimed.edition.to.email.partition("@")[0]


@pytest.mark.parametrize("column", ["papers", "again"])
def test_unreadable_history_stops_no_freeze(
    sql_store: SqlStore, database: Database, column: str
) -> None:
    readers = join(sql_store, "ada", "bob")
    papers = list_papers(sql_store, "arxiv:1")
    freeze(sql_store, readers, papers)
    settle(sql_store, *claim(sql_store), outcome=Accepted("250 taken"))
    is_ada = schema.editions.c.reader == readers[0].id
    with database.writing() as connection:
        connection.execute(update(schema.editions).where(is_ada).values({column: b"\xff\x41"}))
    _, bob = sql_store.reader_histories(sql_store.readers(), papers, day=DAY)
    assert bob.sent == frozenset({papers[0].group})


# -- constraints of the tables ------------------------------------------------------------


def test_second_issue_of_a_day_or_unknown_state_fails(
    sql_store: SqlStore, database: Database
) -> None:
    freeze_one_issue(sql_store, "ada")
    for statement in (
        insert(schema.issues).values(day=DAY, state="frozen", reason=""),
        update(schema.deliveries).values(state="sleeping"),
    ):
        with pytest.raises(StoreError) as raised, database.writing() as connection:
            connection.execute(statement)
        assert isinstance(raised.value.__cause__, IntegrityError)


def test_second_delivery_or_edition_of_a_reader_fails(
    sql_store: SqlStore, database: Database
) -> None:
    freeze_one_issue(sql_store, "ada")
    settle(sql_store, *claim(sql_store), outcome=Accepted("250 taken"))
    for table in (schema.deliveries, schema.editions):
        with database.reading() as connection:
            row = connection.execute(table.select()).mappings().first()
        assert row is not None
        with pytest.raises(StoreError), database.writing() as connection:
            connection.execute(insert(table).values(**row))


def test_unchanged_subscribers_are_not_written_again(
    sql_store: SqlStore, database: Database
) -> None:
    sql_store.sync_subscribers([subscriber(), subscriber("bob@example.org")], now=NOON)
    later = NOON + timedelta(days=1)
    changed = subscriber("bob@example.org", name="Bob")
    sql_store.sync_subscribers([subscriber(), changed], now=later)
    with database.reading() as connection:
        rows = connection.execute(schema.readers.select().order_by(schema.readers.c.id)).all()
    assert [row.changed for row in rows] == [NOON, later]


def test_claim_reads_only_what_it_takes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    store = SqlStore(url)
    freeze_one_issue(store, "ada", "bob", "cyd")
    claim(store, limit=1)
    asked: list[tuple[str, Any]] = []

    def listen(_connection: object, _cursor: object, words: str, given: Any, *_: object) -> None:  # noqa: ANN401 - the driver's
        asked.append((words, given))

    event.listen(store._database._engine, "before_cursor_execute", listen)
    claim(store, limit=1)
    store.close()
    with contextlib.closing(sqlite3.connect(f"{tmp_path}/store.db")) as database:
        steps = [
            step[-1]
            for words, given in asked
            if words.startswith(("SELECT", "UPDATE"))
            for step in database.execute(f"EXPLAIN QUERY PLAN {words}", given)
        ]
    found = [step for step in steps if "deliveries" in step]
    assert found
    assert all("(issue=? AND " in step for step in found), found
