"""Whether a refusal is about the recipient, the sender or the message."""

import pytest

from newsletter.delivery.refusals import refuses_reader


@pytest.mark.parametrize(
    "reply",
    [
        "550 5.1.1 <ada@example.org>: Recipient address rejected: User unknown",
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound",
        "550 5.2.1 The email account that you tried to reach is disabled.",
        "550 5.4.1 Recipient address rejected: Access denied.",
        "550 No such user here",
        "550 5.0.0 mailbox unavailable: user unknown",
    ],
)
def test_unknown_user_is_the_readers_fault(reply: str) -> None:
    assert refuses_reader(reply)


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "450 4.1.1 user unknown for now",
        "550 5.1.8 sender address rejected",
        "550 5.7.1 user unknown to our policy",
        "550 5.7.26 unauthenticated mail",
        "552 5.2.2 mailbox full",
        "554 5.0.0 transaction failed",
        "550 unknown user or sender not allowed",
        "cannot be set: a reader whose address is invalid",
        "not sent: 'ada' is no address SMTP can carry",
    ],
)
def test_other_refusals_are_our_fault(reply: str) -> None:
    assert not refuses_reader(reply)
