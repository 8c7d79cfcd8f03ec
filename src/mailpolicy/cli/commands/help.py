"""The command help: show the help page of a command."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mailpolicy.cli.app import new_app, root
from mailpolicy.cli.output import Output
from mailpolicy.errors import UsageError


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
        try:
            name, command, names = command.resolve_command(page, names)
        except UsageError as error:
            # The suggested command is to be explained, not run.
            error.fix = ("mailpolicy", "help", *[word for word in (error.fix or ())[1:3] if word != "--help"])
            raise
        page = command.make_context(name, [], parent=page, resilient_parsing=True)
    text = command.get_help(page)
    if out.context.draws_tables:
        from mailpolicy.cli import terminal  # 8 ms, only on a terminal

        terminal.show_text(out.context, out.data, text)
    else:
        out.data(f"{text}\n")
    return 0
