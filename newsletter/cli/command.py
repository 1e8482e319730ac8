"""The parts every command shares: its common options, groups with full help texts, dates.

A command is a function of the configuration's path, an :class:`Output` and its own options;
:func:`command` adds ``--config``, ``--json``, ``--quiet`` and ``--verbose`` to what typer sees.
"""

import inspect
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import wraps
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec
from zoneinfo import ZoneInfo

import typer
from typer.core import TyperGroup

from newsletter.cli.output import Output
from newsletter.errors import UsageError
from newsletter.ports import Clock

Options = ParamSpec("Options")
Command = Callable[Concatenate[Path, Output, Options], int]

Day = Annotated[
    str | None, typer.Option("--date", metavar="YYYY-MM-DD", help="The issue's date; today.")
]
Port = Annotated[
    int,
    typer.Option(
        "--port", min=1, max=65535, help="Where the page is served, or at the next free one."
    ),
]


def _option(name: str, annotation: object, default: object) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


_CONFIG = typer.Option("--config", envvar="NEWSLETTER_CONFIG", help="The configuration file.")
_JSON = typer.Option("--json", help="One JSON document on standard output.")
_QUIET = typer.Option("--quiet", help="No talk on standard error.")
_VERBOSE = typer.Option("--verbose", help="More talk, and tracebacks.")
_COMMON = (
    _option("config", Annotated[Path, _CONFIG], Path("newsletter.yaml")),
    _option("json", Annotated[bool, _JSON], default=False),
    _option("quiet", Annotated[bool, _QUIET], default=False),
    _option("verbose", Annotated[bool, _VERBOSE], default=False),
)


class Group(TyperGroup):
    """A group whose help shows the first paragraph of each command in full; typer cuts it."""

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]  # noqa: ANN401 - typer's own class is private
        """Write a line for each command, without typer's limit on its length."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, " ".join((command.help or "").partition("\n\n")[0].split()))
                    for name, command in self.commands.items()
                ]
            )


def group() -> typer.Typer:
    """A group to put commands into; called by itself it shows them."""
    return typer.Typer(cls=Group, rich_markup_mode=None, add_completion=False, no_args_is_help=True)


def command(
    app: typer.Typer, name: str | None = None
) -> Callable[[Command[Options]], Command[Options]]:
    """Register a function as a command, under its own name or the one given.

    The function gets the configuration's path and an :class:`Output` in place of the common
    options. Its return value is the exit code. The function itself is returned unchanged.
    """

    def register(function: Command[Options]) -> Command[Options]:
        own = list(inspect.signature(function).parameters.values())[2:]
        parameters = (*own, *_COMMON)

        run: Callable[..., int] = function

        @wraps(function)
        def invoke(
            *, config: Path, json: bool, quiet: bool, verbose: bool, **options: object
        ) -> int:
            return run(config, Output(json, quiet, verbose), **options)

        # typer reads a command's options from its signature and annotations.
        vars(invoke)["__signature__"] = inspect.Signature(parameters)
        invoke.__annotations__ = {each.name: each.annotation for each in parameters}
        app.command(name)(invoke)
        return function

    return register


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
