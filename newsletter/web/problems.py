"""The pages that say what went wrong and what to do, in the newsletter's own look."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from newsletter.errors import EndedSubscriptionError, StoreError, TokenError
from newsletter.web.context import PageTemplates

WORDS: Mapping[int, tuple[str, str]] = {
    400: ("That didn't work", "Go back, reload the page and try again."),
    401: ("Password needed", "This page needs the operator's password."),
    403: ("Not allowed", "That form came from another site. Open the page here and try again."),
    404: ("Page not found", "That page doesn't exist."),
    405: ("Page not found", "That page can't be opened directly. Start from the home page."),
    410: ("No longer here", "That page has been removed."),
    413: ("Too long", "That is too much text for one form. Shorten it and try again."),
    429: ("Too many tries", "Try again in a few minutes."),
    501: ("Not installed", "Something that this page needs is not installed."),
    503: ("Something went wrong", "We can't load this page right now. Try again in a few minutes."),
}
"""For each status the title of its page, and what the page says if nothing says more."""

BROKEN = 503  # the status whose words stand for every other fault of ours, from 500 on

Handler = Callable[[Request, Exception], Response]


def problem_page(templates: PageTemplates, status: int, problem: str = "") -> Response:
    """The page of a status; without words about this ``problem`` it has the status's own."""
    is_ours = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    title, usual = WORDS.get(status, WORDS[BROKEN if is_ours else 400])
    return templates.page("problem", status, title=title, problem=problem or usual)


def exception_handlers(templates: PageTemplates) -> Mapping[Any, Handler]:
    """What Starlette answers for each kind of exception.

    The last one answers for a mistake of ours, which Starlette then raises to be logged.
    """

    def refused(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        said = "" if error.detail == HTTPStatus(error.status_code).phrase else error.detail
        page = problem_page(templates, error.status_code, said)
        page.headers.update(error.headers or {})
        return page

    def bad_link(_request: Request, error: Exception) -> Response:
        renewable = not isinstance(error, EndedSubscriptionError)
        return templates.page("refused", 403, problem=str(error), renewable=renewable)

    def store_down(_request: Request, _error: Exception) -> Response:
        # The error may name the database, which is nobody's business.
        return problem_page(templates, BROKEN)

    def broken(_request: Request, _error: Exception) -> Response:
        return problem_page(templates, HTTPStatus.INTERNAL_SERVER_ERROR)

    return {
        TokenError: bad_link,
        HTTPException: refused,
        StoreError: store_down,
        Exception: broken,
    }
