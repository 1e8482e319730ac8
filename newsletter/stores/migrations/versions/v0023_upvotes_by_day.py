"""A paper's upvotes are kept for each day on which it was listed."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Add the column; of earlier days nothing is known."""
    op.add_column("readings", sa.Column("upvotes", sa.Integer))
