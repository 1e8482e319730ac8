"""Delivery reports that a person was meant to read, and standard ones that break the rules."""

import base64
import quopri
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.bounces.parsing import parse
from tests.support.bounce_mails import (
    complaint_mail,
    exchange_bounce,
    exim_bounce,
    postfix_bounce,
    prose_bounce,
    unsubscribe_mail,
)

TAG = re.compile(r"\+(\d+-[0-9a-f]{16})@")
TO = "bounce+1-0123456789abcdef@example.org"

NOTICES = {
    "Exim": (
        (
            "A message that you sent could not be delivered to one or more of its recipients.\n"
            "The following address(es) failed:\n\n  ada@example.net\n    Unrouteable address\n"
        ),
        "hard",
    ),
    "qmail": (
        (
            "Hi. This is the qmail-send program at mx.example.net.\n"
            "I'm afraid I wasn't able to deliver your message.\n\n"
            "<ada@example.net>:\nSorry, no mailbox here by that name. (#5.1.1)\n"
        ),
        "hard",
    ),
    "Yahoo": (
        (
            "Sorry, we were unable to deliver your message to the following address.\n\n"
            "<ada@example.net>:\n554: This user doesn't have a example.net account\n"
        ),
        "hard",
    ),
    "Domino": (
        (
            "Your message\n  Subject: Spam policies: a survey\nwas not delivered to:\n"
            "  ada@example.net\n"
            "because:\n  User ada (ada@example.net) not listed in Domino Directory\n"
        ),
        "hard",
    ),
    "Exchange": (
        (
            "Your message\n  Subject: Attention\ndid not reach the following recipient(s):\n\n"
            "ada on Mon, 3 Aug 2026 12:00:00 +0000\n    The recipient name is not recognized\n"
        ),
        "hard",
    ),
    "Sendmail": (
        (
            "  ----- The following addresses had permanent errors -----\n<ada@example.net>\n\n"
            "   ----- Transcript of session follows -----\n... while talking to mx.example.net.:\n"
            ">>> RCPT To:<ada@example.net>\n<<< 550 5.1.1 <ada@example.net>... User unknown\n"
        ),
        "hard",
    ),
    "a relay that refused the sender": (
        (
            "   ----- Transcript of session follows -----\n... while talking to mx.example.net.:\n"
            ">>> MAIL From:<bounce@example.org>\n<<< 550 5.1.1 User unknown\n"
        ),
        "soft",
    ),
    "Sendmail's own words": (
        (
            "   ----- Transcript of session follows -----\n... while talking to mx.example.net.:\n"
            "<<< 550 A problem occurred\n550 5.1.1 <ada@example.net>... User unknown\n"
        ),
        "soft",
    ),
    "a full mailbox": (
        (
            "This is the mail system at mx.example.net. It could not be delivered.\n\n"
            "<ada@example.net>: mailbox is full: retry timeout exceeded\n"
        ),
        "soft",
    ),
    "a blocklist": (
        (
            "The mail could not be delivered.\n\n<ada@example.net>: 550 5.1.1 User unknown\n\n"
            "<ada@example.net>: 554 blocked using dnsbl.example\n"
        ),
        "soft",
    ),
    "a delay": (
        (
            "Your message has not yet been delivered; delivery will be retried.\n\n"
            "ada@example.net: host mx.example.net: connection timed out\n"
        ),
        "soft",
    ),
    "Google Groups": (
        (
            "We're writing to let you know that the group you tried to contact may not exist,\n"
            "or you may not have permission to post messages to the group.\n"
        ),
        "soft",
    ),
    "a short notice": ("Unknown user: ada@example.net\n", "hard"),
    "German": (
        (
            "Ihre Nachricht konnte nicht zugestellt werden.\n\n"
            "ada@example.net: 550 Benutzer unbekannt\n"
        ),
        "hard",
    ),
    "Japanese": (
        "このメールは送信できませんでした。\n\nada@example.net: 宛先が見つかりません\n",
        "hard",
    ),
    "nothing that is understood": ("It failed. Sorry.\n", "soft"),
}


@pytest.mark.parametrize(("notice", "meaning"), NOTICES.values(), ids=NOTICES)
def test_report_in_words_is_understood(notice: str, meaning: str) -> None:
    mail = parse(prose_bounce(TO, notice))
    assert mail.meaning == meaning
    assert mail.recipients == ("ada@example.net",)
    assert mail.letter_ids == ("<other@example.org>",)
    assert f"<{TO}>" in mail.address_fields


def test_person_writing_about_delivery_sends_no_report() -> None:
    notice = "Hello! My last mail could not be delivered. <ada@example.net>: User unknown?"
    mail = prose_bounce(TO, notice, sender="Ada <ada@example.net>", subject="Re: Attention, again")
    assert parse(mail).meaning == "unreadable"


def test_failed_recipients_field_makes_a_report() -> None:
    notice = "ada@example.net\n  Unrouteable address\n"
    mail = prose_bounce(TO, notice, sender="Relay <relay@example.net>", subject="Sorry")
    automatic = b"Auto-Submitted: auto-replied\nX-Failed-Recipients: ada@example.net\n"
    assert parse(automatic + mail).meaning == "hard"


