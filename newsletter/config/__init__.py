"""newsletter.yaml, read once into :class:`Settings`."""

from newsletter.config.curated import curated_topics
from newsletter.config.loading import read_settings, schema, validated
from newsletter.config.models import (
    ArxivSource,
    BouncesSettings,
    FeedSource,
    HuggingFaceSource,
    IssueSettings,
    PageSource,
    Schedule,
    Settings,
    SmtpSettings,
    SourceSettings,
    TopicSettings,
    WebSettings,
)

__all__ = [
    "ArxivSource",
    "BouncesSettings",
    "FeedSource",
    "HuggingFaceSource",
    "IssueSettings",
    "PageSource",
    "Schedule",
    "Settings",
    "SmtpSettings",
    "SourceSettings",
    "TopicSettings",
    "WebSettings",
    "curated_topics",
    "read_settings",
    "schema",
    "validated",
]
