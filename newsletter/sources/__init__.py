"""Reads listings of papers: each source has a pure ``parse`` and a thin ``read``."""

from typing import TYPE_CHECKING

from newsletter.lazy import importing

if TYPE_CHECKING:
    from newsletter.sources.arxiv import Arxiv as Arxiv
    from newsletter.sources.biorxiv import BioRxiv as BioRxiv
    from newsletter.sources.crossref import Crossref as Crossref
    from newsletter.sources.feed import Feed as Feed
    from newsletter.sources.http_client import Client as Client
    from newsletter.sources.http_client import SourceClient as SourceClient
    from newsletter.sources.huggingface import HuggingFace as HuggingFace
    from newsletter.sources.pubmed import PubMed as PubMed
    from newsletter.sources.saved_pages import SavedPages as SavedPages
else:
    __getattr__ = importing(
        __name__,
        {
            "arxiv": "Arxiv",
            "biorxiv": "BioRxiv",
            "crossref": "Crossref",
            "feed": "Feed",
            "http_client": "Client SourceClient",
            "huggingface": "HuggingFace",
            "pubmed": "PubMed",
            "saved_pages": "SavedPages",
        },
    )
