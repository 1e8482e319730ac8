"""What the audit needs: each edition's papers, and the digest of each marked letter.

Accepted editions say what was sent to whom, so the table of sent papers goes.
"""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns, fill them from stored editions, and drop the table of sent papers."""
    op.add_column("editions", sa.Column("papers", sa.Text, nullable=False, server_default="[]"))
    for name in ("lowest", "highest", "owed", "left_out"):
        op.add_column("editions", sa.Column(name, sa.Integer))
    op.add_column("editions", sa.Column("email", sa.Text))
    for name in ("message_id", "recipient", "digest"):
        op.add_column("deliveries", sa.Column(name, sa.Text))
    op.drop_index("ix_deliveries_token", "deliveries")
    op.drop_index("ix_deliveries_issue_state", "deliveries")
    op.create_index(None, "deliveries", ["issue", "state", "reader"])
    _fill()
    op.drop_table("sent")


def _fill() -> None:
    connection = op.get_bind()
    waves = connection.execute(sa.text("SELECT id, numbers FROM waves")).all()
    for wave in waves:
        numbers = json.loads(wave.numbers)
        query = sa.text("SELECT reader, body FROM editions WHERE wave = :wave")
        rows = [
            _row(wave.id, row.reader, numbers, json.loads(row.body))
            for row in connection.execute(query, {"wave": wave.id})
        ]
        if rows:
            connection.execute(_UPDATE, rows)


_UPDATE = sa.text(
    "UPDATE editions SET papers = :papers, lowest = :lowest, highest = :highest, "
    "email = :email WHERE wave = :wave AND reader = :reader"
)


def _row(wave: int, reader: int, numbers: list[int], edition: dict[str, Any]) -> dict[str, Any]:
    papers = [numbers[place] for place in _places(edition)]
    return {
        "email": edition["standing"]["reader"]["subscriber"]["email"],
        "wave": wave,
        "reader": reader,
        "papers": json.dumps(papers),
        "lowest": min(papers, default=None),
        "highest": max(papers, default=None),
    }


def _places(edition: dict[str, Any]) -> list[int]:
    """The places of an edition's papers, in reading order."""
    placed = [
        paper["paper"]
        for section in edition["sections"]
        for paper in (*section["cards"], *section.get("rows", ()))
    ]
    return [*placed, *edition.get("more", ())]
