"""What may go on the wire, and what an answer means: the pure part of the SMTP transport."""

import re
from functools import lru_cache

from newsletter.model import Accepted, Deferred, NotSent, Outcome, Refused, Unknown

_MAILBOX = re.compile(
    r"""(?: [A-Za-z0-9.!\#$%&'*+/=?^_`{|}~-]{1,64}                    # atoms and dots
          | "(?: [\x21\x23-\x3b\x3d\x3f-\x5b\x5d-\x7e] | \\[\x21-\x7e] ){0,62}" )  # or quoted
        @ (?: [A-Za-z0-9_.-]{1,255} | \[[A-Za-z0-9.:]{1,253}\] )      # a domain or a literal
    """,
    re.VERBOSE,
)
_BROKEN_LINES = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_SHARED_PIECES = 12_288
_LONGEST_REPLY = 500


def is_mailbox(address: str) -> bool:
    """Whether an address is one mailbox of RFC 5321 4.1.2 that we write exactly as it stands.

    Lists, routes, white space, control characters, angle brackets and over-long local parts are
    none, and neither is an address outside ASCII (RFC 6531 is not spoken here). Dots may stand
    anywhere: some old and living addresses have them in odd places.
    """
    return _MAILBOX.fullmatch(address) is not None


def wire_form(content: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """The content as it goes between ``DATA`` and the final dot (RFC 5321 4.5.2).

    An envelope keeps the law of lines by construction and goes out as it is. A content that
    breaks it is mended rather than trusted, so that no byte of it can end the message early:
    lone CR and LF become CRLF, leading dots are doubled, the last line is ended.
    """
    return content if _kept(content) else (_mended(b"".join(content)),)


def reply_text(code: int, words: str) -> str:
    """The server's answer in one printable line, code first, shortened where it is endless."""
    printable = "".join(c if c.isprintable() else " " for c in words)
    return " ".join(f"{code} {printable}".split())[:_LONGEST_REPLY]


def refusal(code: int, words: str) -> Refused | Deferred:
    """What a negative answer to a recipient or a message means for this letter alone.

    4xx asks for patience. 5xx is for good, but for policy (5.7.x of RFC 3463): that speaks of
    us and not of the reader, so the letter waits.
    """
    text = reply_text(code, words)
    if is_permanent(code) and not words.startswith("5.7."):
        return Refused(text)
    return Deferred(text)


def answer_to_dot(code: int, words: str) -> Outcome:
    """What the answer to the final dot means; one that is no answer leaves the letter in doubt."""
    if is_positive(code):
        return Accepted(reply_text(code, words))
    if is_temporary(code) or is_permanent(code):
        return refusal(code, words)
    return Unknown(f"not an answer to the final dot: {reply_text(code, words)}")


def is_positive(code: int) -> bool:
    """2xx: done."""
    return 200 <= code <= 299  # noqa: PLR2004 - RFC 5321 4.2.1


def is_temporary(code: int) -> bool:
    """4xx: not now."""
    return 400 <= code <= 499  # noqa: PLR2004 - RFC 5321 4.2.1


def is_permanent(code: int) -> bool:
    """5xx: never."""
    return 500 <= code <= 599  # noqa: PLR2004 - RFC 5321 4.2.1


def is_go_ahead(code: int) -> bool:
    """354: the content may come."""
    return code == 354  # noqa: PLR2004 - RFC 5321 4.2.3


def cut_off(fate: Outcome | None, reason: str) -> Outcome | None:
    """A fate with the reason for which the line broke, where it leaves the letter open."""
    match fate:
        case NotSent():
            return NotSent(reason)
        case Unknown():
            return Unknown(reason)
        case _:
            return fate


def _kept(content: tuple[bytes, ...]) -> bool:
    """Whether these pieces keep the law of lines in whatever way they are joined."""
    ended = all(piece.endswith(b"\r\n") for piece in content[-1:])
    return ended and all(map(_whole, content))


def _keeps(piece: bytes) -> bool:
    """Whether a piece has whole CRLFs alone, and no dot or half a line end where it may hurt."""
    ends = piece.count(b"\n")
    return (
        not piece.startswith((b".", b"\n"))
        and b"\n." not in piece
        and ends == piece.count(b"\r") == piece.count(b"\r\n")
    )


_whole = lru_cache(maxsize=_SHARED_PIECES)(_keeps)
"""The pieces that letters share are the same objects, and are looked through once."""


def _mended(content: bytes) -> bytes:
    """The content with the law kept; the same bytes where it was already."""
    lines = _BROKEN_LINES.sub(b"\r\n", content)
    ended = lines if lines.endswith(b"\r\n") else lines + b"\r\n"
    return re.sub(rb"(?m)^\.", b"..", ended)
