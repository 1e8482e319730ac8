"""Withdrawals and new titles of papers, and up to which of them a wave tells its readers."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Create the table and the column."""
    op.create_table(
        "corrections",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("paper", sa.Integer, sa.ForeignKey("papers.number"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("was", sa.Text, nullable=False),
    )
    op.add_column("waves", sa.Column("corrected", sa.Integer, nullable=False, server_default="0"))
