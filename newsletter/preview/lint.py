"""What is wrong with a letter, or could be better, found in its bytes."""

import asyncio
import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal, get_args

from newsletter.issue.editions import MAX_HTML_BYTES
from newsletter.preview.contrast import MIN_CONTRAST, find_low_contrast
from newsletter.preview.html_tree import Element, parse_declarations, parse_html
from newsletter.preview.letter import ParsedLetter, Scheme
from newsletter.text import http_url

MAX_SUBJECT = 78  # characters of a subject that every mail program shows

MAX_TEXT_LINE = 78
MIN_FONT_SIZE = 14  # pixels of the smallest text
QUOTED = 60  # characters of a text that a message quotes
MAX_STYLE_BYTES = 16_384  # bytes of one style element; Gmail drops a longer one

SPAMASSASSIN = "spamassassin"
SPAM_TIMEOUT = 60  # seconds that SpamAssassin may take; it starts anew for each letter
MAX_SPAM_SCORE = 0.0  # without network and training, the score depends on the letter only

# The page must stay fast while SpamAssassin works.
_LOW_PRIORITY = ("nice", "-n", "19") if shutil.which("nice") else ()

_SPAM_STATUS = re.compile(
    rb"^X-Spam-Status:.*?score=(-?[\d.]+).*?tests=(.*?)(?:\s\w+=|\r?\n\S)", re.DOTALL | re.MULTILINE
)
_PIXELS = re.compile(r"(\d+(?:\.\d+)?)px")
_BODY = re.compile(r"\{([^{}]*)\}")

_IGNORED: Mapping[str, Mapping[str, Sequence[str]]] = json.loads(
    files("newsletter").joinpath("data/mail_clients.json").read_text(encoding="utf-8")
)
"""What mail clients ignore, by kind: CSS properties and values, elements; each with the clients."""

Severity = Literal["wrong", "notice", "fine"]


@dataclass(frozen=True, slots=True)
class LintResult:
    """The result of a check: how bad it is, the area it is about, what was found and what to do."""

    severity: Severity
    area: str
    message: str


Problem = tuple[Severity, str]
"""What one check finds: how bad it is, and the message."""


def lint(letter: ParsedLetter, *, to_many: bool = True) -> list[LintResult]:
    """Check a letter; the worst results come first, and an area without problems is fine.

    One ``to_many`` readers needs what mailing lists have; a short email to one person does not.
    """
    root = parse_html(letter.html)
    checks = {
        "links": _check_links(root),
        "pictures": _check_pictures(root),
        "structure": _check_structure(root),
        "contrast": _check_contrast(root),
        "mail clients": _check_clients(root),
        "headers": _check_headers(letter, to_many=to_many),
        "text part": _check_text(letter),
    }
    results = [LintResult(severity, "size", text) for severity, text in _check_size(letter)]
    for area, found in checks.items():
        problems: Sequence[Problem] = list(found) or [("fine", "nothing found")]
        results += [LintResult(severity, area, text) for severity, text in problems]
    order = get_args(Severity)
    return sorted(results, key=lambda result: order.index(result.severity))


def _check_size(letter: ParsedLetter) -> Iterator[Problem]:
    if letter.size > MAX_HTML_BYTES:
        yield "wrong", f"{letter.size:,} bytes of HTML; Gmail clips an email at {MAX_HTML_BYTES:,}"


def _check_links(root: Element) -> Iterator[Problem]:
    for element in root.walk():
        if element.tag != "a":
            continue
        target = element.attributes.get("href", "")
        name = element.text or element.attributes.get("title", "")
        if not target.startswith("mailto:") and http_url(target) is None:
            link = target or "a link without an address"
            yield "wrong", f"{link} is not an absolute http or https address: {_quote(name)}"
        if not name and not any(one.attributes.get("alt") for one in element.walk()):
            yield "wrong", f"a link without text: {_quote(target)}"


def _check_pictures(root: Element) -> Iterator[Problem]:
    for element in root.walk():
        if element.tag != "img":
            continue
        source = element.attributes.get("src", "")
        if "alt" not in element.attributes:
            remedy = 'describe the picture in it, or write alt="" for an ornament'
            yield "wrong", f"{_quote(source)} has no alt: {remedy}"
        if source.startswith(("http:", "https:", "//")):
            yield "wrong", f"{_quote(source)} is on another server, which learns who reads when"


def _check_structure(root: Element) -> Iterator[Problem]:
    tags = [element.tag for element in root.walk()]
    page = next((each for each in root.walk() if each.tag == "html"), root)
    for name in ("lang", "dir"):
        if not page.attributes.get(name):
            yield "wrong", f"<html> has no {name}"
    if tags.count("h1") != 1:
        yield "wrong", f"{tags.count('h1')} h1 elements; a page needs exactly one"
    if not any(each.tag == "title" and each.own_text for each in root.walk()):
        yield "wrong", "the page has no title"
    bare = [e for e in root.walk() if e.tag == "table" and not e.attributes.get("role")]
    if bare:
        yield "wrong", f"{len(bare)} tables without a role: screen readers announce their cells"
    small = {size for each in root.walk() if each.is_shown for size in _small_sizes(each)}
    if small:
        yield "wrong", f"text of {min(small):g} pixels; use at least {MIN_FONT_SIZE}"


