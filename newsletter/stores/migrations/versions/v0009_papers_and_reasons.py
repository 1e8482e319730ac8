"""A section has separate lists of papers and reasons, which are faster to read."""

import json
from typing import Any

from newsletter.stores.migrations.editions import rewrite

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Split the sections of all editions."""
    rewrite(_split)


def _split(body: str) -> dict[str, Any]:
    edition = json.loads(body)
    edition["sections"] = [_split_section(section) for section in edition["sections"]]
    return {"body": json.dumps(edition, separators=(",", ":"))}


def _split_section(section: dict[str, Any]) -> dict[str, Any]:
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
    """A paper and its reason, which the oldest editions have by name."""
    return (placed["paper"], placed["because"]) if isinstance(placed, dict) else tuple(placed)
