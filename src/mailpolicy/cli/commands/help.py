"""The command help: show the help page of a command."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mailpolicy.cli.app import new_app, root
from mailpolicy.cli.output import Output


def app() -> typer.Typer:
    """Build the command."""
    command = new_app()
    command.command(help="Show the help page of a command, or of the whole program.")(_help)
    return command


def _help(
    context: typer.Context,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="COMMAND...", help="such as account add", show_default=False)
    ] = None,
) -> int:
    out: Output = context.obj
    command: Any = root()
    page = command.make_context("mailpolicy", [], resilient_parsing=True)
    names = list(words or ())
    while names and hasattr(command, "commands"):
        # Raises UsageError with the nearest name if there is no such command.
        name, command, names = command.resolve_command(page, names)
        page = command.make_context(name, [], parent=page, resilient_parsing=True)
    out.data(f"{command.get_help(page)}\n")
    return 0
