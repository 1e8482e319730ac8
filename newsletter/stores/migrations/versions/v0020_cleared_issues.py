"""An issue may go to a few readers first, until it is cleared for all."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Add the column; the issues that there are stay as they are, cleared."""
    op.add_column(
        "issues", sa.Column("cleared", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.execute("UPDATE issues SET cleared = TRUE")
