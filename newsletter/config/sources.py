"""The settings of each kind of source, and the one list of kinds.

A new kind takes a class here, its place in ``AnySource``, and an adapter in ``sources/``; mypy then
demands the line that builds the adapter, and a test demands its docs.
"""

import difflib
import re
from typing import Annotated, Any, ClassVar, Literal, Self, get_args
from urllib.parse import unquote_plus

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator
from typing_extensions import override

from newsletter.config.fields import Header, Strict, WebAddress

_ARXIV_ADDRESS = re.compile(
    r"https?://(?:(?:rss|export|www)\.)?arxiv\.org/(?:rss|atom|list)\b(?:/([^/?#]*))?",
    re.IGNORECASE,
)
_PREPRINT_ADDRESS = re.compile(
    r"https?://(?:connect|www)\.(?P<server>biorxiv|medrxiv)\.org"
    r"/(?:\w+_xml\.php\?(?:.*&)?subject=|collection/)(?P<category>[\w%+-]+)",
    re.IGNORECASE,
)
EVERY_FIELD = frozenset({"category", "keyword", "org"})
"""The fields of a paper that not every kind of source gives."""

_PUBMED_SEARCH = re.compile(
    r"https?://pubmed\.ncbi\.nlm\.nih\.gov/?\?(?:[^#]*&)?term=(?P<query>[^&#]+)", re.IGNORECASE
)
_DAILY_PAPERS = re.compile(
    r"https?://(?:www\.)?(?:huggingface\.co|hf\.co)/papers/?(?:[?#]|date/|$)", re.IGNORECASE
)

HEADER_NAME = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"
"""A header's name (RFC 9110, 5.1)."""

_SERVERS = {"biorxiv": "bioRxiv", "medrxiv": "medRxiv"}

_PREPRINT_CATEGORIES = {
    "biorxiv": "animal behavior and cognition|biochemistry|bioengineering|bioinformatics|biophysics"
    "|cancer biology|cell biology|clinical trials|developmental biology|ecology|epidemiology"
    "|evolutionary biology|genetics|genomics|immunology|microbiology|molecular biology"
    "|neuroscience|paleontology|pathology|pharmacology and toxicology|physiology|plant biology"
    "|scientific communication and education|synthetic biology|systems biology|zoology",
    "medrxiv": "addiction medicine|allergy and immunology|anesthesia|cardiovascular medicine"
    "|dentistry and oral medicine|dermatology|emergency medicine|endocrinology|epidemiology"
    "|forensic medicine|gastroenterology|genetic and genomic medicine|geriatric medicine"
    "|health economics|health informatics|health policy|health systems and quality improvement"
    "|hematology|hiv aids|infectious diseases|intensive care and critical care medicine"
    "|medical education|medical ethics|nephrology|neurology|nursing|nutrition"
    "|obstetrics and gynecology|occupational and environmental health|oncology|ophthalmology"
    "|orthopedics|otolaryngology|pain medicine|palliative medicine|pathology|pediatrics"
    "|pharmacology and therapeutics|primary care research|psychiatry and clinical psychology"
    "|public and global health|radiology and imaging"
    "|rehabilitation medicine and physical therapy|respiratory medicine|rheumatology"
    "|sexual and reproductive health|sports medicine|surgery|toxicology|transplantation|urology",
}
"""The categories of each server (https://www.biorxiv.org, https://www.medrxiv.org), made plain."""


def plain_category(name: str) -> str:
    """A category of bioRxiv or medRxiv in small letters, without brackets, its words apart."""
    return " ".join(re.sub(r"\([^()]*\)|[\s_/-]+", " ", name).casefold().split())


def kind_of_address(address: str) -> dict[str, Any] | None:
    """The settings of the kind that reads what an address lists, other than a feed; None if none.

    There is one for arXiv's announcements, the categories of bioRxiv and medRxiv, searches of
    PubMed, and Daily Papers.
    """
    if (match := _ARXIV_ADDRESS.match(address)) is not None:
        categories = list(filter(None, re.split(r"[+ ]|%20|%2B", match[1] or "")))
        return {"kind": "arxiv", "categories": categories or ["cs.CL"]}
    if (match := _PREPRINT_ADDRESS.match(address)) is not None:
        server, category = match["server"].lower(), plain_category(unquote_plus(match["category"]))
        known = category in _PREPRINT_CATEGORIES[server].split("|")
        own = {"kind": "biorxiv", **({} if server == "biorxiv" else {"server": server})}
        return own | ({"categories": [category]} if known else {})
    if (match := _PUBMED_SEARCH.match(address)) is not None:
        return {"kind": "pubmed", "query": unquote_plus(match["query"])}
    return {"kind": "huggingface"} if _DAILY_PAPERS.match(address) else None


class SourceSettings(Strict):
    """The settings that every kind has; ``gives`` is which of ``EVERY_FIELD`` its papers have."""

    gives: ClassVar[frozenset[str]] = EVERY_FIELD

    name: str | None = None
    timeout: float = Field(default=30, gt=0, le=300)
    retry_for: float = Field(default=45, ge=0, le=600)
    headers: dict[Annotated[str, Field(pattern=HEADER_NAME)], Header] = Field(
        default_factory=dict, repr=False
    )
    allow_private_addresses: bool = False

    @property
    def default_name(self) -> str:
        """The name in reports and emails if ``name`` is not set."""
        raise NotImplementedError(f"{type(self).__name__} has no default_name")

    @property
    def display_name(self) -> str:
        """The name in reports and emails."""
        return self.name or self.default_name


