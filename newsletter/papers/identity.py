"""The identity of a paper: its key, its other names, and when two papers are the same.

Keys, strongest first: ``arxiv:<id>``, ``doi:<lower case>``, ``acl:<id>``, ``openreview:<forum>``,
``pmid:<id>``, ``url:<normalised>``, ``feed:<feed-url>#<guid>``. A paper without any of these has
the key ``title:<normalised>``. The alias ``text:<hash>``, of title and abstract together, joins
papers that have no other name in common.
"""

import hashlib
import html
import re
import unicodedata
from dataclasses import fields, replace
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from newsletter.model import Identity, Item
from newsletter.text import fold, http_url

ORDER = ("arxiv", "doi", "acl", "openreview", "pmid", "url", "feed", "title")  # strongest first
EXCLUSIVE = ("arxiv",)  # schemes in which a paper has one name: two different names are two papers

ARCHIVES = (*EXCLUSIVE, "doi", "acl", "openreview", "pmid")
"""Schemes of the archives: papers that differ in one of these are not joined by their texts."""

_TEXT_SCHEMES = ("text:", "title:")

_ARXIV_PREFIX = re.compile(
    r"^(?:(?:https?://)?(?:dx\.)?doi\.org/10\.48550/arxiv\.|(?:doi:\s*)?10\.48550/arxiv\."
    r"|oai:arxiv\.org:|(?:info:)?arxiv:\s*"
    r"|(?:https?://)?(?:[a-z0-9-]+\.)?arxiv\.org/(?:abs|pdf|html|ps|format|e-print|src|tb)/"
    r"|(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/papers/"
    r"|(?:https?://)?(?:www\.)?alphaxiv\.org/(?:abs|overview|pdf)/"
    r"|(?:https?://)?(?:www\.)?ar5iv(?:\.labs\.arxiv)?\.org/(?:abs|html)/)",
    re.IGNORECASE,
)
_ARXIV_NEW = re.compile(r"(\d{2}(?:0[1-9]|1[0-2]))\.(\d{4,5})(?:v([1-9]\d*))?")
_ARXIV_OLD = re.compile(r"([a-z][a-z-]+)(?:\.[a-z-]{2,})?/(\d{7})(?:v([1-9]\d*))?", re.IGNORECASE)
_DOI = re.compile(r"\b10\.\d{4,9}/[^\s\"<>;,]+", re.IGNORECASE)
_DOI_MARK = re.compile(
    r"^(?:doi:|(?:https?://)?(?:dx\.)?doi\.org/|info:doi/|10\.\d)", re.IGNORECASE
)
_PREPRINT = re.compile(r"(10\.(?:1101|64898)/[\d.]+)v\d+(?:\..*)?$")
_ACL = re.compile(r"^(?:https?://)?(?:www\.)?aclanthology\.org/([\w.-]+?)(?:\.pdf|/)?$")
_OPENREVIEW = re.compile(r"^(?:https?://)?openreview\.net/(?:forum|pdf)\?id=([\w-]+)")
_PMID = re.compile(
    r"^(?:pmid:\s*|(?:https?://)?pubmed\.ncbi\.nlm\.nih\.gov/)(\d{1,9})/?$", re.IGNORECASE
)
_BIORXIV = re.compile(
    r"^https?://(?:www\.|connect\.)?(?:bio|med)rxiv\.org/(?:cgi/)?content/"
    r"(?:short/|early/[\d/]+/)?(10\.\d+/[\d.]+|[\d.]+)(?:v\d+)?"
)
_TRACKING = re.compile(r"^(?:utm_.*|rss|ref|source|fbclid|gclid|mc_[ce]id|af|via)$", re.IGNORECASE)
_TEX = re.compile(r"\\(?P<word>[a-zA-Z]+)|\\.|[${}^_~]")
_GREEK = re.compile(
    "alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|omicron|pi|rho|sigma"
    "|tau|upsilon|phi|chi|psi|omega"
)
_DISTINCTIVE = 40  # letters an abstract must have so that it and the title identify one paper

# The year and month in an arXiv number: this form began in April 2007. Numbers up to 0600 are
# left to the next century; those in between do not exist.
_FIRST = 704
_LAST_FOUR_DIGITS = 1412
_LAST_OF_NEXT_CENTURY = 600


def identify(item: Item) -> Identity:
    """The identity of an item: the strongest of its names as key, all of them as aliases."""
    names = _names(item)
    key = min(names, key=lambda name: ORDER.index(name.partition(":")[0]))
    distinctive = len(normalise_title(item.abstract)) >= _DISTINCTIVE
    return Identity(key, frozenset([*names, _text_name(item)] if distinctive else names))


def is_same_paper(newcomer: Identity, known: frozenset[str]) -> bool:
    """Whether a newcomer is the paper with the names ``known``.

    One name in common is enough, unless each has an arXiv number that the other lacks: 53 DOIs
    belong to two or more arXiv numbers, and do not join them. If only the texts are in common,
    the ids of the other archives must not differ either.
    """
    shared = newcomer.aliases & known
    texts_only = all(name.startswith(_TEXT_SCHEMES) for name in shared)
    schemes = ARCHIVES if texts_only else EXCLUSIVE
    return bool(shared) and not any(_differ(newcomer.aliases, known, scheme) for scheme in schemes)


def _differ(one: frozenset[str], other: frozenset[str], scheme: str) -> bool:
    """Whether both have names of this scheme, and none in common."""
    mine, theirs = (
        {name for name in names if name.startswith(f"{scheme}:")} for names in (one, other)
    )
    return bool(mine and theirs and not mine & theirs)


