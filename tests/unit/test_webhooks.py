"""What requests of mail services prove and mean, without a server."""

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import example, given, settings
from hypothesis import strategies as st

from newsletter.bounces.parsing import Meaning, ParsedMail, parse
from newsletter.bounces.webhooks import Post, PostError
from newsletter.bounces.webhooks.events import read_json, time_of
from newsletter.config.webhooks import WebhookSettings, load_public_key
from tests.support.bounce_mails import postfix_bounce, return_path
from tests.support.factories import NOON
from tests.support.mail_services import (
    CERTIFICATE_URL,
    SERVICES,
    SNS,
    TOPIC,
    Amazon,
    Json,
    MailService,
    Request,
    What,
    all_webhooks,
    certificate,
    ec_key,
    public_text,
    rsa_key,
    sns_message,
    sns_notification,
    sns_request,
)

by_service = pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
WEBHOOKS = all_webhooks()


def read(request: Request, amazon: Amazon | None = None) -> list[ParsedMail]:
    webhooks = WEBHOOKS if amazon is None else all_webhooks(amazon.fetch)
    name = request.path.removeprefix("/bounces/")
    headers = {name.lower(): value for name, value in request.headers.items()}
    login = b64decode(headers.get("authorization", "").removeprefix("Basic "))
    secret = login.partition(b":")[2].decode()
    return list(webhooks[name].read(Post(request.body, headers, secret, NOON)))


def status_of(request: Request, amazon: Amazon | None = None) -> int:
    with pytest.raises(PostError) as caught:
        read(request, amazon)
    return caught.value.status


REPLIES = {
    "550 5.1.1 <ada@example.org>: Recipient address rejected: User unknown": "hard",
    "550-5.1.1 The email account that you tried to reach does not exist.": "hard",
    "554 5.7.1 <ada@example.org>: Relay access denied": "soft",
    "550 5.7.1 Message rejected because SPF (n.example.org) failed": "soft",
    "552 5.2.2 The email account that you tried to reach is over quota": "soft",
    "550 5.1.1 Sorry, your IP 192.0.2.7 is on a blocklist of Spamhaus": "soft",
    "421 4.7.0 Too many messages from your server, try again later": "soft",
}


@by_service
@pytest.mark.parametrize("said", REPLIES)
def test_reply_means_the_same_as_in_a_report(service: MailService, said: str) -> None:
    for permanent in (True, False):
        (mail,) = read(service.post(What(said=said, permanent=permanent)))
        assert mail.meaning == REPLIES[said]
        assert said[9:] in mail.said
    report = parse(postfix_bounce(return_path(), status="5.0.0", said=said))
    assert report.meaning == REPLIES[said]


# -- Amazon SES ----------------------------------------------------------------------------------

BOUNCE = next(service for service in SERVICES if service.name == "ses").form(What())


@pytest.mark.parametrize("version", ["1", "2"])
def test_both_versions_of_sns_signatures_are_verified(version: str) -> None:
    subject = {"Subject": "Amazon SES Email Event Notification"}
    for fields in (dict[str, str](), subject):
        message = sns_message(sns_notification(BOUNCE) | fields, version)
        assert [mail.meaning for mail in read(sns_request(message))] == ["hard"]
        for name in ("Message", "MessageId", "Timestamp", "Subject"):
            changed = {**message, name: message.get(name, "") + " "}
            assert status_of(sns_request(changed)) == 403
        other = {"1": "2", "2": "1"}[version]
        assert status_of(sns_request({**message, "SignatureVersion": other})) == 403


@pytest.mark.parametrize(
    "fields",
    [
        {"TopicArn": TOPIC.replace("123456789012", "999999999999")},
        {"TopicArn": TOPIC.replace("eu-central-1", "us-east-1")},
        {"Type": "Gossip"},
        {"Timestamp": "2026-07-01T12:00:00.000Z"},
        {"Timestamp": "yesterday"},
    ],
)
def test_other_topics_and_times_are_refused(fields: Mapping[str, str]) -> None:
    """They are signed as well: anybody can have a topic at Amazon."""
    amazon = Amazon()
    message = sns_message(sns_notification(BOUNCE) | dict(fields))
    assert status_of(sns_request(message), amazon) == 403
    assert amazon.asked == []


