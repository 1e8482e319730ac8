"""Notes to all readers, and the delivery of each to each reader."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"

_STATES = (
    "'pending', 'claimed', 'committing', 'accepted', 'deferred', 'failed', 'unknown', 'held', "
    "'expired', 'suppressed', 'empty'"
)


def upgrade() -> None:
    """Create the tables."""
    instant = sa.DateTime(timezone=True)
    op.create_table(
        "broadcasts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("at", instant, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "broadcast_deliveries",
        sa.Column("broadcast", sa.Integer, sa.ForeignKey("broadcasts.id"), primary_key=True),
        sa.Column("reader", sa.Integer, sa.ForeignKey("readers.id"), primary_key=True),
        sa.Column("planned", instant, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("token", sa.Text),
        sa.Column("lease_until", instant),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("doubts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("reply", sa.Text, nullable=False, server_default=""),
        sa.Column("next_try", instant),
        sa.Column("settled", instant),
        sa.Column("message_id", sa.Text),
        sa.Column("digest", sa.Text),
        sa.CheckConstraint(f"state IN ({_STATES})", name="state"),
    )
