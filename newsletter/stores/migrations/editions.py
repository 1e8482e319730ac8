"""Rewrites stored editions, for migrations that change their format."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

_NEXT = sa.text(
    "SELECT reader, body FROM editions WHERE wave = :wave AND reader > :last "
    "ORDER BY reader LIMIT 500"  # batches: a wave may have a hundred thousand
)


def rewrite(changed: Callable[[str], dict[str, Any]]) -> None:
    """Rewrite every edition; ``changed`` makes the new columns from the old body."""
    connection = op.get_bind()
    for wave in connection.execute(sa.text("SELECT id FROM waves")).scalars().all():
        last = -1
        while rows := connection.execute(_NEXT, {"wave": wave, "last": last}).all():
            columns = [changed(row.body) for row in rows]
            places = [{"wave": wave, "reader": row.reader} for row in rows]
            written = ", ".join(f"{name} = :{name}" for name in columns[0])
            update = sa.text(
                f"UPDATE editions SET {written} WHERE wave = :wave AND reader = :reader"  # noqa: S608
            )
            pairs = zip(places, columns, strict=True)
            connection.execute(update, [place | values for place, values in pairs])
            last = rows[-1].reader
