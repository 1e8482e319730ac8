"""What may go on the wire, and what an answer means: the pure part of the SMTP transport."""

import re

from newsletter.model import Accepted, Deferred, NotSent, Outcome, Refused, Unknown

_MAILBOX = re.compile(
    r"""(?: [A-Za-z0-9.!\#$%&'*+/=?^_`{|}~-]{1,64}                    # atoms and dots
          | "(?: [\x21\x23-\x3b\x3d\x3f-\x5b\x5d-\x7e] | \\[\x21-\x7e] ){0,62}" )  # or quoted
        @ (?: [A-Za-z0-9_.-]{1,255} | \[[A-Za-z0-9.:]{1,253}\] )      # a domain or a literal
    """,
    re.VERBOSE,
)
_LONGEST_REPLY = 500


def is_mailbox(address: str) -> bool:
    """Whether an address is one mailbox of RFC 5321 4.1.2 that we write exactly as it stands.

    Lists, routes, white space, control characters, angle brackets and over-long local parts are
    none, and neither is an address outside ASCII (RFC 6531 is not spoken here). Dots may stand
    anywhere: some old and living addresses have them in odd places.
    """
    return _MAILBOX.fullmatch(address) is not None


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
