"""The identity of a paper: its key, its other names, and when two papers are the same.

:mod:`newsletter.papers.names` reads the names that sources write. A key is the strongest of them
by ``ORDER``; a paper without any has the key ``title:<normalised>``. Two aliases come from the
texts: ``text:<hash>``, of title and abstract together, joins papers that have no other name in
common; ``entry:<source>#<hash>``, of the title, finds a paper again whose source changes its links.
"""

import hashlib
import html
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from datetime import date, timedelta

from newsletter.model import Identity, Item
from newsletter.papers.names import parse_names
from newsletter.text import fold

EXCLUSIVE = ("arxiv",)  # schemes in which a paper has one name: two different names are two papers

ARCHIVES = (*EXCLUSIVE, "doi", "acl", "openreview", "pmid", "preprint")
"""Schemes of the archives: papers that differ in one of these are joined only by another of these,
not by an address or their texts."""

ORDER = (*ARCHIVES, "url", "feed", "title", "text", "entry")  # strongest first

_ADDRESSES = ("url:", "feed:")  # names that a source may give to several papers
_ENTRY = "entry:"
_ZENODO = "doi:10.5281/zenodo."

_TEX = re.compile(r"\\(?P<word>[a-zA-Z]+)|\\.|[${}^_~]")
_GREEK = re.compile(
    "alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|omicron|pi|rho|sigma"
    "|tau|upsilon|phi|chi|psi|omega"
)
_ASCII_WORD = re.compile(r"[a-z0-9]+")
_WORD = re.compile("[\u3040-\u30ff\u3400-\u9fff]|[^\\W_\u3040-\u30ff\u3400-\u9fff]+")  # or a sign
_DISTINCTIVE = 40  # letters an abstract must have so that it and the title identify one paper
_LONG = 200  # letters; publishers' boilerplate is shorter
_DISTINCTIVE_TITLE = 20  # letters; shorter ones, as "Issue Information", are used again
_LONG_AGO = timedelta(days=60)  # published before that, a paper with a known title is no news
_OVERLAP = 0.5  # the part of the shorter abstract that must be in the other one
_SAME_WORDS = 0.7  # the part of two titles' words that both must have if one is the other, edited
_SHINGLE = 4  # letters of the pieces that are compared


def identify(item: Item, source: str = "") -> Identity:
    """The identity of an item: the strongest of its names as key, all of them as aliases.

    With the name of a source, its items are also known by their titles, unless they have an arXiv
    number.
    """
    title, abstract = normalise_title(item.title), normalise_title(item.abstract)
    text = _digest(f"{title}\n{abstract}")
    # The abstract's hash separates two papers with the same title.
    names = _names(item) or [f"title:{title[:200]}#{text[:8]}"]
    key = min(names, key=strength)
    if len(abstract) >= _DISTINCTIVE:
        names.append(f"text:{text}")
    if source and title and not key.startswith("arxiv:"):
        names.append(f"{_ENTRY}{source.replace('#', ' ')}#{_digest(title)}")
    return Identity(key, frozenset(names))


def strength(name: str) -> int:
    """The place of a name's scheme in ``ORDER``."""
    return ORDER.index(name.partition(":")[0])


def mark_shared(items: Iterable[Item]) -> Iterator[Item]:
    """The items of one answer; ids and addresses that several of them carry name none.

    The same title with the same abstract is one item listed twice. Two versions of a preprint may
    have different titles, and one paper in an archive different abstracts.
    """
    named = [(item, {raw: parse_names(raw) for raw in _raw_names(item)}) for item in items]
    carriers: defaultdict[tuple[str, int | None], set[tuple[str, str]]] = defaultdict(set)
    for item, names_of in named:
        title = normalise_title(item.title)
        for name, version in (name for names in names_of.values() for name in names):
            text = item.abstract if name.startswith(_ADDRESSES) else ""
            carriers[name, version].add((title, text))
    for item, names_of in named:
        shared = [r for r, names in names_of.items() if any(len(carriers[n]) > 1 for n in names)]
        yield replace(item, shared=tuple(shared)) if shared else item


def is_same_paper(newcomer: Identity, known: frozenset[str]) -> bool:
    """Whether a newcomer can be the paper with the names ``known``, by its names.

    One name in common is enough, unless each has an arXiv number that the other lacks: 53 DOIs
    belong to two or more arXiv numbers, and do not join them. If no id of an archive is in common,
    the ids of the other archives must not differ either.
    """
    shared = newcomer.aliases & known
    strong = any(name.partition(":")[0] in ARCHIVES for name in shared)
    schemes = EXCLUSIVE if strong else ARCHIVES
    return bool(shared) and not any(
        do_differ(newcomer.aliases, known, f"{scheme}:") for scheme in schemes
    )


