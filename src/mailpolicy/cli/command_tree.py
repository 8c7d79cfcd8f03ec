"""The tree of commands as completion reads it, from a file that `make docs` writes: building it with Typer takes too long."""

from __future__ import annotations

import os
from typing import NotRequired, TypedDict

from mailpolicy.cli.context import Description


class Command(TypedDict):
    """A command. Hidden commands, options and arguments are left out."""

    help: str
    options: dict[str, Description]  # its own, not those of every command
    arguments: list[str]  # their metavars
    last_repeats: bool  # the last argument may be given several times
    formats: list[str]
    commands: NotRequired[dict[str, Command]]  # of a group


def program() -> Command:
    """Return the tree from its root."""
    import json  # 2 ms, only for a TAB

    # Not by importlib.resources, whose import would take a fifth of the time of a TAB.
    with open(os.path.join(os.path.dirname(__file__), "commands.json"), encoding="utf-8") as file:
        tree: Command = json.load(file)
    return tree
