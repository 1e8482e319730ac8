"""A section has its papers and their reasons in lists of their own, which are read at once."""

import json
from typing import Any

from newsletter.stores.migrations.editions import rewrite

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Take the sections of all editions apart."""
    rewrite(_listed)


def _listed(body: str) -> dict[str, Any]:
    edition = json.loads(body)
    edition["sections"] = [_apart(section) for section in edition["sections"]]
    return {"body": json.dumps(edition, separators=(",", ":"))}


def _apart(section: dict[str, Any]) -> dict[str, Any]:
    cards, rows = (
        [_pair(placed) for placed in section.get(name, ())] for name in ("cards", "rows")
    )
    lists = {
        "cards": [paper for paper, _ in cards],
        "rows": [paper for paper, _ in rows],
        "because": [because for _, because in cards + rows],
    }
    return section | lists


def _pair(placed: Any) -> tuple[int, str]:  # noqa: ANN401 - JSON
    """A paper and its reason; the oldest editions have them by name."""
    return (placed["paper"], placed["because"]) if isinstance(placed, dict) else tuple(placed)
