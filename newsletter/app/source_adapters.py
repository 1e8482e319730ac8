"""Makes a source from its settings."""

from pathlib import Path
from typing import assert_never

from newsletter.config import (
    AnySource,
    ArxivSource,
    BioRxivSource,
    CrossrefSource,
    FeedSource,
    HuggingFaceSource,
    PageSource,
    PubMedSource,
)
from newsletter.ports import Source
from newsletter.sources import (
    Arxiv,
    BioRxiv,
    Client,
    Crossref,
    Feed,
    HuggingFace,
    PubMed,
    SavedPages,
    SourceClient,
)


def make_source(  # noqa: PLR0911 - one for each kind
    name: str, settings: AnySource, folder: Path, client: Client
) -> Source:
    """The source that these settings describe; its files are relative to ``folder``."""
    source_client = SourceClient(
        client,
        timeout=settings.timeout,
        headers=settings.headers,
        allow_private_addresses=settings.allow_private_addresses,
        retry_for=settings.retry_for,
    )
    match settings:
        case HuggingFaceSource():
            path = None if settings.path is None else folder / settings.path
            return HuggingFace(name, source_client, url=settings.url, path=path)
        case ArxivSource():
            return Arxiv(
                name, source_client, settings.categories, settings.url, settings.cross_lists
            )
        case BioRxivSource():
            server, categories = settings.server, settings.categories
            return BioRxiv(name, source_client, server, categories, url=settings.url)
        case PubMedSource():
            return PubMed(name, source_client, settings.query, settings.api_key, settings.url)
        case CrossrefSource():
            return Crossref(name, source_client, settings.issn, settings.query, settings.url)
        case FeedSource():
            return Feed(name, source_client, url=settings.url)
        case PageSource():
            return SavedPages(name, folder / settings.path)
        case _:
            assert_never(settings)
