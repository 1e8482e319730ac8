"""Who may use the operator's page: the password (RFC 7617), and that forms are the page's own."""

import hmac
import logging
from collections.abc import Callable, Mapping
from datetime import timedelta

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from newsletter.errors import TokenError
from newsletter.letter.links import MAX_AGE, sign_token, verify_token
from newsletter.model import Reader
from newsletter.web.context import PageContext, client_of, password_of
from newsletter.web.forms import Form
from newsletter.web.limits import RateLimit
from newsletter.web.problems import problem_page

_log = logging.getLogger(__name__)

WRONG_PASSWORDS = 10  # from one client, within this time:
WINDOW = timedelta(minutes=10)


class OperatorLogin:
    """Asks for the operator's password, and lets a client that guesses wait."""

    def __init__(self, context: PageContext) -> None:
        self._context, self._wrong = context, RateLimit(WRONG_PASSWORDS, WINDOW)

    def behind(self, handler: Callable[..., Response]) -> Callable[..., Response]:
        """The handler of a page or a form, reached only with the password."""

        def answer(request: Request, *form: Form) -> Response:
            page = self.refusal(request) or handler(request, *form)
            page.headers["X-Robots-Tag"] = "noindex, nofollow"
            return page

        return answer

    def refusal(self, request: Request) -> Response | None:
        """The answer that asks for the password; None if the request has it.

        Raises:
            HTTPException: there is no operator's page (404).
        """
        if self._context.operator_password is None:
            raise HTTPException(404)
        client, now = client_of(request), self._context.now
        if wait := self._wrong.seconds_to_wait(client, now):
            minutes = wait // 60 + 1
            words = f"Too many wrong passwords. Try again in {minutes} minute{'s'[: minutes - 1]}."
            return self._refusal(429, words, {"Retry-After": str(wait)})
        given, password = password_of(request), self._context.operator_password
        if hmac.compare_digest(given.encode(), password.encode()):
            return None
        if given:  # browsers ask once without a password
            self._wrong.count(client, now)
            if self._wrong.seconds_to_wait(client, now):
                _log.warning("the operator's page: %d wrong passwords", WRONG_PASSWORDS)
        challenge = {"WWW-Authenticate": 'Basic realm="operator", charset="UTF-8"'}
        return self._refusal(401, "", challenge)

    def _refusal(self, status: int, words: str, headers: Mapping[str, str]) -> Response:
        page = problem_page(self._context.templates, status, words)
        page.headers.update(headers)
        return page

    def sign_form(self, reader: Reader) -> str:
        """What a form about a reader carries: another site cannot know it."""
        keys = self._context.reader_service.keys
        return sign_token(str(reader.id), "operator", keys, self._context.now)

    def check_form(self, form: Form, reader: Reader) -> None:
        """Accept a form only if this page made it, for this reader, not long ago.

        Raises:
            HTTPException: it did not (403).
        """
        keys, now = self._context.reader_service.keys, self._context.now
        try:
            payload = verify_token(form.one("form"), "operator", keys, now, MAX_AGE["operator"])
        except TokenError:
            payload = ""
        if payload != str(reader.id):
            raise HTTPException(
                403, "This form is too old, or not from this page. Open the reader again."
            )
