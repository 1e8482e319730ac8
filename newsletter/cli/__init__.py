"""The operator's commands. A command's module is imported only when the command is called."""

import logging
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException
from typer.main import get_command, get_group

from newsletter.cli.logs import configure_logging
from newsletter.errors import Isolated, NewsletterError, describe

_log = logging.getLogger(__name__)

COMMANDS = {
    "demo": ("demo", "Try it out: bundled papers, 3 readers, real SMTP, no network needed."),
    "init": ("init", "Set up a newsletter: ask a few questions, and write its files."),
    "config": ("config", "Check the configuration, show it, or print its JSON Schema."),
    "doctor": ("doctor", "Check store, SMTP login, sender domain, clock, disk and last run."),
    "sources": ("sources", "Find the feed behind a page; import and export lists of feeds (OPML)."),
    "fetch": ("send", "Fetch the day's papers into the store."),
    "preview": ("preview", "See the emails before they are sent."),
    "send": ("send", "Fetch, compose and send today's issue, or finish an interrupted run."),
    "run": ("run", "Keep running and send each issue at the time the reader chose."),
    "reload": ("run", "Let a running newsletter take in the changed configuration."),
    "serve": ("run", "Serve only the readers' web pages."),
    "note": ("note", "Write a note to all readers; each reader gets it once."),
    "status": ("status", "Show the state of an issue and its deliveries."),
    "audit": ("status", "Check that an issue was delivered exactly as promised."),
    "issue": ("issue", "Cancel or undo an issue, release a held one, or resolve doubts."),
    "store": ("store", "Back up the store while it is in use, or recover after a restore."),
    "secret": ("secret", "List, renew or forget the secrets that sign the links in emails."),
    "why": ("why", "Explain for each paper of a day why a reader gets it or not."),
    "bounces": ("bounces", "Process returned mail: bounces, complaints, unsubscribe requests."),
    "subscribers": ("reader_lists", "List, show, add, change, import and erase readers."),
    "api": ("api", "Make a token for a program that uses the HTTP API."),
    "templates": ("templates", "Copy the email templates for editing, or check them."),
    "topics": ("topic_changes", "List, try out, rename, merge or remove topics."),
}
"""Each command's module and help line, in the order in which a newcomer needs them."""

UNEXPECTED = 1
INTERRUPTED = 130


class LazyGroup(TyperGroup):
    """The top-level commands; each is imported when it is called, none for the help."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """The commands' names, in the order of the help."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]  # noqa: ANN401 - typer's own class is private
        """Import and return a command; None if no command has that name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        return get_group(import_module(f"newsletter.cli.{module}").commands).commands[cmd_name]

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]  # noqa: ANN401 - as above
        """Write the commands' help lines from the table, without importing the commands."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


app = typer.Typer(cls=LazyGroup, rich_markup_mode=None, no_args_is_help=True)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer passes it by position
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - only --version needs it

        typer.echo(version("daily-papers-newsletter"))
        raise typer.Exit


@app.callback()
def newsletter(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """A daily newsletter of research papers, filtered for each reader.

    Example: newsletter demo

    Exit codes: 0 ok, 1 error, 2 usage, 3 configuration, 4 a source failed but the rest was done,
    5 some deliveries failed or are in doubt, 75 try again later, 130 interrupted.
    """


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code.

    An error of the newsletter, or a file that the system refuses, becomes one message on standard
    error. Any other exception is named in one line; ``--verbose`` prints its traceback.
    """
    configure_logging()  # for errors that come before the command has read its options
    with Isolated() as attempt:
        return _run(arguments)
    _log_unexpected(attempt.error)
    return UNEXPECTED


def _run(arguments: Sequence[str]) -> int:
    try:
        code = get_command(app).main(list(arguments), prog_name="newsletter", standalone_mode=False)
    except TyperException as error:
        typer.echo(_usage_message(error), err=True)
        return error.exit_code
    except NewsletterError as error:
        _log.error("%s", error)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        _log.error("interrupted; run the same command again to continue")
        return INTERRUPTED
    return code if isinstance(code, int) else 0


def _usage_message(error: TyperException) -> str:
    """What is wrong with the command line; for a group without a subcommand, the group's help."""
    message = error.format_message()
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "newsletter"
    return (
        message if message.startswith("Usage:") else f"newsletter: {message} (see: {path} --help)"
    )


def _log_unexpected(error: Exception | None) -> None:
    if isinstance(error, OSError) and error.filename:
        message = "%s: cannot be read or written: %s; fix that, or choose another path"
        verbose = _log.isEnabledFor(logging.DEBUG)
        _log.error(message, error.filename, error.strerror, exc_info=error if verbose else None)
    else:
        _log.error("%s", describe(error), exc_info=error)
