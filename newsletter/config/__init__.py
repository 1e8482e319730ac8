"""newsletter.yaml, read once into :class:`Settings`."""

from newsletter.config.loading import read_settings
from newsletter.config.mailboxes import ImapSettings, MailboxSettings, Pop3Settings
from newsletter.config.models import (
    BouncesSettings,
    IssueSettings,
    Schedule,
    Settings,
    SmtpSettings,
    WebSettings,
)
from newsletter.config.oauth import OAuthSettings
from newsletter.config.sources import (
    AnySource,
    ArxivSource,
    BioRxivSource,
    CrossrefSource,
    FeedSource,
    HuggingFaceSource,
    PageSource,
    PubMedSource,
)
from newsletter.config.topics import TopicSettings, curated_groups, curated_topics
from newsletter.config.webhooks import WebhookSettings

__all__ = [
    "AnySource",
    "ArxivSource",
    "BioRxivSource",
    "BouncesSettings",
    "CrossrefSource",
    "FeedSource",
    "HuggingFaceSource",
    "ImapSettings",
    "IssueSettings",
    "MailboxSettings",
    "OAuthSettings",
    "PageSource",
    "Pop3Settings",
    "PubMedSource",
    "Schedule",
    "Settings",
    "SmtpSettings",
    "TopicSettings",
    "WebSettings",
    "WebhookSettings",
    "curated_groups",
    "curated_topics",
    "read_settings",
]
