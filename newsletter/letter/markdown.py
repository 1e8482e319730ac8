"""Markdown (CommonMark) as both parts of an email: for what an operator writes to all readers."""

from collections.abc import Iterator, Mapping

from markdown_it import MarkdownIt
from markdown_it.token import Token

from newsletter.errors import UsageError
from newsletter.letter.views import printable, wrap

_WEB_AND_MAIL = ("https://", "http://", "mailto:")

_BELOW_SUBJECT = {"h1": "h2"} | dict.fromkeys(("h2", "h3", "h4", "h5", "h6"), "h3")
"""The subject is the email's only heading of the first level."""

_STYLES: Mapping[str, str] = {
    "p": "margin:12px 0 0",
    "h2": "margin:24px 0 0;font-size:20px;line-height:1.3",
    "h3": "margin:18px 0 0;font-size:17px;line-height:1.3",
    "ul": "margin:12px 0 0;padding:0 0 0 24px",
    "ol": "margin:12px 0 0;padding:0 0 0 24px",
    "blockquote": "margin:12px 0 0;padding:0 0 0 16px",
    "pre": "margin:12px 0 0;white-space:pre-wrap",
}
"""Mail programs ignore much of a style sheet; so each element has its own."""

_MARKS = " \t>-*+0123456789.)#"  # what may stand before the first word of a line in Markdown


def html_of(source: str, file: str) -> str:
    """Markdown as HTML that is safe by construction: HTML in it is shown as it was typed.

    ``file`` names the source in messages.

    Raises:
        UsageError: it has a picture, or a link that an email cannot follow.
    """
    parser = MarkdownIt("commonmark", {"html": False})
    tokens = parser.parse(_cleaned(source))
    for line, token in _each(tokens):
        if token.type == "image":
            raise UsageError(f"{file}:{line}: emails show no pictures; link to it instead")
        href = str(token.attrGet("href") or "")
        if token.type == "link_open" and not href.startswith(_WEB_AND_MAIL):
            raise UsageError(
                f"{file}:{line}: an email cannot follow the link {href!r}; "
                "begin it with https:// or mailto:"
            )
        token.tag = _BELOW_SUBJECT.get(token.tag, token.tag)
        if token.nesting == 1 and token.tag in _STYLES:
            token.attrSet("style", _STYLES[token.tag])
    return str(parser.renderer.render(tokens, parser.options, {})).strip()


def text_of(source: str) -> str:
    """Markdown as it was written, in lines of a plain text's width."""
    return "\n".join(map(_wrapped, _cleaned(source).strip().splitlines()))


def _wrapped(line: str) -> str:
    """A line, and below its first word what does not fit."""
    words = line.lstrip(_MARKS)
    indent = " " * (len(line) - len(words))
    return line[: len(indent)] + wrap(words, indent) if words else line


def _cleaned(source: str) -> str:
    """The source without characters that cannot be printed; a line keeps its indent."""
    lines = (line.expandtabs(4) for line in source.splitlines())
    return "\n".join(" " * (len(line) - len(line.lstrip())) + printable(line) for line in lines)


def _each(tokens: list[Token]) -> Iterator[tuple[int, Token]]:
    """Every token with the number of the line that its paragraph begins on."""
    line = 1
    for token in tokens:
        line = token.map[0] + 1 if token.map else line
        yield line, token
        yield from ((line, child) for child in token.children or ())
