"""PostgreSQL's addresses as people have them, PgBouncer before it, and what its errors mean."""

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import psycopg
import pytest
from psycopg import errors as postgres_errors

from newsletter.errors import StoreAwayError, StoreError
from newsletter.model import Accepted
from newsletter.ports import Store
from newsletter.stores import open_store
from newsletter.stores.sql.engine import Database
from newsletter.stores.sql.errors import explain_errors, printable_url
from newsletter.stores.sql.postgres import parse_address
from tests.contract.test_concurrent_daemons import two_at_once
from tests.support.daemons import free_port
from tests.support.frozen_issues import claim, freeze_one_issue, join, list_states, mark, settle
from tests.support.pgbouncer import PoolMode, pgbouncer


def folder_of(postgres: str) -> str:
    """The folder of a server's socket."""
    (folder,) = parse_qs(urlsplit(postgres).query)["host"]
    return folder


# -- addresses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://postgres@{socket}/postgres",
        "postgresql://postgres@{gone}:{port},{socket}/postgres",
        "postgresql://postgres@[::1]:{port},{socket}:5432/postgres?target_session_attrs=read-write",
        "postgresql://postgres@localhost:{port},{socket}/postgres?connect_timeout=5",
        "postgresql:///postgres?host={gone},{socket}&user=postgres&port={port},5432",
        "postgresql:///postgres?host=127.0.0.1:{port}&host={socket}:5432&user=postgres",
        "postgresql+psycopg://postgres@{socket}/postgres?prepare_threshold=3",
    ],
)
def test_address_of_any_form_opens(empty_postgres: str, address: str) -> None:
    socket = quote(folder_of(empty_postgres), safe="")
    url = address.format(socket=socket, gone="127.0.0.1", port=free_port())
    with contextlib.closing(open_store(url)) as store:
        assert store.readers() == ()


@pytest.mark.parametrize(
    ("url", "printed"),
    [
        ("postgresql://u:p@h1:5432,h2:5433/n", "postgresql://u:***@h1:5432,h2:5433/n"),
        ("postgresql://u:p@[::1]:5432,[::2]/n", "postgresql://u:***@[::1]:5432,[::2]/n"),
        ("postgresql://u:p@[::1]:5432/n", "postgresql://u:***@[::1]:5432/n"),
    ],
)
def test_address_is_printed_with_all_hosts(url: str, printed: str) -> None:
    assert printable_url(parse_address(url)) == printed


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://u:p@h1:x,h2/n", "this is not a database's address"),
        ("postgresql://u:p@h1,[::1/n", "this is not a database's address"),
        ("postgresql://u:p@h/n?sslmod=require", "has no parameter 'sslmod'"),
        ("postgresql://u:p@h/n?autocommit=true", "has no parameter 'autocommit'"),
        ("postgresql://u:p@h/n?prepare_threshold=x", "prepare_threshold is 'x'; write a number"),
    ],
)
def test_wrong_address_is_refused_in_words(url: str, message: str) -> None:
    with pytest.raises(StoreError, match=message) as raised:
        open_store(url)
    assert not isinstance(raised.value, StoreAwayError)


# -- PgBouncer -----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("parameters", ["", "?prepare_threshold=0", "?prepare_threshold=5"])
@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_store_behind_pgbouncer_works(empty_postgres: str, mode: PoolMode, parameters: str) -> None:
    """Each statement is run more often than the driver runs one before it prepares it."""
    with (
        pgbouncer(empty_postgres, mode) as url,
        contextlib.closing(open_store(url + parameters)) as one,
        contextlib.closing(open_store(url + parameters)) as other,
    ):
        freeze_one_issue(one, *(f"reader{n:02}" for n in range(24)))

        def send(store: Store, run: str) -> None:
            for turn in range(12):
                for letter in claim(store, limit=1, run=f"{run}.{turn}"):
                    mark(store, letter)
                    settle(store, letter, outcome=Accepted("250 taken"))

        with ThreadPoolExecutor() as threads:
            for sending in [threads.submit(send, one, "one"), threads.submit(send, other, "other")]:
                sending.result()
        assert {state for _, state in list_states(one)} == {"accepted"}


@pytest.mark.slow
def test_two_senders_share_an_issue_behind_pgbouncer(tmp_path: Path, empty_postgres: str) -> None:
    with pgbouncer(empty_postgres, "transaction", sessions=2) as url:
        asyncio.run(two_at_once(tmp_path, url, killed=False))


