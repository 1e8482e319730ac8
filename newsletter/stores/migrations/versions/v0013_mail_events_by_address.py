"""Mail events name the address and the letter, and may speak of the sender."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the columns; earlier events are about the address that the reader has."""
    op.add_column("returns", sa.Column("address", sa.Text, nullable=False, server_default=""))
    op.add_column("returns", sa.Column("letter", sa.Date))
    op.add_column(
        "returns", sa.Column("mass", sa.Boolean, nullable=False, server_default=sa.false())
    )
