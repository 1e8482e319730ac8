"""Which papers readers asked for more like, or for less."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "likes",
        sa.Column("reader", sa.Integer, sa.ForeignKey("readers.id"), primary_key=True),
        sa.Column("paper", sa.Integer, sa.ForeignKey("papers.number"), primary_key=True),
        sa.Column("more", sa.Boolean, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
