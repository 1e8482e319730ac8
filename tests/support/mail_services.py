"""Mail services that post events to our webhooks: payloads in their documented forms, and signed.

The payloads are made up here, with the fields and the nesting of each service's documentation.
"""

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from newsletter.bounces.webhooks import Fetch, Webhook, make_webhooks
from newsletter.config import WebhookSettings
from tests.support.factories import NOON

SECRET = "a password of our own/for services"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:bounces"
SNS = "https://sns.eu-central-1.amazonaws.com"
CERTIFICATE_URL = f"{SNS}/SimpleNotificationService-0123456789abcdef.pem"

Kind = Literal["bounce", "delayed", "complaint", "unsubscribe", "opened"]
Json = dict[str, Any]


@dataclass(frozen=True)
class What:
    """What happened to a letter, before a service puts it into its own form.

    Attributes:
        said: the words of the receiving server; empty if the service does not pass them on.
        permanent: whether the service classes a bounce as permanent.
        sender: the letter's return path, where the service gives it back.
        letter: the letter's Message-ID, where the service gives it back.
    """

    kind: Kind = "bounce"
    email: str = "ada@example.org"
    said: str = "550 5.1.1 <ada@example.org>: Recipient address rejected: User unknown"
    permanent: bool = True
    sender: str = "papers@n.example.org"
    letter: str = "20260803070000.1.DF5966851B4BAA99@n.example.org"
    id: str = "1"
    at: datetime = NOON

    @property
    def seconds(self) -> int:
        """When it happened, in seconds since 1970."""
        return int(self.at.timestamp())

    @property
    def iso(self) -> str:
        """When it happened, in ISO 8601."""
        return self.at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


@dataclass(frozen=True)
class Request:
    """A request as a service posts it."""

    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class MailService:
    """One service: its setting, the form of its events, and how it signs a request.

    Attributes:
        form: the JSON of one event.
        send: the request that carries these events, posted at a time.
        kinds: what it tells of.
    """

    name: str
    setting: Callable[[], str]
    form: Callable[[What], Json]
    send: Callable[[list[Json], datetime], Request]
    kinds: tuple[Kind, ...] = ("bounce", "delayed", "complaint", "unsubscribe", "opened")

    def post(self, *what: What, at: datetime = NOON) -> Request:
        """The request that tells of this."""
        return self.send([self.form(each) for each in what], at)


# -- keys --------------------------------------------------------------------------------------


@cache
def rsa_key() -> RSAPrivateKey:
    """The key of Postal and of SNS."""
    return generate_rsa(65537, 2048)


@cache
def ec_key() -> EllipticCurvePrivateKey:
    """The key of SendGrid."""
    return generate_private_key(SECP256R1())


def public_text(key: RSAPrivateKey | EllipticCurvePrivateKey) -> str:
    """A public key as services show it: base64 of its DER form."""
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return b64encode(der).decode()


