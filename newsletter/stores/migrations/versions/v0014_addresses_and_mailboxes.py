"""Addresses that readers left or that refuse notes, and the mails that were read."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Create the tables, and the indexes that find the bounces of a letter."""
    op.create_table(
        "former_addresses",
        sa.Column("reader", sa.Integer, sa.ForeignKey("readers.id"), primary_key=True),
        sa.Column("address", sa.Text, primary_key=True),
    )
    op.create_table(
        "refused_addresses",
        sa.Column("address", sa.Text, primary_key=True),
        sa.Column("lasting", sa.Boolean, nullable=False),
        sa.Column("noted", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "mails",
        sa.Column("mailbox", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("left", sa.Text, nullable=False),
        sa.Column("noted", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_returns_day", "returns", ["day"])
    op.create_index("ix_returns_letter", "returns", ["letter"])
