"""An OpenAPI description of the readers' pages, made from their routes."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from starlette.routing import BaseRoute, Route

from newsletter.model import SUBSCRIBER_FIELDS

FIELDS = (*SUBSCRIBER_FIELDS, "do", "weeks", "sure", "why")
"""The fields of all forms."""

QUERIES = ("q", "before", "pause", "cadence", "more", "less")
CHOICES = {
    "do": ("save", "try", "pause", "resume", "move", "erase"),
    "cadence": ("daily", "weekly"),
    "summary": ("short", "full"),
    "weeks": ("1", "2"),
    "email": ("ada@example.org",),
    "pause": ("2",),
}
"""Values that lead further than random ones."""


def describe_routes(
    routes: Iterable[BaseRoute], known: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """Return an OpenAPI document with an operation for every route and method.

    Args:
        routes: the routes of the pages.
        known: values of path parameters that exist, by name.
    """
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        assert isinstance(route, Route)
        path = re.sub(r":\w+}", "}", route.path)
        for method in route.methods or ():
            names = re.findall(r"{(\w+)}", path)
            paths.setdefault(path, {})[method.lower()] = _operation(method, names, known)
    return {
        "openapi": "3.1.0",
        "info": {"title": "The readers' pages", "version": "1"},
        "paths": paths,
    }


def _operation(
    method: str, names: Iterable[str], known: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    placed = [_parameter(name, "path", known.get(name, ())) for name in names]
    asked = [_parameter(name, "query", CHOICES.get(name, ())) for name in QUERIES]
    answers = {"responses": {"default": {"description": "a page"}}}
    if method != "POST":
        return {"parameters": [*placed, *asked], **answers}
    fields = {name: _text(CHOICES.get(name, ())) for name in FIELDS}
    form = {"schema": {"type": "object", "properties": fields}}
    return {
        "parameters": placed,
        "requestBody": {"content": {"application/x-www-form-urlencoded": form}},
        **answers,
    }


def _parameter(name: str, where: str, choices: Sequence[str]) -> dict[str, Any]:
    return {"name": name, "in": where, "required": where == "path", "schema": _text(choices)}


def _text(choices: Sequence[str]) -> dict[str, Any]:
    if not choices:
        return {"type": "string"}
    return {"anyOf": [{"type": "string", "enum": [*choices]}, {"type": "string"}]}
