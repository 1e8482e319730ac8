"""``newsletter config``."""

from pathlib import Path
from typing import Any

import typer

from newsletter.app.app import open_app
from newsletter.cli.group import group
from newsletter.cli.options import CONFIG, Config, Json, Quiet, Verbose
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


@app.command()
def check(
    *,
    config: Config = CONFIG,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Read the configuration, the readers' file and the templates; tell every mistake at once.

    Example: newsletter config check
    """
    output = Output(json, quiet, verbose)
    try:
        readers = _checked(config)
    except InvalidFileError as error:
        if not json:
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


@app.command()
def show(
    *,
    config: Config = CONFIG,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Every setting as it is understood, defaults included, secrets masked.

    Example: newsletter config show
    """
    output = Output(json, quiet, verbose)
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


@app.command()
def schema(
    *,
    subscribers: bool = typer.Option(False, "--subscribers", help="That of the readers' file."),
    config: Config = CONFIG,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """The JSON Schema of newsletter.yaml, for editors that complete and check as one types.

    Example: newsletter config schema
    """
    del config, json
    document = SubscribersSettings.model_json_schema() if subscribers else settings_schema()
    Output(json=True, quiet=quiet, verbose=verbose).give(document, str)
    return 0
