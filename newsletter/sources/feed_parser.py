"""Parses a feed with feedparser, in a process that can be killed.

:mod:`newsletter.sources.sandbox` runs this file as a program. On standard input it gets for each
feed a line of JSON with the body's length and the answer's headers, and then the body; on standard
output it gives a line with the exit code of the process that parsed the feed and the length of its
output, and then the output: JSON, or the last line of an error. It imports nothing of the
newsletter, so that it starts fast and knows no secrets.
"""

import codecs
import gc
import html
import io
import json
import os
import re
import resource
import sys
import xml.parsers.expat
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NoReturn

CPU_SECONDS = 10
MEMORY = 512 * 1024 * 1024
MAX_ENTRIES = 5000
MAX_TEXT = 50_000
MAX_BYLINE = 200_000
"""Characters of one author field: some papers have 3,000 authors in one."""

MAX_LIST = 1000
MAX_AUTHORS = 10_000
MAX_DATE = 200
MAX_OUTPUT = 20 * 1024 * 1024
"""Characters of JSON: entities can expand to far more text than the feed has."""

_IDS = ("id", "prism_doi", "prism_url", "dc_identifier", "arxiv_doi", "citation_doi", "link")
_DATES = (
    "published",
    "updated",
    "created",
    "prism_publicationdate",
    "prism_coverdate",
    "prism_coverdisplaydate",
)

_UTF8 = frozenset({b"", b"utf-8", b"utf8", b"us-ascii", b"ascii"})
_ENCODING = re.compile(rb"""^(?:\xef\xbb\xbf)?\s*<\?xml[^>]*?encoding=["']([^"']*)""")
_DTD = re.compile(rb"<!DOCTYPE\s+\w+\s+(?:PUBLIC|SYSTEM)\b")
_HEAD = 2000  # bytes
_CHARSET = re.compile(r"charset=[\"']?([^\s;\"']*)", re.IGNORECASE)
_DOI = re.compile(r"10\.\d{4,9}/")
_CONTROLS = bytes({*range(32)} - {*b"\t\n\r"})
_LATIN = 0xC0  # from here on, a byte of ISO 8859-1 is a letter
_QUOTES = range(0x91, 0x98)  # quotation marks and dashes in Windows-1252
_ILL_FORMED = re.compile(
    rb"<!\[CDATA\[.*?\]\]>|<!--.*?-->|<\?.*?\?>"  # to be left as they are
    rb"|(?P<end>\]\]>)"
    rb"|(?P<open><)(?!/?[A-Za-z_:][\w:.-]*(?:\s+[\w:.-]+\s*=\s*(?:\"[^\"<]*\"|'[^'<]*'|[^\s<>\"']+))*\s*/?>|!)"
    rb"|(?P<and>&)(?!\#\d{1,7};|\#[xX][0-9A-Fa-f]{1,6};|[A-Za-z][A-Za-z0-9]{1,31};)"
    rb"|&(?P<name>[A-Za-z][A-Za-z0-9]{1,31});"
    rb"|&\#(?P<number>\d{1,7}|[xX][0-9A-Fa-f]{1,6});",
    re.DOTALL,
)
_PAIR = re.compile(
    rb"&\#(x[dD][89abAB][\dA-Fa-f]{2}|5[56]\d{3});&\#(x[dD][c-fC-F][\dA-Fa-f]{2}|5[67]\d{3});"
)
_SPACE = 32  # before it stand the controls
_NO_CHARACTER = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_OF_XML = frozenset({b"amp", b"lt", b"gt", b"quot", b"apos"})


