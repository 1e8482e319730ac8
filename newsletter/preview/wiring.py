"""Opening the proof sheet of a newsletter."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import date
from functools import partial

from starlette.types import ASGIApp

from newsletter.app.app import App
from newsletter.ports import Clock
from newsletter.preview.live_reload import News
from newsletter.preview.sheet import Sheet
from newsletter.preview.watching import PAUSE, Seen, changed, look
from newsletter.preview.workshop import Workshop, default_choice, watched
from newsletter.templates import find_folders


def open_sheet(app: App, day: date, email: str) -> ASGIApp:
    """The proof sheet of a newsletter, which follows its files as long as it is served.

    Args:
        app: the newsletter; its store must stay open.
        day: the issue that is shown first.
        email: whose letter; empty for that of somebody who wants everything.
    """
    seen = look(watched(app))
    workshop, news = Workshop(app), News()
    sheet = Sheet(workshop, find_folders(), default_choice(app, day, email), news)
    return sheet.app(_watching(partial(_watch, workshop, news, app.clock, seen)))


@contextlib.asynccontextmanager
async def _watching(watch: Callable[[], Coroutine[None, None, None]]) -> AsyncIterator[None]:
    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _watch(workshop: Workshop, news: News, clock: Clock, seen: Seen) -> None:
    """Look at the files again and again; what was saved is taken in, and the pages told."""
    while True:
        await clock.sleep(PAUSE)
        found = look(watched(workshop.app))
        if saved := changed(seen, found):
            workshop.renew(saved)
            news.tell()
        seen = found
