"""The table of the API's routes, and the application that serves them."""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import cache
from typing import get_args

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from newsletter.config.api import ApiTokenSettings, Scope
from newsletter.errors import StoreError, UsageError
from newsletter.model import Status
from newsletter.web.api import documents, issues, readers
from newsletter.web.api.calls import MAX_BYTES, ApiError, Call, bearer_of, find_token, too_many
from newsletter.web.api.description import Operation, describe
from newsletter.web.api.replays import Replays
from newsletter.web.context import PageContext, client_of
from newsletter.web.forms import read_body
from newsletter.web.limits import RateLimit

ROOT = "/api/v1"

CALLS_A_MINUTE = 600  # calls with one token
WRONG_TOKENS = 20  # calls with a wrong token from one client within ten minutes
TEN_MINUTES = timedelta(minutes=10)

_NUMBER = {"type": "integer", "minimum": 1, "maximum": 999_999_999}


def _limit(most: int, usual: int) -> Mapping[str, object]:
    return {**_NUMBER, "maximum": most, "default": usual, "description": "items on a page"}


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", "/readers", "readers:read", "Find readers, newest first.",
        readers.list_readers, {200: documents.Readers},
        query={
            "q": {"type": "string", "description": "a part of the address or the name"},
            "email": {"type": "string", "format": "email", "description": "the whole address"},
            "status": {"enum": [*get_args(Status)]},
            "before": {**_NUMBER, "description": "only readers with lower ids; `next` has it"},
            "limit": _limit(readers.MOST_READERS, readers.READERS),
        },
    ),
    Operation(
        "POST", "/readers", "readers:subscribe",
        "Subscribe somebody: they get an email that asks them to confirm. With a consent that they"
        " gave elsewhere (scope readers:consent) they are subscribed at once (201); somebody who is"
        " subscribed already stays as they are (200).",
        readers.subscribe,
        {202: documents.Asked, 201: documents.ReaderDetails, 200: documents.ReaderDetails},
        documents.Subscription,
    ),
    Operation(
        "GET", "/readers/{id}", "readers:read", "Show a reader.",
        readers.show, {200: documents.ReaderDetails},
    ),
    Operation(
        "PATCH", "/readers/{id}", "readers:write",
        "Change choices of a reader (RFC 7396): what is not named stays, and null restores the"
        " default.",
        readers.change, {200: documents.ReaderDetails}, documents.ReaderChange, versioned=True,
    ),
    Operation(
        "DELETE", "/readers/{id}", "readers:erase",
        "Erase a reader's data; this cannot be undone.",
        readers.erase, {204: None},
    ),
    Operation(
        "PUT", "/readers/{id}/pause", "readers:write", "Pause a reader's emails until a day.",
        readers.pause, {200: documents.ReaderDetails}, documents.Pause,
    ),
    Operation(
        "DELETE", "/readers/{id}/pause", "readers:write", "End a reader's pause.",
        readers.resume, {200: documents.ReaderDetails},
    ),
    Operation(
        "POST", "/readers/{id}/unsubscribe", "readers:write",
        "Unsubscribe a reader; nothing but the reader's own consent brings them back.",
        readers.unsubscribe, {200: documents.ReaderDetails},
    ),
    Operation(
        "GET", "/issues", "issues:read", "List issues, newest first.",
        issues.list_issues, {200: documents.Issues},
        query={
            "before": {"type": "string", "format": "date", "description": "issues before this day"},
            "limit": _limit(issues.MOST_ISSUES, issues.ISSUES),
        },
    ),
    Operation(
        "GET", "/issues/{day}", "issues:read", "Show an issue.",
        issues.show_issue, {200: documents.IssueDocument},
    ),
    Operation(
        "GET", "/issues/{day}/papers", "papers:read", "List the papers that were new in an issue.",
        issues.list_papers, {200: documents.Papers},
        query={
            "after": {**_NUMBER, "description": "only papers with higher numbers; `next` has it"},
            "limit": _limit(issues.MOST_PAPERS, issues.PAPERS),
        },
    ),
)  # fmt: skip
"""Every route but that of the description itself, which needs no token."""


