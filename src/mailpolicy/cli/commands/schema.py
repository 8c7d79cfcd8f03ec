"""The command schema: print the JSON Schema of the store, for editors."""

from __future__ import annotations

from importlib.resources import files as resources

import typer

from mailpolicy.cli.app import new_app
from mailpolicy.cli.output import Output

FILE = "accounts.schema.json"


def app() -> typer.Typer:
    """Build the command."""
    command = new_app()
    command.command(
        help="Print the JSON Schema (draft-07) of the store, with which editors complete and check keys.\n\n"
        f"mailpolicy schema > {FILE}, and `#:schema ./{FILE}` as the first line of the store; init does both."
    )(_schema)
    return command


def _schema(context: typer.Context) -> int:
    out: Output = context.obj
    out.data(content().decode("utf-8"))
    return 0


def content() -> bytes:
    """Return the JSON Schema of this version of mailpolicy."""
    return resources("mailpolicy.store").joinpath(FILE).read_bytes()
