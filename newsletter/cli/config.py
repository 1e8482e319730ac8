"""``newsletter config``: check and show the configuration."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from newsletter.app.files import check_matching
from newsletter.app.guards import refuse_missing_file
from newsletter.app.wiring import App, open_app
from newsletter.cli.command import command, command_list, group
from newsletter.cli.output import Output, count_of
from newsletter.config import Settings
from newsletter.config.rules import check_rules
from newsletter.config.subscribers import SubscribersSettings
from newsletter.config.yaml_file import load
from newsletter.errors import ConfigurationError, InvalidFileError, StoreError
from newsletter.model import ReaderFault
from newsletter.papers.topics import lost_topics
from newsletter.readers.stored_settings import FORMERLY, lost_topic_lines

commands = command_list()
config_group = group(
    commands,
    "config",
    """Check the configuration, show it, or print its JSON Schema.

    Example: newsletter config check
    """,
)


@command(config_group)
def check(config: Path, output: Output) -> int:
    """Check the configuration, the readers' file and the templates; report every mistake at once.

    Example: newsletter config check
    """
    try:
        readers, warnings = _check_files(config)
    except InvalidFileError as error:
        if not output.json:
            raise
        errors = [_plain(each) for each in error.errors]
        output.result({"ok": False, "errors": errors})
        return error.exit_code
    document = {
        "ok": True,
        "errors": [],
        "warnings": [_plain(each) for each in warnings],
        "readers": readers,
    }
    for each in warnings:
        output.message(f"warning: {each}")
    output.result(document, f"{config}: ok, {count_of(readers, 'reader')} in the file")
    return 0


def _plain(error: ConfigurationError) -> dict[str, object]:
    return {
        "file": error.file,
        "line": error.line,
        "where": error.where,
        "problem": error.problem,
    }


def _check_files(config: Path) -> tuple[int, list[ConfigurationError]]:
    """The number of readers in a correct readers' file, and warnings about rules in both files.

    Raises:
        InvalidFileError: every mistake in the readers' file and the templates; or only those in
            newsletter.yaml, because the other files are checked against it.
    """
    errors: list[ConfigurationError] = []
    warnings: list[ConfigurationError] = []
    readers = 0
    try:
        with open_app(config) as app:
            try:
                readers = len(app.listed_subscribers)
            except ConfigurationError as error:
                errors += _each_error(error)
            if app.template_folder is not None:  # those that ship are right
                _ = app.templates
            _check_store(app)
            check_matching(app.settings.matching)
            warnings = [] if errors else [*_rule_warnings(app), *_lost_topics(app)]
    except ConfigurationError as error:
        errors += _each_error(error)
    if errors:
        raise InvalidFileError(errors)
    return readers, warnings


def _check_store(app: App) -> None:
    """Check that a store in a file is the one that the newsletter was sent from.

    Raises:
        ConfigurationError: it is not, or a secret is missing that has signed for it.
    """
    refuse_missing_file(app.journal, app.path.name)
    if app.journal.file and Path(app.journal.file).exists():
        _ = app.store


def _lost_topics(app: App) -> Iterator[ConfigurationError]:
    """Topics that readers of the store follow and newsletter.yaml does not have."""
    if app.journal.file and "store" not in vars(app):
        return  # there is none yet
    try:
        known = app.known_topics
        followed = ((email, lost_topics(own, known)) for email, own in app.store.followed_topics())
        lost = [ReaderFault(0, email, "", lost=names) for email, names in followed if names]
    except StoreError as error:
        problems = [f"whether readers follow other topics was not checked: {error}"]
    else:
        problems = [f"{line}; {FORMERLY}" for line in lost_topic_lines(lost)]
    if problems:
        document = load(app.path.read_bytes(), app.path.name, app.environment)
        yield from (document.error_at(("topics",), problem) for problem in problems)


def _rule_warnings(app: App) -> Iterator[ConfigurationError]:
    for path in (app.path, app.subscribers_file):
        document = load(path.read_bytes(), path.name, app.environment)
        yield from check_rules(document, app.settings.paper_fields, app.matcher)


def _each_error(error: ConfigurationError) -> tuple[ConfigurationError, ...]:
    return error.errors if isinstance(error, InvalidFileError) else (error,)


@command(config_group)
def show(config: Path, output: Output) -> int:
    """Show every setting as it was understood, with defaults; secrets are masked.

    Example: newsletter config show
    """
    with open_app(config) as app:
        document = app.settings.model_dump(mode="json")
    output.result(document, "\n".join(_setting_lines(document, "")))
    return 0


def _setting_lines(value: Any, path: str) -> list[str]:  # noqa: ANN401 - any JSON
    """One line for each setting, with its dotted path."""
    if isinstance(value, dict):
        parts = value
    elif isinstance(value, list) and value:
        parts = dict(enumerate(value))
    else:
        return [f"{path} = {value}"]
    return [
        line
        for key, part in parts.items()
        for line in _setting_lines(part, f"{path}.{key}" if path else str(key))
    ]


@command(config_group)
def schema(
    _config: Path,
    output: Output,
    *,
    subscribers: Annotated[
        bool, typer.Option("--subscribers", help="Print the schema of the readers' file.")
    ] = False,
) -> int:
    """Print the JSON Schema of newsletter.yaml; editors complete and check with it as you type.

    Example: newsletter config schema
    """
    document = (
        SubscribersSettings.model_json_schema() if subscribers else Settings.model_json_schema()
    )
    replace(output, json=True).result(document)
    return 0