class Api:
    """Lets calls in, or refuses them, and answers them."""

    def __init__(self, context: PageContext) -> None:
        self._context = context
        self._wrong = RateLimit(WRONG_TOKENS, TEN_MINUTES)
        self._calls = RateLimit(CALLS_A_MINUTE, timedelta(minutes=1))
        self._replays = Replays()

    def routes(self) -> list[Route]:
        """The routes of the table, one for each path: a 405 names all methods of its path."""
        by_path: dict[str, dict[str, Operation]] = {}
        for each in OPERATIONS:
            by_path.setdefault(each.path, {})[each.method] = each
        return [
            Route(f"{ROOT}{path}", self._endpoint(methods), methods=[*methods])
            for path, methods in by_path.items()
        ]

    def _endpoint(
        self, methods: Mapping[str, Operation]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            operation = methods["GET" if request.method == "HEAD" else request.method]
            token = self._let_in(request, operation.scope)
            body = await read_body(request, MAX_BYTES)
            call = Call(self._context, request, token, body)
            return await run_in_threadpool(self._answer, operation, call)

        return answer

    def _let_in(self, request: Request, scope: Scope) -> ApiTokenSettings:
        """The token of a request that may do this.

        Raises:
            ApiError: it has no token (401), one that allows other things (403), or asks too often.
        """
        now, client = self._context.now, client_of(request)
        if not bearer_of(request):
            raise _unauthorised("Send a token: Authorization: Bearer …")
        if wait := self._wrong.seconds_to_wait(client, now):
            raise too_many("Too many wrong tokens came from your address.", wait)
        token = find_token(request, self._context.api_tokens)
        if token is None:
            self._wrong.count(client, now)
            raise _unauthorised("This token is not known here.", 'error="invalid_token"')
        if not token.allows(scope):
            words = f'Bearer realm="api", error="insufficient_scope", scope="{scope}"'
            detail = f"The token {token.name} lacks the scope {scope}."
            raise ApiError(403, detail, headers={"WWW-Authenticate": words})
        if wait := self._calls.count(token.name, now):
            raise too_many(f"At most {CALLS_A_MINUTE} calls a minute are answered.", wait)
        return token

    def _answer(self, operation: Operation, call: Call) -> Response:
        try:
            if operation.method == "POST":
                return self._replays.answer(call, lambda: operation.handler(call))
            return operation.handler(call)
        except UsageError as error:
            raise ApiError(409, f"{error}.") from error


def _unauthorised(detail: str, more: str = "") -> ApiError:
    words = ", ".join(filter(None, ('Bearer realm="api"', more)))
    return ApiError(401, detail, headers={"WWW-Authenticate": words})


def build_api(context: PageContext) -> Starlette:
    """The API as an ASGI application; without a token in the settings nothing is there."""

    def problem(_request: Request, error: Exception) -> Response:
        assert isinstance(error, ApiError)
        return error.answer

    def http_problem(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return ApiError(error.status_code, f"{error.detail}.", headers=error.headers).answer

    def store_down(_request: Request, _error: Exception) -> Response:
        # The error may name the database, which is nobody's business.
        return ApiError(503, "The store is away. Try again later.").answer

    @cache
    def described() -> str:  # when it is asked for first: it takes longer than all the pages
        publication = context.reader_service.publication
        url = f"{(publication.url or '').rstrip('/')}{ROOT}"
        return json.dumps(describe(OPERATIONS, publication.name, url), ensure_ascii=False)

    async def description(_request: Request) -> Response:
        return Response(described(), media_type="application/json")

    routes = [*Api(context).routes(), Route(f"{ROOT}/openapi.json", description)]
    app = Starlette(
        routes=routes if context.api_tokens else [],
        exception_handlers={
            ApiError: problem,
            HTTPException: http_problem,
            StoreError: store_down,
        },
    )
    app.router.redirect_slashes = False
    return app
