"""Who a paper is: one canonical key, every other name it answers to, and when two are the same.

Keys, strongest first: ``arxiv:<id>``, ``doi:<lower case>``, ``acl:<id>``, ``openreview:<forum>``,
``pmid:<id>``, ``url:<normalised>``, ``feed:<feed-url>#<guid>``. A paper without any of these is
``title:<normalised>``; the alias ``text:<hash>`` of its title and abstract together is what joins
it to another.
"""

import hashlib
import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import fields, replace
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from newsletter.model import Identity, Item
from newsletter.text import folded, http_url

ORDER = ("arxiv", "doi", "acl", "openreview", "pmid", "url", "feed", "title")
"""The schemes, in the order in which one of a paper's names becomes its key."""

EXCLUSIVE = ("arxiv",)
"""Schemes under which a paper has one name only: two of them are two papers."""

STRONG = (*EXCLUSIVE, "doi", "acl", "openreview", "pmid")
"""Schemes of the archives: equal words are not enough where two papers differ in one of these."""

WORDS = ("text:", "title:")

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
_TELLING = 40
"""Letters an abstract must have to tell a paper, with its title, from every other."""

_LAST_FOUR_DIGITS = 1412
_FIRST = 704
_TURN = 600


def identify(item: Item) -> Identity:
    """The identity of an item: the strongest of its names as key, all of them as aliases."""
    names = list(dict.fromkeys(_names(item)))
    best = min(names, key=lambda name: ORDER.index(name.partition(":")[0]))
    told = {_text(item)} if len(normalise_title(item.abstract)) >= _TELLING else set()
    return Identity(key=best, aliases=frozenset({*names, *told}))


def is_same_paper(newcomer: Identity, known: frozenset[str]) -> bool:
    """Whether a newcomer is the paper that answers to these names.

    One name in common is enough, unless each has an arXiv number the other lacks: a DOI never
    joins two different arXiv numbers (53 DOIs sit on two or more). Where nothing but the words
    are in common, no other archive's ids may differ either.
    """
    shared = newcomer.aliases & known
    words_alone = all(name.startswith(WORDS) for name in shared)
    schemes = STRONG if words_alone else EXCLUSIVE
    return bool(shared) and not any(_differ(newcomer.aliases, known, scheme) for scheme in schemes)


def _differ(one: frozenset[str], other: frozenset[str], scheme: str) -> bool:
    """Whether both have names of this scheme, and none in common."""
    mine, theirs = _of(scheme, one), _of(scheme, other)
    return bool(mine and theirs and not mine & theirs)


def _of(scheme: str, names: frozenset[str]) -> set[str]:
    return {name for name in names if name.startswith(f"{scheme}:")}


def merge_items(known: Item, newcomer: Item) -> Item:
    """What is known of a paper, brought up to date by what a source says of it now.

    The higher version's words win, and a newcomer's votes and comments; what was not known is
    filled in; nothing that is known is lost. A withdrawal stays.
    """
    newer = (newcomer.version or 0) > (known.version or 0)
    kept, other = (newcomer, known) if newer else (known, newcomer)
    filled = {f.name: getattr(kept, f.name) or getattr(other, f.name) for f in fields(Item)}
    counted = {
        name: getattr(known, name) if getattr(newcomer, name) is None else getattr(newcomer, name)
        for name in ("upvotes", "comments", "code_stars")
    }
    return replace(
        known,
        **filled
        | counted
        | {
            "ids": tuple(dict.fromkeys((*known.ids, *newcomer.ids))),
            "categories": tuple(dict.fromkeys((*known.categories, *newcomer.categories))),
            "announcement": known.announcement,
        },
    )


def is_revision(known: Item, newcomer: Item) -> bool:
    """Whether a newcomer is a later version of what is known."""
    return known.version is not None and (newcomer.version or 0) > known.version


