"""Texts that try to break out of a letter, and the rules that its bytes must keep.

As a program, under any Python, it renders and checks a letter for each text.
"""

from dataclasses import fields

from newsletter.model import Item, Paper
from tests.support.factories import paper
from tests.support.letters import (
    edition,
    make_fragments,
    make_letter,
    message_bytes,
    parse_message,
    section,
    text_of_part,
)

HOSTILE_TEXTS = (
    "</mj-text><mj-raw><script>alert(1)</script></mj-raw>",
    "{{7*7}} {% raw %} {% endblock %} {# gone #}",
    "{% include '/etc/passwd' %}",
    "a\r\nBcc: e@x.org\r\n\r\nbody",
    "a\nBcc: e@x.org",
    "a\rBcc: e@x.org",
    "=?utf-8?q?a=0D=0ABcc:_e@x.org?=",
    "x =?utf-8?b?DQpCY2M6IGVAeC5vcmc=?= y",
    "Grüße =?utf-8?q?a=0D=0ABcc:_e@x.org?=",
    "nul \x00 esc \x1b del \x7f bell \x07",
    "lone \ud800 surrogate \udfff",
    "line \u2028 paragraph \u2029 next \x85 vt \x0b ff \x0c",
    "not a character \ufffe \uffff",
    "a hole \ue000email\ue001 of ours",
    "]]> <![CDATA[ <!-- --> <!--[if mso]>",
    "\n.\r\nMAIL FROM:<e@x.org>\r\n.\r\n",
    "." * 300,
    "w" * 10_000,
    "word " * 2_000,
    "漢" * 10_000,
    "=?" * 5_000,
    "\u202eright to left\u202c",
    "'\"><img src=x onerror=alert(1)>",
    " ",
    "",
)

LETTER_HEADERS = [
    "To",
    "Subject",
    "Message-ID",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "From",
    "Date",
    "MIME-Version",
    "List-Id",
    "List-Help",
    "List-Owner",
    "List-Post",
    "Precedence",
    "Auto-Submitted",
    "Feedback-ID",
    "List-Archive",
    "Content-Type",
]
"""All headers of a letter, in their order."""


def check_message(message: bytes) -> None:
    """Check the lines, the headers and the parts of a message."""
    assert message.endswith(b"\r\n")
    lines = message[:-2].split(b"\r\n")
    head = lines[: lines.index(b"")]
    assert not [line for line in lines if b"\r" in line or b"\n" in line]
    assert not [line for line in lines if line.startswith(b".")]
    assert not [line for line in lines[len(head) :] if len(line) > 76]
    assert not [line for line in head if len(line) > 998]
    assert message.isascii()
    read = parse_message(message)
    assert [name for name, _ in read.items()] == LETTER_HEADERS
    assert not [defect for each in read.walk() for defect in each.defects]
    assert not [defect for _, value in read.items() for defect in value.defects]
    assert [each.get_content_type() for each in read.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]


def paper_of(text: str, **others: object) -> Paper:
    """A paper with this text in every field that holds text, except those in ``others``."""
    values: dict[object, object] = {str: text, str | None: text, tuple[str, ...]: (text,) * 5}
    filled = {f.name: values[f.type] for f in fields(Item) if f.type in values}
    return paper(1, **{**filled, **others})  # type: ignore[arg-type]


def check_letter(hostile: str) -> None:
    """Render a letter about a paper made of this text, and check it."""
    links = {"url": f"https://example.org/{hostile}", "code": f"javascript:{hostile}"}
    fragments = make_fragments(paper_of(hostile, **links))
    cut = edition(section("Reasoning", 0, because=hostile))
    rendering, envelope = make_letter(fragments, cut)
    message = message_bytes(envelope)
    check_message(message)
    assert text_of_part(parse_message(message), "html") == rendering.html
    assert text_of_part(parse_message(message), "plain") == rendering.text
    html = text_of_part(parse_message(message), "html")
    assert "<script" not in html
    assert "<img" not in html
    assert "javascript:" not in html


def main() -> None:
    """Check every hostile text."""
    for hostile in HOSTILE_TEXTS:
        check_letter(hostile)


if __name__ == "__main__":
    main()
