"""The webhook of Postal.

https://docs.postalserver.io/developer/webhooks
"""

from collections.abc import Sequence
from typing import ClassVar

from newsletter.bounces.parsing import ParsedMail
from newsletter.bounces.webhooks.events import (
    Event,
    Post,
    check_age,
    fields_of,
    forged,
    id_of,
    read_json,
    text_of,
    time_of,
)
from newsletter.bounces.webhooks.signatures import Algorithm, is_signed
from newsletter.config.webhooks import load_public_key

SIGNATURES: dict[str, Algorithm] = {
    "x-postal-signature-256": "sha256",
    "x-postal-signature": "sha1",
}
"""The header fields with a signature, best first; older versions send only the second."""

_EVENTS = {"MessageDeliveryFailed", "MessageDelayed", "MessageBounced"}


class Postal:
    """The webhook of Postal, whose requests are signed with the server's RSA key."""

    waits: ClassVar[bool] = False

    def __init__(self, public_key: str) -> None:
        self._key = load_public_key(public_key)

    def read(self, post: Post) -> Sequence[ParsedMail]:
        """The event of a request. See :class:`Webhook`."""
        name = next((name for name in SIGNATURES if name in post.headers), None)
        signature = "" if name is None else post.headers[name]
        if name is None or not is_signed(self._key, signature, post.body, SIGNATURES[name]):
            raise forged("The signature is wrong.")
        request = fields_of(read_json(post.body))
        at = time_of(request.get("timestamp"))
        check_age(at, post.now)
        payload = fields_of(request.get("payload"))
        letter = fields_of(payload.get("message") or payload.get("original_message"))
        kind = text_of(request.get("event"))
        if kind not in _EVENTS or letter.get("direction") == "incoming":
            return ()
        event = Event(
            service="postal",
            id=id_of(request, "uuid"),
            email=text_of(letter.get("to")),
            at=at,
            sender=text_of(letter.get("from")),
            letter_id=text_of(letter.get("message_id")),
        )
        # Postal classes a reply by its code alone, so without words nobody is blamed.
        said = text_of(payload.get("output")) or text_of(payload.get("details"))
        delayed = kind == "MessageDelayed"  # Postal tries again
        return (event.bounced(said, otherwise="4.0.0" if delayed else ""),)