def _small_sizes(element: Element) -> Iterator[float]:
    """The size of an element's text if it is set and too small."""
    found = _PIXELS.match(element.style.get("font-size", ""))
    if found and 0 < float(found[1]) < MIN_FONT_SIZE and element.text:
        yield float(found[1])


def _check_contrast(root: Element) -> Iterator[Problem]:
    for scheme in get_args(Scheme):
        by_ratio: dict[float, tuple[str, int]] = {}
        for text, ratio in find_low_contrast(root, scheme):
            first, count = by_ratio.get(round(ratio, 2), (text, 0))
            by_ratio[round(ratio, 2)] = (first, count + 1)
        for ratio, (text, count) in sorted(by_ratio.items()):
            place = f"{ratio:.1f} : 1 on a {scheme} screen, {count} times"
            yield "wrong", f"{place}; at least {MIN_CONTRAST} is readable: {_quote(text)}"


def _check_clients(root: Element) -> Iterator[Problem]:
    """What some mail clients ignore, each thing once."""
    ignored: dict[str, Sequence[str]] = {}
    for element in root.walk():
        if element.tag in _IGNORED["elements"]:
            ignored[f"<{element.tag}>"] = _IGNORED["elements"][element.tag]
        if element.tag == "style":
            css = "".join(element.texts)
            size = len(css.encode())
            if size > MAX_STYLE_BYTES:
                limit = f"Gmail drops one of more than {MAX_STYLE_BYTES:,}"
                yield "wrong", f"a style element of {size:,} bytes; {limit}"
            ignored.update(rule for rule in _IGNORED["at-rules"].items() if rule[0] in css)
            for body in _BODY.findall(css):
                ignored.update(_list_ignored(body))
        ignored.update(_list_ignored(element.attributes.get("style", "")))
    for what, clients in sorted(ignored.items()):
        yield "notice", f"{what} is ignored by {' and '.join(clients)}; do not depend on it"


def _list_ignored(css: str) -> Iterator[tuple[str, Sequence[str]]]:
    """The declarations that some clients ignore, each with these clients."""
    for name, value in parse_declarations(css).items():
        if name in _IGNORED["properties"] and value not in {"none", "static"}:
            yield name, _IGNORED["properties"][name]
        declaration = f"{name}: {value.split(' ')[0]}"
        if declaration in _IGNORED["values"]:
            yield declaration, _IGNORED["values"][declaration]
        for call, clients in _IGNORED["functions"].items():
            if call in value:
                yield f"{name}: {call}…)", clients


def _check_headers(letter: ParsedLetter, *, to_many: bool) -> Iterator[Problem]:
    names = [name.lower() for name, _ in letter.headers]
    for name in ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version"):
        if names.count(name.lower()) != 1:
            yield "wrong", f"{name} occurs {names.count(name.lower())} times; it must occur once"
    for name in ("List-Unsubscribe", "List-Id") if to_many else ():
        if name.lower() not in names:
            yield "wrong", f"there is no {name}"
    if to_many and "list-unsubscribe-post" not in names:
        yield (
            "notice",
            "no one-click unsubscribe, which Gmail and Yahoo require of large senders: set `url:`",
        )
    if len(letter.subject) > MAX_SUBJECT:
        length = f"a subject of {len(letter.subject)} characters"
        yield "notice", f"{length}; phones cut it off after {MAX_SUBJECT}"


def _check_text(letter: ParsedLetter) -> Iterator[Problem]:
    if not letter.text.strip():
        yield "wrong", "it is empty"
    long = [line for line in letter.text.splitlines() if len(line) > MAX_TEXT_LINE]
    # A single word cannot be broken, nor can an address.
    wide = [line for line in long if not re.search(r"^\s*\S+\s*$|://|mailto:", line)]
    if wide:
        count = f"{len(wide)} lines of more than {MAX_TEXT_LINE} characters"
        yield "notice", f"{count}: {_quote(wide[0])}"


def _quote(text: str) -> str:
    return text if len(text) <= QUOTED else f"{text[: QUOTED - 1]}…"


async def check_spam(content: bytes) -> LintResult:
    """SpamAssassin's score of a letter, found without network; a notice if it gives none."""
    program = shutil.which(SPAMASSASSIN)
    if program is None:
        message = "SpamAssassin is not installed; on Debian: apt-get install spamassassin"
        return LintResult("notice", "spam", message)
    process = await asyncio.create_subprocess_exec(
        *_LOW_PRIORITY, program, "-L", "-t",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        answer, _ = await asyncio.wait_for(process.communicate(content), SPAM_TIMEOUT)
    except TimeoutError:
        process.kill()
        await process.wait()
        message = f"SpamAssassin did not answer in {SPAM_TIMEOUT} seconds"
        return LintResult("notice", "spam", message)
    return _parse_score(answer)


def _parse_score(answer: bytes) -> LintResult:
    found = _SPAM_STATUS.search(answer)
    if found is None:
        return LintResult("notice", "spam", "SpamAssassin gave no score")
    score = float(found[1])
    tests = ", ".join(re.split(r"[,\s]+", found[2].decode("ascii", "replace")))
    severity: Severity = "wrong" if score > MAX_SPAM_SCORE else "fine"
    return LintResult(severity, "spam", f"SpamAssassin: {score:.1f} ({tests})")
