"""``newsletter config``."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from newsletter.app.app import open_app
from newsletter.cli.command import command, group
from newsletter.cli.output import Output, counted
from newsletter.config import schema as settings_schema
from newsletter.config.subscribers import SubscribersSettings
from newsletter.errors import ConfigurationError, InvalidFileError

app = group()


@app.callback()
def config_commands() -> None:
    """Check the configuration, show it, print its schema.

    Example: newsletter config check
    """


@command(app)
def check(config: Path, output: Output) -> int:
    """Read the configuration, the readers' file and the templates; tell every mistake at once.

    Example: newsletter config check
    """
    try:
        readers = _checked(config)
    except InvalidFileError as error:
        if not output.json:
            raise
        output.give({"ok": False, "errors": [_document(each) for each in error.errors]}, str)
        return error.exit_code
    document = {"ok": True, "errors": [], "readers": readers}
    output.give(document, lambda: f"{config}: well; {counted(readers, 'reader')} in the file")
    return 0


def _checked(config: Path) -> int:
    """How many readers the file has.

    Raises:
        InvalidFileError: every mistake in the readers' file and the templates; where there is
            one in newsletter.yaml, those alone, since it says what the others must fit.
    """
    found: list[ConfigurationError] = []
    readers = 0
    try:
        with open_app(config) as app:
            try:
                readers = len(app.listed_subscribers)
            except ConfigurationError as error:
                found += each_of(error)
            _ = app.templates
    except ConfigurationError as error:
        found += each_of(error)
    if found:
        raise InvalidFileError(found)
    return readers


def each_of(error: ConfigurationError) -> tuple[ConfigurationError, ...]:
    """The mistakes an error tells of."""
    return error.errors if isinstance(error, InvalidFileError) else (error,)


def _document(error: ConfigurationError) -> dict[str, Any]:
    return {
        "file": error.file,
        "line": error.line,
        "where": error.where,
        "problem": error.problem,
    }


@command(app)
def show(config: Path, output: Output) -> int:
    """Every setting as it is understood, defaults included, secrets masked.

    Example: newsletter config show
    """
    with open_app(config) as app:
        document = app.settings.model_dump(mode="json")
    output.give(document, lambda: "\n".join(_lines(document, "")))
    return 0


def _lines(value: Any, path: str) -> list[str]:  # noqa: ANN401 - any JSON
    """Dotted settings, one a line."""
    if isinstance(value, dict):
        parts = value.items()
    elif isinstance(value, list) and value:
        parts = {str(at): part for at, part in enumerate(value)}.items()
    else:
        return [f"{path} = {value}"]
    return [
        line for key, part in parts for line in _lines(part, f"{path}.{key}" if path else str(key))
    ]


@command(app)
def schema(
    _config: Path,
    output: Output,
    *,
    subscribers: bool = typer.Option(False, "--subscribers", help="That of the readers' file."),
) -> int:
    """The JSON Schema of newsletter.yaml, for editors that complete and check as one types.

    Example: newsletter config schema
    """
    document = SubscribersSettings.model_json_schema() if subscribers else settings_schema()
    replace(output, json=True).give(document, str)
    return 0
