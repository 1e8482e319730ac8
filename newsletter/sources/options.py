"""What a source's settings say about how it is fetched."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from newsletter.sources.http import Answer, Client


@dataclass(frozen=True, slots=True)
class Options:
    """How one source is fetched; ``timeout`` is in seconds, redirects and waiting included."""

    timeout: float = 30.0
    headers: Mapping[str, str] = field(default_factory=dict)
    allow_private_addresses: bool = False

    async def get(self, client: Client, url: str, *, expect: Collection[int] = ()) -> Answer:
        """The answer of ``url``, fetched by these options.

        Args:
            client: what to fetch with.
            url: absolute, http or https.
            expect: statuses besides 2xx that are an answer rather than an error.

        Raises:
            SourceError: no answer, or none that is a listing.
        """
        return await client.get(
            url,
            headers=self.headers,
            timeout=self.timeout,
            allow_private=self.allow_private_addresses,
            expect=expect,
        )
