"""Reads JSON and XML answers; what is of another shape is an error that shows its beginning."""

import json
from collections.abc import Mapping
from datetime import date
from typing import Any
from xml.etree import ElementTree as ET

from newsletter.errors import SourceError


def beginning(body: bytes) -> str:
    """The first words of an answer, to show in an error."""
    return " ".join(body[:80].decode("utf-8", "replace").split())


def unknown_shape(origin: str, came: object) -> SourceError:
    """The error for an answer that is no list of papers."""
    return SourceError(f"{origin}: no list of papers but {str(came)[:160]}")


def load_json(body: bytes, origin: str) -> Any:  # noqa: ANN401 - any JSON
    """The JSON value in an answer; ``origin`` is its address or file, for errors.

    Raises:
        SourceError: it is not JSON.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{origin}: not JSON but {beginning(body)!r}") from error


def load_object(body: bytes, origin: str) -> Mapping[str, Any]:
    """The JSON object in an answer.

    Raises:
        SourceError: it is something else.
    """
    answer = load_json(body, origin)
    if not isinstance(answer, Mapping):
        raise unknown_shape(origin, answer)
    return answer


def load_xml(body: bytes, origin: str, what: str) -> ET.Element:
    """The root element of an answer, which should be ``what``.

    Raises:
        SourceError: it is not well-formed, or not whole.
    """
    try:
        return ET.fromstring(body)  # noqa: S314 - expat limits entities, and the client the size
    except ET.ParseError as error:
        raise SourceError(f"{origin}: not {what} ({error}) but {beginning(body)!r}") from error


def objects(value: object) -> list[Mapping[str, Any]]:
    """The JSON objects of a list; nothing for any other value."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def texts(value: object) -> list[str]:
    """The texts of a list; nothing for any other value."""
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def as_text(value: object) -> str:
    """A value of JSON as it is, if it is text; otherwise empty."""
    return value if isinstance(value, str) else ""


def as_date(value: object) -> date | None:
    """The date that a value of JSON begins with (ISO 8601); None if it does not."""
    try:
        return date.fromisoformat(as_text(value)[:10])
    except ValueError:
        return None


def day_of(parts: object) -> date | None:
    """A date as year, month and day; None if one of them is missing or wrong."""
    try:
        return date(*parts)  # type: ignore[misc]
    except (TypeError, ValueError):
        return None
