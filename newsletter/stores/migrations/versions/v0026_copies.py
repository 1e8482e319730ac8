"""Papers are found to be the same by their texts; those of before have no sketch."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "sketches",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("paper", sa.Integer, sa.ForeignKey("papers.number"), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "copies",
        sa.Column("paper", sa.Integer, sa.ForeignKey("papers.number"), primary_key=True),
        sa.Column("original", sa.Integer, sa.ForeignKey("papers.number"), nullable=False),
    )
