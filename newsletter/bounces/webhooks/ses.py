"""Amazon SES, whose notifications come through topics of Amazon SNS.

https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html,
https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

import logging
import re
from collections.abc import Collection, Iterator, Sequence
from typing import ClassVar

from newsletter.bounces.parsing import ParsedMail
from newsletter.bounces.webhooks.events import (
    Event,
    Fetch,
    Fields,
    Post,
    PostError,
    check_age,
    complaint_meaning,
    fields_of,
    forged,
    id_of,
    objects_in,
    read_json,
    text_of,
    time_of,
)
from newsletter.bounces.webhooks.signatures import Algorithm, Certificates, is_signed

_log = logging.getLogger(__name__)

_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": _CONFIRMATION,
    "UnsubscribeConfirmation": _CONFIRMATION,
}
"""The signed fields of each type of message, in the order in which they are signed."""

_ALGORITHMS: dict[str, Algorithm] = {"1": "sha1", "2": "sha256"}
_CERTIFICATE = re.compile(r"/SimpleNotificationService-[0-9a-zA-Z]+\.pem")

_STATUS = {
    ("Permanent", "General"): "5.1.1",
    ("Permanent", "NoEmail"): "5.1.1",
    ("Permanent", "Suppressed"): "5.1.1",
    ("Permanent", "OnAccountSuppressionList"): "5.1.1",
}
"""The status that a bounce's type and subtype stand for; others do not blame the reader."""


class Ses:
    """The webhook of Amazon SES.

    Anybody can have a topic at Amazon whose messages are signed as well. So only the operator's own
    topics count, and certificates only from the host of the topic's region.
    """

    waits: ClassVar[bool] = True

    def __init__(self, topics: Collection[str], fetch: Fetch) -> None:
        self._topics, self._fetch = frozenset(topics), fetch
        self._certificates = Certificates(fetch)

    def read(self, post: Post) -> Sequence[ParsedMail]:
        """The events of a notification; a subscription is confirmed. See :class:`Webhook`."""
        message = fields_of(read_json(post.body))
        self._verify(message, post)
        if message.get("Type") == "Notification":
            # A notice in plain words, such as the first one to a topic, is not about a letter.
            try:
                return tuple(_events(fields_of(read_json(_raw(message, "Message").encode()))))
            except PostError:
                return ()
        if message.get("Type") == "SubscriptionConfirmation":
            self._confirm(message)
        else:
            _log.warning("ses: the subscription to %s was ended", _raw(message, "TopicArn"))
        return ()

    def _verify(self, message: Fields, post: Post) -> None:
        names, topic = _SIGNED.get(_raw(message, "Type"), ()), _raw(message, "TopicArn")
        algorithm = _ALGORITHMS.get(text_of(message.get("SignatureVersion")))
        if topic not in self._topics or not names or algorithm is None:
            raise forged("This is not a message of a topic in newsletter.yaml.")
        check_age(time_of(message.get("Timestamp")), post.now)
        url = _raw(message, "SigningCertURL")
        if not _CERTIFICATE.fullmatch(url.removeprefix(_host(topic))):
            raise forged("The certificate is not one of Amazon SNS.")
        lines = (f"{name}\n{_raw(message, name)}\n" for name in names if _raw(message, name))
        content = "".join(lines).encode("utf-8", "replace")
        key = self._certificates.key(url, post.now)
        if not is_signed(key, _raw(message, "Signature"), content, algorithm):
            raise forged("The signature is wrong.")

    def _confirm(self, message: Fields) -> None:
        topic, url = _raw(message, "TopicArn"), _raw(message, "SubscribeURL")
        if not url.startswith(f"{_host(topic)}/?Action=ConfirmSubscription&"):
            raise forged("The address for confirming is not one of Amazon SNS.")
        try:
            self._fetch(url)
        except OSError as error:
            raise PostError(503, "The subscription cannot be confirmed now.") from error
        _log.info("ses: subscribed to %s", topic)


def _host(topic: str) -> str:
    """The address of SNS in a topic's region."""
    _, partition, _, region, *_ = topic.split(":")
    return f"https://sns.{region}.amazonaws.com{'.cn' if partition == 'aws-cn' else ''}"


def _raw(message: Fields, name: str) -> str:
    """A field exactly as it was signed."""
    value = message.get(name)
    return value if isinstance(value, str) else ""


def _events(notice: Fields) -> Iterator[ParsedMail]:
    kind = text_of(notice.get("notificationType") or notice.get("eventType"))
    if kind == "Bounce":
        yield from _bounces(notice, fields_of(notice.get("bounce")))
    elif kind == "Complaint":
        complaint = fields_of(notice.get("complaint"))
        said = text_of(complaint.get("complaintFeedbackType"))
        for recipient in objects_in(complaint.get("complainedRecipients")):
            event = _event(notice, complaint, recipient)
            yield event.means(complaint_meaning(said), f"{said or 'complaint'} (Amazon SES)")


def _bounces(notice: Fields, bounce: Fields) -> Iterator[ParsedMail]:
    kind = text_of(bounce.get("bounceType")), text_of(bounce.get("bounceSubType"))
    for recipient in objects_in(bounce.get("bouncedRecipients")):
        event, diagnostic = (
            _event(notice, bounce, recipient),
            text_of(recipient.get("diagnosticCode")),
        )
        status, words = text_of(recipient.get("status")), diagnostic.removeprefix("smtp;").strip()
        otherwise = "4.0.0" if kind[0] == "Transient" else _STATUS.get(kind, "5.0.0")
        yield event.bounced(words, status, otherwise, " ".join(kind))


def _event(notice: Fields, cause: Fields, recipient: Fields) -> Event:
    mail = fields_of(notice.get("mail"))
    common = fields_of(mail.get("commonHeaders"))
    email = text_of(recipient.get("emailAddress"))
    headers = (
        text_of(header.get("value"))
        for header in objects_in(mail.get("headers"))
        if text_of(header.get("name")).lower() == "message-id"
    )
    return Event(
        service="ses",
        id=f"{id_of(cause, 'feedbackId')} {email}",
        email=email,
        at=time_of(cause.get("timestamp")),
        sender=text_of(mail.get("source")),
        letter_id=next(headers, "") or text_of(common.get("messageId")),
    )
