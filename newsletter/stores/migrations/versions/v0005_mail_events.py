"""Returned mail, and notices to the operator."""

from alembic import op
from sqlalchemy import CheckConstraint, Column, Date, DateTime, ForeignKey, Integer, String, Text

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create their tables."""
    op.create_table(
        "notices",
        Column("event", Text, primary_key=True),
        Column("told", DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "returns",
        Column("digest", Text, primary_key=True),
        Column("reader", Integer, ForeignKey("readers.id"), nullable=False, index=True),
        Column("kind", String(16), nullable=False),
        Column("day", Date, nullable=False),
        Column("said", Text, nullable=False),
        Column("noted", DateTime(timezone=True), nullable=False),
        Column("forgiven", DateTime(timezone=True)),
        CheckConstraint("kind IN ('hard', 'soft', 'complaint', 'unsubscribe')", name="kind"),
    )