def do_texts_agree(
    newcomer: Identity, names: frozenset[str], item: Item, known: Item, day: date | None
) -> bool:
    """Whether a newcomer that can be a known paper by its names is that paper by its texts, too.

    Strong names need no texts. If a source has listed another title under an address, that may be
    the address of several papers; a title may be that of several, too. In doubt they are two
    papers: a repeat is better than a loss. ``day`` is today, or None if the known item is in the
    same answer.
    """
    shared = newcomer.aliases & names
    if not all(name.startswith((*_ADDRESSES, _ENTRY)) for name in shared):
        return True
    titled = any(name.startswith(_ENTRY) for name in shared)
    addressed = any(name.startswith(_ADDRESSES) for name in shared)
    own = {f"{name.partition('#')[0]}#" for name in newcomer.aliases if "#" in name}
    differing = {prefix for prefix in own if do_differ(newcomer.aliases, names, prefix)}
    if titled:
        renumbered = any(prefix.startswith("feed:") for prefix in differing)
        return (addressed and not renumbered) or _is_listed_again(item, known, day)
    renamed = any(prefix.startswith(_ENTRY) for prefix in differing)
    return not renamed or _is_edited(item, known)


def _is_listed_again(item: Item, known: Item, day: date | None) -> bool:
    """Whether an item with the title of a known one, and other addresses, is that one.

    Abstracts tell, and between two answers also the date: what was published long ago under a known
    title is no news.
    """
    if day is not None and item.published is not None and item.published < day - _LONG_AGO:
        return True
    one, other = normalise_title(item.abstract), normalise_title(known.abstract)
    if min(len(one), len(other)) >= _DISTINCTIVE:
        pieces = _shingles(one), _shingles(other)
        return len(pieces[0] & pieces[1]) >= _OVERLAP * min(map(len, pieces))
    distinctive = len(normalise_title(item.title)) >= _DISTINCTIVE_TITLE
    return day is not None and distinctive and item.published == known.published


def _is_edited(item: Item, known: Item) -> bool:
    """Whether a title is a known one, edited: most words and every number are the same.

    A long abstract that stays the same shows it too.
    """
    abstract = normalise_title(item.abstract)
    if len(abstract) >= _LONG and abstract == normalise_title(known.abstract):
        return True
    one, other = (set(re.findall(r"\w+", fold(title))) for title in (item.title, known.title))
    numbers = [{word for word in words if any(map(str.isdigit, word))} for words in (one, other)]
    return numbers[0] == numbers[1] and len(one & other) >= _SAME_WORDS * len(one | other)


def _shingles(text: str) -> set[str]:
    return {text[start : start + _SHINGLE] for start in range(len(text) - _SHINGLE + 1)}


def do_differ(one: frozenset[str], other: frozenset[str], prefix: str) -> bool:
    """Whether both have names that begin so, and none of them in common.

    Zenodo's do not count, where each version of a record has a DOI of its own.
    """
    mine, theirs = (
        {name for name in names if name.startswith(prefix) and not name.startswith(_ZENODO)}
        for names in (one, other)
    )
    return bool(mine and theirs and not mine & theirs)


def merge_items(known: Item, newcomer: Item) -> Item:
    """A known item updated by what a source lists now.

    Fields come from the higher version, and empty ones from the other; upvotes, comments and stars
    are the newcomer's if it has any. Ids, categories and sources are joined. A withdrawal stays,
    and so does the date of the first listing.
    """
    newer = (newcomer.version or 0) > (known.version or 0)
    first, second = (newcomer, known) if newer else (known, newcomer)
    merged = {f.name: getattr(first, f.name) or getattr(second, f.name) for f in fields(Item)}
    for name in ("upvotes", "comments", "code_stars"):
        count = getattr(newcomer, name)
        merged[name] = getattr(known, name) if count is None else count
    for name in ("ids", "categories", "shared", "sources", "homes"):
        merged[name] = tuple(dict.fromkeys((*getattr(known, name), *getattr(newcomer, name))))
    return replace(known, **merged | {"announcement": known.announcement, "listed": known.listed})


def add_copy(known: Item, copy: Item) -> Item:
    """A known item with what a copy of it adds: its home, its counts, and what was empty.

    The texts, ids and links of the known one stay.
    """
    others = replace(copy, version=None, withdrawn=False, ids=(), shared=())
    homes = dict.fromkeys((*known.homes, *copy.homes, *filter(None, (copy.url,))))
    homes.pop(known.url or "", None)
    return replace(merge_items(known, others), homes=tuple(homes))


def is_revision(known: Item, newcomer: Item) -> bool:
    """Whether a newcomer is a later version of an item with a known version."""
    return known.version is not None and (newcomer.version or 0) > known.version


def normalise_title(title: str) -> str:
    """A title for comparing: without markup, accents, case, punctuation and spaces."""
    return "".join(plain_words(title))


def plain_words(text: str) -> list[str]:
    """The words of a text without markup, accents and case; Greek letters have their names.

    In Chinese and Japanese each sign is a word.
    """
    text = _TEX.sub(_greek_macro, html.unescape(text))
    if not text.isascii():
        text = "".join(map(_greek, text))
    folded = fold(text)
    return (_ASCII_WORD if folded.isascii() else _WORD).findall(folded)


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


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _raw_names(item: Item) -> tuple[str, ...]:
    """The ids and addresses that may name an item."""
    return (*item.ids, *(address for address in (item.url, item.pdf) if address))


def _names(item: Item) -> list[str]:
    """Every name that an item's ids and addresses give it."""
    raw = (text for text in _raw_names(item) if text not in item.shared)
    return list(dict.fromkeys(name for text in raw for name, _ in parse_names(text)))
