"""Opening the preview page, and following the files that its letters are built from.

Files are polled: that works on every disk and for every editor, one that writes in place and one
that writes beside and renames. Looking at a newsletter's few dozen files takes a fraction of a
millisecond.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import ASGIApp

from newsletter.app.wiring import App
from newsletter.preview.builder import PreviewBuilder
from newsletter.preview.letter import Choice
from newsletter.preview.pages import PAGE_HEADERS, ChangeNotifier, PreviewPages, refuse_foreign
from newsletter.templates import find_folders
from newsletter.web.guard import Guard

Snapshot = Mapping[str, tuple[int, int, int]]
"""For each file its time of writing (ns), its size and its inode."""

POLL_SECONDS = 0.02


def open_preview(app: App, day: date, email: str) -> ASGIApp:
    """The preview page of a newsletter, which follows its files as long as it is served.

    It first shows the letter of ``day`` to ``email``; empty: to a reader who wants everything.
    """
    before = take_snapshot(_watched_paths(app))
    builder, notifier = PreviewBuilder(app), ChangeNotifier()
    default = Choice(day=day, email=email, theme=app.settings.issue.theme)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(_follow_files(builder, notifier, before))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    return Starlette(
        routes=PreviewPages(builder, notifier, default).routes,
        middleware=[Middleware(Guard, headers=PAGE_HEADERS, refuse=refuse_foreign)],
        lifespan=lifespan,
    )


async def _follow_files(
    builder: PreviewBuilder, notifier: ChangeNotifier, before: Snapshot
) -> None:
    while True:
        await builder.app.clock.sleep(POLL_SECONDS)
        after = take_snapshot(_watched_paths(builder.app))
        if saved := changed_files(before, after):
            builder.reload(saved)
            notifier.notify()
        before = after


def _watched_paths(app: App) -> tuple[Path, ...]:
    """The files and folders that letters are built from."""
    paths = (app.path, app.subscribers_file, *find_folders().paths)
    return (*paths, app.template_folder) if app.template_folder else paths


def take_snapshot(paths: Iterable[Path]) -> Snapshot:
    """These files and all files in these folders, except hidden and missing ones."""
    snapshot: dict[str, tuple[int, int, int]] = {}
    for path in paths:
        for file in _list_files(path):
            try:
                stat = os.stat(file)  # noqa: PTH116 - half the time of Path.stat, fifty times a second
            except OSError:  # removed since it was listed: a renamed file takes its place
                continue
            snapshot[file] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
    return snapshot


def changed_files(before: Snapshot, after: Snapshot) -> frozenset[Path]:
    """The files that were added, removed or written between two snapshots."""
    names = before.keys() | after.keys()
    return frozenset(Path(name) for name in names if before.get(name) != after.get(name))


def _list_files(path: Path) -> Iterator[str]:
    if not path.is_dir():
        yield str(path)
        return
    for folder, inner, names in os.walk(path):
        inner[:] = [name for name in inner if not name.startswith(".")]
        yield from (os.path.join(folder, name) for name in names if not name.startswith("."))  # noqa: PTH118 - as above
