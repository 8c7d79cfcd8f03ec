"""The options of when.py as Typer parses them; apart from it, because a plain question is answered without Typer."""

from __future__ import annotations

from typing import Annotated

import typer

from mailpolicy.cli.when import AT

AtOption = Annotated[str | None, typer.Option("--at", metavar=AT[0], help=AT[1])]

UntilOption = Annotated[
    str | None,
    typer.Option("--until", metavar="WHEN", help="as an exception: a last day, a date-time, +3d or +12h"),
]
