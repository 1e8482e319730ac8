"""``newsletter init``."""

import json as json_format
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from newsletter.cli.command import command
from newsletter.cli.output import Output
from newsletter.config import schema
from newsletter.config.subscribers import SubscribersSettings
from newsletter.errors import UsageError

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@command(app)
def init(
    _config: Path,
    output: Output,
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where to; made if absent.")
    ] = Path(),
) -> int:
    """Write a commented newsletter.yaml and subscribers.yaml, and their schemas for editors.

    Example: newsletter init my-papers

    What is there already is never overwritten.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = [name for name, text in _contents() if _write(folder / name, text)]
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {error.strerror}") from error
    told = [str(folder / name) for name in written]
    output.give({"written": told}, lambda: "\n".join(told))
    if not written:
        output.say(f"{folder}: all is there already; nothing was written")
    output.say("Edit the two .yaml files, then: newsletter config check")
    return 0


def _contents() -> Iterator[tuple[str, str]]:
    data = files("newsletter").joinpath("data")
    yield "newsletter.yaml", data.joinpath("newsletter.example.yaml").read_text("utf-8")
    yield "subscribers.yaml", _example_readers()
    yield "newsletter.schema.json", json_format.dumps(schema(), indent=1)
    yield (
        "subscribers.schema.json",
        json_format.dumps(SubscribersSettings.model_json_schema(), indent=1),
    )


def _example_readers() -> str:
    """subscribers.example.yaml: the checkout's own, else the installed copy."""
    name, package = "subscribers.example.yaml", files("newsletter")
    checkout = Path(str(package)).parent / name
    installed = package.joinpath("data", name)
    return (checkout if checkout.is_file() else installed).read_text("utf-8")


def _write(path: Path, text: str) -> bool:
    """Write a new file; False where there is one of that name."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True
