"""The first tables: papers, readers, issues, deliveries."""

from alembic import op
from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
)

revision = "0001"
down_revision = None

INSTANT = DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables, referenced ones first."""
    _make_papers()
    _make_readers()
    _make_issues()
    _make_deliveries()


def _make_papers() -> None:
    op.create_table(
        "papers",
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("key", Text, nullable=False, unique=True),
        Column("first_seen", INSTANT, nullable=False),
        Column("group", Integer, nullable=False, index=True),
        Column("muted", Boolean, nullable=False),
        Column("body", Text, nullable=False),
    )
    op.create_table(
        "aliases",
        Column("name", Text, primary_key=True),
        Column("paper", Integer, ForeignKey("papers.number"), nullable=False, index=True),
    )
    op.create_table(
        "readings",
        Column("day", Date, primary_key=True),
        Column("paper", Integer, ForeignKey("papers.number"), primary_key=True),
    )
    op.create_table(
        "sources",
        Column("name", Text, primary_key=True),
        Column("state", String(16), nullable=False),
        Column("detail", Text, nullable=False),
        Column("checked", INSTANT),
        Column("last_ok", INSTANT),
        Column("digest", Text, nullable=False),
    )


def _make_readers() -> None:
    op.create_table(
        "readers",
        Column("id", Integer, primary_key=True),
        Column("email", Text, nullable=False, unique=True),
        Column("status", String(16), nullable=False),
        Column("decided", Integer, nullable=False),
        Column("origin", String(16), nullable=False),
        Column("body", Text, nullable=False),
        Column("joined", INSTANT, nullable=False),
        Column("changed", INSTANT, nullable=False),
        CheckConstraint(
            "status IN ('unconfirmed', 'confirmed', 'unsubscribed', 'blocked', 'removed')",
            name="status",
        ),
        CheckConstraint("origin IN ('file', 'store')", name="origin"),
    )
    op.create_table(
        "sent",
        Column("reader", Integer, ForeignKey("readers.id"), primary_key=True),
        Column("paper", Integer, ForeignKey("papers.number"), primary_key=True),
        sqlite_with_rowid=False,
    )


def _make_issues() -> None:
    op.create_table(
        "issues",
        Column("id", Integer, primary_key=True),
        Column("day", Date, nullable=False, unique=True),
        Column("state", String(16), nullable=False),
        Column("reason", Text, nullable=False),
        Column("skipped", INSTANT),
        CheckConstraint(
            "state IN ('frozen', 'sending', 'done', 'done_with_errors', 'skipped', 'held', "
            "'cancelled')",
            name="state",
        ),
    )
    op.create_table(
        "waves",
        Column("id", Integer, primary_key=True),
        Column("issue", Integer, ForeignKey("issues.id"), nullable=False),
        Column("due", INSTANT, nullable=False),
        Column("cutoff", Integer, nullable=False),
        Column("frozen", INSTANT, nullable=False),
        Column("numbers", Text, nullable=False),
        Column("body", LargeBinary, nullable=False),
        Column("pieces", LargeBinary, nullable=False),
        UniqueConstraint("issue", "due"),
    )
    op.create_table(
        "editions",
        Column("wave", Integer, ForeignKey("waves.id"), primary_key=True),
        Column("reader", Integer, ForeignKey("readers.id"), primary_key=True),
        Column("short", Text, nullable=False),
        Column("body", Text, nullable=False),
    )


def _make_deliveries() -> None:
    op.create_table(
        "deliveries",
        Column("issue", Integer, ForeignKey("issues.id"), primary_key=True),
        Column("reader", Integer, ForeignKey("readers.id"), primary_key=True),
        Column("wave", Integer, ForeignKey("waves.id"), nullable=False),
        Column("state", String(16), nullable=False),
        Column("token", Text, index=True),
        Column("lease_until", INSTANT),
        Column("attempts", Integer, nullable=False),
        Column("reply", Text, nullable=False),
        Column("next_try", INSTANT),
        Column("claimed", INSTANT),
        Column("marked", INSTANT),
        Column("settled", INSTANT),
        CheckConstraint(
            "state IN ('pending', 'claimed', 'committing', 'accepted', 'deferred', 'failed', "
            "'unknown', 'held', 'expired', 'suppressed', 'empty')",
            name="state",
        ),
    )
    op.create_index(None, "deliveries", ["issue", "state"])
