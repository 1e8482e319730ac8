"""The tables, with constraints for what a database can check by itself."""

from collections.abc import Iterable
from typing import get_args

import sqlalchemy as sa

from newsletter.model import CoverageState, DeliveryState, IssueState, MailEventKind, Origin, Status
from newsletter.stores.sql.column_types import (
    ReadableInstant,
    ReadableText,
    StorableText,
    UtcDateTime,
)

REVISION = "0027"  # the schema's version: the newest in ``stores/migrations/versions``


def _one_of(column: str, values: Iterable[str]) -> sa.CheckConstraint:
    allowed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({allowed})", name=column)


metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

papers = sa.Table(
    "papers",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("first_seen", UtcDateTime, nullable=False),
    sa.Column("group", sa.Integer, nullable=False, index=True),
    sa.Column("muted", sa.Boolean, nullable=False),
    sa.Column("body", sa.Text, nullable=False),  # Item, JSON
)

aliases = sa.Table(
    "aliases",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("paper", sa.Integer, sa.ForeignKey("papers.number"), nullable=False, index=True),
)

muted_by = sa.Table(
    "muted_by",
    metadata,
    sa.Column("paper", sa.Integer, sa.ForeignKey("papers.number"), primary_key=True),
    sa.Column("source", sa.Text, primary_key=True),
)

sketches = sa.Table(
    "sketches",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),  # of a text
    sa.Column("paper", sa.Integer, sa.ForeignKey("papers.number"), primary_key=True),
    sqlite_with_rowid=False,  # no second index beside the table
)

copies = sa.Table(
    "copies",
    metadata,
    sa.Column(
        "paper", sa.Integer, sa.ForeignKey("papers.number"), primary_key=True, autoincrement=False
    ),
    sa.Column("original", sa.Integer, sa.ForeignKey("papers.number"), nullable=False),
)

readings = sa.Table(
    "readings",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("paper", sa.Integer, sa.ForeignKey("papers.number"), primary_key=True),
    sa.Column("upvotes", sa.Integer),  # when it was read last on that day
)

sources = sa.Table(
    "sources",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("detail", StorableText, nullable=False),
    sa.Column("checked", UtcDateTime),
    sa.Column("last_ok", UtcDateTime),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    sa.Column("interval", sa.Integer, nullable=False, server_default="60"),
)