def sloppy(change: str) -> bytes:
    """Postfix's report as gateways and odd servers change it."""
    report = postfix_bounce(TO)
    head, machine, rest = report.partition(b"Content-Type: message/delivery-status\n")
    block, boundary, letter = rest.partition(b"\n--4C5D6E")
    kind = machine.replace(b"delivery-status", b"global-delivery-status")
    match change:
        case "base64":
            coded = base64.encodebytes(block)
            block = b"Content-Transfer-Encoding: base64\n\n" + coded
        case "quoted-printable":
            block = b"Content-Transfer-Encoding: quoted-printable\n" + quopri.encodestring(block)
        case "global, base64":
            machine = kind
            block = b"Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(block)
        case "spaces before colons":
            block = block.replace(b": ", b" : ")
        case "one block":
            block = block.replace(b"+0000\n\nFinal", b"+0000\nFinal")
        case "as plain text":
            machine = b"Content-Type: text/plain\n"
        case "one level down":
            outer = b'Content-Type: multipart/mixed; boundary="outer"\n\n--outer\n'
            inner = b"Content-Type: multipart/report"
            head = head.replace(inner, outer + inner, 1)
            letter += b"\n--outer\nContent-Type: text/plain\n\nA gateway added this.\n--outer--\n"
        case "forwarded":
            outer = b'Content-Type: multipart/mixed; boundary="outer"\n\n--outer\n'
            head = outer + b"Content-Type: message/rfc822\n\n" + head
            letter += b"\n--outer--\n"
    return head + machine + block + boundary + letter


@pytest.mark.parametrize(
    "change",
    [
        "base64",
        "quoted-printable",
        "global, base64",
        "spaces before colons",
        "one block",
        "as plain text",
        "one level down",
        "forwarded",
    ],
)
def test_sloppy_report_is_understood(change: str) -> None:
    content = sloppy(change)
    assert content != postfix_bounce(TO)
    mail = parse(content)
    assert (mail.meaning, mail.recipients[0]) == ("hard", "ada@example.net")


def test_report_without_words_takes_them_from_its_text() -> None:
    silent = exim_bounce(TO, said="X-Nothing: here")
    assert parse(silent).meaning == "soft"
    notice = b"software.\n\n  ada@example.net\n    Unrouteable address\n"
    mail = parse(silent.replace(b"software.\n", notice))
    assert (mail.meaning, mail.said) == ("hard", "5.0.0 ada@example.net Unrouteable address")


def test_words_in_utf8_are_read() -> None:
    mail = parse(postfix_bounce(TO, status="5.0.0", said="550 Empfänger unbekannt"))
    assert (mail.meaning, mail.said) == ("hard", "5.0.0 550 Empfänger unbekannt")


def test_letters_own_address_is_named_first() -> None:
    forwarded = postfix_bounce(TO).replace(
        b"Final-Recipient: rfc822; ada@", b"Final-Recipient: rfc822; GONE@"
    )
    assert parse(forwarded).recipients == ("ada@example.net", "gone@example.net")


def test_receipt_means_nothing() -> None:
    receipt = b"message/disposition-notification"
    mail = parse(postfix_bounce(TO).replace(b"message/delivery-status", receipt))
    assert mail.meaning == "aside"


def test_microsofts_feedback_loop_is_a_complaint() -> None:
    machine, copy = b"Content-Type: message/feedback-report", b"Message-ID: <other@example.org>\n"
    returned = (
        complaint_mail()
        .replace(machine, b"Content-Type: text/plain")
        .replace(b"Feedback-Type: abuse", b"No type")
    )
    assert parse(returned).meaning == "unreadable"
    mail = parse(returned.replace(copy, b"X-HmXmrOriginalRecipient: Ada@example.net\n" + copy))
    assert (mail.meaning, mail.recipients) == ("complaint", ("ada@example.net",))


def test_report_outranks_a_complaint_within() -> None:
    copy = b"To: ada@example.net\n"
    mail = postfix_bounce(TO).replace(copy, b"X-HmXmrOriginalRecipient: ada@example.net\n" + copy)
    assert parse(mail).meaning == "hard"


PIECES = [
    b"\nFinal-Recipient: rfc822; eve@example.net\nAction: failed\nStatus: 5.1.1\n",
    b"Subject: unsubscribe a.b.c\n",
    b"Content-Type: message/rfc822\n\n",
    b"Content-Transfer-Encoding: base64\n",
    b"\n\n",
    b"\xff\x00",
    b"--4C5D6E.1785758400/mx.example.org\n",
]
CHANGES = st.tuples(st.integers(0, 2500), st.sampled_from(PIECES), st.integers(0, 80))


@pytest.mark.slow
@given(st.lists(CHANGES, max_size=6))
def test_mutated_report_names_no_other_reader(changes: list[tuple[int, bytes, int]]) -> None:
    wholes = (
        postfix_bounce(TO),
        exchange_bounce(TO),
        complaint_mail(back=f"<{TO}>"),
        prose_bounce(TO, NOTICES["qmail"][0]),
        unsubscribe_mail("Unsubscribe", to=TO),
    )
    for whole in wholes:
        mutated = whole
        for at, piece, cut in changes:
            mutated = mutated[:at] + piece + mutated[at + cut :]
        mail = parse(mutated)
        named = TAG.findall(" ".join(mail.address_fields))
        assert set(named) <= {"1-0123456789abcdef"}
        assert mail.token in {"", "a.b.c"}
