"""The settings of newsletter.yaml; ``docs/configuration.md`` explains each."""

from datetime import timedelta
from ipaddress import ip_network
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from newsletter.config.api import ApiSettings
from newsletter.config.fields import (
    LOOPBACK,
    Address,
    HeloName,
    Mailbox,
    PingAddress,
    ProxyAddress,
    Rate,
    Secret,
    Security,
    StoreAddress,
    Strict,
    WallTime,
    WebAddress,
    Zone,
    address,
    as_list,
    mailbox,
    per_second,
    written_mailbox,
)
from newsletter.config.mailboxes import ImapSettings, Pop3Settings
from newsletter.config.oauth import PROVIDERS, OAuthSettings
from newsletter.config.sources import EVERY_FIELD, AnySource
from newsletter.config.topics import TopicSettings, expand_name, without_claimed
from newsletter.config.webhooks import WebhookSettings
from newsletter.letter.links import MAX_ADDRESS, MAX_LOCAL_PART, TAG_ROOM
from newsletter.model import Days, Publication
from newsletter.model.windows import SHORTEST_KEPT
from newsletter.publisher.canary import Canary
from newsletter.readers.joining import Joining, JoiningMode

Matching = Literal["meaning", "rules"]
"""How papers are matched: by meaning and by rules, or by rules alone."""


class Schedule(Strict):
    """When readers who chose no other time get their email."""

    at: WallTime = "07:00"
    days: Days = "weekdays"


class SmtpSettings(Strict):
    """The server that sends the emails; nothing is sent to one that does not offer ``security``.

    ``helo``: the name for EHLO; by default this machine's, or the sender's domain. ``ca_file``:
    PEM certificates to trust instead of the system's. ``per_connection``: the number of letters
    after which a connection is replaced.
    """

    host: str = "localhost"
    port: int = Field(default=25, ge=1, le=65535)
    security: Security = "starttls"
    username: str | None = None
    password: SecretStr | None = None
    oauth: OAuthSettings | None = None
    helo: HeloName | None = None
    ca_file: str | None = None
    allow_cleartext: bool = False
    connections: int = Field(default=8, ge=1, le=64)
    per_connection: int = Field(default=1000, ge=1)
    rate: Rate | None = None

    @model_validator(mode="before")
    @classmethod
    def defaults_of_provider(cls, value: Any) -> Any:  # noqa: ANN401 - before validation
        """Fill in the server of ``oauth.provider`` and its limits, if nothing else is written."""
        match value:
            case {"oauth": {"provider": "microsoft" | "google" as provider}, **written}:
                others = {key: part for key, part in written.items() if part is not None}
                return {**PROVIDERS[provider], **others, "oauth": value["oauth"]}
        return value

    @model_validator(mode="after")
    def one_login(self) -> Self:
        """A login by XOAUTH2 needs a name, and takes no password."""
        if self.oauth is not None and self.username is None:
            raise ValueError("oauth needs a username: the address of the mailbox that sends")
        if self.oauth is not None and self.password is not None:
            raise ValueError("remove password: a login by oauth uses none")
        return self

    @model_validator(mode="after")
    def refuse_cleartext(self) -> Self:
        """Passwords and readers' addresses must not cross a network unencrypted."""
        if self.security == "none" and self.host not in LOOPBACK and not self.allow_cleartext:
            raise ValueError(
                f"security: none would send emails to {self.host} in the clear; write starttls, tls"
                " or, for a relay on a private network, allow_cleartext: true"
            )
        return self

    @property
    def per_second(self) -> float | None:
        """The maximum of emails a second; None: no limit."""
        return None if self.rate is None else per_second(self.rate)


def _leaves_room(address: str) -> str:
    """Return paths have a tag after the local part: a plus, a reader's number and a signature."""
    local, _, domain = address.rpartition("@")
    most = min(MAX_LOCAL_PART, MAX_ADDRESS - len(f"@{domain}")) - TAG_ROOM
    if len(local) > most:
        raise ValueError(
            f"before the @ it has {len(local)} characters; at most {most} are possible, because "
            f"each email's return path adds up to {TAG_ROOM} there (+7-4f3a…), and mail "
            f"servers refuse more than {MAX_LOCAL_PART} (RFC 5321, 4.5.3.1.1)"
        )
    return address


class BouncesSettings(Strict):
    """The address for bounces and unsubscribe requests, and the mailboxes they are read from.

    ``webhooks``: the mail services that report bounces and complaints.
    """

    address: Annotated[Address, AfterValidator(_leaves_room)] | None = None
    maildir: str | None = None
    imap: ImapSettings | None = None
    pop3: Pop3Settings | None = None
    webhooks: WebhookSettings | None = None

    @model_validator(mode="after")
    def has_a_way(self) -> Self:
        """Mail comes back to the address; without one, only webhooks report."""
        mailboxes = (self.maildir, self.imap, self.pop3)
        if self.address is None and (any(mailboxes) or self.webhooks is None):
            raise ValueError("write the address that mail comes back to: `address:`")
        return self


class CanarySettings(Strict):
    """Who gets each issue first, and how many minutes later the others, or after an approval."""

    addresses: tuple[Address, ...] = Field(min_length=1)
    wait: Literal["approval"] | Annotated[int, Field(ge=1, le=600)] = 30


class IssueSettings(Strict):
    """The size and look of an issue; what to do without papers, and with emails in doubt."""

    max_items: int = Field(default=60, ge=1, le=1000)
    when_empty: Literal["skip", "send"] = "skip"
    theme: Literal["serif", "sans"] = "serif"
    in_doubt: Literal["resend", "hold"] = "resend"
    canary: CanarySettings | None = None

    @property
    def first_readers(self) -> Canary | None:
        """Who gets each issue before the others."""
        if self.canary is None:
            return None
        wait = self.canary.wait
        return Canary(
            self.canary.addresses, None if wait == "approval" else timedelta(minutes=wait)
        )