@pytest.mark.parametrize(
    "url",
    [
        CERTIFICATE_URL.replace("https", "http"),
        CERTIFICATE_URL.replace("eu-central-1", "us-east-1"),
        CERTIFICATE_URL.replace("sns.eu-central-1", "sns.s3"),
        CERTIFICATE_URL.replace("amazonaws.com", "amazonaws.com.example.org"),
        CERTIFICATE_URL.replace("sns.", "sns.example.org/sns."),
        f"https://sns.eu-central-1.amazonaws.com@example.org/{CERTIFICATE_URL.rpartition('/')[2]}",
        f"{CERTIFICATE_URL}?x",
        f"{SNS}/../{CERTIFICATE_URL.rpartition('/')[2]}",
        "",
    ],
)
def test_certificates_come_only_from_the_topics_region(url: str) -> None:
    amazon = Amazon({url: certificate(rsa_key())})
    message = sns_message(sns_notification(BOUNCE) | {"SigningCertURL": url})
    assert status_of(sns_request(message), amazon) == 403
    assert amazon.asked == []


def test_certificate_is_fetched_once() -> None:
    amazon = Amazon()
    webhook = all_webhooks(amazon.fetch)["ses"]
    for _ in range(3):
        body = json.dumps(sns_message(sns_notification(BOUNCE))).encode()
        assert webhook.read(Post(body, {}, "", NOON))
    assert amazon.asked == [CERTIFICATE_URL]


def test_missing_certificate_is_asked_for_later() -> None:
    """Forged requests cannot make us fetch in every one of them."""
    amazon = Amazon({})
    webhook = all_webhooks(amazon.fetch)["ses"]
    body = json.dumps(sns_message(sns_notification(BOUNCE))).encode()
    for seconds in (0, 1, 9, 11):
        with pytest.raises(PostError) as caught:
            webhook.read(Post(body, {}, "", NOON + timedelta(seconds=seconds)))
        assert caught.value.status == 503
    assert len(amazon.asked) == 2
    amazon.pages[CERTIFICATE_URL] = certificate(rsa_key())
    assert webhook.read(Post(body, {}, "", NOON + timedelta(minutes=1)))


@pytest.mark.parametrize("days", [-500, 300])
def test_certificate_must_be_valid_now(days: int) -> None:
    amazon = Amazon({CERTIFICATE_URL: certificate(rsa_key(), NOON + timedelta(days=days))})
    assert status_of(sns_request(sns_message(sns_notification(BOUNCE))), amazon) == 403
    amazon = Amazon({CERTIFICATE_URL: b"<html>not a certificate"})
    assert status_of(sns_request(sns_message(sns_notification(BOUNCE))), amazon) == 503


def confirmation(url: str) -> Json:
    """The message that asks to confirm a subscription."""
    said = {"Message": f"You have chosen to subscribe to {TOPIC}.\nTo confirm, visit it."}
    fields = {"Type": "SubscriptionConfirmation", "Token": "2336412f37", "SubscribeURL": url}
    return sns_message(sns_notification({}) | said | fields)


def test_subscription_is_confirmed_at_amazon() -> None:
    url = f"{SNS}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37"
    amazon = Amazon()
    assert status_of(sns_request(confirmation(url)), amazon) == 503
    amazon.pages[url] = b"<ConfirmSubscriptionResponse/>"
    assert read(sns_request(confirmation(url)), amazon) == []
    assert amazon.asked[-1] == url
    elsewhere = confirmation(url.replace("amazonaws.com", "amazonaws.com.example.org"))
    assert status_of(sns_request(elsewhere), amazon) == 403
    forged = {**confirmation(url), "Token": "another"}
    assert status_of(sns_request(forged), amazon) == 403


