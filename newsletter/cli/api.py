"""``newsletter api``: tokens with which programs use the newsletter over HTTP."""

import json
import secrets
from pathlib import Path
from typing import Annotated, Any

import typer

from newsletter.cli.command import command, command_list, group
from newsletter.cli.output import Output
from newsletter.config.api import SCOPES, hash_token, token_name
from newsletter.errors import UsageError

commands = command_list()
api_group = group(
    commands,
    "api",
    """Make a token for a program that uses the HTTP API.

    Example: newsletter api token website --scope readers:subscribe
    """,
)

PREFIX = "dpn_"  # scanners of leaked secrets find tokens by how they begin


@command(api_group)
def token(
    _config: Path,
    output: Output,
    name: Annotated[str, typer.Argument(help="The program's name, for your records.")],
    *,
    scope: Annotated[
        list[str], typer.Option(help=f"Repeat for more than one: {', '.join(SCOPES)}.")
    ],
) -> int:
    """Make a token and print it once, with its line for newsletter.yaml.

    Example: newsletter api token website --scope readers:subscribe --scope papers:read

    No file is changed. The token works once its line is in newsletter.yaml and the newsletter has
    read it, until you delete the line. The line has only a hash of the token.
    """
    try:
        token_name(name)
    except ValueError as error:
        raise UsageError(str(error)) from error
    unknown = [each for each in scope if each not in SCOPES]
    if unknown:
        raise UsageError(f"there is no scope {unknown[0]!r}; there are {', '.join(SCOPES)}")
    scopes = [each for each in SCOPES if each in scope]
    made = f"{PREFIX}{secrets.token_urlsafe(32)}"
    entry = {"name": name, "hash": hash_token(made), "scopes": scopes}
    output.result({"token": made, **entry, "line": _line(entry)}, f"{made}\n\n{_lines(entry)}")
    output.message("Store the token now; it is not shown again.")
    return 0


def _line(entry: dict[str, Any]) -> str:
    """The entry as one line of YAML, in which JSON is allowed."""
    return f"- {json.dumps(entry)}"


def _lines(entry: dict[str, Any]) -> str:
    return f"api:\n  tokens:\n    {_line(entry)}"
