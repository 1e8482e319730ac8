"""Types of settings; each one's error says what to write instead."""

import difflib
import re
from datetime import UTC, datetime
from email.headerregistry import Address as HeaderAddress
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    PlainSerializer,
    SecretStr,
    WithJsonSchema,
    model_validator,
)

from newsletter.errors import FilterError, without_secrets
from newsletter.model.zones import find_zones, zone_names
from newsletter.papers.filters import parse_rule
from newsletter.text import clean, http_url

Security = Literal["starttls", "tls", "none"]
"""``starttls``: encrypted before anything else is sent (RFC 3207); ``tls``: from the first byte
(RFC 8314); ``none``: in the clear."""

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
LOWEST_PORT = 1024
WEB_PORTS = frozenset({80, 443})
STORES = frozenset({"sqlite", "postgresql", "postgres"})
_LOCAL = frozenset({"localhost", "localdomain", "local", "internal", "lan", "arpa", "invalid"})
"""Last parts of names that lead nowhere from outside (RFC 6761, 6762, 8375)."""
_PLAIN_NAME = re.compile(r'(?P<name>[^"<>\s][^<>]*?)\s*<(?P<address>[^<>]+)>')
"""``Name <address>`` as people write it, without the quotes that RFC 5322 asks for in ``A & B``."""

_ODD_DOTS = re.compile(r"(?=\.|.*\.\.|.*\.$)(?=\.*[^.])[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}")
"""A local part whose dots stand where RFC 5322 does not allow them, and that is right otherwise."""

_WALL_TIME = "([01][0-9]|2[0-3]):[0-5][0-9]"
_ENCODE = (
    "in its password an @ is written %40, a / %2F, a # %23, a ? %3F, a : %3A and a % %25 "
    "(percent-encoded)"
)
MASK = "**********"  # shown in place of a secret
MIN_SECRET_LENGTH = 16


class Strict(BaseModel):
    """Base of all settings: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    @model_validator(mode="before")
    @classmethod
    def drop_nulls(cls, value: Any) -> Any:  # noqa: ANN401 - before validation
        """``null``, or no value at all, means: use the default. An unknown key stays an error."""
        if not isinstance(value, dict):
            return value
        known = cls.model_fields
        return {key: part for key, part in value.items() if part is not None or key not in known}


_PLAIN_ADDRESS = re.compile(
    r"[A-Za-z0-9]+(?:[._+-][A-Za-z0-9]+)*@(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+"
    r"(?!(?:arpa|invalid|local|localhost|onion|test)$)[a-z]{2,}"  # no mail is sent there: RFC 6761
)
_SHORT = 64
"""An address that is plain and no longer than this is right as it is: no part can be too long."""


def address(text: str) -> str:
    """An email address with its domain in lower-case ASCII (IDNA).

    Dots may stand anywhere before the ``@``: RFC 5322 allows them between letters only, but some
    providers gave out addresses like ``a..b@`` and ``x.@``, and deliver to them.

    Raises:
        ValueError: mail cannot be sent to it, with the reason.
    """
    if len(text) <= _SHORT and _PLAIN_ADDRESS.fullmatch(text):
        return text
    local, _, domain = text.rpartition("@")
    if _ODD_DOTS.fullmatch(local):
        plain = _validated(f"{local.replace('.', '-')}@{domain}", display_name=False, shown=text)
        return f"{local}@{plain[1].rpartition('@')[2]}"
    return _validated(text, display_name=False)[1]


def mailbox(text: str) -> tuple[str, str]:
    """Display name and address of ``Name <address>`` or a plain address (RFC 5322, 3.4)."""
    if clean(text) != text:
        raise ValueError("a sender cannot contain line breaks or control characters")
    if plain := _PLAIN_NAME.fullmatch(text):  # the header quotes it, or encodes it
        return plain["name"], address(plain["address"])
    return _validated(text, display_name=True)


def written_mailbox(text: str) -> str:
    """A mailbox as a header takes it: its name in quotes where RFC 5322 asks for them."""
    name, email = mailbox(text)
    return str(HeaderAddress(display_name=name, addr_spec=email))


def _validated(text: str, *, display_name: bool, shown: str = "") -> tuple[str, str]:
    from email_validator import (  # noqa: PLC0415 - slow to import; most addresses are plain
        EmailNotValidError,
        validate_email,
    )

    try:
        parsed = validate_email(
            text,
            check_deliverability=False,
            allow_smtputf8=False,
            allow_display_name=display_name,
            strict=True,
            globally_deliverable=False,
        )
    except EmailNotValidError as error:
        raise ValueError(
            f"{clean(shown or text)!r} is not a valid email address: {error}"
        ) from error
    return parsed.display_name or "", parsed.ascii_email or parsed.normalized


def _mailbox(text: str) -> str:
    mailbox(text)
    return text


def _zone(text: str) -> str:
    """IANA's name of the zone that a text names."""
    match find_zones(text):
        case [zone]:
            return zone
        case []:
            raise ValueError(f"there is no time zone {clean(text)!r}. {_near_zones(text)}")
        case several:
            named = " or ".join(several[:4])
            raise ValueError(f"{clean(text)!r} may be several time zones: write {named}")