def test_message_of_another_key_is_refused() -> None:
    message = sns_message(sns_notification(BOUNCE), key=generate_private_key(65537, 2048))
    assert status_of(sns_request(message)) == 403
    assert status_of(sns_request({**message, "Signature": "é%"})) == 403


def test_one_notification_may_name_several_recipients() -> None:
    recipients = [
        {"emailAddress": "A <Ada@Example.org>", "diagnosticCode": "smtp; 550 5.1.1 User unknown"},
        {"emailAddress": "bob@example.org", "diagnosticCode": "smtp; 552 5.2.2 mailbox full"},
        {"emailAddress": 7},
    ]
    notice = {**BOUNCE, "bounce": {**BOUNCE["bounce"], "bouncedRecipients": recipients}}
    mails = read(sns_request(sns_message(sns_notification(notice))))
    assert [(mail.meaning, mail.recipients) for mail in mails] == [
        ("hard", ("ada@example.org",)),
        ("soft", ("bob@example.org",)),
        ("aside", ()),
    ]
    assert len({mail.id for mail in mails}) == 3


def test_notice_in_plain_words_means_nothing() -> None:
    words = "Successfully validated SNS topic for Amazon SES event publishing."
    assert read(sns_request(sns_message(sns_notification(words)))) == []


# -- kinds of the other services -----------------------------------------------------------------


def meaning(name: str, fields: Mapping[str, object], what: What | None = None) -> Meaning | None:
    """What an event means whose form has these other values."""
    service = next(service for service in SERVICES if service.name == name)
    form = service.form(what or What(said=""))
    mails = read(service.send([{**form, **fields}], NOON))
    return mails[0].meaning if mails else None


@pytest.mark.parametrize(
    ("name", "fields", "expected"),
    [
        ("postmark", {"Type": "BadEmailAddress"}, "hard"),
        ("postmark", {"Type": "DnsError"}, "soft"),
        ("postmark", {"Type": "DMARCPolicy"}, "soft"),
        ("postmark", {"Type": "SpamNotification"}, "soft"),
        ("postmark", {"Type": "AutoResponder"}, None),
        ("postmark", {"Type": "SpamComplaint"}, "complaint"),
        ("postmark", {"Type": "Unsubscribe"}, "unsubscribe"),
        ("mailgun", {"reason": "suppress-bounce"}, "hard"),
        ("mailgun", {"reason": "suppress-complaint"}, "soft"),
        ("mailgun", {"reason": "espblock"}, "soft"),
        ("sendgrid", {"event": "dropped", "reason": "Bounced Address"}, "hard"),
        ("sendgrid", {"event": "dropped", "reason": "Spam Content"}, "soft"),
        ("sendgrid", {"event": "group_unsubscribe"}, "unsubscribe"),
        ("sendgrid", {"event": "group_resubscribe"}, None),
        ("sendgrid", {"bounce_classification": "Reputation"}, "soft"),
        ("brevo", {"event": "invalid_email"}, "hard"),
        ("brevo", {"event": "soft_bounce", "reason": "Unable to find MX of domain"}, "soft"),
        ("brevo", {"event": "blocked", "reason": "blocked : due to blacklist user"}, "soft"),
        ("brevo", {"event": "complaint"}, "complaint"),
        ("mailjet", {"error": "mailbox inactive"}, "hard"),
        ("mailjet", {"event": "blocked", "error": "preblocked"}, "hard"),
        ("mailjet", {"event": "blocked", "error": "duplicate in campaign"}, "soft"),
        ("mailjet", {"error": "greylisted", "hard_bounce": False}, "soft"),
        ("postal", {"event": "MessageHeld"}, None),
        ("postal", {"event": "DomainDNSError", "payload": {}}, None),
    ],
)
def test_kinds_of_events_have_their_meaning(
    name: str, fields: Mapping[str, object], expected: Meaning | None
) -> None:
    assert meaning(name, fields) == expected