def parse(body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    """A feed's ``version`` (empty if it is not a feed) and ``entries``.

    Each entry has only what an item needs, of limited length; its texts may have markup. Of the
    headers, ``content-type`` may name the encoding; ``content-location`` is the base of relative
    links.
    """
    import feedparser  # noqa: PLC0415 - the sandbox imports this module and does not need it

    _keep_as_written(feedparser.mixin)
    # It is called for each element with the same base: a fifth of the time.
    feedparser.mixin.make_safe_absolute_uri = lru_cache(feedparser.urls.make_safe_absolute_uri)
    body = _without_false_encoding(body)
    # With the address of a DTD, a parser that does not fetch it drops the entities it would define.
    if not _is_well_formed(body) or _DTD.search(body[:_HEAD]):
        body = _mended(body, headers.get("content-type", ""))
    # XML without any declaration is UTF-8; feedparser would take it for ISO 8859-1.
    known = {"content-type": "application/xml"} | dict(headers)
    # Not a str: feedparser would open a path, and fetch an address. Its sanitizer would drop text
    # like 'k<n and n>2'; what shows these texts strips and escapes them.
    feed = feedparser.parse(
        io.BytesIO(body), response_headers=known, sanitize_html=False, resolve_relative_uris=False
    )
    entries = [_entry(entry) for entry in feed.entries[:MAX_ENTRIES]]
    return {"version": feed.get("version") or "", "entries": entries}


def _keep_as_written(module: Any) -> None:  # noqa: ANN401 - feedparser is untyped
    """Have feedparser keep author fields and DOIs as they are written.

    It would cut addresses like ``ed@papers.science`` after four letters, take IEEE's ``<authors>``
    for its own list, and a DOI in a guid for a path on the feed's site.
    """

    def resolve(self: Any, address: str) -> str:  # noqa: ANN401 - feedparser is untyped
        base = self.baseuri or ""
        join = module._urljoin  # noqa: SLF001 - as below
        return address if _DOI.match(address) else join(base, address)

    mixin = module._FeedParserMixin  # noqa: SLF001 - it has no setting for this
    mixin.resolve_uri = resolve

    def keep(self: Any, key: str = "author") -> None:  # noqa: ANN401 - as above
        context = self._get_context()
        people = context.get(f"{key}s")
        if not self.inauthor and isinstance(people, list) and people and not people[-1]:
            people[-1]["name"] = context.get(key)

    mixin._sync_author_detail = keep  # noqa: SLF001 - as above
    mixin._start_authors = lambda self, _attributes: self.push("byline", 1)  # noqa: SLF001
    mixin._end_authors = lambda self: self.pop("byline")  # noqa: SLF001


def _is_well_formed(body: bytes) -> bool:
    try:
        xml.parsers.expat.ParserCreate().Parse(body, True)
    except (xml.parsers.expat.ExpatError, ValueError, LookupError):
        return False
    return True


def _without_false_encoding(body: bytes) -> bytes:
    """A body of single bytes without a declaration that names UTF-16, as .NET writes it."""
    declared = _ENCODING.match(body)
    if declared is None or not declared[1].lower().startswith((b"utf-16", b"utf16", b"unicode")):
        return body
    return body[declared.end() :].partition(b"?>")[2].lstrip()


def _mended(body: bytes, content_type: str) -> bytes:
    """An ill-formed feed with stray ``<`` and ``&`` escaped, and without bytes XML does not allow.

    feedparser alone would take one bad byte for proof that all is Windows-1252, and ``k<n`` for a
    tag.
    """
    if b"\0" in body[:4]:  # UTF-16 or UTF-32
        return body
    charset = _CHARSET.search(content_type)
    declared = _ENCODING.match(body)
    named = {
        charset[1].lower().encode() if charset else b"",
        declared[1].lower() if declared else b"",
    }
    if named <= _UTF8:
        body = _as_utf8(body)
    body = _PAIR.sub(_joined, body.translate(None, _CONTROLS))
    has_entities = b"<!ENTITY" in body

    def mend(match: re.Match[bytes]) -> bytes:
        if match["name"] and (has_entities or match["name"] in _OF_XML):
            return match[0]
        return _well_formed(match)

    return _ILL_FORMED.sub(mend, body)


def _as_utf8(body: bytes) -> bytes:
    """A body in UTF-8 without its bad bytes, or as it is if it is rather in another encoding."""
    good = body.decode("utf-8", "ignore")
    bad_bytes = len(body) - len(good.encode())
    if bad_bytes > len(good) - len(good.encode("ascii", "ignore")):
        return body
    codecs.register_error("newsletter", _bad_byte)
    return body.decode("utf-8", "newsletter").encode()


def _bad_byte(error: UnicodeError) -> tuple[str, int]:
    """What stands for bytes that are not UTF-8: their letter in Windows-1252, or U+FFFD."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    bad = error.object[error.start : error.end]
    is_letter = len(bad) == 1 and (bad[0] >= _LATIN or bad[0] in _QUOTES)
    return (bad.decode("cp1252") if is_letter else "\ufffd"), error.end


def _well_formed(match: re.Match[bytes]) -> bytes:
    """A piece of XML that :data:`_ILL_FORMED` found, well-formed."""
    if match["end"]:
        return b"]]&gt;"
    if match["open"]:
        return b"&lt;"
    if match["and"]:
        return b"&amp;"
    if match["name"]:
        characters = html.unescape(match[0].decode("ascii"))
        known = characters != match[0].decode("ascii")
        return (
            "".join(f"&#{ord(each)};" for each in characters).encode()
            if known
            else b"&amp;" + match[0][1:]
        )
    return _numbered(match) if match["number"] else match[0]


def _numbered(match: re.Match[bytes]) -> bytes:
    """A character's number, if XML allows it; nothing for a control, U+FFFD for other mistakes."""
    code = _code(match["number"])
    if _is_character(code):
        return match[0]
    return b"" if code < _SPACE else b"&#65533;"


def _code(digits: bytes) -> int:
    return int(digits[1:], 16) if digits[:1] in b"xX" else int(digits)


def _joined(pair: re.Match[bytes]) -> bytes:
    """The number of the character that two halves of a pair in UTF-16 stand for."""
    units = b"".join(_code(digits).to_bytes(2, "big") for digits in pair.groups())
    try:
        return f"&#{ord(units.decode('utf-16-be'))};".encode()
    except (UnicodeDecodeError, TypeError):
        return pair[0]


def _is_character(code: int) -> bool:
    """Whether XML 1.0 (2.2) allows it: no control, no half of a pair, no noncharacter."""
    return 0 < code <= sys.maxunicode and _NO_CHARACTER.match(chr(code)) is None


def _entry(entry: Any) -> dict[str, Any]:  # noqa: ANN401 - feedparser is untyped
    contents = [str(part.get("value") or "")[:MAX_TEXT] for part in entry.get("content") or []]
    contents += filter(None, [str(entry.get("dcterms_abstract") or "")[:MAX_TEXT]])
    return {
        "title": str(entry.get("title") or "")[:MAX_TEXT],
        "summary": str(entry.get("summary") or "")[:MAX_TEXT],
        "contents": sorted(contents, key=len, reverse=True)[:2],
        "link": _link(entry)[:MAX_TEXT],
        "comments": str(entry.get("comments") or "")[:MAX_TEXT],
        "ids": list(dict.fromkeys(_ids(entry))),
        "guid": str(entry.get("id") or "")[:MAX_TEXT],
        "authors": list(_authors(entry))[:MAX_AUTHORS],
        "categories": [str(tag.get("term") or "") for tag in (entry.get("tags") or [])[:MAX_LIST]],
        "dates": list(_dates(entry)),
        "announcement": str(entry.get("arxiv_announce_type") or ""),
        "comment": str(entry.get("arxiv_comment") or "")[:MAX_TEXT],
        "arxiv": any(key.startswith("arxiv_") for key in entry),
    }


def _link(entry: Any) -> str:  # noqa: ANN401 - as above
    """The page's address: FeedBurner's original, the link, or in place of none another one."""
    link = str(entry.get("link") or "")
    others = (each.get("href") for each in entry.get("links") or [] if each.get("rel") != "self")
    found = (entry.get("feedburner_origlink"), link, *others)
    return next((str(each) for each in found if str(each).startswith("http")), link)


def _ids(entry: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    for name in _IDS:
        value = entry.get(name)
        if isinstance(value, str) and value:
            yield value[:MAX_TEXT]


def _authors(entry: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    people = entry.get("authors")
    names = [person.get("name") for person in people or [] if isinstance(person, dict)]
    for name in list(filter(None, names)) or [entry.get("byline") or entry.get("author")]:
        if name:
            yield str(name)[:MAX_BYLINE]


def _dates(entry: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    """The dates of publication as written, or else of the last change; the surest first."""
    for name in _DATES:
        # For a missing date, feedparser would return another one, with a warning.
        written = str(entry[name] or "")[:MAX_DATE] if name in entry else ""
        parsed = entry.get(f"{name}_parsed") if written and not written.isascii() else None
        if parsed:  # Korean, Greek or Hungarian
            yield "{:04}-{:02}-{:02}".format(*parsed[:3])
        elif written:
            yield written


def main() -> None:
    """Parse one feed of standard input after the other, each in a process of its own.

    Starting Python and feedparser takes longer than parsing most feeds; a fork of this process
    does not.
    """
    import feedparser  # noqa: F401, PLC0415 - the processes that are forked have it already

    gc.freeze()  # so that they need not copy it
    while question := sys.stdin.buffer.readline():
        length, headers = json.loads(question)
        body = sys.stdin.buffer.read(length)
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            _answer(body, headers, writing)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            said = pipe.read().rstrip().rpartition(b"\n")[2]  # of an exception its last line
        exit_code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.stdout.buffer.write(b"%d %d\n%b" % (exit_code, len(said), said))
        sys.stdout.buffer.flush()


def _answer(body: bytes, headers: Mapping[str, str], pipe: int) -> NoReturn:
    """Write the feed's entries, or an exception, to the pipe; end within the limits."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    os.close(sys.stdin.fileno())  # only the parent reads the questions
    os.dup2(pipe, sys.stdout.fileno())
    os.dup2(pipe, sys.stderr.fileno())
    os.close(pipe)
    output = json.dumps(parse(body, headers))
    if len(output) > MAX_OUTPUT:
        sys.exit(f"its entries come to more than {MAX_OUTPUT // 2**20} MB")
    sys.stdout.write(output)
    sys.stdout.flush()
    os._exit(0)  # without the end of an interpreter, which takes as long as a feed


if __name__ == "__main__":
    main()