coverage = sa.Table(
    "coverage",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("part", sa.Text, primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("papers", sa.Integer, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("checked", UtcDateTime),
    sa.Column("answered", UtcDateTime),
    sa.Column("detail", StorableText, nullable=False),
    _one_of("state", get_args(CoverageState)),
)

readers = sa.Table(
    "readers",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("email", ReadableText, nullable=False, unique=True),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("decided", sa.Integer, nullable=False),
    sa.Column("origin", sa.String(16), nullable=False),
    sa.Column("body", sa.Text, nullable=False),  # Subscriber, JSON
    sa.Column("listed", sa.Text),  # Subscriber, JSON: the operator's file at the last sync
    sa.Column("own", sa.Text),  # OwnChoices, JSON: of a reader who joined before the file had them
    sa.Column("joined", ReadableInstant, nullable=False),
    sa.Column("changed", ReadableInstant, nullable=False),
    _one_of("status", get_args(Status)),
    _one_of("origin", get_args(Origin)),
)

reader_faults = sa.Table(
    "reader_faults",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),  # of the issue
    sa.Column("reader", sa.Integer, sa.ForeignKey("readers.id"), primary_key=True),
    sa.Column("said", StorableText, nullable=False),  # empty: the reader's row says it
)

likes = sa.Table(
    "likes",
    metadata,
    sa.Column("reader", sa.Integer, sa.ForeignKey("readers.id"), primary_key=True),
    sa.Column("paper", sa.Integer, sa.ForeignKey("papers.number"), primary_key=True),
    sa.Column("more", sa.Boolean, nullable=False),  # false: less like it
    sa.Column("at", UtcDateTime, nullable=False),
)

consents = sa.Table(
    "consents",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("reader", sa.Integer, sa.ForeignKey("readers.id"), nullable=False, index=True),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("how", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
)

requests = sa.Table(
    "requests",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("address", sa.Text, nullable=False, index=True),  # a keyed hash
    sa.Column("client", sa.Text, nullable=False),  # a keyed hash; empty after a day
    sa.Column("at", UtcDateTime, nullable=False, index=True),
)

wordings = sa.Table(
    "wordings",
    metadata,
    sa.Column(
        "paper", sa.Integer, sa.ForeignKey("papers.number"), primary_key=True, autoincrement=False
    ),
    sa.Column("words", sa.Text, nullable=False),
)

index_blocks = sa.Table(
    "index_blocks",
    metadata,
    sa.Column("start", sa.Integer, primary_key=True, autoincrement=False),  # its first number
    sa.Column("last", sa.Integer, nullable=False),  # its highest number
    # how often the words of its papers changed, and how often they had when it was made
    sa.Column("changes", sa.Integer, nullable=False, server_default="0"),
    sa.Column("made", sa.Integer, nullable=False, server_default="-1"),
    sa.Column("format", sa.Text, nullable=False, server_default=""),  # what can read it
    sa.Column("body", sa.LargeBinary, nullable=False),
)

corrections = sa.Table(
    "corrections",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("paper", sa.Integer, sa.ForeignKey("papers.number"), nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("was", sa.Text, nullable=False),  # the title before; empty for a withdrawal
)

issues = sa.Table(
    "issues",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("day", sa.Date, nullable=False, unique=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reason", StorableText, nullable=False),
    sa.Column("skipped", UtcDateTime),
    # Whether letters of all readers may leave, where a few readers get the issue first
    sa.Column("cleared", sa.Boolean, nullable=False, server_default=sa.false()),
    _one_of("state", get_args(IssueState)),
)

waves = sa.Table(
    "waves",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("issue", sa.Integer, sa.ForeignKey("issues.id"), nullable=False),
    sa.Column("due", UtcDateTime, nullable=False),
    sa.Column("cutoff", sa.Integer, nullable=False),
    sa.Column("frozen", UtcDateTime, nullable=False),
    sa.Column("numbers", sa.Text, nullable=False),  # ingest numbers in the issue's order, JSON
    # Issue, JSON, zlib; empty once the details were removed, as the next two
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("pieces", sa.LargeBinary, nullable=False),  # the compiled letter, zlib
    sa.Column("words", sa.LargeBinary),  # what its editions have in common, JSON, zlib
    sa.Column("corrected", sa.Integer, nullable=False, server_default="0"),  # last correction
    sa.UniqueConstraint("issue", "due"),
)

choices = sa.Table(
    "choices",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("reader", sa.Integer, sa.ForeignKey("readers.id"), nullable=False, index=True),
    sa.Column("body", sa.Text, nullable=False),  # Subscriber, JSON: as it was at some freezes
)

editions = sa.Table(
    "editions",
    metadata,
    sa.Column("wave", sa.Integer, sa.ForeignKey("waves.id"), primary_key=True),
    sa.Column("reader", sa.Integer, sa.ForeignKey("readers.id"), primary_key=True),
    sa.Column("papers", sa.LargeBinary, nullable=False),  # their places in the wave, packed
    sa.Column("owed", sa.Integer),  # papers owed to the reader at the freeze
    sa.Column("left_out", sa.Integer),  # papers left out by filters and limits
    # The details, which are removed after a time; see ``packed_editions``.
    sa.Column("body", sa.LargeBinary),  # Edition, packed
    sa.Column("own", sa.Text),  # reasons that quote the reader's own rules, JSON
    sa.Column("again", sa.LargeBinary),  # places of papers to judge again, packed
    sa.Column("decided", sa.Integer),  # the reader's at the freeze
    sa.Column("choices", sa.Integer),  # the reader's settings at the freeze: no key, for speed
    sqlite_with_rowid=False,  # no second index beside the table
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("issue", sa.Integer, sa.ForeignKey("issues.id"), primary_key=True),
    sa.Column("reader", sa.Integer, sa.ForeignKey("readers.id"), primary_key=True),
    sa.Column("wave", sa.Integer, sa.ForeignKey("waves.id"), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("token", sa.Text),
    sa.Column("lease_until", UtcDateTime),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("doubts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("reply", sa.Text, nullable=False),
    sa.Column("next_try", UtcDateTime),
    sa.Column("boot", sa.Text),  # boot id of the machine at the claim, until it ends
    sa.Column("marked", UtcDateTime),
    sa.Column("settled", UtcDateTime),
    sa.Column("message_id", sa.Text),
    sa.Column("recipient", sa.Text),  # the envelope's, at the mark
    sa.Column("digest", sa.Text),  # of the letter's bytes, at the mark
    _one_of("state", get_args(DeliveryState)),
    sa.Index(None, "issue", "state", "reader"),
)

heartbeats = sa.Table(
    "heartbeats",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("started", UtcDateTime, nullable=False),
    sa.Column("seen", UtcDateTime, nullable=False),
    sa.Column("said", StorableText, nullable=False),
    sa.Column("configuration", sa.Text, nullable=False, server_default=""),  # its digest
    sa.Column("changed", StorableText, nullable=False, server_default=""),  # files, since its start
)

facts = sa.Table(
    "facts",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", StorableText, nullable=False),
)

notices = sa.Table(
    "notices",
    metadata,
    sa.Column("event", StorableText, primary_key=True),
    sa.Column("told", UtcDateTime, nullable=False),
    sa.Column("claimed", UtcDateTime),  # while it is being told; then empty
)

returns = sa.Table(
    "returns",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("reader", sa.Integer, sa.ForeignKey("readers.id"), nullable=False, index=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("day", sa.Date, nullable=False, index=True),
    sa.Column("said", StorableText, nullable=False),
    sa.Column("noted", UtcDateTime, nullable=False),
    sa.Column("forgiven", UtcDateTime),  # ignored from then on
    sa.Column("address", StorableText, nullable=False, server_default=""),
    sa.Column("letter", sa.Date, index=True),  # the day of the letter that came back
    # one of many at once, which speak of the sender: it does not count
    sa.Column("mass", sa.Boolean, nullable=False, server_default=sa.false()),
    _one_of("kind", get_args(MailEventKind)),
)

former_addresses = sa.Table(
    "former_addresses",
    metadata,
    sa.Column("reader", sa.Integer, sa.ForeignKey("readers.id"), primary_key=True),
    sa.Column("address", sa.Text, primary_key=True),
)

refused_addresses = sa.Table(
    "refused_addresses",
    metadata,
    sa.Column("address", sa.Text, primary_key=True),  # a keyed hash
    sa.Column("lasting", sa.Boolean, nullable=False),
    sa.Column("noted", UtcDateTime, nullable=False),
)

mails = sa.Table(
    "mails",
    metadata,
    sa.Column("mailbox", StorableText, primary_key=True),
    sa.Column("name", StorableText, primary_key=True),
    sa.Column("left", StorableText, nullable=False),  # why it needs a person; empty if it does not
    sa.Column("noted", UtcDateTime, nullable=False),
)

operator_acts = sa.Table(
    "operator_acts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("who", StorableText, nullable=False),
    sa.Column("what", StorableText, nullable=False),
    sa.Column("reader", sa.Integer, sa.ForeignKey("readers.id"), index=True),
    sa.Column("detail", StorableText, nullable=False),
)

broadcasts = sa.Table(
    "broadcasts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("body", sa.Text, nullable=False),  # Broadcast, JSON
)

broadcast_deliveries = sa.Table(
    "broadcast_deliveries",
    metadata,
    sa.Column("broadcast", sa.Integer, sa.ForeignKey("broadcasts.id"), primary_key=True),
    sa.Column("reader", sa.Integer, sa.ForeignKey("readers.id"), primary_key=True),
    sa.Column("planned", UtcDateTime, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("token", sa.Text),
    sa.Column("lease_until", UtcDateTime),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("doubts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("reply", StorableText, nullable=False, server_default=""),
    sa.Column("next_try", UtcDateTime),
    sa.Column("settled", UtcDateTime),
    sa.Column("message_id", sa.Text),
    sa.Column("digest", sa.Text),  # of the email's bytes, at the mark
    _one_of("state", get_args(DeliveryState)),
)
