"""The index of the archive's search, in blocks; pages fill it in the background."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "index_blocks",
        sa.Column("start", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("last", sa.Integer, nullable=False),
        sa.Column("changes", sa.Integer, nullable=False, server_default="0"),
        sa.Column("made", sa.Integer, nullable=False, server_default="-1"),
        sa.Column("format", sa.Text, nullable=False, server_default=""),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":  # to compress blocks makes searches slower
        op.execute("ALTER TABLE index_blocks ALTER COLUMN body SET STORAGE EXTERNAL")