def _domain(text: str) -> str:
    """A domain in the form that addresses are stored in; ``*.`` before it: those below it."""
    star = "*." if text.startswith("*.") else ""
    try:
        return star + address(f"x@{text.removeprefix(star)}").rpartition("@")[2]
    except ValueError as error:
        raise ValueError(
            f"{text!r} is not a domain; write one like example.org, or *.example.org"
        ) from error


class JoiningSettings(Strict):
    """Who may subscribe on the pages, and how many requests for it are taken."""

    mode: JoiningMode = "open"
    domains: tuple[Annotated[str, AfterValidator(_domain)], ...] = ()
    per_client_hourly: int = Field(default=10, ge=1)
    total_hourly: int = Field(default=500, ge=1)

    @model_validator(mode="after")
    def domains_have_a_use(self) -> Self:
        """The mode ``domains`` needs some; ``open`` would ignore them."""
        if self.mode == "domains" and not self.domains:
            raise ValueError("mode: domains needs `domains:`, for example [example.org]")
        if self.mode == "open" and self.domains:
            raise ValueError(
                "anybody may join with mode: open; write mode: domains, so that only these domains"
                " may, or mode: approval, so that all others wait for you"
            )
        return self

    @property
    def rules(self) -> Joining:
        """These settings, as the pages keep to them."""
        return Joining(self.mode, self.domains, self.per_client_hourly, self.total_hourly)


class KeepSettings(Strict):
    """For how many days the details of a sent issue are kept; None: for ever."""

    editions: int | None = None

    @field_validator("editions")
    @classmethod
    def long_enough(cls, value: int | None) -> int | None:
        """A restored store may need what was sent in the days that the journal knows."""
        if value is not None and value < SHORTEST_KEPT:
            raise ValueError(
                f"keep at least {SHORTEST_KEPT} days: a store from a backup needs them; write "
                f"{SHORTEST_KEPT} or more, or nothing to keep all"
            )
        return value


class WebSettings(Strict):
    """The address where the readers' pages are served."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    trusted_proxies: tuple[str, ...] = ()
    operator_password: Secret | None = None

    @field_validator("host")
    @classmethod
    def bare(cls, value: str) -> str:
        """An IPv6 address is in brackets in a URL, and here without them."""
        return value.removeprefix("[").removesuffix("]") if ":" in value else value

    @field_validator("trusted_proxies")
    @classmethod
    def addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Each must be an IP address or a network."""
        for text in value:
            try:
                ip_network(text)
            except ValueError as error:
                raise ValueError(
                    f"{text!r} is not an IP address; write one like 127.0.0.1 or 10.0.0.0/8"
                ) from error
        return value


class Settings(Strict):
    """newsletter.yaml as a whole."""

    name: str = Field(min_length=1)
    sender: Mailbox
    reply_to: Mailbox | None = None
    url: WebAddress | None = None
    postal_address: str = ""
    timezone: Zone = "UTC"
    schedule: Schedule = Schedule()
    store: StoreAddress = Field(default="sqlite:///newsletter.db", repr=False)
    state: str | None = None
    subscribers: str = "subscribers.yaml"
    secret: Annotated[tuple[Secret, ...], BeforeValidator(as_list)] = ()
    smtp: SmtpSettings = SmtpSettings()
    proxy: ProxyAddress | None = Field(default=None, repr=False)
    sources: tuple[Annotated[AnySource, Field(discriminator="kind")], ...] = ()
    topics: tuple[Annotated[TopicSettings, BeforeValidator(expand_name)], ...] = ()
    matching: Matching = "meaning"
    operator: Address | None = None
    ping: PingAddress | None = None
    bounces: BouncesSettings | None = None
    issue: IssueSettings = IssueSettings()
    keep: KeepSettings = KeepSettings()
    web: WebSettings | None = None
    joining: JoiningSettings = JoiningSettings()
    api: ApiSettings = ApiSettings()
    templates: str | None = None

    @field_validator("topics")
    @classmethod
    def distinct(cls, value: tuple[TopicSettings, ...]) -> tuple[TopicSettings, ...]:
        """Readers follow topics by name, so names must be unique."""
        names = [topic.name for topic in value]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two topics are called {name!r}; rename one")
        return without_claimed(value)

    @model_validator(mode="after")
    def distinct_sources(self) -> Self:
        """Reports and emails name sources, so names must be unique."""
        names = self.source_names
        for name in names:
            if names.count(name) > 1:
                raise ValueError(
                    f"two sources are called {name!r}; give one of them another `name:`"
                )
        return self

    @property
    def source_names(self) -> tuple[str, ...]:
        """The name of each source in reports and emails."""
        return tuple(source.display_name for source in self.sources)

    @property
    def paper_fields(self) -> frozenset[str]:
        """Which of the fields that not every source gives some source does."""
        return frozenset().union(*(s.gives for s in self.sources)) if self.sources else EVERY_FIELD

    @property
    def publication(self) -> Publication:
        """The facts about the newsletter that its emails carry."""
        sender_name, sender_email = mailbox(self.sender)
        return Publication(
            name=self.name,
            sender_name=sender_name,
            sender_email=sender_email,
            reply_to=self.reply_to and written_mailbox(self.reply_to),
            url=self.url,
            postal_address=self.postal_address,
            operator=self.operator,
            bounces=self.bounces.address if self.bounces else None,
            timezone=self.timezone,
            cadence=self.schedule.days,
        )
