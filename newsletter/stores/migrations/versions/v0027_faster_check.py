"""SQLite checks the state of a delivery faster: for an ``IN`` it builds an index at each change."""

import re

from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Rewrite the constraint as comparisons, in the text of the table; see revision 0016."""
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return
    where = "WHERE type = 'table' AND name = 'deliveries'"
    text: str = connection.exec_driver_sql(f"SELECT sql FROM sqlite_schema {where}").scalar_one()  # noqa: S608 - our own words
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    connection.exec_driver_sql(
        f"UPDATE sqlite_schema SET sql = ? {where}",  # noqa: S608
        (re.sub(r"state IN \(([^)]*)\)", lambda found: _compared(found[1]), text),),
    )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")


def _compared(states: str) -> str:
    return " OR ".join(f"state = {state}" for state in re.findall(r"'\w+'", states))
