"""Signs of life of those who stay awake."""

from alembic import op
from sqlalchemy import Column, DateTime, Text

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make their table."""
    op.create_table(
        "heartbeats",
        Column("name", Text, primary_key=True),
        Column("started", DateTime(timezone=True), nullable=False),
        Column("seen", DateTime(timezone=True), nullable=False),
        Column("said", Text, nullable=False),
    )
