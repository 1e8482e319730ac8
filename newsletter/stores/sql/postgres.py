"""Connections to PostgreSQL: addresses, driver parameters, servers behind a connection pooler.

A pooler such as PgBouncer may give each transaction another session of the server
(``pool_mode = transaction``, https://www.pgbouncer.org/features.html). Prepared statements and
``SET`` would then meet another client's session. So we need only what a transaction keeps: locks
end with it (``pg_advisory_xact_lock``, ``FOR UPDATE``), and behind a pooler no statement is
prepared and each transaction sets its own lock timeout.
"""

import re
from typing import Any
from urllib.parse import unquote

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from newsletter.errors import StoreError

_TIMEOUTS = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""How long to wait for a PostgreSQL server that does not answer, or whose machine is gone.

Parameters of libpq (PostgreSQL's manual, 34.1.2), in seconds except for the last, which is in
milliseconds. Without them it takes a quarter of an hour or two hours to notice a vanished host. A
machine that is back is noticed by the next attempt: TCP itself asks ever more seldom.
"""

_PREPARE = "prepare_threshold"
_POOLED = "newsletter_pooled"  # the connection goes through a pooler

_ADDRESS = re.compile(r"(?P<head>[\w+]+://(?:[^:/]*(?::[^@]*)?@)?)(?P<hosts>[^/?]*)(?P<rest>.*)")
_HOST = re.compile(r"(?P<name>\[[^\]]+\]|[^:\[\]]+)?(?::(?P<port>\d*))?")


def parse_address(url: str) -> sa.URL:
    """A database's address. Several hosts stay together, as ``h1:5432,h2:5433``, in its ``host``.

    A host that is a folder (``%2Frun%2Fpostgresql``) has a socket in it, as for libpq.

    Raises:
        ValueError: it is not an address.
    """
    match = _ADDRESS.fullmatch(url)
    hosts = match["hosts"] if match is not None else ""
    if match is None or not ("," in hosts or hosts.lower().startswith("%2f")):
        try:
            return sa.make_url(url)
        except ArgumentError as error:
            raise ValueError from error
    if not all(map(_HOST.fullmatch, hosts.split(","))):
        raise ValueError
    parsed = sa.make_url(f"{match['head']}host{match['rest']}")
    return parsed.set(host=unquote(hosts))


def postgres_engine(url: sa.URL, lock_seconds: float) -> sa.Engine:
    """An engine; ``lock_seconds`` is how long a statement waits for a lock.

    Raises:
        StoreError: the driver is missing, or the address has a parameter that it does not know.
    """
    try:
        parameters = _parameters(url)
        engine = sa.create_engine(
            url.set(query={}), connect_args=parameters, pool_pre_ping=True, max_overflow=-1
        )
    except ModuleNotFoundError as error:
        raise StoreError(
            "store: the PostgreSQL driver is not installed; "
            "run pip install 'daily-papers-newsletter[postgres]'."
        ) from error
    limit = f"lock_timeout = {int(lock_seconds * 1000)}"

    def prepare(connection: Any, record: ConnectionPoolEntry) -> None:  # noqa: ANN401 - DBAPI
        """Let PostgreSQL wait for a lock no longer than SQLite does."""
        (session,) = connection.execute("SELECT pg_backend_pid()").fetchone()
        if session == connection.info.backend_pid:
            connection.execute(f"SET {limit}")
        else:  # a pooler tells its clients a session of its own
            record.info[_POOLED], connection.prepare_threshold = True, None
        connection.commit()

    def begin(connection: sa.Connection) -> None:
        if _POOLED in connection.info:
            connection.exec_driver_sql(f"SET LOCAL {limit}")

    sa.event.listen(engine, "do_connect", _connect)
    sa.event.listen(engine, "connect", prepare)
    sa.event.listen(engine, "begin", begin)
    return engine


def _parameters(url: sa.URL) -> dict[str, Any]:
    """The driver's parameters: the address's own, our timeouts, and the hosts.

    Raises:
        StoreError: the address has a parameter that the driver does not know.
    """
    from psycopg.pq import Conninfo  # noqa: PLC0415 - it is optional

    known = {each.keyword.decode() for each in Conninfo.get_defaults()}
    given: dict[str, Any] = {
        name: values if isinstance(values, str) else ",".join(values)
        for name, values in url.query.items()
    }
    for name in given.keys() - known - {_PREPARE}:
        raise StoreError(
            f"store: PostgreSQL's driver has no parameter {name!r}. Remove it from the address; it "
            f"may have those of libpq (sslmode, target_session_attrs, …) and {_PREPARE}."
        )
    if _PREPARE in given:
        given[_PREPARE] = _threshold(given[_PREPARE])
    several = url.host if url.host and "," in url.host else ""
    return {**_TIMEOUTS, **_hosts(several), **given, **_hosts(given.get("host", ""))}


def _threshold(text: str) -> int | None:
    """After how many executions a statement is prepared; ``0`` and ``none`` mean never.

    Raises:
        StoreError: it is not a number.
    """
    if text.lower() != "none" and not text.isdecimal():
        raise StoreError(f"store: {_PREPARE} is {text!r}; write a number, or 0 for never.")
    return int(text) or None if text.isdecimal() else None


def _hosts(hosts: str) -> dict[str, str]:
    """The parameters of libpq for hosts with ports, which it tries in their order."""
    found = [match for each in hosts.split(",") if (match := _HOST.fullmatch(each))]
    if not any(match["port"] for match in found):
        return {"host": hosts} if hosts else {}
    return {
        "host": ",".join((match["name"] or "").strip("[]") for match in found),
        "port": ",".join(match["port"] or "5432" for match in found),
    }


def _connect(
    dialect: sa.Dialect, _record: object, arguments: list[Any], parameters: dict[str, Any]
) -> Any:  # noqa: ANN401 - DBAPI
    """Connect. libpq gives no error code for a server that is starting, stopping or recovering.

    Its words may be in any language. A ping (PQping) knows the code.
    """
    from psycopg import OperationalError, errors  # noqa: PLC0415 - it is optional
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415
    from psycopg.pq import PGconn, Ping  # noqa: PLC0415

    try:
        return dialect.connect(*arguments, **parameters)
    except OperationalError as error:
        place = {name: parameters[name] for name in ("host", "port") if name in parameters}
        address = make_conninfo(**place, connect_timeout=1)
        if error.sqlstate is None and PGconn.ping(address.encode()) == Ping.REJECT:
            raise errors.CannotConnectNow(str(error)) from error
        raise
