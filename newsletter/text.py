"""Text from outside, made fit to show: cleaned, freed of markup, shortened at sentence ends."""

import html
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import quote, urlsplit, urlunsplit

import nh3

ELLIPSIS = "…"

_UNSHOWABLE = {"Cc", "Cs", "Co", "Cn"}
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\ufeff")
_SPACE = re.compile(r"\s+")
_TAG = re.compile(
    r"</?(?:p|br|b|i|em|strong|a|div|span|sup|sub|ul|ol|li|h[1-6]|img|table|tr|td|th|tbody|pre|code"
    r"|blockquote|script|style|svg|math|iframe|form|input|jats:[a-z-]+|figure|hr|small|u|tt|font"
    r"|center|section|article|title|abstract)\b[^<>]*>|<!--",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]*[A-Z0-9À-Þ])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|al|resp|approx|Fig|Figs|Eq|Eqs|Sec|Tab|Ref|Refs|No|Dr|Prof|Mr|Ms"
    r"|St|w\.r\.t|a\.k\.a)|\b[A-Z])\.[\"')\]]*$"
)


def clean(text: str) -> str:
    """Plain text without anything that cannot be shown or sent.

    White space is collapsed, control characters, private and unassigned code points, lone
    surrogates and direction overrides are dropped, composed forms are used (NFC). Never raises.
    """
    spaced = _SPACE.sub(" ", text)
    kept = "".join(c for c in spaced if c not in _BIDI and _showable(c))
    return _SPACE.sub(" ", unicodedata.normalize("NFC", kept)).strip()


def plain(markup: str) -> str:
    """The text of what may be HTML, cleaned; text that is not HTML comes back as itself.

    Only tags that HTML and the journals' JATS know count as markup, so ``15<alpha<165`` and
    ``<think>`` stay.
    """
    if _TAG.search(markup):
        protected = re.sub(r"<(?![/!]?[A-Za-z])", "&lt;", markup)
        protected = re.sub(r"<(?=/?[A-Za-z])", _kept_tag, protected)
        markup = nh3.clean(
            _TAG.sub(_spaced, protected), tags=set(), clean_content_tags={"script", "style"}
        )
    return clean(html.unescape(markup))


def _kept_tag(match: re.Match[str]) -> str:
    """A tag's opening, escaped unless it opens markup we know."""
    return "<" if _TAG.match(match.string, match.start()) else "&lt;"


def _spaced(match: re.Match[str]) -> str:
    # A paragraph's end parts words; an italic's does not.
    block = re.match(r"</?(?:p|br|div|li|h[1-6]|tr|td|hr)\b", match[0], re.IGNORECASE)
    return f" {match[0]} " if block else match[0]


def _showable(character: str) -> bool:
    return unicodedata.category(character) not in _UNSHOWABLE


def http_url(value: str | None) -> str | None:
    """An absolute http or https address fit for a link, or None.

    Relative addresses, other schemes, credentials, white space and control characters make it
    None; what lies outside ASCII is percent-encoded (RFC 3987), the host becomes IDNA.
    """
    if not value or re.search(r"[\s\x00-\x20\x7f\\]", value.strip()):
        return None
    try:
        parts = urlsplit(value.strip())
        host = (parts.hostname or "").encode("idna").decode("ascii")
        port = f":{parts.port}" if parts.port else ""
    except (ValueError, UnicodeError):
        return None
    if parts.scheme.lower() not in {"http", "https"} or not host or "@" in parts.netloc:
        return None
    netloc = (f"[{host}]" if ":" in host else host) + port
    path, query, fragment = (_quoted(part) for part in (parts.path, parts.query, parts.fragment))
    return urlunsplit((parts.scheme.lower(), netloc, path, query, fragment))


def _quoted(part: str) -> str:
    return quote(part.encode("utf-8", "replace"), safe="%/:?#[]@!$&'()*+,;=-._~|")


def sentences(text: str, count: int) -> str:
    """The first ``count`` sentences of a text, whole; abbreviations do not end one."""
    ends = [
        match.start()
        for match in _SENTENCE_END.finditer(text)
        if not _ABBREVIATION.search(text[: match.start()])
    ]
    return text if len(ends) < count else text[: ends[count - 1]].rstrip()


def shorten(text: str, limit: int) -> str:
    """At most ``limit`` characters of a text: whole, or cut at a word's end with an ellipsis."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    head, space, _ = cut.rpartition(" ")
    return (head if space and len(head) > limit // 2 else cut).rstrip(" ,;:.-") + ELLIPSIS


def authors_line(names: Sequence[str], count: int | None = None, *, shown: int = 3) -> str:
    """The first authors and how many more; a count alone where no one is named."""
    total = max(len(names), count or 0)
    if not names:
        return "" if not total else f"{total} author{'s' if total > 1 else ''}"
    more = total - len(names[:shown])
    return ", ".join(names[:shown]) + (f" and {more} more" if more else "")


@lru_cache(maxsize=4096)
def folded(text: str) -> str:
    """Text as it is compared: compatibility forms, no accents, no case (Unicode 3.13, D146)."""
    decomposed = unicodedata.normalize("NFKD", text)
    bare = "".join(c for c in decomposed if not unicodedata.combining(c))
    return unicodedata.normalize("NFKC", bare.casefold())
