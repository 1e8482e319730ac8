"""What a store knows about itself, and with which configuration a process works."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Create the table and the columns."""
    op.create_table(
        "facts",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    for name in ("configuration", "changed"):
        op.add_column("heartbeats", sa.Column(name, sa.Text, nullable=False, server_default=""))
