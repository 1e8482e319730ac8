"""Makes a source from its settings."""

from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from newsletter import sources
from newsletter.config import (
    AnySource,
    ArxivSource,
    BioRxivSource,
    CrossrefSource,
    FeedSource,
    HuggingFaceSource,
    PageSource,
    PubMedSource,
    Settings,
)
from newsletter.ports import Source

if TYPE_CHECKING:
    from newsletter.sources import Client


def make_sources(settings: Settings, folder: Path, client: "Client") -> tuple[Source, ...]:
    """The configured sources; their files are relative to ``folder``."""
    named = zip(settings.source_names, settings.sources, strict=True)
    return tuple(make_source(name, one, folder, client) for name, one in named)


def make_source(  # noqa: PLR0911 - one for each kind
    name: str, settings: AnySource, folder: Path, client: "Client"
) -> Source:
    """The source that these settings describe; its files are relative to ``folder``."""
    source_client = sources.SourceClient(
        client,
        timeout=settings.timeout,
        headers=settings.headers,
        allow_private_addresses=settings.allow_private_addresses,
        retry_for=settings.retry_for,
    )
    match settings:
        case HuggingFaceSource():
            path = None if settings.path is None else folder / settings.path
            return sources.HuggingFace(name, source_client, url=settings.url, path=path)
        case ArxivSource():
            return sources.Arxiv(
                name, source_client, settings.categories, settings.url, settings.cross_lists
            )
        case BioRxivSource():
            server, categories = settings.server, settings.categories
            return sources.BioRxiv(name, source_client, server, categories, url=settings.url)
        case PubMedSource():
            return sources.PubMed(
                name, source_client, settings.query, settings.api_key, settings.url
            )
        case CrossrefSource():
            return sources.Crossref(
                name, source_client, settings.issn, settings.query, settings.url
            )
        case FeedSource():
            return sources.Feed(name, source_client, url=settings.url)
        case PageSource():
            return sources.SavedPages(name, folder / settings.path)
        case _:
            assert_never(settings)
