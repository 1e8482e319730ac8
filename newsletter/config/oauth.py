"""Settings of a login by XOAUTH2, and what Microsoft and Google ask for."""

from collections.abc import Mapping
from typing import Literal, Self, assert_never

from pydantic import Field, SecretStr, model_validator

from newsletter.config.fields import Strict, TokenAddress

Provider = Literal["microsoft", "google"]

PROVIDERS: Mapping[Provider, dict[str, str]] = {
    "microsoft": {
        "host": "smtp.office365.com",
        "port": "587",
        "connections": "3",  # Exchange Online takes no more for one mailbox
        "rate": "30/minute",
    },
    "google": {"host": "smtp.gmail.com", "port": "587"},
}
"""The defaults of ``smtp`` for a provider of ``smtp.oauth``."""

_MICROSOFT_TOKENS = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"
_GOOGLE_TOKENS = "https://oauth2.googleapis.com/token"
_MICROSOFT_SCOPE = "https://outlook.office365.com/.default"
"""What Microsoft gives an app for SMTP, IMAP and POP. A refresh token has its scope already."""


class OAuthSettings(Strict):
    """A login by XOAUTH2: how to get access tokens (RFC 6749).

    With ``refresh_token`` they are those of the person who granted it (section 6), without it
    those of the app itself (client credentials, section 4.4).
    """

    provider: Provider | None = None
    tenant: str = Field(default="common", pattern=r"^[A-Za-z0-9.-]+$")
    client_id: str = Field(min_length=1)
    client_secret: SecretStr | None = None
    refresh_token: SecretStr | None = None
    token_url: TokenAddress | None = None
    scope: str | None = None

    @model_validator(mode="after")
    def complete(self) -> Self:
        """Each flow needs an address and a secret of its own."""
        if self.provider is None and self.token_url is None:
            raise ValueError("write provider: microsoft or google, or the token_url of another")
        if self.refresh_token is None and self.provider == "google":
            raise ValueError("Google asks for a refresh_token; docs/oauth.md says how to get one")
        if self.refresh_token is None and self.client_secret is None:
            raise ValueError("write the app's client_secret, or a person's refresh_token")
        if self.refresh_token is None and self.token_url is None and self.tenant == "common":
            raise ValueError("an app's own login needs its tenant: contoso.onmicrosoft.com")
        return self

    @property
    def endpoint(self) -> str:
        """The URL that gives access tokens."""
        preset = _GOOGLE_TOKENS if self.provider == "google" else _MICROSOFT_TOKENS
        return self.token_url or preset.format(tenant=self.tenant)

    @property
    def grant(self) -> dict[str, str]:
        """The form that asks for an access token, without the refresh token."""
        scope = self.scope
        if self.provider == "microsoft" and self.refresh_token is None:
            scope = scope or _MICROSOFT_SCOPE
        secret = self.client_secret.get_secret_value() if self.client_secret else None
        form = {"client_id": self.client_id, "client_secret": secret, "scope": scope}
        kind = "refresh_token" if self.refresh_token else "client_credentials"
        return {"grant_type": kind, **{key: text for key, text in form.items() if text}}


def refusal_remedy(settings: OAuthSettings, setting: str) -> str:
    """What to check if a mail server refuses a token that was fetched just now."""
    match settings.provider:
        case "microsoft":
            return (
                f"the token is new, so check that {setting}.username is the mailbox's address, "
                "that SMTP AUTH is enabled for the mailbox, that the app's scope is "
                "https://outlook.office365.com/.default with the permission SMTP.SendAsApp (or "
                "SMTP.Send for a person), consented to, and that the app is registered in Exchange "
                "with a right to the mailbox: docs/oauth.md"
            )
        case "google":
            return (
                f"the token is new, so check that {setting}.username is the account that granted "
                "the refresh token, and that it granted the scope https://mail.google.com/: "
                "docs/oauth.md"
            )
        case None:
            return (
                f"the token is new, so check {setting}.username and {setting}.oauth.scope, and "
                "that this account may use XOAUTH2 there"
            )
        case _:
            assert_never(settings.provider)