def certificate(
    key: RSAPrivateKey, since: datetime = NOON - timedelta(days=9), days: int = 400
) -> bytes:
    """A certificate as SNS has it."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(since).not_valid_after(since + timedelta(days=days))
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


class Amazon:
    """Addresses at Amazon, and how often each was asked for."""

    def __init__(self, pages: Mapping[str, bytes] | None = None) -> None:
        self.pages = {CERTIFICATE_URL: certificate(rsa_key())} if pages is None else dict(pages)
        self.asked: list[str] = []

    def fetch(self, url: str) -> bytes:
        """The page at an address."""
        self.asked.append(url)
        if url not in self.pages:
            raise ConnectionError(url)
        return self.pages[url]


# -- Amazon SES ----------------------------------------------------------------------------------


def _ses(what: What) -> Json:
    kind = {"bounce": "Bounce", "delayed": "DeliveryDelay", "complaint": "Complaint"}
    notice: Json = {
        "notificationType": kind.get(what.kind, "Open"),
        "mail": {
            "timestamp": what.iso,
            "source": what.sender,
            "sourceArn": "arn:aws:ses:eu-central-1:123456789012:identity/n.example.org",
            "messageId": "0107018a-1234-0000-000000",
            "destination": [what.email],
            "headersTruncated": False,
            "headers": [
                {"name": "From", "value": "N <n@example.org>"},
                {"name": "Message-ID", "value": f"<{what.letter}>"},
            ],
            "commonHeaders": {"messageId": f"<{what.letter}>", "to": [what.email]},
        },
    }
    if what.kind == "bounce":
        recipient: Json = {"emailAddress": what.email}
        if what.said:
            recipient |= {"action": "failed", "diagnosticCode": f"smtp; {what.said}"}
        notice["bounce"] = {
            "bounceType": "Permanent" if what.permanent else "Transient",
            "bounceSubType": "General",
            "bouncedRecipients": [recipient],
            "timestamp": what.iso,
            "feedbackId": f"0107018a-feed-{what.id}",
            "reportingMTA": "dns; a8-70.smtp-out.amazonses.com",
        }
    elif what.kind == "complaint":
        notice["complaint"] = {
            "complainedRecipients": [{"emailAddress": what.email}],
            "timestamp": what.iso,
            "feedbackId": f"0107018a-feed-{what.id}",
            "complaintSubType": None,
            "complaintFeedbackType": "abuse",
        }
    return notice


def sns_message(message: Json, version: str = "2", key: RSAPrivateKey | None = None) -> Json:
    """A message of SNS, signed over the fields that its type signs."""
    names = ["Message", "MessageId", "SubscribeURL", "Subject", "Timestamp", "Token"]
    lines = (f"{n}\n{message[n]}\n" for n in [*names, "TopicArn", "Type"] if n in message)
    algorithm: HashAlgorithm = SHA1() if version == "1" else SHA256()  # noqa: S303 - theirs
    signed = (key or rsa_key()).sign("".join(lines).encode(), PKCS1v15(), algorithm)
    return {
        "SigningCertURL": CERTIFICATE_URL,
        "UnsubscribeURL": f"{SNS}/?Action=Unsubscribe&SubscriptionArn={TOPIC}:1",
        **message,
        "SignatureVersion": version,
        "Signature": b64encode(signed).decode(),
    }


def sns_notification(notice: Json | str, at: datetime = NOON) -> Json:
    """The fields of a notification, not yet signed."""
    return {
        "Type": "Notification",
        "MessageId": str(uuid4()),
        "TopicArn": TOPIC,
        "Message": notice if isinstance(notice, str) else json.dumps(notice) + "\n",
        "Timestamp": What(at=at).iso,
    }


def sns_request(message: Json) -> Request:
    """The request that carries a message of SNS; its type is plain text."""
    headers = {"Content-Type": "text/plain; charset=UTF-8"}
    return Request("/bounces/ses", json.dumps(message).encode(), headers)


def _send_ses(events: list[Json], at: datetime) -> Request:
    (event,) = events
    return sns_request(sns_message(sns_notification(event, at)))


# -- services that sign --------------------------------------------------------------------------


def _mailgun(what: What) -> Json:
    data: Json = {
        "id": f"CPgfbmQMTCKtHW6uIWtuVe-{what.id}",
        "timestamp": what.at.timestamp(),
        "log-level": "error",
        "recipient": what.email,
        "recipient-domain": what.email.partition("@")[2],
        "envelope": {"sender": what.sender, "targets": what.email, "transport": "smtp"},
        "message": {"headers": {"to": what.email, "message-id": what.letter}, "size": 111},
        "flags": {"is-test-mode": False},
    }
    if what.kind in {"bounce", "delayed"}:
        permanent = what.kind == "bounce" and what.permanent
        code, words = what.said[:3], what.said[4:]
        data |= {
            "event": "failed",
            "severity": "permanent" if permanent else "temporary",
            "reason": "bounce" if permanent else "generic",
            "delivery-status": {
                "attempt-no": 1,
                "code": int(code or 605),
                "message": words,
                "description": "",
                "session-seconds": 0.4,
            },
        }
        return data
    names = {"complaint": "complained", "unsubscribe": "unsubscribed", "opened": "opened"}
    return {**data, "event": names[what.kind]}


def mailgun_request(
    event: Json, at: datetime = NOON, key: str = SECRET, **signature: str
) -> Request:
    """The request that carries an event of Mailgun, signed with a key."""
    token = signature.get("token", uuid4().hex)
    stamp = str(int(at.timestamp()))
    signed = hmac.new(key.encode(), f"{stamp}{token}".encode(), hashlib.sha256).hexdigest()
    block = {"timestamp": stamp, "token": token, "signature": signed} | signature
    body = json.dumps({"signature": block, "event-data": event}).encode()
    return Request("/bounces/mailgun", body, {"Content-Type": "application/json"})


def _send_mailgun(events: list[Json], at: datetime) -> Request:
    (event,) = events
    return mailgun_request(event, at)


def _sendgrid(what: What) -> Json:
    event: Json = {
        "email": what.email,
        "timestamp": what.seconds,
        "smtp-id": f"<{what.letter}>",
        "sg_event_id": f"Ym91bmNlLTAt{what.id}",
        "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
        "category": ["papers"],
    }
    match what.kind:
        case "bounce":
            event |= {"event": "bounce", "reason": what.said, "ip": "192.0.2.7", "tls": 1}
            event |= {"type": "bounce" if what.permanent else "blocked"}
            event |= {"bounce_classification": "Invalid Address" if what.permanent else "Technical"}
            return event
        case "delayed":
            return event | {"event": "deferred", "response": what.said, "attempt": "5"}
    names = {"complaint": "spamreport", "unsubscribe": "unsubscribe", "opened": "open"}
    return event | {"event": names[what.kind]}


def _send_sendgrid(events: list[Json], at: datetime) -> Request:
    body, stamp = json.dumps(events).encode(), str(int(at.timestamp()))
    signature = ec_key().sign(stamp.encode() + body, ECDSA(SHA256()))
    headers = {
        "Content-Type": "application/json",
        "X-Twilio-Email-Event-Webhook-Signature": b64encode(signature).decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": stamp,
    }
    return Request("/bounces/sendgrid", body, headers)


def _postal(what: What) -> Json:
    names = {"bounce": "MessageDeliveryFailed", "delayed": "MessageDelayed"}
    letter = {
        "id": 1571,
        "token": "MzWWQPubXXWz",
        "direction": "outgoing",
        "message_id": what.letter,
        "to": what.email,
        "from": what.sender,
        "subject": "N",
        "timestamp": what.at.timestamp(),
        "spam_status": "NotChecked",
        "tag": None,
    }
    return {
        "event": names.get(what.kind, "MessageLoaded"),
        "timestamp": what.at.timestamp(),
        "payload": {
            "message": letter,
            "status": "HardFail" if what.permanent else "SoftFail",
            "details": "",
            "output": what.said,
            "sent_with_ssl": True,
            "timestamp": what.at.timestamp(),
            "time": 0.9,
        },
        "uuid": f"5fec5077-dae7-4989-94d5-{what.id}",
    }


def _send_postal(events: list[Json], at: datetime) -> Request:
    (event,) = events
    body = json.dumps(event | {"timestamp": at.timestamp()}).encode()
    headers = {
        "Content-Type": "application/json",
        "X-Postal-Signature": b64encode(rsa_key().sign(body, PKCS1v15(), SHA1())).decode(),  # noqa: S303 - theirs
        "X-Postal-Signature-256": b64encode(rsa_key().sign(body, PKCS1v15(), SHA256())).decode(),
        "X-Postal-Signature-KID": "0" * 64,
    }
    return Request("/bounces/postal", body, headers)


# -- services with a password --------------------------------------------------------------------


def _postmark(what: What) -> Json:
    if what.kind == "unsubscribe":
        return {
            "RecordType": "SubscriptionChange",
            "MessageID": f"883953f4-6105-42a2-a16a-{what.id}",
            "ServerID": 23,
            "MessageStream": "broadcast",
            "ChangedAt": what.iso,
            "Recipient": what.email,
            "Origin": "Recipient",
            "SuppressSending": True,
            "SuppressionReason": "ManualSuppression",
        }
    types = {"delayed": "Transient", "complaint": "SpamComplaint"}
    bounce = "HardBounce" if what.permanent else "Blocked"
    records = {"complaint": "SpamComplaint", "opened": "Open"}
    return {
        "RecordType": records.get(what.kind, "Bounce"),
        "ID": f"42{what.id}",
        "Type": types.get(what.kind, bounce),
        "TypeCode": 1,
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "MessageStream": "broadcast",
        "Description": "The server was unable to deliver your message (ex: unknown user).",
        "Details": f"smtp;{what.said}" if what.said else "",
        "Email": what.email,
        "From": "n@example.org",
        "BouncedAt": what.iso,
        "Inactive": True,
        "Subject": "N",
    }


def _brevo(what: What) -> Json:
    names = {"delayed": "deferred", "complaint": "spam", "opened": "opened"}
    bounce = "hard_bounce" if what.permanent else "blocked"
    return {
        "event": "unsubscribed" if what.kind == "unsubscribe" else names.get(what.kind, bounce),
        "email": what.email,
        "id": 26224,
        "date": "2026-08-03 14:00:00",
        "ts": what.seconds,
        "message-id": f"<202608031200.{what.id}@smtp-relay.mailin.fr>",
        "ts_event": what.seconds,
        "ts_epoch": what.seconds * 1000,
        "subject": "N",
        "tag": '["papers"]',
        "sending_ip": "192.0.2.7",
        "reason": what.said,
    }


def _mailjet(what: What) -> Json:
    names = {"complaint": "spam", "unsubscribe": "unsub", "opened": "open"}
    event = {
        "event": names.get(what.kind, "bounce"),
        "time": what.seconds,
        "MessageID": 13792286917004336,
        "Message_GUID": f"00000000-0000-0000-0000-{what.id}",
        "email": what.email,
        "mj_campaign_id": 0,
        "mj_contact_id": 1,
        "customcampaign": "",
        "CustomID": "",
        "Payload": "",
    }
    if what.kind in {"bounce", "delayed"}:
        gone = what.kind == "bounce" and what.permanent
        event |= {
            "blocked": False,
            "hard_bounce": gone,
            "error_related_to": "recipient" if gone else "spam",
            "error": "user unknown" if gone else "policy issue",
            "comment": what.said,
        }
    return event | ({"source": "JMRPP"} if what.kind == "complaint" else {})


def _with_password(name: str, *, groups: bool) -> Callable[[list[Json], datetime], Request]:
    def send(events: list[Json], _at: datetime) -> Request:
        body = json.dumps(events if groups else events[0]).encode()
        login = b64encode(f"{name}:{SECRET}".encode()).decode()
        headers = {"Content-Type": "application/json", "Authorization": f"Basic {login}"}
        return Request(f"/bounces/{name}", body, headers)

    return send


SES_KINDS: tuple[Kind, ...] = ("bounce", "complaint", "opened")
SERVICES = (
    MailService("ses", lambda: TOPIC, _ses, _send_ses, SES_KINDS),
    MailService("mailgun", lambda: SECRET, _mailgun, _send_mailgun),
    MailService("sendgrid", lambda: public_text(ec_key()), _sendgrid, _send_sendgrid),
    MailService(
        "postal",
        lambda: public_text(rsa_key()),
        _postal,
        _send_postal,
        ("bounce", "delayed", "opened"),
    ),
    MailService("postmark", lambda: SECRET, _postmark, _with_password("postmark", groups=False)),
    MailService("brevo", lambda: SECRET, _brevo, _with_password("brevo", groups=False)),
    MailService("mailjet", lambda: SECRET, _mailjet, _with_password("mailjet", groups=True)),
)
"""Every service that can report to us."""


def all_webhooks(fetch: Fetch | None = None) -> Mapping[str, Webhook]:
    """The webhooks of every service, with their settings."""
    settings = {service.name: service.setting() for service in SERVICES}
    return make_webhooks(WebhookSettings.model_validate(settings), fetch or Amazon().fetch)
