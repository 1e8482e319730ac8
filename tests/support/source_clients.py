"""A client of sources whose clock skips waits, and one question asked with it."""

from collections.abc import Collection, Mapping
from pathlib import Path

from newsletter.sources.http_client import Client, SourceClient
from newsletter.sources.http_guard import Resolver, resolve
from newsletter.sources.kept_answers import Answer
from tests.support.clocks import SkippingClock


def new_client(
    kept: Path | None = None,
    resolver: Resolver = resolve,
    clock: SkippingClock | None = None,
    proxy: str | None = None,
) -> Client:
    """A client without jitter."""
    return Client(
        contact="editor@example.org",
        clock=clock or SkippingClock(),
        kept=kept,
        proxy=proxy,
        resolver=resolver,
        jitter=lambda: 0.5,
    )


async def fetch(
    http: Client,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    timeout: float = 30,  # noqa: ASYNC109 - a source's setting
    allow_private: bool = False,
    expect: Collection[int] = (),
    retry_for: float = 45,
) -> Answer:
    """The answer of an address, accepted as a listing."""
    source = SourceClient(http, timeout, headers or {}, allow_private, retry_for)
    async with source.answer(url, expect=expect) as answer:
        return answer
