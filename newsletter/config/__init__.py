"""newsletter.yaml, read once into :class:`Settings`."""

from newsletter.config.curated import curated_topics
from newsletter.config.loading import read_settings, schema, validated
from newsletter.config.models import (
    BouncesSettings,
    IssueSettings,
    Schedule,
    Settings,
    SmtpSettings,
    TopicSettings,
    WebSettings,
)
from newsletter.config.sources import (
    AnySource,
    ArxivSource,
    FeedSource,
    HuggingFaceSource,
    PageSource,
)

__all__ = [
    "AnySource",
    "ArxivSource",
    "BouncesSettings",
    "FeedSource",
    "HuggingFaceSource",
    "IssueSettings",
    "PageSource",
    "Schedule",
    "Settings",
    "SmtpSettings",
    "TopicSettings",
    "WebSettings",
    "curated_topics",
    "read_settings",
    "schema",
    "validated",
]
