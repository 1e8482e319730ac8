"""The webhook of Postmark.

https://postmarkapp.com/developer/webhooks/bounce-webhook
"""

from collections.abc import Sequence
from typing import ClassVar

from newsletter.bounces.parsing import ParsedMail
from newsletter.bounces.webhooks.events import (
    Event,
    Fields,
    Post,
    check_secret,
    fields_of,
    id_of,
    read_json,
    text_of,
    time_of,
)

_STATUS = {
    "HardBounce": "5.1.1",
    "BadEmailAddress": "5.1.3",
    "SoftBounce": "4.0.0",
    "Transient": "4.0.0",
    "DnsError": "4.4.3",
    "Blocked": "5.7.1",
    "SpamNotification": "5.7.1",
    "DMARCPolicy": "5.7.1",
    "SMTPApiError": "5.0.0",
    "Undeliverable": "5.0.0",
    "Unknown": "5.0.0",
    "VirusNotification": "5.7.1",
}
"""The status that each type of bounce stands for. Other types, such as ``AutoResponder``, are none.

The field ``Description`` is the type in Postmark's own words, so it is not read.
"""


class Postmark:
    """The webhook of Postmark, behind the password that its settings call HTTP authentication."""

    waits: ClassVar[bool] = False

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def read(self, post: Post) -> Sequence[ParsedMail]:
        """The event of a request. See :class:`Webhook`."""
        check_secret(post, self._secret)
        record = fields_of(read_json(post.body))
        kind, type_ = text_of(record.get("RecordType")), text_of(record.get("Type"))
        if kind == "SubscriptionChange":
            return _subscription(record)
        event = Event(
            service="postmark",
            id=f"{kind} {id_of(record, 'ID')}",
            email=text_of(record.get("Email")),
            at=time_of(record.get("BouncedAt")),
        )
        said = text_of(record.get("Details"))
        if kind == "SpamComplaint" or (kind == "Bounce" and type_ == "SpamComplaint"):
            return (event.means("complaint", f"abuse (Postmark) {said}"),)
        if kind != "Bounce":
            return ()
        if type_ == "Unsubscribe":
            return (event.means("unsubscribe", "by mail"),)
        if type_ not in _STATUS:
            return ()
        return (event.bounced(_words(said), otherwise=_STATUS[type_], kind=type_),)


def _words(details: str) -> str:
    """The server's reply, without the name of the protocol before it."""
    protocol, separator, words = details.partition(";")
    return words.strip() if separator and protocol.lower() == "smtp" else details


def _subscription(record: Fields) -> Sequence[ParsedMail]:
    """A reader who left by Postmark's own link; bounces and complaints have their own records."""
    email, at = text_of(record.get("Recipient")), text_of(record.get("ChangedAt"))
    left = record.get("SuppressSending") is True
    by_reader = text_of(record.get("Origin")) == "Recipient"
    if not left or not by_reader or record.get("SuppressionReason") != "ManualSuppression":
        return ()
    id_ = f"{text_of(record.get('MessageID'))} {email} {at}"
    return (Event("postmark", id_, email, time_of(at)).means("unsubscribe", "Postmark's link"),)
