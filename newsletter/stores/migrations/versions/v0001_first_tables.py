"""The first tables: papers, readers, issues, deliveries."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables, referenced ones first."""
    _make_papers()
    _make_readers()
    _make_issues()
    _make_deliveries()


def _make_papers() -> None:
    op.create_table(
        "papers",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("first_seen", INSTANT, nullable=False),
        sa.Column("group", sa.Integer, nullable=False, index=True),
        sa.Column("muted", sa.Boolean, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "aliases",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("paper", sa.Integer, sa.ForeignKey("papers.number"), nullable=False, index=True),
    )
    op.create_table(
        "readings",
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("paper", sa.Integer, sa.ForeignKey("papers.number"), primary_key=True),
    )
    op.create_table(
        "sources",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("checked", INSTANT),
        sa.Column("last_ok", INSTANT),
        sa.Column("digest", sa.Text, nullable=False),
    )


def _make_readers() -> None:
    op.create_table(
        "readers",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("email", sa.Text, nullable=False, unique=True),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("decided", sa.Integer, nullable=False),
        sa.Column("origin", sa.String(16), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("joined", INSTANT, nullable=False),
        sa.Column("changed", INSTANT, nullable=False),
        sa.CheckConstraint(
            "status IN ('unconfirmed', 'confirmed', 'unsubscribed', 'blocked', 'removed')",
            name="status",
        ),
        sa.CheckConstraint("origin IN ('file', 'store')", name="origin"),
    )
    op.create_table(
        "sent",
        sa.Column("reader", sa.Integer, sa.ForeignKey("readers.id"), primary_key=True),
        sa.Column("paper", sa.Integer, sa.ForeignKey("papers.number"), primary_key=True),
        sqlite_with_rowid=False,
    )


def _make_issues() -> None:
    op.create_table(
        "issues",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("day", sa.Date, nullable=False, unique=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("skipped", INSTANT),
        sa.CheckConstraint(
            "state IN ('frozen', 'sending', 'done', 'done_with_errors', 'skipped', 'held', "
            "'cancelled')",
            name="state",
        ),
    )
    op.create_table(
        "waves",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("issue", sa.Integer, sa.ForeignKey("issues.id"), nullable=False),
        sa.Column("due", INSTANT, nullable=False),
        sa.Column("cutoff", sa.Integer, nullable=False),
        sa.Column("frozen", INSTANT, nullable=False),
        sa.Column("numbers", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("pieces", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("issue", "due"),
    )
    op.create_table(
        "editions",
        sa.Column("wave", sa.Integer, sa.ForeignKey("waves.id"), primary_key=True),
        sa.Column("reader", sa.Integer, sa.ForeignKey("readers.id"), primary_key=True),
        sa.Column("short", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )


def _make_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("issue", sa.Integer, sa.ForeignKey("issues.id"), primary_key=True),
        sa.Column("reader", sa.Integer, sa.ForeignKey("readers.id"), primary_key=True),
        sa.Column("wave", sa.Integer, sa.ForeignKey("waves.id"), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("token", sa.Text, index=True),
        sa.Column("lease_until", INSTANT),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("reply", sa.Text, nullable=False),
        sa.Column("next_try", INSTANT),
        sa.Column("claimed", INSTANT),
        sa.Column("marked", INSTANT),
        sa.Column("settled", INSTANT),
        sa.CheckConstraint(
            "state IN ('pending', 'claimed', 'committing', 'accepted', 'deferred', 'failed', "
            "'unknown', 'held', 'expired', 'suppressed', 'empty')",
            name="state",
        ),
    )
    op.create_index(None, "deliveries", ["issue", "state"])
