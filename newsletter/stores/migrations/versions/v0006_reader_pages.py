"""What the readers' pages store: own choices, consents, sign-up requests, and search texts."""

import json

from alembic import op
from sqlalchemy import Column, Connection, DateTime, ForeignKey, Integer, Text, text

from newsletter.text import clean, folded

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the tables, keep the file's settings, and index every paper for the search."""
    op.add_column("readers", Column("listed", Text))
    op.execute("UPDATE readers SET listed = body WHERE origin = 'file'")
    op.create_table(
        "consents",
        Column("id", Integer, primary_key=True),
        Column("reader", Integer, ForeignKey("readers.id"), nullable=False),
        Column("at", DateTime(timezone=True), nullable=False),
        Column("how", Text, nullable=False),
        Column("text", Text, nullable=False),
    )
    op.create_index("ix_consents_reader", "consents", ["reader"])
    op.create_table(
        "requests",
        Column("id", Integer, primary_key=True),
        Column("address", Text, nullable=False),
        Column("client", Text, nullable=False),
        Column("at", DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_requests_address", "requests", ["address"])
    op.create_index("ix_requests_at", "requests", ["at"])
    op.create_table(
        "wordings",
        Column("paper", Integer, ForeignKey("papers.number"), primary_key=True),
        Column("words", Text, nullable=False),
    )
    _fill(op.get_bind())


def _fill(connection: Connection) -> None:
    insert = text("INSERT INTO wordings (paper, words) VALUES (:paper, :words)")
    for number, body in connection.execute(text("SELECT number, body FROM papers")).all():
        item = json.loads(body)
        said = " ".join((item["title"], item.get("abstract", ""), *item.get("authors", ())))
        connection.execute(insert, {"paper": number, "words": f" {folded(clean(said))}"})
