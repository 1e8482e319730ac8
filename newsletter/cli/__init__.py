"""The operator's commands. A command's module is imported when the command is called."""

import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException
from typer.main import get_command

from newsletter.errors import NewsletterError

COMMANDS = {
    "demo": "A whole morning on the bundled listing: offline, three readers, real SMTP.",
    "init": "Write a commented configuration into a folder.",
    "config": "Check the configuration, show it, print its schema.",
    "doctor": "Is all well: store, SMTP login, sender's domain, clock, disk, last run.",
    "fetch": "Pull today's listings into the store.",
    "preview": "See the letters before they go.",
    "send": "Fetch, compose and deliver today's issue; again: finish what is open.",
    "run": "Stay awake: every reader's issue at that reader's own time.",
    "serve": "The readers' pages alone: join, choose, read, leave.",
    "status": "Where an issue stands, in counts.",
    "audit": "Prove from the ledger that an issue went out as promised.",
    "issue": "Cancel an issue, release a held one, end a doubt about a letter.",
    "store": "Copy the store while it is at work; say that it was restored from a copy.",
    "why": "For every paper of the day, the one reason it is in a letter or is not.",
    "bounces": "Take in what comes back by mail: bounces, complaints, unsubscribes.",
    "subscribers": "List, add, remove, import, export and erase readers.",
    "templates": "Copy the templates for editing, and look them through for mistakes.",
    "topics": "The topics that ship, and what filters would have brought.",
}
"""Every command with its line in the help, in the order a newcomer needs them."""

UNEXPECTED = 1
INTERRUPTED = 130


class LazyGroup(TyperGroup):
    """Commands that cost nothing until they are called."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """The commands' names, in the order of the help."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]  # noqa: ANN401 - typer's own class is private
        """A command, imported now; None where there is none of that name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command = get_command(import_module(f"newsletter.cli.{cmd_name}").app)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]  # noqa: ANN401 - as above
        """Write the commands' lines without importing any of them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


app = typer.Typer(cls=LazyGroup, rich_markup_mode=None, no_args_is_help=True)


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it so
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - needed here alone

        typer.echo(version("daily-papers-newsletter"))
        raise typer.Exit


@app.callback()
def newsletter(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """A daily newsletter of research papers, for every reader's own topics.

    Example: newsletter demo

    Exit codes: 0 ok, 1 error, 2 usage, 3 configuration, 4 a source failed and the rest was done,
    5 some deliveries failed or are in doubt, 75 try again later, 130 interrupted.
    """


def run(words: Sequence[str]) -> int:
    """Run a command line; its exit code.

    Every error the newsletter knows becomes one clear message on standard error, and so does a file
    the system refuses. What nobody foresaw is named in a line, and in full with ``--verbose``.
    """
    try:
        code = get_command(app).main(list(words), prog_name="newsletter", standalone_mode=False)
    except TyperException as error:
        typer.echo(_misspelt(error), err=True)
        return error.exit_code
    except NewsletterError as error:
        typer.echo(f"newsletter: {error}", err=True)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("newsletter: interrupted; the same command goes on where it stopped", err=True)
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last line of defence, in the run loop
        _unexpected(error, whole="--verbose" in words)
        return UNEXPECTED
    return code if isinstance(code, int) else 0


def _misspelt(error: TyperException) -> str:
    """What is wrong with the words of a command; of a group called by itself, its help."""
    said = error.format_message()
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "newsletter"
    return said if said.startswith("Usage:") else f"newsletter: {said} (see: {path} --help)"


def _unexpected(error: Exception, *, whole: bool) -> None:
    if whole:
        traceback.print_exception(error, file=sys.stderr)
    elif isinstance(error, OSError) and error.filename:
        said = f"{error.filename}: cannot be read or written: {error.strerror}"
        typer.echo(f"newsletter: {said}; mend that, or name another place", err=True)
    else:
        kind = type(error).__name__
        typer.echo(f"newsletter: unexpected {kind}: {error} (in full: --verbose)", err=True)
