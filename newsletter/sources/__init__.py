"""Reads listings of papers: each source has a pure ``parse`` and a thin ``read``."""

from newsletter.sources.arxiv import Arxiv
from newsletter.sources.biorxiv import BioRxiv
from newsletter.sources.crossref import Crossref
from newsletter.sources.feed import Feed
from newsletter.sources.http_client import Client, SourceClient
from newsletter.sources.huggingface import HuggingFace
from newsletter.sources.pubmed import PubMed
from newsletter.sources.saved_pages import SavedPages

__all__ = [
    "Arxiv",
    "BioRxiv",
    "Client",
    "Crossref",
    "Feed",
    "HuggingFace",
    "PubMed",
    "SavedPages",
    "SourceClient",
]
