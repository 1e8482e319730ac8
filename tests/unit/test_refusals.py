"""Whether a refusal is about the recipient, the sender or the message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.delivery.refusal_words import REFUSALS
from newsletter.delivery.refusals import READER_GONE, Cause, cause, refuses_reader


@pytest.mark.parametrize(
    "reply",
    [
        "550 5.1.1 <ada@example.org>: Recipient address rejected: User unknown",
        "550 5.1.1 nobody",
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound",
        "550 5.2.1 The email account that you tried to reach is disabled.",
        "550 5.4.1 [ada@example.org]: Recipient address rejected: Access denied.",
        "550 No such user here",
        "550 5.0.0 mailbox unavailable: user unknown",
        "550 5.7.1 <ada@example.org>: Recipient address rejected: User unknown",
        "550 5.7.1 No such user!",
        "550 5.2.0 Unknown user ada@example.org",
        "554 delivery error: This user doesn't have a mail.example.com account",
        "550-5.1.1 The account that you tried to reach does not\n550-5.1.1 exist. Try again",
        "550 5.2.1 <ada@example.org>... Addressee unknown, relay=[192.0.2.1]",
        "550 5.1.1 user unknown <spam@dmarc.spamhaus.example>",
        "550 5.1.0 - Unknown address error 550-'no such user here'",
        "550 5.1.1 Empfänger unbekannt",
        "550 5.1.1 Recipient address rejected: User unknown in relay recipient table",
        "550 onbekende gebruiker",
        "550 Nie ma takiego użytkownika",
        "550 Adresse du destinataire inexistante",
        "550 usuario desconocido",
        "550 нет такого пользователя",
        "550 ユーザが存在しません",
        "550 收件人ada@example.org不存在",
        "550 5.1.2 Domain not found",
        "550 5.1.2 the domain gone.example couldn't be found",
        "550 all relevant MX records point to non-existent hosts or to IP addresses",
        "556 5.1.10 Domain does not accept mail (nullMX)",
    ],
)
def test_unknown_user_is_the_readers_fault(reply: str) -> None:
    assert refuses_reader(reply)


@pytest.mark.parametrize(
    ("reply", "about"),
    [
        ("", "unknown"),
        ("450 4.1.1 user unknown for now", "temporary"),
        ("451 4.4.3 domain not found, try again", "temporary"),
        ("550 5.1.8 sender address rejected", "sender"),
        ("550 5.1.0 <bounce@example.org> sender rejected", "sender"),
        ("501 5.1.0 Emetteur invalide", "sender"),
        ("550-Verification failed\n550-No such user here\n550 Sender verify failed", "sender"),
        ("550 5.1.0 192.0.2.1 may not send: SPF", "sender"),
        ("501 5.1.7 Invalid address", "sender"),
        ("550 5.1.1 your envelope is in my badmailfrom list", "sender"),
        ("550 5.7.26 mail without proof of its origin", "sender"),
        ("550 unknown user or sender not allowed", "sender"),
        ("550 5.2.1 Mailbox unavailable. Your IP address is on a list", "reputation"),
        ("550 5.1.1 user unknown; see https://www.spamhaus.org/query", "reputation"),
        ("550 5.1.1 <ada@example.org> too many recipients this hour", "rate"),
        ("550 5.1.90 you've reached your daily limit", "rate"),
        ("550 Too many invalid recipients", "rate"),
        ("550 5.2.1 The user is receiving mail at a rate that is too high", "rate"),
        ("550 5.7.1 user unknown to our policy", "policy"),
        ("541 5.4.1 Mail rejected by destination domain", "policy"),
        ("550 5.1.0 - Unknown address error 550-'5.7.1 access denied'", "policy"),
        ("553 5.1.1 relaying disallowed", "policy"),
        ("552 5.2.2 mailbox full", "mailbox full"),
        ("552 5.1.1 Boite du destinataire pleine", "mailbox full"),
        ("552 5.3.4 message too large", "content"),
        ("554 5.0.0 transaction failed", "unknown"),
        ("550 Requested action not taken: mailbox unavailable", "unknown"),
        ("cannot be set: a reader whose address is invalid", "no such mailbox"),
        ("not sent: 'ada' is no address SMTP can carry", "unknown"),
    ],
)
def test_other_refusals_are_our_fault(reply: str, about: Cause) -> None:
    assert not refuses_reader(reply)
    assert cause("", reply) == about


@pytest.mark.parametrize(
    ("status", "said", "about"),
    [
        ("5.1.1", "", "no such mailbox"),
        ("5.2.1", "", "no such mailbox"),
        ("5.4.4", "", "no such domain"),
        ("5.4.4", "Host found but no data record of requested type", "no such domain"),
        ("5.0.0", "550 5.1.1 nobody", "no such mailbox"),
        ("5.1.1", "550 5.7.1 nobody", "policy"),
        ("5.1.1", "550 refused", "unknown"),
        ("5.1.1", "554 A problem occurred, ask your postmaster", "unknown"),
        ("5.1.1", "550 Requested action not taken: mailbox unavailable", "unknown"),
        ("5.1.1", "550 recipient rejected", "no such mailbox"),
        ("4.0.0", "lookup of example.org responded with NXDOMAIN", "no such domain"),
        ("4.4.7", "delivery time expired", "temporary"),
        ("5.5.4", "554 your mailbox name is unknown here", "no such mailbox"),
        ("5.1.0", "", "unknown"),
    ],
)
def test_own_code_outranks_reported_status(status: str, said: str, about: Cause) -> None:
    assert cause(status, said) == about


SENDERS_WORDS = [
    "sender address rejected",
    "SPF check failed",
    "DMARC",
    "blocked using dnsbl.example.org",
    "too many recipients",
    "your IP",
    "reputation",
    "mail from refused",
]


@given(
    status=st.sampled_from(["", "5.1.1", "5.2.1", "5.1.2", "5.4.1", "5.7.1"]),
    gone=st.sampled_from(["user unknown", "no such user", "mailbox not found", "domain not found"]),
    ours=st.sampled_from(SENDERS_WORDS),
    first=st.booleans(),
)
def test_words_about_the_sender_outrank_all(
    status: str, gone: str, ours: str, *, first: bool
) -> None:
    said = f"550 {status} {ours}: {gone}" if first else f"550 {status} {gone}; {ours}"
    assert cause(status, said) not in READER_GONE


@given(st.text(), st.text())
def test_every_reply_has_a_cause(status: str, said: str) -> None:
    assert cause(status, said)


@pytest.mark.parametrize(
    "words", ["user ", "a", "a.", "@", "host said ", "5.1.1 ", "https://", "-"]
)
def test_long_reply_is_read_to_a_limit(words: str) -> None:
    assert cause("5.1.1", words * (100_000 // len(words))) == cause("5.1.1", words * 2_000)


def test_every_cause_of_ours_is_asked_before_readers() -> None:
    order = [about for about, _ in REFUSALS]
    assert max(order.index(about) for about in ("rate", "sender", "reputation", "mailbox full")) < (
        order.index("no such mailbox")
    )