def _near_zones(text: str) -> str:
    """What to write instead of this: the zones with the nearest names, or an example."""
    cities = {name.casefold().rpartition("/")[2]: name for name in sorted(zone_names())}
    wanted = text.strip().casefold().replace(" ", "_").rpartition("/")[2]
    near = [cities[city] for city in difflib.get_close_matches(wanted, cities, 2, 0.75)]
    return f"Did you mean {' or '.join(near)}?" if near else "Write a city, or Europe/Zurich"


def _wall_time(text: str) -> str:
    if not re.fullmatch(_WALL_TIME, text):
        raise ValueError('write a time of day as "07:30"')
    return text


def _instant(value: datetime) -> datetime:
    """An instant in UTC; one without a zone is in UTC already."""
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)


def _web_address(text: str) -> str:
    if http_url(text) is None:
        login = "; a source's login goes under `headers:`" if "@" in text else ""
        raise ValueError(f"write an absolute URL: https://example.org/feed.xml{login}")
    port = urlsplit(text).port
    if port is not None and port < LOWEST_PORT and port not in WEB_PORTS:
        raise ValueError(f"port {port} is not allowed; use 80, 443, or 1024 and above")
    return text


def _ping(secret: SecretStr) -> SecretStr:
    """The address of a check is a secret: who has it can tell that all is well."""
    if http_url(secret.get_secret_value()) is None:
        raise ValueError("write the address of the check: https://hc-ping.com/your-uuid")
    return secret


def _token_address(text: str) -> str:
    """The endpoint that gives access tokens: secrets are sent to it, so it must be encrypted."""
    parts = urlsplit(text)
    if http_url(text) is None or (parts.scheme == "http" and parts.hostname not in LOOPBACK):
        raise ValueError("write the https URL that gives tokens: https://login.example.org/token")
    return text


