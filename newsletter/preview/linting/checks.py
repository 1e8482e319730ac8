"""A letter looked at: size, links, pictures, structure, contrast, clients, headers, text."""

import re
from collections.abc import Iterator
from typing import get_args

from newsletter.issue.editions import MAX_HTML_BYTES
from newsletter.preview.choice import Scheme
from newsletter.preview.letter import Letter
from newsletter.preview.linting.clients import unsupported
from newsletter.preview.linting.contrast import ENOUGH, faint
from newsletter.preview.linting.finding import Finding
from newsletter.preview.linting.markup import Element, parse
from newsletter.text import http_url

SUBJECT = 78
"""Characters of a subject that every program shows."""

TEXT_LINE = 78
SMALLEST = 14
"""Pixels of the smallest letters."""

SHOWN = 60
"""Characters of a text that a finding quotes."""

_PIXELS = re.compile(r"(\d+(?:\.\d+)?)px")


def findings(letter: Letter) -> list[Finding]:
    """What was found, the wrong first; an area in which nothing was is said to be fine."""
    root = parse(letter.html)
    made = [
        *_size(letter),
        *_or_fine("links", list(_links(root))),
        *_or_fine("pictures", list(_pictures(root))),
        *_or_fine("structure", list(_structure(root))),
        *_or_fine("contrast", list(_contrast(root))),
        *_or_fine("mail clients", list(unsupported(root))),
        *_or_fine("headers", list(_headers(letter))),
        *_or_fine("text part", list(_text(letter))),
    ]
    order = {"wrong": 0, "notice": 1, "fine": 2}
    return sorted(made, key=lambda finding: order[finding.weight])


def _or_fine(about: str, found: list[Finding]) -> list[Finding]:
    return found or [Finding("fine", about, "nothing found")]


def _size(letter: Letter) -> Iterator[Finding]:
    if letter.size > MAX_HTML_BYTES:
        said = f"{letter.size:,} bytes of HTML: past {MAX_HTML_BYTES:,} Gmail cuts the letter off"
        yield Finding("wrong", "size", said)


def _links(root: Element) -> Iterator[Finding]:
    for element in root.walk():
        if element.tag != "a":
            continue
        target = element.attributes.get("href", "")
        named = element.text or element.attributes.get("title", "")
        if not target.startswith("mailto:") and http_url(target) is None:
            said = f"{target or 'a link without an address'} is no absolute http or https address"
            yield Finding("wrong", "links", f"{said}: {_short(named)}")
        if not named and not any(one.attributes.get("alt") for one in element.walk()):
            yield Finding("wrong", "links", f"a link without words: {_short(target)}")


def _pictures(root: Element) -> Iterator[Finding]:
    for element in root.walk():
        if element.tag != "img":
            continue
        source = element.attributes.get("src", "")
        if "alt" not in element.attributes:
            said = f'{_short(source)} has no alt; write what it shows, or alt="" for an ornament'
            yield Finding("wrong", "pictures", said)
        if source.startswith(("http:", "https:", "//")):
            said = f"{_short(source)} is loaded from elsewhere: it tells who reads when"
            yield Finding("wrong", "pictures", said)


def _structure(root: Element) -> Iterator[Finding]:
    tags = [element.tag for element in root.walk()]
    page = next((each for each in root.walk() if each.tag == "html"), root)
    for name in ("lang", "dir"):
        if not page.attributes.get(name):
            yield Finding("wrong", "structure", f"<html> has no {name}")
    if tags.count("h1") != 1:
        yield Finding("wrong", "structure", f"{tags.count('h1')} h1, where a page has one")
    if not any(each.tag == "title" and each.own_text for each in root.walk()):
        yield Finding("wrong", "structure", "the page has no title")
    bare = [e for e in root.walk() if e.tag == "table" and not e.attributes.get("role")]
    if bare:
        said = f"{len(bare)} tables without a role: screen readers count their cells"
        yield Finding("wrong", "structure", said)
    small = {size for each in root.walk() if each.is_shown for size in _sizes(each)}
    if small:
        said = f"letters of {min(small):g} pixels; {SMALLEST} can be read"
        yield Finding("wrong", "structure", said)


def _sizes(element: Element) -> Iterator[float]:
    """The size of a text's letters where it is said and too small."""
    found = _PIXELS.match(element.style.get("font-size", ""))
    if found and 0 < float(found[1]) < SMALLEST and element.text:
        yield float(found[1])


def _contrast(root: Element) -> Iterator[Finding]:
    for scheme in get_args(Scheme):
        seen: dict[float, tuple[str, int]] = {}
        for found in faint(root, scheme):
            key = round(found.ratio, 2)
            text, count = seen.get(key, (found.text, 0))
            seen[key] = (text, count + 1)
        for ratio, (text, count) in sorted(seen.items()):
            said = f"{ratio:.1f} : 1 on a {scheme} screen, {count} times; {ENOUGH} can be read"
            yield Finding("wrong", "contrast", f"{said}: {_short(text)}")


def _headers(letter: Letter) -> Iterator[Finding]:
    names = [name.lower() for name, _ in letter.headers]
    for name in ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version"):
        if names.count(name.lower()) != 1:
            said = f"{name} stands {names.count(name.lower())} times, where it stands once"
            yield Finding("wrong", "headers", said)
    for name in ("List-Unsubscribe", "List-Id"):
        if name.lower() not in names:
            yield Finding("wrong", "headers", f"there is no {name}")
    if "list-unsubscribe-post" not in names:
        said = "no one-click unsubscribe, which Gmail and Yahoo ask of many letters: set `url:`"
        yield Finding("notice", "headers", said)
    if len(letter.subject) > SUBJECT:
        said = f"a subject of {len(letter.subject)} characters; phones cut it off after {SUBJECT}"
        yield Finding("notice", "headers", said)


def _text(letter: Letter) -> Iterator[Finding]:
    if not letter.text.strip():
        yield Finding("wrong", "text part", "it is empty")
    long = [
        line for line in letter.text.splitlines() if len(line) > TEXT_LINE and " " in line.strip()
    ]
    wide = [line for line in long if "://" not in line and "mailto:" not in line]
    if wide:
        said = f"{len(wide)} lines of more than {TEXT_LINE} characters: {_short(wide[0])}"
        yield Finding("notice", "text part", said)


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
