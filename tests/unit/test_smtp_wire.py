"""What may be sent on the wire, and what a reply means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.model import Accepted, Deferred, Outcome, Refused, Unknown, WireLines, wire_lines
from newsletter.transports.smtp.replies import (
    final_outcome,
    is_mailbox,
    refusal,
    reply_text,
)


@pytest.mark.parametrize(
    "address",
    [
        "ada@example.org",
        "a.b+c=d_e-f@sub.example.org",
        "-oQ@x.org",
        '"a@b"@x.org',
        '"a\\"b"@x.org',
        "a..b.@docomo.example",
        "ada@[127.0.0.1]",
        "ada@[IPv6:::1]",
        "u@localhost",
    ],
)
def test_valid_mailbox_is_recognised(address: str) -> None:
    assert is_mailbox(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ada",
        "a,b@x.org",
        "u@x.org,v@y.org",
        "@a,@b:u@x.org",
        "u\x00@x.org",
        "u@x.org\r\nRCPT TO:<v@y.org>",
        "u@x.org\n",
        "u@x.org>",
        "<u@x.org>",
        "u u@x.org",
        '"u u"@x.org',
        "u@x.org SIZE=1",
        "a" * 65 + "@x.org",
        "ü@x.org",
    ],
)
def test_invalid_mailbox_is_refused(address: str) -> None:
    assert not is_mailbox(address)


@pytest.mark.parametrize("data", [b"", b"Subject: x\r\n", b"\r\n", b"a.b\r\n\r\n=2E\r\n"])
def test_whole_lines_are_sent_unchanged(data: bytes) -> None:
    assert wire_lines(data) == data


@pytest.mark.parametrize(
    "data",
    [
        b"a\r\n.\r\nb\r\n",
        b".\r\n",
        b"a\n.\nb\n",
        b"a\n.\r\nb\r\n",
        b"a\r.\rb\r\n",
        b"a\r\n.\nb\r\n",
        b"a\r\r\n",
        b"a\n\r",
        b"\n",
        b"no end",
        b"half an end\r",
        b"x" * 20_000 + b"\n.\r\n",
    ],
)
def test_early_end_of_message_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"CRLF|a line begins with a dot"):
        wire_lines(data)


@given(st.lists(st.lists(st.sampled_from([b"\r", b"\n", b".", b"\r\n", b"a"])).map(b"".join)))
def test_joined_lines_cannot_end_a_message_early(pieces: list[bytes]) -> None:
    wire = b"\r\n" + b"".join(made for piece in pieces if (made := _lines(piece)) is not None)
    assert b"\r\n." not in wire
    assert wire.endswith(b"\r\n")
    assert wire.count(b"\r\n") == wire.count(b"\r") == wire.count(b"\n")


def _lines(piece: bytes) -> WireLines | None:
    try:
        return wire_lines(piece)
    except ValueError:
        return None


@pytest.mark.parametrize(
    ("code", "words", "outcome"),
    [
        (250, "2.0.0 queued", Accepted("250 2.0.0 queued")),
        (452, "4.3.1 full", Deferred("452 4.3.1 full")),
        (421, "closing", Deferred("421 closing")),
        (554, "5.6.0 no", Refused("554 5.6.0 no")),
        (550, "5.7.1 policy", Deferred("550 5.7.1 policy")),
        (354, "go on", Unknown("not an answer to the final dot: 354 go on")),
    ],
)
def test_reply_to_the_dot_decides_the_outcome(code: int, words: str, outcome: Outcome) -> None:
    assert final_outcome(code, words) == outcome


def test_unexpected_success_is_no_permanent_refusal() -> None:
    assert refusal(252, "perhaps") == Deferred("252 perhaps")


def test_reply_is_one_short_printable_line() -> None:
    assert reply_text(550, "no\nsuch\x1b[31m \udcff user") == "550 no such [31m user"
    assert len(reply_text(550, "x" * 10_000)) == 500
