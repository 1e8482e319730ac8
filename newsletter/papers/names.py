"""The names of papers in the ids and addresses that sources write, and the version they carry.

A name is ``scheme:value``: ``arxiv:2508.13426``, ``doi:10.1038/x``, ``acl:…``, ``openreview:…``,
``pmid:…``, ``preprint:<server's own id>`` or ``url:<normalised>``. All versions of a preprint have
one name, on every server.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from newsletter.text import http_url

Name = tuple[str, int | None]
"""A name, and the version of the paper that was written with it."""

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

# The year and month in an arXiv number: this form began in April 2007. Numbers up to 0600 are
# left to the next century; those in between do not exist.
_FIRST = 704
_LAST_FOUR_DIGITS = 1412
_LAST_OF_NEXT_CENTURY = 600

_DOI = re.compile(r"(?<![\w.])10\.\d{4,9}/(?:\(sici\)[^\s\"]+|[^\s\"<>;,]+)", re.IGNORECASE)
_DOI_MARK = re.compile(r"(?:\S*[:/=]\s*|doi\s+)?10\.\d{4,9}/", re.IGNORECASE)
_DOI_VERSION = re.compile(
    r"(10\.(?:1101|64898)/[\d.]+(?=v)"  # bioRxiv, medRxiv
    r"|10\.(?:7287/peerj\.preprints|12074/\d{6})\.\d+(?=v)"  # PeerJ, ChinaXiv
    r"|10\.7554/elife\.\d+(?=\.)"  # reviewed preprints; components have three digits
    r"|10\.(?:12688|35241|7490)/[a-z0-9-]+\.\d+(?=\.)"  # F1000Research and its sister platforms
    r"|10\.1002/essoar\.\d+(?=\.)"
    r"|10\.32388/[a-z0-9]+(?=\.)"  # Qeios
    r"|10\.\d+/.+(?=[-._/]v))"  # all others: -v2, .v2, _v2, /v2
    r"[-._/]?v?([1-9]\d?)(?:\.\D.*)?"
)
# What publishers append to a DOI in an address.
_PAGE = re.compile(
    r"(?:/(?:full|full-?text|abs|abstract|e?pdf|pdfdirect|epub|html?|xml|meta|summary|references"
    r"|citations?|figures|tables|download)"
    r"|\.(?:full|full-text|abstract|short|long|pdf|html?|xml)(?:\+html)?)+$",
    re.IGNORECASE,
)
_ARTICLE_NUMBER = re.compile(  # Oxford University Press, MIT Press: the DOI, a number, a title
    r"(/(?:\w+-)?article(?:-\w+)?/doi/10\.\d{4,9}/.+?)/\d{4,}(?:/[^/]*)?$", re.IGNORECASE
)

_ARCHIVES = (
    ("acl", re.compile(
        r"(?:https?://)?(?:www\.)?(?:aclanthology\.org|aclweb\.org/anthology)/"
        r"([\w.-]+?)(?:(?<=\d)v(\d+))?(?:\.pdf|/)?$"
    )),
    ("openreview", re.compile(
        r"(?:https?://)?(?:www\.)?openreview\.net/(?:forum|pdf|attachment)\?(?:[^#]*&)?id=([\w-]+)()"
    )),
    ("pmid", re.compile(
        r"(?:(?:pmid|pubmed)[:\s]\s*|(?:https?://)?(?:pubmed\.ncbi\.nlm\.nih\.gov/"
        r"|(?:www\.)?ncbi\.nlm\.nih\.gov/pubmed/|europepmc\.org/(?:article|abstract)/med/))"
        r"(\d{1,9})/?()(?:[?#].*)?$", re.IGNORECASE
    )),
)  # fmt: skip
# Servers whose addresses have an id and a version, but not always a DOI. bioRxiv's and medRxiv's
# short addresses do not say which of their two DOI prefixes belongs to the paper.
_SERVERS = {
    re.compile(pattern, re.IGNORECASE): names
    for pattern, names in {
        r"(?:[\w-]+\.)?(?:bio|med)rxiv\.org/(?:cgi/)?content/(?:\w+/|early/[\d/]+/)?"
        r"(\d[\d.]*\d)(?:v(\d+))?": (
            "doi:10.1101/{}",
            "doi:10.64898/{}",
        ),
        r"researchsquare\.com/article/(rs-\d+)(?:/v(\d+))?": ("doi:10.21203/rs.3.{}",),
        r"preprints\.org/manuscript/(\d{6}\.\d{4,})(?:/v(\d+))?": ("doi:10.20944/preprints{}",),
        r"(?:\w+\.)?ssrn\.com/(?:.*\babstract_?id=|abstract=)(\d+)()": ("doi:10.2139/ssrn.{}",),
        r"elifesciences\.org/(?:reviewed-preprints|articles)/(\d+)(?:v(\d+))?": (
            "doi:10.7554/elife.{}",
        ),
        r"zenodo\.org/records?/(\d+)()": ("doi:10.5281/zenodo.{}",),
        r"(?:osf\.io/preprints|psyarxiv\.com|socarxiv\.org)/(?:\w+/)?([a-z0-9]{5})(?:_v(\d+))?\b": (
            "preprint:osf.io/{}",
        ),
        # F1000Research and its sister platforms
        r"((?:[\w-]*open-?research[\w-]*|f1000research|mededpublish|verixiv)[\w.]*\.(?:com|org|eu)"
        r"/articles/[\d-]+)(?:/v(\d+))?": ("preprint:{}",),
        r"(?:[\w-]+\.)?(?:hal\.science|archives-ouvertes\.fr)/([a-z]+-\d{8})(?:v(\d+))?": (
            "preprint:{}",
        ),
        r"((?:vixra|chinaxiv)\.org/abs/\d{4,6}\.\d{4,5})(?:v(\d+))?": ("preprint:{}",),
        # Open Preprint Systems: SciELO, engrXiv and others
        r"([^?]+/preprint/view/\d+)(?:/version/(\d+))?": ("preprint:{}",),
        r"((?:(?:[\w-]+\.)?figshare\.com|techrxiv\.org)/articles/(?:[^/]+/){1,2}\d{6,})"
        r"(?:/(\d+))?$": ("preprint:{}",),
        r"((?:authorea\.com|essopenarchive\.org)/users/\d+/articles/\d+)(?:[^/]*/v(\d+))?": (
            "preprint:{}",
        ),
    }.items()
}
_TRACKING = re.compile(
    r"utm_.*|rss|ref|ref_?src|source|via|af|fbclid|[dg]clid|msclkid|yclid|igshid|mc_[ce]id|mkt_tok"
    r"|_hs(?:enc|mi)|_g[al]|dgcid|cmpid|ncid|wt\..*|at_.*|ijkey|keytype|guccounter"
    r"|.*sess(?:ion)?_?id|cftoken|token|ticket",
    re.IGNORECASE,
)
_SESSION = re.compile(r";[^/;]*sess(?:ion)?_?id[^/;]*", re.IGNORECASE)
_DEFAULT_PORT = re.compile(r":(?:80|443)$")
_HOMES = {
    "arxiv.org": "arXiv",
    "biorxiv.org": "bioRxiv",
    "huggingface.co": "Hugging Face",
    "medrxiv.org": "medRxiv",
    "pubmed.ncbi.nlm.nih.gov": "PubMed",
}
_WWW = re.compile(r"^(?:www\.)+(?=[^.]+\.)")


@lru_cache(maxsize=16_384)  # a fetch asks for the names of each id several times
def parse_names(raw: str) -> tuple[Name, ...]:
    """The names in an identifier or address as a source wrote it; the strongest kind only."""
    text = raw.strip()
    if text.startswith("feed:"):
        return ((raw, None),)
    if (arxiv := parse_arxiv_id(text)) is not None:
        return ((f"arxiv:{arxiv[0]}", arxiv[1]),)
    for scheme, pattern in _ARCHIVES:
        if (match := pattern.match(text)) is not None:
            return ((f"{scheme}:{match[1]}", _number(match[2])),)
    if dois := tuple(_dois(text)):
        return tuple(name for doi, version in dois for name in _names_of_doi(doi, version))
    address = normalise_url(text)
    return () if address is None else _names_of_address(address)


def find_version(raw: Iterable[str]) -> int | None:
    """The version of a paper that its ids and addresses carry; the highest if they differ."""
    versions = (version for text in raw for _, version in parse_names(text))
    return max((version for version in versions if version is not None), default=None)


def other_home(url: str | None, ids: Iterable[str]) -> str | None:
    """The address of a paper's other version, if its ids name a preprint and a journal's article.

    ``url`` is the address of the one that is shown.
    """
    shown = {name for name, _ in parse_names(url or "")}
    schemes = ["arxiv:", "doi:"]
    if not any(name.startswith(tuple(schemes)) for name in shown):
        schemes.remove("doi:")  # the address is probably the DOI's own
    names = (name for raw in ids for name, _ in parse_names(raw))
    other = next((n for n in names if n.startswith(tuple(schemes)) and n not in shown), None)
    if other is None or not shown:
        return None
    scheme, _, value = other.partition(":")
    return http_url(f"https://{'arxiv.org/abs' if scheme == 'arxiv' else 'doi.org'}/{value}")


def home_name(url: str) -> str:
    """What people call the site of an address: ``arXiv``, ``nature.com``."""
    host = (urlsplit(url).hostname or "").removeprefix("www.")
    return _HOMES.get(host, host)


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
        return f"{new[1]}.{new[2]}", _number(new[3])
    if (old := _ARXIV_OLD.fullmatch(text)) is not None:
        return f"{old[1].lower()}/{old[2]}", _number(old[3])
    return None


def find_dois(raw: str) -> tuple[str, ...]:
    """The DOIs in a field or address (ISO 26324), in lower case.

    The resolver, ``doi:``, a publisher's page after it, and a preprint's version are left out.
    """
    return tuple(doi for doi, _ in _dois(raw.strip()))


def normalise_url(raw: str) -> str | None:
    """A web address for comparing: no scheme, ``www.``, tracking, session, fragment or last slash.

    None for a text that is not a web address.
    """
    address = http_url(raw)
    if address is None:
        return None
    parts = urlsplit(address)
    host = _WWW.sub("", _DEFAULT_PORT.sub("", parts.netloc.lower()))
    path = re.sub("%[0-9a-f]{2}", lambda code: code[0].upper(), _SESSION.sub("", parts.path))
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    kept = sorted(
        (name, value)
        for name, value in pairs
        if not _TRACKING.fullmatch(name) and value.lower() != "rss"
    )
    query = f"?{urlencode(kept)}" if kept else ""
    return f"{host}{path.rstrip('/')}{query}"


def _names_of_address(address: str) -> tuple[Name, ...]:
    for pattern, names in _SERVERS.items():
        if (match := pattern.match(address)) is not None:
            value, version = match[1].lower(), _number(match[2])
            return tuple((name.format(value), version) for name in names)
    return ((f"url:{address}", None),)


def _dois(text: str) -> Iterator[Name]:
    """The DOIs in a field, or in the path and the query of an address, with their versions."""
    if "://" not in text:
        yield from _dois_in(re.sub(r"[?#].*$", "", unquote(text)))
        return
    try:
        parts = urlsplit(text)
    except ValueError:
        return
    # A path may be encoded twice.
    path = _ARTICLE_NUMBER.sub(r"\1", unquote(unquote(parts.path)))
    yield from _dois_in(_PAGE.sub("", path))
    for _, value in parse_qsl(parts.query):
        if re.match(r"(?:doi:)?10\.\d", value, re.IGNORECASE):
            yield from _dois_in(unquote(value))


def _dois_in(text: str) -> Iterator[Name]:
    if not _DOI_MARK.match(text):
        return
    for match in _DOI.finditer(text):
        doi = _without_punctuation(match[0].lower())
        found = _DOI_VERSION.fullmatch(doi)
        if "/" in doi:
            yield (doi, None) if found is None else (found[1], int(found[2]))


def _without_punctuation(doi: str) -> str:
    """A DOI without what follows it in a sentence; a bracket that it opens itself stays."""
    text = doi.rstrip(".:;,'\"\u2019\u201d\u2026/")
    opening = {")": "(", "]": "[", "}": "{"}.get(text[-1:])
    if opening is not None and text.count(opening) < text.count(text[-1]):
        return _without_punctuation(text[:-1])
    return text


def _names_of_doi(doi: str, version: int | None) -> Iterator[Name]:
    arxiv = parse_arxiv_id(doi) if doi.startswith("10.48550/arxiv.") else None
    if arxiv is not None:
        yield f"arxiv:{arxiv[0]}", arxiv[1] or version
        return
    yield f"doi:{doi}", version
    _, mark, guid = doi.partition("/osf.io/")
    if mark:  # addresses of the Open Science Framework's servers do not show the DOI's prefix
        yield f"preprint:osf.io/{guid}", version


def _number(digits: str | None) -> int | None:
    return int(digits) if digits else None
