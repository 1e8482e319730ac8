"""``newsletter templates``."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from newsletter.app.wiring import open_app
from newsletter.cli.command import command, command_list, group
from newsletter.cli.output import Output, count_of
from newsletter.errors import ConfigurationError, UsageError
from newsletter.templates import find_folders, find_template_errors

commands = command_list()
templates_group = group(
    commands,
    "templates",
    """Copy the email templates for editing, or check them for mistakes.

    Example: newsletter templates check
    """,
)


@command(templates_group, "check")
def check_templates(
    config: Path,
    output: Output,
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of templates. Default: the one configured.")
    ] = None,
) -> int:
    """Check templates for misspelt MJML, unknown names and filters, `| safe`, missing parts.

    Example: newsletter templates check

    Each mistake is reported with file, line and fix. Exit code 3: there are mistakes.
    """
    if folder is None:
        with open_app(config) as app:
            folder = app.template_folder
    faults = find_template_errors(folder)
    document = [{"file": f.file, "line": f.line, "problem": f.problem} for f in faults]
    output.result({"ok": not faults, "faults": document}, "\n".join(map(str, faults)))
    output.message(f"{count_of(len(faults), 'mistake')} in {folder or 'the bundled templates'}")
    return ConfigurationError.exit_code if faults else 0


@command(templates_group, private=False)
def eject(
    _config: Path,
    output: Output,
    folder: Annotated[Path, typer.Argument(help="Where to put the copies.")] = Path("templates"),
) -> int:
    """Copy the bundled templates to a folder, for editing; nothing is overwritten.

    Example: newsletter templates eject templates
    """
    (bundled,) = find_folders().paths
    names = sorted(path.relative_to(bundled) for path in bundled.rglob("*") if _is_editable(path))
    if existing := [folder / name for name in names if (folder / name).exists()]:
        raise UsageError(f"{existing[0]} exists already; choose another folder, or remove it")
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(bundled / name, folder / name)
    output.result([str(folder / name) for name in names])
    output.message(
        f"{count_of(len(names), 'template')} copied to {folder}. Now set `templates: {folder}` in"
        " newsletter.yaml, delete the copies you do not change, and run: newsletter preview"
    )
    return 0


def _is_editable(path: Path) -> bool:
    """Whether it is a template of emails or pages; the preview page uses only the bundled one."""
    return path.is_file() and not path.name.startswith("proof.")
