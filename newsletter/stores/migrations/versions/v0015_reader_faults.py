"""Which readers were skipped, and the own choices of readers whom the operator's file has, too."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Create the table and the column."""
    op.create_table(
        "reader_faults",
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("reader", sa.Integer, sa.ForeignKey("readers.id"), primary_key=True),
        sa.Column("said", sa.Text, nullable=False),
    )
    op.add_column("readers", sa.Column("own", sa.Text))
