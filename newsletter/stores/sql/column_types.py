"""Types of columns: instants, and texts from outside, the same on both databases."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from newsletter.stores.logic import storable

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class UtcDateTime(sa.TypeDecorator[datetime]):
    """An instant, aware and in UTC on both databases; SQLite stores it without a zone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """In UTC; without a zone for SQLite."""
        if value is None:
            return None
        instant = value.astimezone(UTC)
        return instant.replace(tzinfo=None) if dialect.name == "sqlite" else instant

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Aware, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


def utc_text(value: datetime | None, dialect: sa.Dialect) -> str | None:
    """An instant as text that the database reads as the same :class:`UtcDateTime`."""
    if value is None:
        return None
    text = value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return text if dialect.name == "sqlite" else f"{text}+00"


class StorableText(sa.TypeDecorator[str]):
    """Text from outside, for example a source's error, made fit for a database."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002
        """Replace what a database cannot hold."""
        return None if value is None else storable(value)


class ReadableText(StorableText):
    """Text that is read whatever is stored, for a table that a hand may have changed."""

    cache_ok = True

    def process_result_value(self, value: str | bytes | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002
        """SQLite keeps bytes as such in a column of text."""
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


class ReadableInstant(UtcDateTime):
    """An instant that is read whatever is stored: what is none becomes the first of 1970."""

    cache_ok = True

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Any:  # noqa: ANN401 - SQLAlchemy's
        """The usual conversion, except for what is no instant."""
        convert: Any = super().result_processor(dialect, coltype) or (lambda value: value)

        def read(value: object) -> Any:  # noqa: ANN401 - an instant or None
            try:
                return convert(value)
            except (TypeError, ValueError):
                return EPOCH

        return read
