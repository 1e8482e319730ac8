"""``newsletter demo``: everything that ``newsletter send`` does, offline, into a local inbox."""

import asyncio
import shutil
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Annotated, Self

import typer
from aiosmtpd.smtp import SMTP, Envelope, Session

from newsletter.app import event_loop
from newsletter.app.files import OWN_FOLDER
from newsletter.app.wiring import App, open_app
from newsletter.cli.command import Port, command, command_list, issue_day
from newsletter.cli.output import Output, table
from newsletter.cli.preview import serve_page
from newsletter.cli.reports import exit_code, issue_document, issue_lines, source_lines
from newsletter.model import SourceReport
from newsletter.preview import open_preview
from newsletter.publisher.fetching import fetch_sources
from newsletter.publisher.publishing import freeze, publish, waiting_readers
from newsletter.publisher.reporting import IssueReport, report
from newsletter.transports.folder import file_name

commands = command_list()

DAY = "2026-08-12"  # the date of the bundled listing
READER = "ada@example.org"  # the reader whose email the preview page shows first


@command(commands)
def demo(
    _config: Path,
    output: Output,
    *,
    serve: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Serve the preview page at the end.")
    ] = True,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the demo's files.")
    ] = Path("demo"),
    port: Port = 8025,
) -> int:
    """Try out a whole morning offline: 40 papers, 3 readers, emails sent over real SMTP.

    Example: newsletter demo --no-serve

    The emails are written to a folder and, unless --no-serve, shown on the preview page. Each demo
    starts from the beginning.
    """
    return event_loop.run(_run_demo(out, output, port if serve else None))


async def _run_demo(folder: Path, output: Output, port: int | None) -> int:
    letters = folder / "letters"
    _clear(folder, letters)
    # The inbox stays open while the preview page is served: the page can send test emails.
    async with Inbox(letters) as inbox:
        _write_configuration(folder, inbox.port)
        with open_app(folder / "newsletter.yaml") as app:
            issue, sources = await _send(app)
            _print_results(output, issue, sources, letters)
            if port is not None:
                day = issue_day(DAY, app.clock, app.settings.timezone)
                await serve_page(open_preview(app, day, READER), port, output)
    return exit_code(issue, sources)


def _clear(folder: Path, letters: Path) -> None:
    """Delete an earlier demo's store, journal and emails, so that this one sends again."""
    letters.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / OWN_FOLDER / "witness", ignore_errors=True)
    for path in (*folder.glob("newsletter.db*"), *letters.glob("*.eml")):
        path.unlink()


def _write_configuration(folder: Path, port: int) -> None:
    for name in ("newsletter.yaml", "subscribers.yaml", "listing.json"):
        text = files("newsletter").joinpath("data", "demo", name).read_text("utf-8")
        text = text.replace("port: 1025", f"port: {port}")
        (folder / name).write_text(text, encoding="utf-8")


async def _send(app: App) -> tuple[IssueReport, tuple[SourceReport, ...]]:
    day, publisher = issue_day(DAY, app.clock, app.settings.timezone), app.publisher
    sources = await fetch_sources(
        publisher.sources, publisher.store, day, publisher.clock, lambda _report: None
    )
    freeze(publisher, day, waiting_readers(publisher, day), sources)
    with app.run_lock("demo") as run_lock:
        await publish(
            publisher, day, app.transport(), run_lock=run_lock, progress=lambda _counts: None
        )
    return report(publisher, day, sources), sources


def _print_results(
    output: Output, issue: IssueReport, sources: tuple[SourceReport, ...], letters: Path
) -> None:
    delivered = sorted(letters.glob("*.eml"))
    document = {**issue_document(issue), "letters": [str(path) for path in delivered]}
    rows = [(path, f"{path.stat().st_size:,} bytes") for path in delivered]
    parts = (source_lines(sources), issue_lines(issue), table(("email", ""), rows))
    output.result(document, "\n\n".join(parts))


class Inbox:
    """An SMTP server on a free port of 127.0.0.1, open while its ``async with`` block lasts.

    Attributes:
        folder: where emails are written, one file each (``00001-ada@example.org.eml``); created if
            it does not exist.
        host: the address it listens on.
        port: the port it listens on, known once the block has begun.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = "127.0.0.1"
        self.port = 0
        self._received = 0
        self._sessions: list[SMTP] = []

    async def __aenter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._new_session, self.host, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for session in self._sessions:
            if session.transport is not None:
                session.transport.close()
        await self._server.wait_closed()

    def _new_session(self) -> SMTP:
        session = SMTP(self, hostname="localhost", loop=asyncio.get_running_loop())
        self._sessions.append(session)
        return session

    async def handle_DATA(  # noqa: N802 - the name aiosmtpd calls
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Write an email once for each recipient, and accept it only after that."""
        assert isinstance(envelope.content, bytes)
        for recipient in envelope.rcpt_tos:
            self._received += 1
            name = f"{self._received:05}-{file_name(recipient)}"
            # The name ends in .eml only when the file is complete: no program reads half an email.
            unfinished = self.folder / f"{name}.part"
            unfinished.write_bytes(envelope.content)
            unfinished.replace(self.folder / name)
        return "250 2.0.0 saved"
