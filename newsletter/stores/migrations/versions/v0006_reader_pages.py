"""What the readers' pages store: own choices, consents, sign-up requests, and search texts."""

import json

import sqlalchemy as sa
from alembic import op

from newsletter.text import clean, fold

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the tables, keep the file's settings, and index every paper for the search."""
    op.add_column("readers", sa.Column("listed", sa.Text))
    op.execute("UPDATE readers SET listed = body WHERE origin = 'file'")
    op.create_table(
        "consents",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("reader", sa.Integer, sa.ForeignKey("readers.id"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("how", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_index("ix_consents_reader", "consents", ["reader"])
    op.create_table(
        "requests",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_requests_address", "requests", ["address"])
    op.create_index("ix_requests_at", "requests", ["at"])
    op.create_table(
        "wordings",
        sa.Column("paper", sa.Integer, sa.ForeignKey("papers.number"), primary_key=True),
        sa.Column("words", sa.Text, nullable=False),
    )
    _fill(op.get_bind())


def _fill(connection: sa.Connection) -> None:
    insert = sa.text("INSERT INTO wordings (paper, words) VALUES (:paper, :words)")
    for number, body in connection.execute(sa.text("SELECT number, body FROM papers")).all():
        item = json.loads(body)
        said = " ".join((item["title"], item.get("abstract", ""), *item.get("authors", ())))
        connection.execute(insert, {"paper": number, "words": f" {fold(clean(said))}"})
