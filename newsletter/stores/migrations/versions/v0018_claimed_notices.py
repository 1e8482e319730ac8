"""Until when a report to the operator is being sent, so that a crash loses none."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Add the column; what was recorded before was told."""
    op.add_column("notices", sa.Column("claimed", sa.DateTime(timezone=True)))