def parse_arxiv_id(raw: str) -> tuple[str, int | None] | None:
    """An arXiv number and version in any of the forms it is written in, or None.

    Four digits for 0704 to 1412, five from 1501 (https://info.arxiv.org/help/arxiv_identifier.html);
    the old form loses its subject class.
    """
    text = unquote(raw.strip())
    text = _ARXIV_PREFIX.sub("", text)
    text = re.sub(r"[?#].*$", "", text)
    text = re.sub(r"(?:\.pdf|\.md)?/?$", "", text, flags=re.IGNORECASE)
    if (new := _ARXIV_NEW.fullmatch(text)) is not None:
        month, digits = int(new[1]), len(new[2])
        expected = 4 if _FIRST <= month <= _LAST_FOUR_DIGITS else 5
        if digits != expected or _TURN < month < _FIRST:
            return None
        return f"{new[1]}.{new[2]}", int(new[3]) if new[3] else None
    if (old := _ARXIV_OLD.fullmatch(text)) is not None:
        return f"{old[1].lower()}/{old[2]}", int(old[3]) if old[3] else None
    return None


def find_dois(raw: str) -> tuple[str, ...]:
    """The DOIs a field holds, lower-cased, resolver and ``doi:`` stripped (ISO 26324)."""
    if not _DOI_MARK.match(raw.strip()):
        return ()
    text = re.sub(r"[?#].*$", "", unquote(raw))
    found = (match[0].lower().rstrip(".)") for match in _DOI.finditer(text))
    return tuple(_PREPRINT.sub(r"\1", doi) for doi in found)


def normalise_title(title: str) -> str:
    """A title as it is compared: no markup, accents, case, punctuation or spaces."""
    text = _TEX.sub(_untexed, html.unescape(title))
    text = "".join(_greek(character) for character in text)
    return "".join(character for character in folded(text) if character.isalnum())


def _untexed(macro: re.Match[str]) -> str:
    word = (macro["word"] or "").lower().removeprefix("var")
    return word if _GREEK.fullmatch(word) else ""


def _greek(character: str) -> str:
    """A Greek letter by its name, as TeX writes it; anything else as it is."""
    name = unicodedata.name(character, "")
    if name.startswith(("GREEK SMALL LETTER ", "GREEK CAPITAL LETTER ")):
        return name.split()[3].lower().replace("lamda", "lambda")
    return character


def _text(item: Item) -> str:
    words = f"{normalise_title(item.title)}\n{normalise_title(item.abstract)}"
    return f"text:{hashlib.blake2b(words.encode(), digest_size=16).hexdigest()}"


def _names(item: Item) -> Iterator[str]:
    """Every name an item's ids and addresses give it; its title where they give none."""
    raw = (*item.ids, *(address for address in (item.url, item.pdf) if address))
    found = [name for each in raw for name in _read(each)]
    yield from found or [_titled(item)]


def _titled(item: Item) -> str:
    # The abstract's hash keeps apart two papers of one title.
    return f"title:{normalise_title(item.title)[:200]}#{_text(item)[5:13]}"


def _read(raw: str) -> Iterator[str]:
    """The names an identifier or address, as a source wrote it, stands for."""
    if raw.startswith("feed:"):
        yield raw
        return
    if (arxiv := parse_arxiv_id(raw)) is not None:
        yield f"arxiv:{arxiv[0]}"
        return
    if found := find_dois(raw):
        yield from (f"doi:{doi}" for doi in found)
        return
    for scheme, pattern in (("acl", _ACL), ("openreview", _OPENREVIEW), ("pmid", _PMID)):
        if (match := pattern.match(raw.strip())) is not None:
            yield f"{scheme}:{match[1]}"
            return
    if (match := _BIORXIV.match(raw.strip())) is not None:
        doi = match[1] if match[1].startswith("10.") else f"10.1101/{match[1]}"
        yield f"doi:{doi.lower()}"
        return
    if (address := normalise_url(raw)) is not None:
        yield f"url:{address}"


def normalise_url(raw: str) -> str | None:
    """An address as it is compared: no scheme, ``www.``, tracking, fragment or last slash."""
    address = http_url(raw)
    if address is None:
        return None
    parts = urlsplit(address)
    host = parts.netloc.lower().removeprefix("www.")
    kept = [
        (k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if not _TRACKING.match(k)
    ]
    query = f"?{urlencode(sorted(kept))}" if kept else ""
    return f"{host}{parts.path.rstrip('/')}{query}"
