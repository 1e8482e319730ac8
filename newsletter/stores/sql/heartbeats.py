"""Signs of life."""

from sqlalchemy import Connection, select

from newsletter.model import Heartbeat
from newsletter.stores.sql import schema
from newsletter.stores.sql.statements import insert_into


def beat(connection: Connection, heartbeat: Heartbeat) -> None:
    """See :meth:`newsletter.ports.Store.beat`."""
    told = {"started": heartbeat.started, "seen": heartbeat.seen, "said": heartbeat.said}
    statement = insert_into(connection, schema.heartbeats).values(name=heartbeat.name, **told)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=told))


def heartbeats(connection: Connection) -> tuple[Heartbeat, ...]:
    """See :meth:`newsletter.ports.Store.heartbeats`."""
    table = schema.heartbeats
    query = select(table).order_by(table.c.seen.desc(), table.c.name)
    rows = connection.execute(query)
    return tuple(Heartbeat(row.name, row.started, row.seen, row.said) for row in rows)
