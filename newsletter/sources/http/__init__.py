"""HTTP, guarded: what every source that fetches goes through."""

from newsletter.sources.http.client import Answer, Client
from newsletter.sources.http.guard import Resolver

__all__ = ["Answer", "Client", "Resolver"]
