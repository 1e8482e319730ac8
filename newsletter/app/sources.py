"""The configured sources, each as its adapter."""

from pathlib import Path
from typing import assert_never

from newsletter.config import (
    AnySource,
    ArxivSource,
    FeedSource,
    HuggingFaceSource,
    PageSource,
    Settings,
)
from newsletter.ports import Source
from newsletter.sources import Arxiv, Client, Feed, HuggingFace, SavedPages, SourceClient


def sources(settings: Settings, folder: Path, client: Client) -> tuple[Source, ...]:
    """The sources of a configuration.

    Args:
        settings: what the configuration says.
        folder: what is relative in it is relative to this.
        client: what fetches.
    """
    named = zip(settings.source_names, settings.sources, strict=True)
    return tuple(_source(name, one, folder, client) for name, one in named)


def _source(name: str, settings: AnySource, folder: Path, client: Client) -> Source:
    source_client = SourceClient(
        client,
        timeout=settings.timeout,
        headers=settings.headers,
        allow_private_addresses=settings.allow_private_addresses,
    )
    match settings:
        case HuggingFaceSource():
            path = None if settings.path is None else folder / settings.path
            return HuggingFace(name, source_client, url=settings.url, path=path)
        case ArxivSource():
            return Arxiv(name, source_client, url=settings.url, categories=settings.categories)
        case FeedSource():
            return Feed(name, source_client, url=settings.url)
        case PageSource():
            return SavedPages(name, folder / settings.path)
        case _:
            assert_never(settings)
