"""How commands are defined: common options, groups with complete help, dates, and readers.

A command is a function of the configuration's path, an :class:`Output` and its own options.
:func:`command` adds ``--config``, ``--json``, ``--quiet``, ``--verbose`` and ``--log-format`` to
what typer sees.
"""

import inspect
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import wraps
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec

import typer
from typer.core import TyperGroup

from newsletter.cli.logs import LogFormat, configure_logging
from newsletter.cli.output import Output
from newsletter.config.subscribers import mailbox_key, read_entry
from newsletter.errors import ConfigurationError, InvalidFileError, UsageError
from newsletter.model import SUBSCRIBER_FIELDS, FormField, ListedReader, Reader
from newsletter.model.zones import load_zone
from newsletter.ports import Clock, Matcher

OTHERS_SEE_NOTHING = 0o077
"""The umask of commands: new files and folders are their owner's alone (umask(2)).

They hold readers' addresses, letters and secrets. SQLite gives the files beside a database the mode
of the database, so that a mode which the operator chose stays."""

Options = ParamSpec("Options")
Command = Callable[Concatenate[Path, Output, Options], int]

Day = Annotated[
    str | None,
    typer.Option("--date", metavar="YYYY-MM-DD", help="Date of the issue. Default: today."),
]
Port = Annotated[
    int,
    typer.Option(
        "--port", min=1, max=65535, help="Port of the page. If it is in use: the next free port."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]


def _option(name: str, annotation: object, default: object) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


DEFAULT_CONFIG = "newsletter.yaml"

_CONFIG = typer.Option("--config", envvar="NEWSLETTER_CONFIG", help="The configuration file.")
_JSON = typer.Option("--json", help="Print one JSON document on standard output.")
_QUIET = typer.Option("--quiet", help="Print only errors on standard error.")
_VERBOSE = typer.Option("--verbose", help="Print details, and tracebacks of unexpected errors.")
_LOG_FORMAT = typer.Option("--log-format", help="Messages as text, or one JSON object a line.")
_COMMON = (
    _option("config", Annotated[Path, _CONFIG], Path(DEFAULT_CONFIG)),
    _option("json", Annotated[bool, _JSON], default=False),
    _option("quiet", Annotated[bool, _QUIET], default=False),
    _option("verbose", Annotated[bool, _VERBOSE], default=False),
    _option("log_format", Annotated[LogFormat, _LOG_FORMAT], default=LogFormat.TEXT),
)


class Group(TyperGroup):
    """A group whose help shows the first paragraph of each command in full; typer cuts it."""

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]  # noqa: ANN401 - typer's own class is private
        """Write each command's name and first paragraph, whatever its length."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, " ".join((command.help or "").partition("\n\n")[0].split()))
                    for name, command in self.commands.items()
                ]
            )


def command_list() -> typer.Typer:
    """An empty list for a module's top-level commands."""
    return typer.Typer(rich_markup_mode=None)


def group(commands: typer.Typer, name: str, help_text: str) -> typer.Typer:
    """Add a group of subcommands to a module's commands; without a subcommand it shows its help."""
    made = typer.Typer(cls=Group, rich_markup_mode=None, no_args_is_help=True)
    commands.add_typer(made, name=name, help=help_text)
    return made


def _field_option(name: str, way: FormField) -> Parameter:
    """The option for one setting of a reader."""
    many = way in {"choices", "lines"}
    kind: Any = list[str] | None if many else str | None
    word = f"--{name.replace('_', '-')}"
    help_text = "Repeat for more than one." if many else f"As `{name}` in subscribers.yaml."
    return _option(name, Annotated[kind, typer.Option(word, help=help_text)], None)


FIELD_OPTIONS = [_field_option(*each) for each in SUBSCRIBER_FIELDS.items() if each[0] != "email"]
"""An option for every setting of a reader but the address."""


def given_fields(options: Mapping[str, object]) -> dict[str, Any]:
    """Those of the :data:`FIELD_OPTIONS` that were given, as an entry of subscribers.yaml."""
    return {name: value for name, value in options.items() if value not in (None, [])}


