"""The tables. Constraints keep what they can keep."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import get_args

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

from newsletter.model import DeliveryState, IssueState, MailEventKind, Origin, Status
from newsletter.stores.logic import storable

REVISION = "0009"
"""The schema's version: the newest in ``stores/migrations/versions``."""


class UtcDateTime(TypeDecorator[datetime]):
    """An instant, aware and in UTC on both databases; SQLite stores it without a zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """In UTC; without a zone for SQLite."""
        if value is None:
            return None
        instant = value.astimezone(UTC)
        return instant.replace(tzinfo=None) if dialect.name == "sqlite" else instant

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


def utc_text(value: datetime | None, dialect: Dialect) -> str | None:
    """An instant as text that the database reads as the same :class:`UtcDateTime`."""
    if value is None:
        return None
    text = value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return text if dialect.name == "sqlite" else f"{text}+00"


class StorableText(TypeDecorator[str]):
    """Text from outside, for example a source's error, made fit for a database."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Replace what a database cannot hold."""
        return None if value is None else storable(value)


def _one_of(column: str, values: Iterable[str]) -> CheckConstraint:
    allowed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({allowed})", name=column)


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

papers = Table(
    "papers",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("key", Text, nullable=False, unique=True),
    Column("first_seen", UtcDateTime, nullable=False),
    Column("group", Integer, nullable=False, index=True),
    Column("muted", Boolean, nullable=False),
    Column("body", Text, nullable=False),  # Item, JSON
)

aliases = Table(
    "aliases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("paper", Integer, ForeignKey("papers.number"), nullable=False, index=True),
)

readings = Table(
    "readings",
    metadata,
    Column("day", Date, primary_key=True),
    Column("paper", Integer, ForeignKey("papers.number"), primary_key=True),
)

sources = Table(
    "sources",
    metadata,
    Column("name", Text, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("detail", StorableText, nullable=False),
    Column("checked", UtcDateTime),
    Column("last_ok", UtcDateTime),
    Column("digest", Text, nullable=False),
)

readers = Table(
    "readers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("email", Text, nullable=False, unique=True),
    Column("status", String(16), nullable=False),
    Column("decided", Integer, nullable=False),
    Column("origin", String(16), nullable=False),
    Column("body", Text, nullable=False),  # Subscriber, JSON
    Column("listed", Text),  # Subscriber, JSON: the operator's file at the last sync
    Column("joined", UtcDateTime, nullable=False),
    Column("changed", UtcDateTime, nullable=False),
    _one_of("status", get_args(Status)),
    _one_of("origin", get_args(Origin)),
)

consents = Table(
    "consents",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("reader", Integer, ForeignKey("readers.id"), nullable=False, index=True),
    Column("at", UtcDateTime, nullable=False),
    Column("how", Text, nullable=False),
    Column("text", Text, nullable=False),
)

requests = Table(
    "requests",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("address", Text, nullable=False, index=True),  # a keyed hash
    Column("client", Text, nullable=False),  # a keyed hash; empty after a day
    Column("at", UtcDateTime, nullable=False, index=True),
)

wordings = Table(
    "wordings",
    metadata,
    Column("paper", Integer, ForeignKey("papers.number"), primary_key=True, autoincrement=False),
    Column("words", Text, nullable=False),
)

issues = Table(
    "issues",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("day", Date, nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("reason", StorableText, nullable=False),
    Column("skipped", UtcDateTime),
    _one_of("state", get_args(IssueState)),
)

waves = Table(
    "waves",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("issue", Integer, ForeignKey("issues.id"), nullable=False),
    Column("due", UtcDateTime, nullable=False),
    Column("cutoff", Integer, nullable=False),
    Column("frozen", UtcDateTime, nullable=False),
    Column("numbers", Text, nullable=False),  # ingest numbers in the issue's order, JSON
    Column("body", LargeBinary, nullable=False),  # Issue, JSON, zlib
    Column("pieces", LargeBinary, nullable=False),  # the compiled letter, zlib
    UniqueConstraint("issue", "due"),
)

editions = Table(
    "editions",
    metadata,
    Column("wave", Integer, ForeignKey("waves.id"), primary_key=True),
    Column("reader", Integer, ForeignKey("readers.id"), primary_key=True),
    Column("short", Text, nullable=False),  # ingest numbers, JSON; empty if none
    Column("body", Text, nullable=False),  # Edition, JSON
    Column("standing", Text, nullable=False, server_default="{}"),  # ReaderHistory, JSON
    Column("papers", Text, nullable=False, server_default="[]"),  # ingest numbers, JSON
    Column("lowest", Integer),  # of them
    Column("highest", Integer),
    Column("owed", Integer),  # papers owed to the reader at the freeze
    Column("left_out", Integer),  # papers that filters and limits excluded
    Column("email", Text),  # the reader's address at the freeze
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("issue", Integer, ForeignKey("issues.id"), primary_key=True),
    Column("reader", Integer, ForeignKey("readers.id"), primary_key=True),
    Column("wave", Integer, ForeignKey("waves.id"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("token", Text),
    Column("lease_until", UtcDateTime),
    Column("attempts", Integer, nullable=False),
    Column("doubts", Integer, nullable=False, server_default="0"),
    Column("reply", Text, nullable=False),
    Column("next_try", UtcDateTime),
    Column("claimed", UtcDateTime),
    Column("boot", Text),  # boot id of the machine at the claim
    Column("marked", UtcDateTime),
    Column("settled", UtcDateTime),
    Column("message_id", Text),
    Column("recipient", Text),  # the envelope's, at the mark
    Column("digest", Text),  # of the letter's bytes, at the mark
    _one_of("state", get_args(DeliveryState)),
    Index(None, "issue", "state", "reader"),
)

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("name", Text, primary_key=True),
    Column("started", UtcDateTime, nullable=False),
    Column("seen", UtcDateTime, nullable=False),
    Column("said", StorableText, nullable=False),
)

notices = Table(
    "notices",
    metadata,
    Column("event", StorableText, primary_key=True),
    Column("told", UtcDateTime, nullable=False),
)

returns = Table(
    "returns",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("reader", Integer, ForeignKey("readers.id"), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("day", Date, nullable=False),
    Column("said", StorableText, nullable=False),
    Column("noted", UtcDateTime, nullable=False),
    Column("forgiven", UtcDateTime),  # ignored from then on
    _one_of("kind", get_args(MailEventKind)),
)
