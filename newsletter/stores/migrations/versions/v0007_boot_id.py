"""The start of the machine (boot id) in which each delivery was claimed."""

from alembic import op
from sqlalchemy import Column, Text

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the column."""
    op.add_column("deliveries", Column("boot", Text))
