"""schema: the JSON Schema of the store, for editors and for validators of JSON Schema."""

from __future__ import annotations

from importlib.resources import files as resources

import typer

from mailpolicy.cli.app import new_app
from mailpolicy.cli.output import Output

FILE = "accounts.schema.json"


def app() -> typer.Typer:
    """The command schema."""
    command = new_app()
    command.command(
        help="Print the JSON Schema (draft-07) of the store. An editor completes and checks keys with it: "
        f"mailpolicy schema > {FILE}, and `#:schema ./{FILE}` as the store's first line, as init does both."
    )(_schema)
    return command


def _schema(context: typer.Context) -> int:
    out: Output = context.obj
    out.data(content().decode("utf-8"))
    return 0


def content() -> bytes:
    """The JSON Schema that comes with this mailpolicy."""
    return resources("mailpolicy.store").joinpath(FILE).read_bytes()
