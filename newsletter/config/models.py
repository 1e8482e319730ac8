"""The settings of newsletter.yaml. ``docs/configuration.md`` says the same in prose."""

from ipaddress import ip_network
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator

from newsletter.config.curated import curated
from newsletter.config.fields import (
    LOOPBACK,
    Address,
    Mailbox,
    Rate,
    RuleText,
    StoreAddress,
    Strict,
    WallTime,
    WebAddress,
    Zone,
    mailbox,
    per_second,
)
from newsletter.config.sources import AnySource
from newsletter.model import Days, Publication, Topic
from newsletter.papers.filters import parse_rule

SHORTEST_SECRET = 16


def _unguessable(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < SHORTEST_SECRET:
        raise ValueError(
            f"a secret has {SHORTEST_SECRET} characters at least; draw one with:"
            " python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    return secret


class Schedule(Strict):
    """When readers who chose nothing else get their letter."""

    at: WallTime = "07:00"
    days: Days = "weekdays"


class SmtpSettings(Strict):
    """The server mail leaves through."""

    host: str = "localhost"
    port: int = Field(default=25, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password: SecretStr | None = None
    ca_file: str | None = None
    allow_cleartext: bool = False
    connections: int = Field(default=8, ge=1, le=64)
    per_connection: int = Field(default=1000, ge=1)
    rate: Rate | None = None

    @model_validator(mode="after")
    def refuse_cleartext(self) -> Self:
        """Refuse to send passwords and readers' addresses in the clear over a network."""
        if self.security == "none" and self.host not in LOOPBACK and not self.allow_cleartext:
            raise ValueError(
                f"security: none sends letters to {self.host} in the clear; write starttls or tls,"
                " or allow_cleartext: true for a relay on a private network"
            )
        return self

    @property
    def per_second(self) -> float | None:
        """The most letters a second, None for no limit."""
        return None if self.rate is None else per_second(self.rate)


class TopicSettings(Strict):
    """A section of the letter, and what belongs in it."""

    name: str = Field(min_length=1)
    about: str = ""
    any: tuple[RuleText, ...] = ()
    none: tuple[RuleText, ...] = ()
    categories: tuple[str, ...] = ()

    @property
    def topic(self) -> Topic:
        """The topic with its rules parsed."""
        return Topic(
            name=self.name,
            any=tuple(parse_rule(text) for text in self.any),
            none=tuple(parse_rule(text) for text in self.none),
            categories=self.categories,
            about=self.about,
        )


class BouncesSettings(Strict):
    """The mailbox that bounces and unsubscribe mails go to, and where it is read."""

    address: Address
    maildir: str | None = None


class IssueSettings(Strict):
    """How much a letter holds, what a day without papers or a doubt does, and how it looks."""

    max_items: int = Field(default=60, ge=1, le=1000)
    when_empty: Literal["skip", "send"] = "skip"
    theme: Literal["serif", "sans"] = "serif"
    in_doubt: Literal["resend", "hold"] = "resend"


class WebSettings(Strict):
    """Where the readers' pages listen."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    trusted_proxies: tuple[str, ...] = ()
    operator_password: SecretStr | None = None

    @field_validator("operator_password")
    @classmethod
    def long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        """Refuse a password that can be guessed."""
        return value if value is None else _unguessable(value)

    @field_validator("trusted_proxies")
    @classmethod
    def addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse what is no address or network."""
        for text in value:
            try:
                ip_network(text)
            except ValueError as error:
                raise ValueError(
                    f"{text!r} is no address; write one like 127.0.0.1 or 10.0.0.0/8"
                ) from error
        return value


def _as_list(value: Any) -> Any:  # noqa: ANN401 - before validation anything may stand here
    return value if isinstance(value, list) else [value]


class Settings(Strict):
    """newsletter.yaml as a whole."""

    name: str = Field(min_length=1)
    sender: Mailbox
    url: WebAddress | None = None
    postal_address: str = ""
    timezone: Zone = "UTC"
    schedule: Schedule = Schedule()
    store: StoreAddress = Field(default="sqlite:///newsletter.db", repr=False)
    subscribers: str = "subscribers.yaml"
    secret: Annotated[tuple[SecretStr, ...], BeforeValidator(_as_list)] = ()
    smtp: SmtpSettings = SmtpSettings()
    sources: tuple[Annotated[AnySource, Field(discriminator="kind")], ...] = ()
    topics: tuple[Annotated[TopicSettings, BeforeValidator(curated)], ...] = ()
    operator: Address | None = None
    bounces: BouncesSettings | None = None
    issue: IssueSettings = IssueSettings()
    web: WebSettings | None = None
    templates: str | None = None

    @field_validator("secret")
    @classmethod
    def long_enough(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        """Refuse a secret that can be guessed."""
        return tuple(map(_unguessable, value))

    @field_validator("topics")
    @classmethod
    def distinct(cls, value: tuple[TopicSettings, ...]) -> tuple[TopicSettings, ...]:
        """Refuse two topics of one name."""
        names = [topic.name for topic in value]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two topics are called {name!r}; give one another name")
        return value

    @model_validator(mode="after")
    def distinct_sources(self) -> Self:
        """Refuse two sources that reports and letters could not tell apart."""
        names = self.source_names
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two sources are called {name!r}; give one a `name:` of its own")
        return self

    @property
    def source_names(self) -> tuple[str, ...]:
        """What each source is called in reports and letters."""
        return tuple(source.display_name for source in self.sources)

    @property
    def publication(self) -> Publication:
        """The newsletter as its letters name it."""
        sender_name, sender_email = mailbox(self.sender)
        return Publication(
            name=self.name,
            sender_name=sender_name,
            sender_email=sender_email,
            url=self.url,
            postal_address=self.postal_address,
            operator=self.operator,
            bounces=self.bounces.address if self.bounces else None,
            timezone=self.timezone,
        )
