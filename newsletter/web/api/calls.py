"""Calls of the API: who makes them, what they send, and what is wrong with them (RFC 9457)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from newsletter.config.api import ApiTokenSettings
from newsletter.errors import InvalidFileError
from newsletter.web.context import PageContext
from newsletter.web.forms import number_of

MAX_BYTES = 65_536  # the most bytes that a call may send; the fullest reader has about 30,000

JSON_TYPES = frozenset({"application/json", "application/merge-patch+json"})

Entry = dict[str, Any]
"""A JSON object as it was sent."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with one part of a body; ``pointer`` is a JSON Pointer as a URI fragment."""

    detail: str
    pointer: str


class ApiError(Exception):
    """An answer that says what is wrong."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status, self.detail, self.errors = status, detail, errors
        self.headers = headers
        super().__init__(detail)

    @property
    def answer(self) -> Response:
        """The problem as JSON. The status says its type, so there is none besides."""
        problem: dict[str, object] = {
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            problem["errors"] = [
                {"detail": each.detail, "pointer": each.pointer} for each in self.errors
            ]
        return JSONResponse(problem, self.status, self.headers, "application/problem+json")


def too_many(detail: str, seconds: int) -> ApiError:
    """The error for a client that has to wait (RFC 6585)."""
    return ApiError(429, detail, headers={"Retry-After": str(seconds)})


def mistakes(error: InvalidFileError, above: int, below: str = "") -> ApiError:
    """The error for a body with mistakes.

    ``above`` are the first steps of their paths that are not in the body, ``below`` is the pointer
    to the part of the body that the paths begin in.
    """
    errors = tuple(
        FieldProblem(each.problem, f"#{below}{_pointer(each.where, above)}")
        for each in error.errors
    )
    return ApiError(422, "; ".join(each.detail for each in errors), errors)


def _pointer(where: str, above: int) -> str:
    """The JSON Pointer (RFC 6901) of a setting's path, as a part of a URI."""
    steps = where.split(".")[above:] if where else []
    return quote("".join(f"/{step.replace('~', '~0').replace('/', '~1')}" for step in steps))


@dataclass(frozen=True, slots=True)
class Call:
    """A call that may be answered: the token allows it, and its body has been read."""

    context: PageContext
    request: Request
    token: ApiTokenSettings
    body: bytes = field(repr=False)

    def entry(self) -> Entry:
        """The object in the body.

        Raises:
            ApiError: the body is not JSON (400, 415), or not an object (422).
        """
        kind = self.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in JSON_TYPES:
            raise ApiError(415, "Send JSON, with Content-Type: application/json.")
        try:
            value = from_json(self.body, allow_inf_nan=False)
        except ValueError as error:
            raise ApiError(400, f"This is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise ApiError(422, "Send an object: {…}.", [FieldProblem("not an object", "#")])
        return value

    def parameter(self, name: str) -> str:
        """A parameter of the query, without spaces around it; empty if it is not there."""
        return self.request.query_params.get(name, "").strip()

    def limit(self, most: int, usual: int) -> int:
        """The parameter ``limit``: how many items a page has.

        Raises:
            ApiError: it is not a number, or too high (422).
        """
        text = self.parameter("limit")
        chosen = number_of(text) if text else usual
        if chosen is None or chosen > most:
            raise ApiError(422, f"limit: write a number from 1 to {most}.")
        return chosen

    def page(self, items: Sequence[object], following: object | None, name: str) -> Response:
        """A page of a list; ``following`` is the value of the parameter for the next page."""
        link = None
        if following is not None:
            url = self.request.url.include_query_params(**{name: following})
            link = f"{self.context.templates.base}{url.path}?{url.query}"
        return JSONResponse({"items": items, "next": link})


def find_token(request: Request, tokens: Sequence[ApiTokenSettings]) -> ApiTokenSettings | None:
    """The token that a request has (RFC 6750); None without one, or with one that is not valid.

    All of them are compared, so that the time says nothing.
    """
    given = bearer_of(request)
    found = [each for each in tokens if each.matches(given)]
    return found[0] if found else None


def bearer_of(request: Request) -> str:
    """The token in the Authorization field; empty without one."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return given.strip() if scheme.lower() == "bearer" else ""
