"""A program that uses the HTTP API of a website in tests."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from newsletter.config.api import SCOPES, ApiTokenSettings, Scope, hash_token
from newsletter.web.api.routes import ROOT
from tests.support.web_client import Method, Response, Website

OK = range(200, 300)


def token(name: str, *scopes: Scope) -> ApiTokenSettings:
    """The settings of a token that is its own name."""
    return ApiTokenSettings(name=name, hash=hash_token(name), scopes=scopes)


EVERYTHING = "everything"
TOKENS = (token(EVERYTHING, *SCOPES), *(token(scope.replace(":", "."), scope) for scope in SCOPES))
"""A token for everything, and one for each scope: a dot in its name for the scope's colon."""


@dataclass
class Program:
    """Calls the API with a token."""

    app: Website

    def call(
        self,
        method: Method,
        path: str,
        body: object = None,
        token: str = EVERYTHING,
        **headers: str,
    ) -> Response:
        """Send a call; a body of bytes is sent as it is, any other as JSON."""
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        if sent is not None:
            headers.setdefault("Content_Type", "application/json")
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return self.app.request(method, f"{ROOT}{path}", sent, **headers)

    def get(self, path: str) -> dict[str, Any]:
        """The document at a path."""
        return document(self.call("GET", path))


def document(answer: Response) -> dict[str, Any]:
    """What a successful call answered."""
    assert answer.status in OK, answer.body
    found: dict[str, Any] = json.loads(answer.body)
    return found


def problem(answer: Response, status: int) -> Mapping[str, Any]:
    """What a refused call answered, which must be a problem (RFC 9457) of this status."""
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    found: Mapping[str, Any] = json.loads(answer.body)
    assert found["status"] == status
    assert found["detail"]
    return found
