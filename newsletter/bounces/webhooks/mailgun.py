"""The webhook of Mailgun.

https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhooks
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime
from threading import Lock
from typing import ClassVar

from newsletter.bounces.parsing import ParsedMail
from newsletter.bounces.webhooks.events import (
    MAX_AGE,
    MAX_SKEW,
    Event,
    Fields,
    Post,
    check_age,
    fields_of,
    forged,
    id_of,
    read_json,
    text_of,
    time_of,
)

_STATUS = {"bounce": "5.1.1", "suppress-bounce": "5.1.1"}
"""The status that the reason of a permanent failure stands for; others do not blame the reader."""

_REPLY_CODE = re.compile(r"[45]\d\d")  # Mailgun has codes of its own, from 600 on

MAX_TOKENS = 500_000  # tokens that are remembered, the newest


class Mailgun:
    """The webhook of Mailgun, whose requests are signed with a shared key.

    The signature covers a time and a token, but not the event. So each token counts for one
    request: with another content it is refused.
    """

    waits: ClassVar[bool] = False

    def __init__(self, key: str) -> None:
        self._key, self._lock = key.encode(), Lock()
        self._tokens: dict[str, tuple[datetime, bytes]] = {}

    def read(self, post: Post) -> Sequence[ParsedMail]:
        """The event of a request. See :class:`Webhook`."""
        message = fields_of(read_json(post.body))
        self._verify(fields_of(message.get("signature")), post)
        data = fields_of(message.get("event-data"))
        event = _event(data)
        match text_of(data.get("event")):
            case "failed":
                return (_failed(event, data),)
            case "complained":
                return (event.means("complaint", "abuse (Mailgun)"),)
            case "unsubscribed":
                return (event.means("unsubscribe", "Mailgun's link"),)
            case _:
                return ()

    def _verify(self, signature: Fields, post: Post) -> None:
        at, token = text_of(signature.get("timestamp")), text_of(signature.get("token"))
        expected = hmac.new(self._key, f"{at}{token}".encode(), hashlib.sha256).hexdigest()
        given = text_of(signature.get("signature"))
        if not token or not hmac.compare_digest(expected.encode(), given.lower().encode()):
            raise forged("The signature is wrong.")
        signed = time_of(at)
        check_age(signed, post.now)
        assert signed is not None
        content = hashlib.blake2b(post.body, digest_size=16).digest()
        with self._lock:
            if self._tokens.setdefault(token, (signed, content))[1] != content:
                raise forged("This signature was used before.")
            self._forget(post.now)

    def _forget(self, now: datetime) -> None:
        """Forget the oldest tokens: those that are too old to be accepted again, or too many."""
        while self._tokens:
            oldest = next(iter(self._tokens))
            expired = now - self._tokens[oldest][0] > MAX_AGE + MAX_SKEW
            if not expired and len(self._tokens) <= MAX_TOKENS:
                return
            del self._tokens[oldest]


def _event(data: Fields) -> Event:
    headers = fields_of(fields_of(data.get("message")).get("headers"))
    return Event(
        service="mailgun",
        id=f"{id_of(data, 'id')} {text_of(data.get('timestamp'))}",  # ids are unique for a day
        email=text_of(data.get("recipient")),
        at=time_of(data.get("timestamp")),
        sender=text_of(fields_of(data.get("envelope")).get("sender")),
        letter_id=text_of(headers.get("message-id")),
    )


def _failed(event: Event, data: Fields) -> ParsedMail:
    reply = fields_of(data.get("delivery-status"))
    code, words = text_of(reply.get("code")), text_of(reply.get("message"))
    said = words or text_of(reply.get("description"))
    if said and _REPLY_CODE.fullmatch(code):
        said = f"{code} {said}"
    severity, reason = text_of(data.get("severity")), text_of(data.get("reason"))
    otherwise = "4.0.0" if severity == "temporary" else _STATUS.get(reason, "5.0.0")
    status = text_of(reply.get("enhanced-code"))
    return event.bounced(said, status, otherwise, f"{severity} {reason}")
