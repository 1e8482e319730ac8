"""The doors in: each source is a pure ``parse`` and a thin ``fetch`` behind ``ports.Source``."""

from newsletter.sources.arxiv import Arxiv
from newsletter.sources.feed import Feed
from newsletter.sources.http import Client
from newsletter.sources.huggingface import HuggingFace
from newsletter.sources.options import Options
from newsletter.sources.page import Page

__all__ = ["Arxiv", "Client", "Feed", "HuggingFace", "Options", "Page"]
