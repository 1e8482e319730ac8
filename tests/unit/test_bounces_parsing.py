"""The meaning of returned mail, whichever program wrote it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.bounces.parsing import parse
from newsletter.delivery.refusals import refuses_reader
from tests.support.bounce_mails import (
    complaint_mail,
    exchange_bounce,
    exim_bounce,
    gmail_bounce,
    postfix_bounce,
    unsubscribe_mail,
)
from tests.support.factories import NOON

TO = "bounce+1-0123456789abcdef@example.org"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (postfix_bounce(TO), "5.1.1 550 5.1.1 <ada@example.net>: Recipient address rejected"),
        (exim_bounce(TO), "5.0.0 550 No such user here"),
        (exchange_bounce(TO), "5.1.10 550 5.1.10 RESOLVER.ADR.RecipientNotFound"),
        (
            gmail_bounce(TO),
            "5.1.1 550-5.1.1 The email account that you tried to reach does not exist.",
        ),
    ],
    ids=["Postfix", "Exim", "Exchange", "Gmail"],
)
def test_unknown_user_reports_are_hard_bounces(content: bytes, said: str) -> None:
    mail = parse(content)
    assert mail.meaning == "hard"
    assert mail.said.startswith(said)
    assert mail.sent == NOON
    assert any(TO in address for address in mail.address_fields)


@pytest.mark.parametrize(
    ("status", "said", "meaning"),
    [
        ("5.1.2", "550 5.1.2 no such domain", "hard"),
        ("5.2.1", "550 5.2.1 this account is disabled", "hard"),
        ("5.4.1", "550 5.4.1 Recipient address rejected: Access denied", "hard"),
        ("5.4.4", "", "hard"),
        ("5.0.0", "550 5.1.1 unknown", "hard"),
        ("5.0.0", "554 we do not like you", "soft"),
        ("5.0.0", "550 relay not permitted", "soft"),
        ("5.0.0", "550 unknown sender address", "soft"),
        ("5.0.0", "", "soft"),
        ("5.0.0", "554 your server 5.1.1.9 is on a list", "soft"),
        ("5.0.0", "550 refused (5.1.1).", "hard"),
        ("4.0.0", "450 no such user", "soft"),
        ("", "550 unknown user", "hard"),
        ("", "550 <ada@example.net>: account is disabled", "hard"),
        ("5.1.8", "550 5.1.8 sender's domain not found", "soft"),
        ("5.2.2", "552 5.2.2 mailbox full", "soft"),
        ("5.2.3", "552 5.2.3 too large", "soft"),
        ("5.3.0", "554 5.3.0 try elsewhere", "soft"),
        ("5.7.1", "550 5.7.1 blocked: your address is on a list", "soft"),
        ("4.4.1", "connect to mail.example.net: timed out", "soft"),
        ("4.7.0", "450 4.7.0 greylisted", "soft"),
    ],
)
def test_only_missing_mailbox_is_a_hard_bounce(status: str, said: str, meaning: str) -> None:
    assert parse(postfix_bounce(TO, status=status, said=said)).meaning == meaning


@pytest.mark.parametrize(
    "reply",
    [
        "550 5.7.1 No such user!",
        "550 5.1.1 too many recipients this hour",
        "550 5.4.1 Recipient address rejected: Access denied",
        "550 Requested action not taken: mailbox unavailable",
        "552 5.1.1 mailbox full",
        "550 5.1.1 nobody",
    ],
)
def test_report_and_session_agree_on_a_reply(reply: str) -> None:
    reported = parse(postfix_bounce(TO, status="5.0.0", said=reply)).meaning
    assert (reported == "hard") == refuses_reader(reply)


@pytest.mark.parametrize(
    ("action", "meaning"), [("delayed", "soft"), ("delivered", "aside"), ("relayed", "aside")]
)
def test_delay_is_soft_and_success_ignored(action: str, meaning: str) -> None:
    assert parse(postfix_bounce(TO, action=action)).meaning == meaning


def test_one_missing_alias_member_is_no_hard_bounce() -> None:
    other = b"\nFinal-Recipient: rfc822; eve@example.net\nAction: delivered\nStatus: 2.0.0\n"
    both = postfix_bounce(TO).replace(
        b"\n--4C5D6E.1785758400/mx.example.org\nContent-Description: Und",
        other + b"\n--4C5D6E.1785758400/mx.example.org\nContent-Description: Und",
    )
    assert both != postfix_bounce(TO)
    assert parse(both).meaning == "soft"


def test_internationalised_report_is_read() -> None:
    content = postfix_bounce(TO).replace(
        b"message/delivery-status", b"message/global-delivery-status"
    )
    content = content.replace(b"message/rfc822", b"message/global").replace(b"<other@", b"<that@")
    mail = parse(content)
    assert (mail.meaning, mail.letter_ids) == ("hard", ("<that@example.net>",))


@pytest.mark.parametrize("kind", ["abuse", "fraud", "virus", "other", "opt-out"])
def test_feedback_report_is_a_complaint(kind: str) -> None:
    mail = parse(complaint_mail(kind, back=f"<{TO}>", letter="<that@example.org>"))
    assert (mail.meaning, mail.said) == ("complaint", f"{kind} (SomeGenerator/1.0)")
    assert mail.letter_ids == ("<that@example.org>",)
    assert f"<{TO}>" in mail.address_fields


@pytest.mark.parametrize("kind", ["not-spam", "auth-failure"])
def test_feedback_report_may_be_no_complaint(kind: str) -> None:
    assert parse(complaint_mail(kind)).meaning == "aside"


def test_feedback_report_without_type_is_ignored() -> None:
    assert parse(complaint_mail("")).meaning == "unreadable"


@pytest.mark.parametrize(
    ("subject", "meaning", "token"),
    [
        ("unsubscribe MQ.tj1abc.sig-_nature", "unsubscribe", "MQ.tj1abc.sig-_nature"),
        ("unsubscribe\n MQ.tj1abc.sig", "unsubscribe", "MQ.tj1abc.sig"),
        ("Re: Unsubscribe MQ.tj1abc.sig", "unsubscribe", "MQ.tj1abc.sig"),
        ("=?utf-8?q?unsubscribe_MQ=2Etj1abc=2Esig?=", "unsubscribe", "MQ.tj1abc.sig"),
        ("Unsubscribe", "unsubscribe", ""),
        ("pause MQ.tj1abc.sig", "wish", "MQ.tj1abc.sig"),
        ("weekly MQ.tj1abc.sig", "wish", "MQ.tj1abc.sig"),
        ("preferences MQ.tj1abc.sig", "wish", "MQ.tj1abc.sig"),
        ("How people unsubscribe: a study", "unreadable", ""),
        ("=?no-such-charset?q?unsubscribe?=", "unreadable", ""),
        ("", "unreadable", ""),
    ],
)
def test_readers_unsubscribe_by_subject(subject: str, meaning: str, token: str) -> None:
    mail = parse(unsubscribe_mail(subject))
    assert (mail.meaning, mail.token) == (meaning, token)


def test_automatic_reply_is_ignored() -> None:
    away = unsubscribe_mail("Away: Unsubscribe", more="Auto-Submitted: auto-replied (vacation)\n")
    assert parse(away).meaning == "aside"


def test_feedback_report_without_words_is_left() -> None:
    content = complaint_mail().replace(b"message/feedback-report", b"message/other-report")
    assert parse(content).meaning == "unreadable"


def test_mail_is_identified_by_message_id_or_bytes() -> None:
    assert parse(postfix_bounce(TO, name="a@b")).id == "<a@b>"
    without = postfix_bounce(TO).replace(b"Message-Id:", b"X-Id:")
    assert parse(without).id == parse(without).id != parse(without + b"\n").id


@pytest.mark.parametrize(
    "date", ["yesterday", "Mon, 99 Aug 2026", "Fri, 31 Dec 9999 23:00:00 -1400"]
)
def test_invalid_date_is_none(date: str) -> None:
    assert parse(complaint_mail(date=date)).sent is None


@pytest.mark.slow
def test_endlessly_nested_parts_are_ignored() -> None:
    level = b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n'
    content = b"".join(level % (n, n) for n in range(5000))
    assert parse(content).meaning == "unreadable"


@pytest.mark.slow
@given(st.binary(max_size=300), st.integers(0, 2500), st.integers(0, 200))
def test_any_bytes_give_a_result(noise: bytes, at: int, cut: int) -> None:
    for whole in (
        postfix_bounce(TO),
        exim_bounce(TO),
        complaint_mail(),
        unsubscribe_mail("unsubscribe a.b.c"),
        b"",
    ):
        assert parse(whole[:at] + noise + whole[at + cut :]).id
