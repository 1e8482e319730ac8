"""What every command takes."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from newsletter.errors import UsageError
from newsletter.ports import Clock

CONFIG = Path("newsletter.yaml")

Config = Annotated[
    Path,
    typer.Option("--config", envvar="NEWSLETTER_CONFIG", help="The configuration file."),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No talk on standard error.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="More talk, and tracebacks.")]
Day = Annotated[
    str | None, typer.Option("--date", metavar="YYYY-MM-DD", help="The issue's date; today.")
]

Port = Annotated[
    int,
    typer.Option(
        "--port", min=1, max=65535, help="Where the page is served, or at the next free one."
    ),
]


def issue_day(text: str | None, clock: Clock, timezone: str) -> date:
    """The date given, or today's where the newsletter is.

    Raises:
        UsageError: it is no date.
    """
    if text is None:
        return clock.now().astimezone(ZoneInfo(timezone)).date()
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise UsageError(f"{text!r} is no date; write it as 2026-08-03") from error
