"""Papers and newsletters that templates are tried out on: full ones and bare ones."""

from dataclasses import replace
from datetime import UTC, date, datetime

from newsletter.model import Issue, Item, Paper, Publication

_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

_PUBLICATION = Publication(
    "Specimen", "Specimen", "specimen@example.org", url="https://example.org", postal_address="1 St"
)

_FULL = Item(
    title="A specimen",
    abstract="It has a first sentence. It has a second one. It has a third one.",
    url="https://example.org/1",
    pdf="https://example.org/1.pdf",
    code="https://example.org/1/code",
    code_stars=1,
    project="https://example.org/1/project",
    discussion="https://example.org/1/discuss",
    authors=("A. Author", "B. Author", "C. Author", "D. Author"),
    organization="Example",
    published=date(2026, 1, 1),
    upvotes=1,
    comments=1,
)

SPECIMENS = Issue(
    day=date(2026, 1, 1),
    papers=(
        Paper(1, "specimen:1", _FULL, _NOON, 1),
        Paper(2, "specimen:2", Item(title="A bare specimen"), _NOON, 2),
    ),
    topics=(),
    cutoff=2,
    frozen_at=_NOON,
    missing=("A source",),
)

PUBLICATIONS = (_PUBLICATION, replace(_PUBLICATION, url=None, postal_address=""))
"""One with a site and one without."""
