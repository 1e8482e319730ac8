"""``api``: the tokens of programs that use the newsletter over HTTP, and what each may do."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, field_validator

from newsletter.config.fields import Strict
from newsletter.model.closed_sets import complete

Scope = Literal[
    "readers:subscribe",
    "readers:consent",
    "readers:read",
    "readers:write",
    "readers:erase",
    "issues:read",
    "papers:read",
]
"""What a token may allow."""

SCOPES: Mapping[Scope, str] = complete(
    "SCOPES",
    get_args(Scope),
    {
        "readers:subscribe": "ask an address to confirm a subscription",
        "readers:consent": "subscribe an address that agreed elsewhere, without asking it",
        "readers:read": "find readers and see what they chose",
        "readers:write": "change what a reader chose; pause, resume and unsubscribe",
        "readers:erase": "erase a reader's data for good",
        "issues:read": "list issues and the counts of their emails",
        "papers:read": "read the papers of an issue",
    },
)
"""The scopes in words."""

HASH = "sha256:"
_HASH = re.compile(rf"{HASH}[0-9a-f]{{64}}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def hash_token(token: str) -> str:
    """What newsletter.yaml has in place of a token.

    Tokens have 256 random bits, so that one round of SHA-256 is enough: nobody can try them all.
    """
    return f"{HASH}{hashlib.sha256(token.encode()).hexdigest()}"


def _token_hash(text: str) -> str:
    if not _HASH.fullmatch(text):
        raise ValueError(
            "this is not the hash of a token; `newsletter api token NAME --scope SCOPE` makes a"
            " token and prints the line to write here"
        )
    return text


def token_name(text: str) -> str:
    """A token's name, which the record of its acts has.

    Raises:
        ValueError: it is not a name.
    """
    if not _NAME.fullmatch(text):
        raise ValueError(
            f"{text!r} is not a name; write up to 64 letters, digits, dots, dashes and underscores,"
            " such as website"
        )
    return text


class ApiTokenSettings(Strict):
    """One token: only its hash is stored."""

    name: Annotated[str, AfterValidator(token_name)]
    hash: Annotated[str, AfterValidator(_token_hash)]
    scopes: tuple[Scope, ...] = Field(min_length=1)

    def matches(self, token: str) -> bool:
        """Whether this is the token; the time that it takes says nothing about it."""
        return hmac.compare_digest(hash_token(token).encode(), self.hash.encode())

    def allows(self, scope: Scope) -> bool:
        """Whether the token may be used for this."""
        return scope in self.scopes


class ApiSettings(Strict):
    """The HTTP API; without a token it does not exist."""

    tokens: tuple[ApiTokenSettings, ...] = ()

    @field_validator("tokens")
    @classmethod
    def distinct(cls, value: tuple[ApiTokenSettings, ...]) -> tuple[ApiTokenSettings, ...]:
        """The record of acts names tokens, so names must be unique."""
        names = [token.name for token in value]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two tokens are called {name!r}; rename one")
        return value
