"""Webhooks of mail services, one module each: they verify a request, and read the events in it.

``events`` has what they share, ``signatures`` verifies with public keys. An event becomes a
:class:`ParsedMail`, as a returned mail does, so the same reply means the same by both ways.
"""

from collections.abc import Iterator, Mapping

from newsletter.bounces.webhooks.brevo import brevo_mails
from newsletter.bounces.webhooks.events import Fetch, PasswordWebhook, Post, PostError, Webhook
from newsletter.bounces.webhooks.mailgun import Mailgun
from newsletter.bounces.webhooks.mailjet import mailjet_mails
from newsletter.bounces.webhooks.postmark import Postmark
from newsletter.config.webhooks import WebhookSettings

__all__ = ["Fetch", "Post", "PostError", "Webhook", "make_webhooks"]


def make_webhooks(
    settings: WebhookSettings, fetch: Fetch | None = None, proxy: str | None = None
) -> Mapping[str, Webhook]:
    """The webhooks that have settings, by the name of their service.

    Certificates are got by ``fetch``; if it is None, over HTTPS, through this HTTP proxy.
    """
    return dict(_webhooks(settings, fetch, proxy))


def _webhooks(
    settings: WebhookSettings, fetch: Fetch | None, proxy: str | None
) -> Iterator[tuple[str, Webhook]]:
    # ruff: noqa: PLC0415 - these modules need an extra, which the settings have asked for
    if settings.ses:
        from newsletter.bounces.webhooks.ses import Ses
        from newsletter.bounces.webhooks.signatures import https_fetch

        yield "ses", Ses(settings.ses, fetch or https_fetch(proxy))
    if settings.sendgrid is not None:
        from newsletter.bounces.webhooks.sendgrid import SendGrid

        yield "sendgrid", SendGrid(settings.sendgrid)
    if settings.postal is not None:
        from newsletter.bounces.webhooks.postal import Postal

        yield "postal", Postal(settings.postal)
    if settings.mailgun is not None:
        yield "mailgun", Mailgun(settings.mailgun.get_secret_value())
    if settings.postmark is not None:
        yield "postmark", Postmark(settings.postmark.get_secret_value())
    if settings.brevo is not None:
        yield "brevo", PasswordWebhook(settings.brevo.get_secret_value(), brevo_mails)
    if settings.mailjet is not None:
        yield "mailjet", PasswordWebhook(settings.mailjet.get_secret_value(), mailjet_mails)