def merge_items(known: Item, newcomer: Item) -> Item:
    """A known item updated by what a source lists now.

    Fields come from the higher version, and empty ones from the other; upvotes, comments and stars
    are the newcomer's if it has any. Ids and categories are joined. A withdrawal stays.
    """
    newer = (newcomer.version or 0) > (known.version or 0)
    first, second = (newcomer, known) if newer else (known, newcomer)
    merged = {f.name: getattr(first, f.name) or getattr(second, f.name) for f in fields(Item)}
    for name in ("upvotes", "comments", "code_stars"):
        count = getattr(newcomer, name)
        merged[name] = getattr(known, name) if count is None else count
    for name in ("ids", "categories"):
        merged[name] = tuple(dict.fromkeys((*getattr(known, name), *getattr(newcomer, name))))
    return replace(known, **merged | {"announcement": known.announcement})


def is_revision(known: Item, newcomer: Item) -> bool:
    """Whether a newcomer is a later version of an item with a known version."""
    return known.version is not None and (newcomer.version or 0) > known.version


def parse_arxiv_id(raw: str) -> tuple[str, int | None] | None:
    """An arXiv number and version out of any form in which they are written; else None.

    Numbers have four digits from 0704 to 1412 and five from 1501
    (https://info.arxiv.org/help/arxiv_identifier.html). The old form loses its subject class.
    """
    text = unquote(raw.strip())
    text = _ARXIV_PREFIX.sub("", text)
    text = re.sub(r"[?#].*$", "", text)
    text = re.sub(r"(?:\.pdf|\.md)?/?$", "", text, flags=re.IGNORECASE)
    if (new := _ARXIV_NEW.fullmatch(text)) is not None:
        month, digits = int(new[1]), len(new[2])
        expected = 4 if _FIRST <= month <= _LAST_FOUR_DIGITS else 5
        if digits != expected or _LAST_OF_NEXT_CENTURY < month < _FIRST:
            return None
        return f"{new[1]}.{new[2]}", int(new[3]) if new[3] else None
    if (old := _ARXIV_OLD.fullmatch(text)) is not None:
        return f"{old[1].lower()}/{old[2]}", int(old[3]) if old[3] else None
    return None


def find_dois(raw: str) -> tuple[str, ...]:
    """The DOIs in a field, in lower case, without resolver and ``doi:`` (ISO 26324)."""
    if not _DOI_MARK.match(raw.strip()):
        return ()
    text = re.sub(r"[?#].*$", "", unquote(raw))
    matches = (match[0].lower().rstrip(".)") for match in _DOI.finditer(text))
    return tuple(_PREPRINT.sub(r"\1", doi) for doi in matches)


def normalise_title(title: str) -> str:
    """A title for comparing: without markup, accents, case, punctuation and spaces."""
    text = _TEX.sub(_greek_macro, html.unescape(title))
    text = "".join(_greek(character) for character in text)
    return "".join(character for character in fold(text) if character.isalnum())


def _greek_macro(macro: re.Match[str]) -> str:
    """The name of the Greek letter that a TeX macro stands for; empty for other macros."""
    word = (macro["word"] or "").lower().removeprefix("var")
    return word if _GREEK.fullmatch(word) else ""


def _greek(character: str) -> str:
    """A Greek letter by the name TeX gives it; any other character unchanged."""
    name = unicodedata.name(character, "")
    if name.startswith(("GREEK SMALL LETTER ", "GREEK CAPITAL LETTER ")):
        return name.split()[3].lower().replace("lamda", "lambda")
    return character


def _text_name(item: Item) -> str:
    text = f"{normalise_title(item.title)}\n{normalise_title(item.abstract)}"
    return f"text:{hashlib.blake2b(text.encode(), digest_size=16).hexdigest()}"


def _names(item: Item) -> list[str]:
    """Every name that an item's ids and addresses give it; its title if they give none."""
    raw = (*item.ids, *(address for address in (item.url, item.pdf) if address))
    if names := dict.fromkeys(name for text in raw for name in _parse_names(text)):
        return list(names)
    # The abstract's hash separates two papers with the same title.
    return [f"title:{normalise_title(item.title)[:200]}#{_text_name(item)[5:13]}"]


def _parse_names(raw: str) -> list[str]:
    """The names in an identifier or address as a source wrote it."""
    if raw.startswith("feed:"):
        return [raw]
    if (arxiv := parse_arxiv_id(raw)) is not None:
        return [f"arxiv:{arxiv[0]}"]
    if dois := find_dois(raw):
        return [f"doi:{doi}" for doi in dois]
    for scheme, pattern in (("acl", _ACL), ("openreview", _OPENREVIEW), ("pmid", _PMID)):
        if (match := pattern.match(raw.strip())) is not None:
            return [f"{scheme}:{match[1]}"]
    if (match := _BIORXIV.match(raw.strip())) is not None:
        doi = match[1] if match[1].startswith("10.") else f"10.1101/{match[1]}"
        return [f"doi:{doi.lower()}"]
    address = normalise_url(raw)
    return [] if address is None else [f"url:{address}"]


def normalise_url(raw: str) -> str | None:
    """A web address for comparing: no scheme, ``www.``, tracking, fragment or last slash.

    None for a text that is not a web address.
    """
    address = http_url(raw)
    if address is None:
        return None
    parts = urlsplit(address)
    host = parts.netloc.lower().removeprefix("www.")
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    kept = sorted((name, value) for name, value in pairs if not _TRACKING.match(name))
    query = f"?{urlencode(kept)}" if kept else ""
    return f"{host}{parts.path.rstrip('/')}{query}"
