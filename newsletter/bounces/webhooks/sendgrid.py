"""The webhook of SendGrid.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
"""

from collections.abc import Iterator, Sequence
from typing import ClassVar

from newsletter.bounces.parsing import ParsedMail
from newsletter.bounces.webhooks.events import (
    Event,
    Fields,
    Post,
    check_age,
    forged,
    id_of,
    objects_in,
    read_json,
    text_of,
    time_of,
)
from newsletter.bounces.webhooks.signatures import is_signed
from newsletter.config.webhooks import load_public_key

SIGNATURE = "x-twilio-email-event-webhook-signature"
TIMESTAMP = "x-twilio-email-event-webhook-timestamp"

_DROPPED = {"Bounced Address": "5.1.1", "Invalid": "5.1.3"}
"""The status that the reason of a letter stands for that SendGrid did not try to deliver."""


class SendGrid:
    """The webhook of SendGrid, whose requests are signed with ECDSA (Signed Event Webhook)."""

    waits: ClassVar[bool] = False

    def __init__(self, public_key: str) -> None:
        self._key = load_public_key(public_key)

    def read(self, post: Post) -> Sequence[ParsedMail]:
        """The events of a request. See :class:`Webhook`."""
        at = post.headers.get(TIMESTAMP, "")
        content = at.encode("utf-8", "replace") + post.body
        if not is_signed(self._key, post.headers.get(SIGNATURE, ""), content):
            raise forged("The signature is wrong.")
        check_age(time_of(at), post.now)
        return tuple(mail for each in objects_in(read_json(post.body)) for mail in _mails(each))


def _mails(fields: Fields) -> Iterator[ParsedMail]:
    kind, reason = text_of(fields.get("event")), text_of(fields.get("reason"))
    event = Event(
        service="sendgrid",
        id=f"{kind} {id_of(fields, 'sg_event_id')}",
        email=text_of(fields.get("email")),
        at=time_of(fields.get("timestamp")),
        letter_id=text_of(fields.get("smtp-id")),
    )
    match kind:
        case "bounce":
            invalid = text_of(fields.get("bounce_classification")) in {"", "Invalid Address"}
            otherwise = "5.1.1" if invalid and fields.get("type") != "blocked" else ""
            yield event.bounced(reason, text_of(fields.get("status")), otherwise)
        case "dropped":
            yield event.bounced("", otherwise=_DROPPED.get(reason, "5.0.0"), kind=reason)
        case "deferred":  # SendGrid tries again
            yield event.bounced(text_of(fields.get("response")), otherwise="4.0.0")
        case "spamreport":
            yield event.means("complaint", "abuse (SendGrid)")
        case "unsubscribe" | "group_unsubscribe":
            yield event.means("unsubscribe", "SendGrid's link")