def test_lock_timeout_stays_in_its_transaction(empty_postgres: str) -> None:
    """A session behind PgBouncer belongs to other clients a moment later."""
    query = "SELECT current_setting('lock_timeout')"
    with pgbouncer(empty_postgres, "transaction", sessions=1) as url:
        database = Database(url)
        with database.reading() as connection:
            assert connection.exec_driver_sql(query).scalar() == "30s"
        with psycopg.connect(url, prepare_threshold=None) as other:
            assert other.execute(query).fetchone() == ("0",)
        database.close()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ("", r"pool_mode is statement.*Set pool_mode = transaction or session"),
        ("?options=-csearch_path%3Dx", r"Remove it from the address.*ignore_startup_parameters"),
    ],
)
def test_what_pgbouncer_cannot_do_is_refused(
    empty_postgres: str, parameters: str, message: str
) -> None:
    with (
        pgbouncer(empty_postgres, "statement") as url,
        pytest.raises(StoreError, match=message) as raised,
    ):
        open_store(url + parameters)
    assert not isinstance(raised.value, StoreAwayError)


# -- a server that is away -----------------------------------------------------------------------


def test_read_only_server_is_left_once_another_may_be_written(empty_postgres: str) -> None:
    """As after a failover: a session that began on the standby stays read-only."""
    read_only = "ALTER DATABASE postgres SET default_transaction_read_only ="
    with psycopg.connect(empty_postgres, autocommit=True) as server:
        server.execute(f"{read_only} on")
        with contextlib.closing(open_store(empty_postgres)) as store:
            with pytest.raises(StoreAwayError, match="it is a standby"):
                join(store, "ada")
            server.execute("SET default_transaction_read_only = off")
            server.execute(f"{read_only} off")
            join(store, "ada")


def test_server_without_free_connections_is_away(empty_postgres: str) -> None:
    with psycopg.connect(empty_postgres, autocommit=True) as server:
        server.execute("CREATE ROLE crowded LOGIN CONNECTION LIMIT 0")
        try:
            with pytest.raises(StoreAwayError, match="no connection left for us"):
                open_store(empty_postgres.replace("postgres:@", "crowded:@"))
        finally:
            server.execute("DROP ROLE crowded")


# -- what errors mean ----------------------------------------------------------------------------


def meaning(error: Exception) -> StoreError:
    """What the store raises for an error of the driver."""
    with (
        pytest.raises(StoreError) as raised,
        explain_errors(parse_address("postgresql://u@h/n"), psycopg.Error),
    ):
        raise error
    return raised.value


@pytest.mark.parametrize(
    "error",
    [
        postgres_errors.AdminShutdown("abgebrochen"),
        postgres_errors.CrashShutdown("abgebrochen"),
        postgres_errors.CannotConnectNow("startet"),
        postgres_errors.ConnectionFailure("weg"),
        postgres_errors.TooManyConnections("zu viele"),
        postgres_errors.ReadOnlySqlTransaction("nur lesen"),
        postgres_errors.DeadlockDetected("verklemmt"),
        psycopg.OperationalError("failed to resolve host 'db': [Errno -3] Try again"),
        psycopg.OperationalError("FATAL:  sorry, too many clients already"),
        psycopg.OperationalError("FATAL:  the database system is starting up"),
        psycopg.OperationalError("connection failed: session is read-only"),
        psycopg.OperationalError("server closed the connection unexpectedly"),
        psycopg.OperationalError("the connection is lost"),
    ],
)
def test_error_of_an_absent_server_may_pass(error: Exception) -> None:
    assert isinstance(meaning(error), StoreAwayError)


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError('FATAL:  password authentication failed for user "u"'),
        psycopg.OperationalError('FATAL:  database "n" does not exist'),
        psycopg.OperationalError('FATAL:  no pg_hba.conf entry for host "10.0.0.1"'),
        psycopg.OperationalError('invalid sslmode value: "on"'),
        psycopg.OperationalError('invalid integer value "x" for connection option "port"'),
        postgres_errors.UndefinedTable('relation "papers" does not exist'),
        postgres_errors.DiskFull("could not extend file: No space left on device"),
        postgres_errors.InvalidSqlStatementName('prepared statement "_pg3_0" does not exist'),
    ],
)
def test_error_of_the_settings_does_not_pass(error: Exception) -> None:
    said = meaning(error)
    assert not isinstance(said, StoreAwayError)
    assert ("no such database" in str(said)) == ('database "n"' in str(error))
