"""``newsletter templates``."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from newsletter.app.app import open_app
from newsletter.cli.command import command, group
from newsletter.cli.output import Output, counted
from newsletter.errors import ConfigurationError, UsageError
from newsletter.templates import find_folders, find_template_errors

app = group()


@app.callback()
def templates_commands() -> None:
    """The letter's templates: copied for editing, and looked through for mistakes.

    Example: newsletter templates check
    """


@command(app, "check")
def check_templates(
    config: Path,
    output: Output,
    folder: Annotated[
        Path | None, typer.Argument(help="The templates; those the configuration names.")
    ] = None,
) -> int:
    """Look templates through: misspelt MJML, unknown names and filters, `| safe`, missing parts.

    Example: newsletter templates check

    Every fault with file, line and what mends it. Exit code 3: there is one.
    """
    if folder is None:
        with open_app(config) as app:
            folder = app.template_folder
    faults = find_template_errors(folder)
    document = [{"file": f.file, "line": f.line, "problem": f.problem} for f in faults]
    output.give({"ok": not faults, "faults": document}, lambda: "\n".join(map(str, faults)))
    output.say(f"{counted(len(faults), 'fault')} in {folder or 'the templates that ship'}")
    return ConfigurationError.exit_code if faults else 0


@command(app)
def eject(
    _config: Path,
    output: Output,
    folder: Annotated[Path, typer.Argument(help="Where the copies go.")] = Path("templates"),
) -> int:
    """Copy the templates that ship into a folder, for editing; nothing is overwritten.

    Example: newsletter templates eject templates
    """
    (own,) = find_folders().paths
    names = sorted(path.relative_to(own) for path in own.rglob("*") if _is_for_editing(path))
    if there := [folder / name for name in names if (folder / name).exists()]:
        raise UsageError(f"{there[0]} is there already; name another folder, or take it away")
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(own / name, folder / name)
    output.give([str(folder / name) for name in names], lambda: "")
    output.say(
        f"{counted(len(names), 'template')} in {folder}; now write `templates: {folder}` into"
        " newsletter.yaml, take away those you do not change, and see: newsletter preview"
    )
    return 0


def _is_for_editing(path: Path) -> bool:
    """Whether an operator may change it; the proof sheet's own page is not read from elsewhere."""
    return path.is_file() and not path.name.startswith("proof.")
