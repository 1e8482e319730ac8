"""What all our pages share: the forms a browser sends, and what it may do with an answer."""

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message, Send

MOST_BYTES = 65_536
"""The most bytes a form may have; a reader's preferences at their fullest have some 30,000."""

MOST_FIELDS = 500

SHUT = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""What every page of ours says: it is what it says it is, stays apart from others, is not kept."""


class Form:
    """A form's fields, as they were sent."""

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        self._fields = fields

    @property
    def plain(self) -> dict[str, str]:
        """Each field's text as it was sent, by name; of several the first."""
        return {name: texts[0] for name, texts in self._fields.items() if texts}

    def one(self, name: str) -> str:
        """A field's text; empty where it was not sent."""
        return next(iter(self._fields.get(name, ())), "").strip()

    def having(self, name: str, *texts: str) -> "Form":
        """The same form with other texts in one field."""
        return Form({**self._fields, name: texts})

    def all(self, name: str) -> list[str]:
        """Every text sent under a name."""
        return [*self._fields.get(name, ())]


async def form_of(request: Request) -> Form:
    """The form a request carries.

    Raises:
        HTTPException: it is too long, or no form.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise HTTPException(413, "This form is too long.")
    try:
        fields = parse_qs(
            body.decode(),
            keep_blank_values=True,
            max_num_fields=MOST_FIELDS,
            encoding="utf-8",
            errors="strict",
        )
    except ValueError as error:
        raise HTTPException(400, "This is no form we sent.") from error
    return Form(fields)


def guarded(send: Send, headers: Mapping[str, str]) -> Send:
    """What sends an answer with these headers, where the answer has none of that name itself."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            said = MutableHeaders(scope=message)
            for name, value in headers.items():
                said.setdefault(name, value)
        await send(message)

    return sending
