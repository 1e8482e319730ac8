"""Where a reader stood is kept beside their edition: a letter needs none of it."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the column, and move into it what the editions have."""
    op.add_column("editions", sa.Column("standing", sa.Text, nullable=False, server_default="{}"))
    connection = op.get_bind()
    for wave in connection.execute(sa.text("SELECT id FROM waves")).scalars().all():
        last = -1
        while rows := connection.execute(_NEXT, {"wave": wave, "last": last}).all():
            connection.execute(_UPDATE, [_row(wave, row.reader, row.body) for row in rows])
            last = rows[-1].reader


_NEXT = sa.text(
    "SELECT reader, body FROM editions WHERE wave = :wave AND reader > :last "
    "ORDER BY reader LIMIT 500"  # never all at once: a wave may have a hundred thousand
)

_UPDATE = sa.text(
    "UPDATE editions SET body = :body, standing = :standing WHERE wave = :wave AND reader = :reader"
)


def _row(wave: int, reader: int, body: str) -> dict[str, Any]:
    edition = json.loads(body)
    standing = edition.pop("standing")
    known = standing["reader"]
    named = {name: known["subscriber"].get(name) for name in ("email", "name", "summary")}
    to = {"id": known["id"], **{name: value for name, value in named.items() if value}}
    return {
        "wave": wave,
        "reader": reader,
        "body": json.dumps({"to": to, **edition}, separators=(",", ":")),
        "standing": json.dumps(standing, separators=(",", ":")),
    }