def test_ended_subscriptions_count_only_by_the_reader() -> None:
    """Bounces and complaints have records of their own, with the server's words."""
    left = What("unsubscribe")
    for fields in (
        {"Origin": "Customer"},
        {"SuppressSending": False},
        {"SuppressionReason": "HardBounce"},
    ):
        assert meaning("postmark", fields, left) is None
    assert meaning("postmark", {}, left) == "unsubscribe"


def test_postal_returns_bounces_without_words() -> None:
    service = next(service for service in SERVICES if service.name == "postal")
    letter = service.form(What())["payload"]["message"]
    bounced = {"event": "MessageBounced", "payload": {"original_message": letter, "bounce": {}}}
    assert meaning("postal", bounced) == "soft"
    incoming = {"payload": {"message": {**letter, "direction": "incoming"}}}
    assert meaning("postal", incoming) is None


def test_postal_signature_cannot_be_downgraded() -> None:
    service = next(service for service in SERVICES if service.name == "postal")
    request = service.post(What())
    old = {k: v for k, v in request.headers.items() if k != "X-Postal-Signature-256"}
    assert read(replace(request, headers=old))
    assert status_of(replace(request, headers={**old, "X-Postal-Signature-256": "AAAA"})) == 403


# -- anything --------------------------------------------------------------------------------------

NAMES = sorted(
    {
        name
        for service in SERVICES
        for kind in service.kinds
        for name in json.dumps(service.form(What(kind))).split('"')
        if name and " " not in name
    }
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(NAMES),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)
    ),
    max_leaves=12,
)


@by_service
@settings(max_examples=30)
@given(values=st.dictionaries(st.sampled_from(NAMES), values, max_size=8), replaced=st.booleans())
@example(values={"timestamp": float("inf"), "time": 10**400, "ts_epoch": -1e300}, replaced=True)
@example(values={"email": "(" * 9999, "Email": "<" * 9999, "recipient": "@" * 9}, replaced=True)
@example(values={"reason": "\ud800\0", "comment": "\udfff", "Details": "\ud800"}, replaced=True)
def test_signed_nonsense_names_no_other_reader(
    service: MailService, values: Json, *, replaced: bool
) -> None:
    form = service.form(What())
    event = form | values if replaced else values
    body = service.send([event], NOON)
    for mail in read(body):
        assert all("@" in address for address in mail.recipients)
        assert len(mail.recipients) <= 1
        mail.said.encode()  # it can be stored
        if "ada@example.org" not in json.dumps(event).lower():
            assert "ada@example.org" not in mail.recipients


@given(st.binary(max_size=300))
def test_any_bytes_are_json_or_refused(body: bytes) -> None:
    try:
        json.loads(body)
    except ValueError:
        with pytest.raises(PostError, match="This is not JSON"):
            read_json(body)
    else:
        read_json(body)


@given(st.text() | st.floats() | st.integers() | st.none() | st.booleans())
@example("2016-04-27T16:28:50.3963933-04:00")
@example("0001-01-01T00:00:00+23:59")
def test_any_time_is_read_or_left_out(value: object) -> None:
    found = time_of(value)
    assert found is None or found.utcoffset() == timedelta()


def test_every_service_has_its_webhook() -> None:
    assert set(WEBHOOKS) == set(WebhookSettings.model_fields)


def test_public_keys_are_read_in_each_form() -> None:
    for key in (ec_key(), rsa_key()):
        text, public = public_text(key), key.public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        record = f"v=DKIM1; t=s; h=sha256; p={text};"
        assert all(load_public_key(form) == public for form in (text, pem, record, f" {text}\n"))
    for wrong in ("", "AAAA", "é", pem[:99]):
        with pytest.raises(ValueError, match="this is not a public key"):
            load_public_key(wrong)
