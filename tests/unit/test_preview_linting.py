"""What the preview page finds in a letter: each fault, in a page without other faults."""

import pytest

from newsletter.letter.rendering import NOTES
from newsletter.preview.contrast import contrast
from newsletter.preview.letter import ParsedLetter, force_scheme, parse_letter
from newsletter.preview.lint import lint
from tools.samples import SAID, THEMES, sample

HEADERS = tuple(
    (name, "x")
    for name in (
        "From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "List-Id",
        "List-Unsubscribe", "List-Unsubscribe-Post",
    )
)  # fmt: skip
PAGE = (
    '<html lang="en" dir="ltr"><head><title>T</title><style>{css}</style></head>'
    '<body style="background-color:#fff"><h1>H</h1>{body}</body></html>'
)


def letter(body: str = "", css: str = "", **parts: str) -> ParsedLetter:
    return ParsedLetter(
        sender="N",
        to="ada@example.org",
        subject=parts.get("subject", "S"),
        html=PAGE.format(body=body, css=css),
        text=parts.get("text", "A text."),
        headers=HEADERS,
        source="",
    )


def messages(shown: ParsedLetter) -> list[str]:
    return [f"{f.severity} {f.area}: {f.message}" for f in lint(shown) if f.severity != "fine"]


def test_faultless_page_passes_every_check() -> None:
    found = lint(letter('<p><a href="https://example.org/">A link</a></p>'))
    assert {finding.severity for finding in found} == {"fine"}
    assert len(found) == 7


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('<a href="/x">A</a>', "wrong links: /x is not an absolute http or https address: A"),
        ("<a>A</a>", "wrong links: a link without an address is not an absolute"),
        ('<a href="javascript:x">A</a>', "wrong links: javascript:x is not an absolute"),
        ('<a href="https://example.org/"></a>', "wrong links: a link without text"),
        ('<img src="data:x">', "wrong pictures: data:x has no alt"),
        ('<img alt="" src="https://example.org/x.png">', "is on another server"),
        ("<h1>Two</h1>", "wrong structure: 2 h1"),
        ("<table><tr><td>x</td></tr></table>", "wrong structure: 1 tables without a role"),
        ('<p style="font-size:11px">x</p>', "wrong structure: text of 11 pixels"),
        ('<p style="color:#999">x</p>', "2.9 : 1 on a light screen, 1 times"),
        ('<p style="display:flex">x</p>', "notice mail clients: display: flex is ignored by Out"),
        ("<script>x</script>", "notice mail clients: <script> is ignored by every client"),
    ],
)
def test_fault_in_html_is_found(body: str, message: str) -> None:
    (found,) = [line for line in messages(letter(body)) if message in line]
    assert found


@pytest.mark.parametrize(
    ("css", "message"),
    [
        ("p { position: absolute }", "position is ignored by Gmail and Outlook for Windows"),
        ("@import url(x);", "@import is ignored"),
        (f"p {{ color: #000 }} /*{'x' * 16_400}*/", "Gmail drops one of more than 16,384"),
    ],
)
def test_fault_in_css_is_found(css: str, message: str) -> None:
    assert [line for line in messages(letter(css=css)) if message in line]


def test_low_contrast_in_dark_mode_is_found() -> None:
    dark = (
        "@media (prefers-color-scheme: dark) { body { background-color: #111 !important }"
        " .ink p { color: #333 !important } }"
    )
    body = '<div class="ink"><p style="color:#000">Words</p></div><p style="color:#767676">B</p>'
    found = messages(letter(body, dark))
    assert [line for line in found if "on a dark screen" in line and "Words" in line]
    assert not [line for line in found if "on a light screen" in line]


def test_dark_canvas_is_checked_in_dark_mode() -> None:
    scheme = '<meta name="color-scheme" content="light dark"><i style="background:#fff">White</i>'
    assert any("1.0 : 1 on a dark screen, 2 times" in line for line in messages(letter(scheme)))


def test_hidden_text_is_not_checked() -> None:
    assert not messages(letter('<div style="display:none"><p style="color:#fff">x</p></div>'))


def test_headers_subject_text_and_size_are_checked() -> None:
    long = letter(subject="s" * 79, text="word " * 20, body="x" * 102_400)
    found = "\n".join(messages(long))
    assert "a subject of 79 characters" in found
    assert "1 lines of more than 78 characters" in found
    assert "Gmail clips an email at 102,400" in found
    bare = ParsedLetter("N", "", "S", "<p>x</p>", "", (), "")
    found = "\n".join(messages(bare))
    assert "wrong headers: Date occurs 0 times" in found
    assert "wrong headers: there is no List-Id" in found
    assert "no one-click unsubscribe" in found
    assert "wrong text part: it is empty" in found
    assert "<html> has no lang" in found


def test_contrast_follows_wcag() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((118, 118, 118), (255, 255, 255)) == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("theme", THEMES)
def test_shipped_letters_have_no_faults(theme: str) -> None:
    made = parse_letter(sample(theme, 40).message)
    floats = "float is ignored by Outlook for Windows"  # the links then stand below the heading
    assert [each for each in messages(made) if floats not in each] == []


def test_either_color_scheme_can_be_forced() -> None:
    page = "@media (prefers-color-scheme: dark) { a } @media (prefers-color-scheme:light) { b }"
    assert force_scheme("dark", page) == "@media all { a } @media not all { b }"
    assert force_scheme("light", page) == "@media not all { a } @media all { b }"


def test_samples_have_a_value_for_every_note() -> None:
    assert {word for words in NOTES.values() for word in words} <= SAID.keys()