def is_full_name(name: str) -> bool:
    """Whether a host's name is a full one (RFC 5321, 2.3.5), and not one of a private network."""
    labels = name.lower().rstrip(".").split(".")
    fits = all(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", label) for label in labels)
    return fits and len(labels) > 1 and not labels[-1].isdigit() and labels[-1] not in _LOCAL


def _helo(text: str) -> str:
    literal = re.fullmatch(r"\[(?:IPv6:)?([0-9a-fA-F.:]+)\]", text)
    if literal is None and not re.fullmatch(r"[A-Za-z0-9.-]{1,255}", text):
        raise ValueError("write a full host name, mail.example.org, or an address as [192.0.2.1]")
    return text


def _proxy(text: str) -> str:
    """The address of an HTTP proxy; unlike a source's, its port is the operator's choice."""
    try:
        parts = urlsplit(text)
        is_proxy = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # the port is not a number
        is_proxy = False
    if not is_proxy or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(
            f"write the address of an HTTP proxy: http://proxy.example.org:3128; {_ENCODE}"
        )
    return text


def _store(text: str) -> str:
    scheme, separator, place = text.partition("://")
    kind = scheme.partition("+")[0]
    if kind == "memory":
        raise ValueError(
            "the in-memory store was removed; write sqlite:///newsletter.db (in /dev/shm or on "
            "another RAM disk, if nothing should be kept)"
        )
    no_file = kind == "sqlite" and (place[:1] != "/" or place[1:] in ("", ":memory:"))
    if kind not in STORES or not separator or no_file:
        raise ValueError("write sqlite:///newsletter.db, or postgresql://user:password@host/name")
    if kind != "sqlite" and not _is_unambiguous(place):
        raise ValueError(f"write postgresql://user:password@host/name; {_ENCODE}")
    return text


def _is_unambiguous(place: str) -> bool:
    """Whether everybody splits a URL alike, so that no part of its password is taken for a host."""
    login, at, rest = place.rpartition("@")
    return not re.search(r"[@/?#\[\]\s]", login) and "#" not in rest and (at == "" or rest != "")


def masked(url: str) -> str:
    """A store's or a proxy's URL with the password masked, in the login and in the query."""
    url = re.sub(r"(?<=://)([^:/@]*):.*@", rf"\1:{MASK}@", url)
    return re.sub(r"(password=)[^&]*", rf"\1{MASK}", url)


def _header(text: str) -> str:
    if not text.isprintable():
        raise ValueError("a header must be one line without control characters")
    return text


def _rule(text: str) -> str:
    try:
        parse_rule(text)
    except FilterError as error:
        raise ValueError(pointed(error.reason, error.text, error.column)) from error
    return text


def pointed(problem: str, text: str, column: int) -> str:
    """A problem with a rule, and below it the rule with the place marked."""
    return f"{problem}\n    {text}\n    {' ' * column}^"


def as_list(value: Any) -> Any:  # noqa: ANN401 - before validation anything may be here
    """A setting that may be one value or a list of them, as a list."""
    return value if isinstance(value, list) else [value]


def _secret(secret: SecretStr) -> SecretStr:
    """A short secret could be guessed."""
    if len(secret.get_secret_value()) < MIN_SECRET_LENGTH:
        raise ValueError(
            f"a secret needs at least {MIN_SECRET_LENGTH} characters; make one with:"
            " python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    return secret


def _rate(text: str) -> str:
    per_second(text)
    return text


def per_second(text: str) -> float:
    """Emails a second, from a rate like ``50/second`` or ``3000/minute``."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*/\s*(second|minute|hour)", text)
    if match is None or not float(match[1]):
        raise ValueError("write a rate as 50/second, 3000/minute or 10000/hour")
    return float(match[1]) / {"second": 1, "minute": 60, "hour": 3600}[match[2]]


Address = Annotated[
    str, AfterValidator(address), WithJsonSchema({"type": "string", "format": "email"})
]
Header = Annotated[str, AfterValidator(_header), PlainSerializer(lambda _: MASK, when_used="json")]
Instant = Annotated[datetime, AfterValidator(_instant)]
HeloName = Annotated[str, AfterValidator(_helo)]
Mailbox = Annotated[str, AfterValidator(_mailbox)]
ProxyAddress = Annotated[
    str, AfterValidator(_proxy), PlainSerializer(masked, return_type=str, when_used="json")
]
PingAddress = Annotated[SecretStr, AfterValidator(_ping)]
RuleText = Annotated[str, AfterValidator(_rule)]
Rate = Annotated[str, AfterValidator(_rate)]
Secret = Annotated[SecretStr, AfterValidator(_secret)]
StoreAddress = Annotated[
    str, AfterValidator(_store), PlainSerializer(masked, return_type=str, when_used="json")
]
TokenAddress = Annotated[str, AfterValidator(_token_address)]
WallTime = Annotated[
    str,
    AfterValidator(_wall_time),
    WithJsonSchema({"type": "string", "pattern": f"^{_WALL_TIME}$"}),
]
WebAddress = Annotated[
    str,
    AfterValidator(_web_address),
    PlainSerializer(without_secrets, return_type=str, when_used="json"),
]
Zone = Annotated[str, AfterValidator(_zone)]
