"""What the operator did, and readers who wait for the operator's approval."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

_BEFORE = "'unconfirmed', 'confirmed'"
_AFTER = "'unconfirmed', 'waiting', 'confirmed'"
_ALL = f"status IN ({_AFTER}, 'unsubscribed', 'blocked', 'removed')"


def upgrade() -> None:
    """Create the table, and allow the status."""
    op.create_table(
        "operator_acts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("reader", sa.Integer, sa.ForeignKey("readers.id"), index=True),
        sa.Column("detail", sa.Text, nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint("status", "readers", type_="check")
        op.create_check_constraint("status", "readers", _ALL)
    else:
        _allow_in_sqlite(op.get_bind())


def _allow_in_sqlite(connection: sa.Connection) -> None:
    """Change the constraint's text, as SQLite's documentation of ALTER TABLE describes it.

    The table cannot be made anew: others refer to its rows, also while it would be missing.
    """
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    connection.exec_driver_sql(
        "UPDATE sqlite_schema SET sql = replace(sql, ?, ?)"
        " WHERE type = 'table' AND name = 'readers'",
        (_BEFORE, _AFTER),
    )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