def read_options(
    email: str, options: Mapping[str, object], topics: Collection[str], matcher: Matcher
) -> ListedReader:
    """The reader with this address and the settings that :data:`FIELD_OPTIONS` gave.

    The ``matcher`` judges wishes in plain words.

    Raises:
        ConfigurationError: a value is wrong; the error names its option.
    """
    try:
        return read_entry({"email": email, **given_fields(options)}, topics, matcher)
    except InvalidFileError as error:
        named = [ConfigurationError(e.problem, where=_option_at(e.where)) for e in error.errors]
        raise InvalidFileError(named) from error


def _option_at(place: str) -> str:
    """The option that gave what is at a place: ``--max-items`` for ``subscribers.0.max_items``."""
    name = "".join(place.split(".")[2:3])
    return {"": "", "email": "EMAIL"}.get(name, f"--{name.replace('_', '-')}")


def command(
    commands: typer.Typer,
    name: str | None = None,
    *,
    long_running: bool = False,
    private: bool = True,
    options: Sequence[Parameter] = (),
) -> Callable[[Command[Options]], Command[Options]]:
    """Register a function as a command, under its own name or the one given.

    The function gets the configuration's path and an :class:`Output` in place of the common
    options. Its return value is the exit code. The function itself is returned unchanged. The log
    lines of a command that is ``long_running`` begin with the time. Unless it is ``private``, other
    users may see the files that it writes, as the user's own umask allows. ``options`` are more
    options, which the function takes as keywords.
    """

    def register(function: Command[Options]) -> Command[Options]:
        own = list(inspect.signature(function).parameters.values())[2:]
        named = [each for each in own if each.kind is not Parameter.VAR_KEYWORD]
        parameters = (*named, *options, *_COMMON)
        run: Callable[..., int] = function

        @wraps(function)
        def invoke(
            *,
            config: Path,
            json: bool,
            quiet: bool,
            verbose: bool,
            log_format: LogFormat,
            **values: object,
        ) -> int:
            if private:
                os.umask(OTHERS_SEE_NOTHING)
            configure_logging(
                quiet=quiet, verbose=verbose, log_format=log_format, timestamps=long_running
            )
            return run(config, Output(json, quiet), **values)

        # typer reads a command's options from its signature and annotations.
        vars(invoke)["__signature__"] = inspect.Signature(parameters)
        invoke.__annotations__ = {each.name: each.annotation for each in parameters}
        commands.command(name)(invoke)
        return function

    return register


def issue_day(text: str | None, clock: Clock, timezone: str) -> date:
    """The date that ``text`` names; None means today in the newsletter's time zone.

    Raises:
        UsageError: the text is not a date.
    """
    if text is None:
        return clock.now().astimezone(load_zone(timezone)).date()
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise UsageError(f"{text!r} is not a date; write it as 2026-08-03") from error


def find_readers(readers: Iterable[Reader], emails: Sequence[str]) -> list[Reader]:
    """The readers at these addresses, in that order; capital letters do not matter.

    Raises:
        UsageError: an address belongs to no reader.
    """
    wanted: dict[str, list[Reader]] = {mailbox_key(email): [] for email in emails}
    for reader in readers:
        mailbox = mailbox_key(reader.subscriber.email)
        if mailbox in wanted:
            wanted[mailbox].append(reader)
    for email in emails:
        if not wanted[mailbox_key(email)]:
            raise UsageError(
                f"no reader has the address {email}; run `newsletter subscribers list`"
            )
    return [reader for found in wanted.values() for reader in found]


def without_faults(readers: Sequence[Reader]) -> list[Reader]:
    """These readers.

    Raises:
        UsageError: the stored settings of one cannot be used; they get no emails.
    """
    for reader in readers:
        if reader.fault:
            raise UsageError(
                f"{reader.subscriber.email}: {reader.fault}; save their settings again, say "
                "with `newsletter subscribers set` or `import --overwrite`"
            )
    return [*readers]
