"""A group of commands, whose help says what each does in whole sentences."""

from typing import Any

import typer
from typer.core import TyperGroup


class Group(TyperGroup):
    """Commands, each with its first paragraph; of a long one typer shows the beginning."""

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]  # noqa: ANN401 - typer's own class is private
        """Write the commands' lines, as long as they are."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, " ".join((command.help or "").partition("\n\n")[0].split()))
                    for name, command in self.commands.items()
                ]
            )


def group() -> typer.Typer:
    """A group to put commands into; called by itself it shows them."""
    return typer.Typer(cls=Group, rich_markup_mode=None, add_completion=False, no_args_is_help=True)
