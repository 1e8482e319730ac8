"""Functions that make domain values; every argument has a plain default."""

from datetime import UTC, date, datetime

from newsletter.model import Filter, Identity, Item, Paper, Reader, Subscriber
from newsletter.papers.filters import parse_rule

DAY = date(2026, 8, 3)
NOON = datetime(2026, 8, 3, 12, 0, tzinfo=UTC)


EVERY_FIELD = Subscriber(
    email="ada@example.org",
    name="Ada Ω “King”",
    filter=Filter(
        topics=("Reasoning", "Mixture of Experts"),
        include=(parse_rule("LoRA"), parse_rule('author:Shazeer and not "large scale"')),
        exclude=(parse_rule("category:eess.AS or (speech and org:Labs)"),),
        min_upvotes=5,
        max_items=20,
        breadth="broad",
    ),
    cadence="weekly",
    day=4,
    paused_until=date(2026, 9, 1),
    at="07:30",
    timezone="Europe/London",
    summary="full",
)
"""A subscriber without any default value, for tests that files, forms and stores keep each
field."""


def item(title: str = "A paper", **fields: object) -> Item:
    """An item with this title."""
    return Item(title=title, **fields)  # type: ignore[arg-type]


def identity(key: str = "arxiv:2608.00001", *aliases: str) -> Identity:
    """An identity with this key."""
    return Identity(key=key, aliases=frozenset({key, *aliases}))


def paper(number: int = 1, title: str = "A paper", **fields: object) -> Paper:
    """A paper with this ingest number, first seen at noon."""
    return Paper(
        number=number,
        key=f"arxiv:2608.{number:05d}",
        item=item(title, **fields),
        first_seen=NOON,
        group=number,
    )


def subscriber(email: str = "ada@example.org", **fields: object) -> Subscriber:
    """A subscriber who wants everything."""
    return Subscriber(email=email, **fields)  # type: ignore[arg-type]


def reader(
    number: int = 1, email: str = "ada@example.org", wants: Filter | None = None, decided: int = 0
) -> Reader:
    """A confirmed reader with this filter."""
    return Reader(
        id=number,
        subscriber=Subscriber(email=email, filter=wants or Filter()),
        status="confirmed",
        decided=decided,
        origin="file",
    )
