"""How often a letter was in doubt, which decides whether it is sent again."""

from alembic import op
from sqlalchemy import Column, Integer

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the number of doubts to every delivery, 0 so far."""
    op.add_column("deliveries", Column("doubts", Integer, nullable=False, server_default="0"))
