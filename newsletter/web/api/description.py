"""The description of the API (OpenAPI 3.1), made from the table of its routes."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.responses import Response

from newsletter.config.api import Scope
from newsletter.web.api.calls import Call
from newsletter.web.api.documents import Problem, ReaderDetails
from newsletter.web.api.replays import KEY

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

REFUSALS = {
    401: "there is no token, or a wrong one",
    403: "the token lacks the scope",
    429: "too often; wait as many seconds as Retry-After says",
}
"""Answers that every route has."""

_Mode = Literal["validation", "serialization"]
_TAKEN: _Mode = "validation"
_GIVEN: _Mode = "serialization"

IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "the ETag of what is to be changed; if it has changed since, the answer is 412",
    "schema": {"type": "string"},
}
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "a text of your own; within a day the same key gets the same answer",
    "schema": {"type": "string", "pattern": f"^{KEY}$"},
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One route: what it needs, does, takes and gives.

    Attributes:
        scope: what the token has to allow.
        gives: the answers if all is well, by status; None for an empty one.
        takes: the body; None without one.
        query: the parameters by name, each with its schema, which says what it means.
        versioned: whether it is refused unless If-Match names the version that is stored.
    """

    method: Method
    path: str
    scope: Scope
    words: str
    handler: Callable[[Call], Response]
    gives: Mapping[int, type[BaseModel] | None]
    takes: type[BaseModel] | None = None
    query: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    versioned: bool = False


def describe(operations: Iterable[Operation], title: str, url: str) -> dict[str, Any]:
    """The description of these routes, which are served below this URL."""
    known = [*operations]
    models: list[tuple[type[BaseModel], _Mode]] = [(Problem, _GIVEN)]
    models += [(each.takes, _TAKEN) for each in known if each.takes]
    models += [(one, _GIVEN) for each in known for one in each.gives.values() if one]
    _, schemas = models_json_schema(models, ref_template="#/components/schemas/{model}")
    paths: dict[str, dict[str, Any]] = {}
    for each in known:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version("daily-papers-newsletter")},
        "servers": [{"url": url}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    problems = _content(Problem, "application/problem+json")
    refusals = {
        str(status): {"description": words, **problems} for status, words in REFUSALS.items()
    }
    described: dict[str, Any] = {
        "operationId": operation.handler.__name__,
        "summary": operation.words,
        "description": f"Scope: `{operation.scope}`.",
        "parameters": [*_parameters(operation)],
        "responses": {
            **{str(status): _answer(status, model) for status, model in operation.gives.items()},
            **refusals,
            "default": {"description": "what is wrong", **problems},
        },
    }
    if operation.takes is not None:
        described["requestBody"] = {"required": True, **_content(operation.takes)}
    return described


def _answer(status: int, model: type[BaseModel] | None) -> dict[str, Any]:
    described: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if model is ReaderDetails:
        described["headers"] = {"ETag": {"schema": {"type": "string"}}}
    return described if model is None else {**described, **_content(model)}


def _content(model: type[BaseModel], kind: str = "application/json") -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"content": {kind: {"schema": reference}}}


def _parameters(operation: Operation) -> Iterable[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", operation.path):
        schema = {"type": "integer"} if name == "id" else {"type": "string", "format": "date"}
        yield {"name": name, "in": "path", "required": True, "schema": schema}
    for name, values in operation.query.items():
        yield {"name": name, "in": "query", "schema": values}
    if operation.versioned:
        yield IF_MATCH
    if operation.method == "POST":
        yield IDEMPOTENCY_KEY
