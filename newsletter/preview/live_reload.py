"""Telling every open page that something changed (server-sent events)."""

import asyncio
from collections.abc import AsyncIterator


class News:
    """A number that grows, and everybody who waits for it to.

    Attributes:
        number: how often something changed.
    """

    def __init__(self) -> None:
        self.number = 0
        self._grown = asyncio.Event()

    def tell(self) -> None:
        """Something changed."""
        self.number += 1
        self._grown.set()
        self._grown = asyncio.Event()

    async def stream(self) -> AsyncIterator[str]:
        """The number as events, first as it is and then whenever it grows."""
        told = -1
        while True:
            if told == self.number:
                await self._grown.wait()
            told = self.number
            yield f"data: {told}\n\n"
