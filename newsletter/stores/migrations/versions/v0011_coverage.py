"""Which lists of each source were read, and how often a source is asked."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the table and the columns; a hash of the last list is now in the table."""
    op.create_table(
        "coverage",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("part", sa.Text, primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("papers", sa.Integer, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("checked", sa.DateTime(timezone=True)),
        sa.Column("answered", sa.DateTime(timezone=True)),
        sa.Column("detail", sa.Text, nullable=False),
        sa.CheckConstraint(
            "state IN ('growing', 'missing', 'covered', 'filled', 'lost')",
            name=op.f("ck_coverage_state"),
        ),
        sa.PrimaryKeyConstraint("source", "part", "day", name=op.f("pk_coverage")),
    )
    op.create_index(op.f("ix_coverage_state"), "coverage", ["state"])
    op.add_column("sources", sa.Column("failures", sa.Integer, nullable=False, server_default="0"))
    op.add_column("sources", sa.Column("interval", sa.Integer, nullable=False, server_default="60"))
    op.drop_column("sources", "digest")
