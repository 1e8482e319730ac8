"""Returned mail, and notices to the operator."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create their tables."""
    op.create_table(
        "notices",
        sa.Column("event", sa.Text, primary_key=True),
        sa.Column("told", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "returns",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("reader", sa.Integer, sa.ForeignKey("readers.id"), nullable=False, index=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("said", sa.Text, nullable=False),
        sa.Column("noted", sa.DateTime(timezone=True), nullable=False),
        sa.Column("forgiven", sa.DateTime(timezone=True)),
        sa.CheckConstraint("kind IN ('hard', 'soft', 'complaint', 'unsubscribe')", name="kind"),
    )
