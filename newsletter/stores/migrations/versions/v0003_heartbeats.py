"""Heartbeats of running processes."""

from alembic import op
from sqlalchemy import Column, DateTime, Text

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create their table."""
    op.create_table(
        "heartbeats",
        Column("name", Text, primary_key=True),
        Column("started", DateTime(timezone=True), nullable=False),
        Column("seen", DateTime(timezone=True), nullable=False),
        Column("said", Text, nullable=False),
    )