class HuggingFaceSource(SourceSettings):
    """Hugging Face Daily Papers, from its API or from saved answers."""

    gives = frozenset({"keyword", "org"})
    kind: Literal["huggingface"]
    url: WebAddress = "https://huggingface.co"
    path: str | None = None

    @property
    @override
    def default_name(self) -> str:
        return "Hugging Face Daily Papers"


class ArxivSource(SourceSettings):
    """arXiv's announcements of these categories."""

    gives = frozenset({"category"})
    kind: Literal["arxiv"]
    url: WebAddress = "https://rss.arxiv.org"
    categories: tuple[str, ...] = Field(min_length=1)
    cross_lists: bool = True

    @field_validator("categories")
    @classmethod
    def known_form(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Each must look like a category."""
        for name in value:
            if not name.replace("-", "").replace(".", "").isalnum():
                raise ValueError(f"{name!r} is not an arXiv category; write one like cs.CL or math")
        return value

    @property
    @override
    def default_name(self) -> str:
        return f"arXiv {', '.join(self.categories)}"


class FeedSource(SourceSettings):
    """Any RSS, Atom, RDF or JSON feed."""

    gives = frozenset({"category"})
    kind: Literal["feed"]
    url: WebAddress

    @field_validator("url")
    @classmethod
    def not_an_announcement(cls, value: str) -> str:
        """Announcements of arXiv have a kind of their own."""
        if _ARXIV_ADDRESS.match(value) and (own := kind_of_address(value)) is not None:
            categories = ", ".join(own["categories"])
            raise ValueError(
                "this is arXiv's announcement feed, which has a kind of its own; in place of this"
                f" source write: {{kind: arxiv, categories: [{categories}]}}"
            )
        return value

    @property
    @override
    def default_name(self) -> str:
        return self.url


class BioRxivSource(SourceSettings):
    """The preprints of bioRxiv or medRxiv, by their API."""

    gives = frozenset({"category"})
    kind: Literal["biorxiv"]
    url: WebAddress = "https://api.biorxiv.org"
    server: Literal["biorxiv", "medrxiv"] = "biorxiv"
    categories: tuple[str, ...] = ()

    @field_validator("categories")
    @classmethod
    def known(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        """Each must be a category of the server; another would never match."""
        server = info.data.get("server", "biorxiv")  # it is missing if it is wrong itself
        known = _PREPRINT_CATEGORIES[server].split("|")
        for name in value:
            if plain_category(name) not in known:
                near = ", ".join(difflib.get_close_matches(plain_category(name), known, 3) or known)
                raise ValueError(
                    f"{name!r} is no category of {_SERVERS[server]}; write one of: {near}"
                )
        return value

    @property
    @override
    def default_name(self) -> str:
        return ", ".join((_SERVERS[self.server], *self.categories))


class PubMedSource(SourceSettings):
    """What PubMed added and a search finds."""

    gives = frozenset({"keyword"})
    kind: Literal["pubmed"]
    url: WebAddress = "https://eutils.ncbi.nlm.nih.gov"
    query: str = Field(min_length=1)
    api_key: SecretStr | None = None

    @property
    @override
    def default_name(self) -> str:
        return f"PubMed: {self.query}"


class CrossrefSource(SourceSettings):
    """What publishers registered at Crossref: journals by ISSN, or a search."""

    gives = frozenset()
    kind: Literal["crossref"]
    url: WebAddress = "https://api.crossref.org"
    issn: tuple[str, ...] = ()
    query: str | None = Field(default=None, min_length=1)

    @field_validator("issn")
    @classmethod
    def standard_numbers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Each must be an ISSN with its check digit (ISO 3297)."""
        for written in value:
            digits = written.upper().replace("-", "")
            if not re.fullmatch(r"\d{7}[\dX]", digits):
                raise ValueError(f"{written!r} is not an ISSN; write one like 0028-0836")
            if sum((8 - n) * int(digit.replace("X", "10")) for n, digit in enumerate(digits)) % 11:
                raise ValueError(f"{written!r} has a wrong digit; copy the ISSN of the journal")
        return tuple(f"{one.replace('-', '')[:4]}-{one[-4:]}".upper() for one in value)

    @model_validator(mode="after")
    def asks_for_something(self) -> Self:
        """Without both, everything that was registered would be listed."""
        if not self.issn and not self.query:
            raise ValueError("write the journals, `issn: [0028-0836]`, or a search, `query: …`")
        return self

    @property
    @override
    def default_name(self) -> str:
        return f"Crossref: {', '.join((*filter(None, [self.query]), *self.issn))}"


class PageSource(SourceSettings):
    """Daily Papers pages saved as text."""

    gives = frozenset({"org"})
    kind: Literal["page"]
    path: str

    @property
    @override
    def default_name(self) -> str:
        return self.path


AnySource = (
    HuggingFaceSource
    | ArxivSource
    | BioRxivSource
    | PubMedSource
    | CrossrefSource
    | FeedSource
    | PageSource
)
"""The settings of one source, of any kind."""

SOURCE_KINDS: tuple[str, ...] = tuple(
    kind for one in get_args(AnySource) for kind in get_args(one.model_fields["kind"].annotation)
)
"""The values of ``kind``."""
