"""The tree of commands that completion reads, made from Typer's commands, so that a TAB need not import Typer."""

from __future__ import annotations

import json
from typing import Any

from mailpolicy.cli.app import COMMANDS, root
from mailpolicy.cli.command_tree import Command
from mailpolicy.cli.context import USUAL_FORMATS


def text() -> str:
    """Return the content of commands.json."""
    return json.dumps(_tree(), indent=1, ensure_ascii=False) + "\n"


def _tree() -> Command:
    program = root()
    commands = {name: _described(program.get_command(None, name), text) for name, (_, text) in COMMANDS.items()}
    return {**_described(program, ""), "commands": commands}


def _described(command: Any, help_text: str) -> Command:
    shown = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
    arguments = [parameter for parameter in shown if parameter.param_type_name == "argument"]
    described: Command = {
        "help": help_text,
        "options": {
            name: (None if option.is_flag else option.metavar or "", option.help or "")
            for option in shown
            if option.param_type_name == "option"
            for name in option.opts
        },
        "arguments": [argument.metavar for argument in arguments],
        "last_repeats": bool(arguments) and arguments[-1].nargs == -1,
        "formats": list(getattr(command.callback, "formats", USUAL_FORMATS)),
    }
    if hasattr(command, "commands"):
        described["commands"] = {
            name: _described(below, below.get_short_help_str(80))
            for name, below in command.commands.items()
            if not below.hidden
        }
    return described
