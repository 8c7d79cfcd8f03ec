"""The command version: print the version."""

from __future__ import annotations

import typer

from mailpolicy import __version__
from mailpolicy.cli.app import new_app
from mailpolicy.cli.output import Output


def app() -> typer.Typer:
    """Build the command."""
    command = new_app()
    command.command(help="Print the version, as --version does.")(_version)
    return command


def _version(context: typer.Context) -> int:
    out: Output = context.obj
    if out.context.format == "json":
        out.json("version/1", {"version": __version__})
    else:
        out.lines([f"mailpolicy {__version__}"])
    return 0
