"""The reader's history moves out of the edition, because letters do not need it."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

from newsletter.stores.migrations.editions import rewrite

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the column and move the history there."""
    op.add_column("editions", sa.Column("standing", sa.Text, nullable=False, server_default="{}"))
    rewrite(_split)


def _split(body: str) -> dict[str, Any]:
    edition = json.loads(body)
    history = edition.pop("standing")
    known = history["reader"]
    named = {name: known["subscriber"].get(name) for name in ("email", "name", "summary")}
    to = {"id": known["id"], **{name: value for name, value in named.items() if value}}
    return {
        "body": json.dumps({"to": to, **edition}, separators=(",", ":")),
        "standing": json.dumps(history, separators=(",", ":")),
    }
