"""Command lines to paste into a shell."""

from __future__ import annotations

import os

from mailpolicy.cli.context import Context, split_options
from mailpolicy.cli.streams import quoted
from mailpolicy.errors import Command

_WITHOUT_STORE = ("diff", "explain", "schema")  # commands that read neither the store nor host.toml


def command_line(context: Context, command: Command) -> str:
    """Return a command as it is pasted; a mailpolicy command repeats --file and the like as this run had them."""
    program = command.index("mailpolicy") if "mailpolicy" in command else len(command)
    named, ours = split_options(list(command[program + 1 :]))
    if not ours or ours[0] in _WITHOUT_STORE or ours[-1] == "--help":
        return " ".join(map(quoted, command))
    # A program that runs mailpolicy for us may do so in another directory.
    path = os.path.abspath if program else str
    config = context.host_config
    options = {
        "--file": path(context.file) if context.file_option else None,
        "--host-config": path(config) if config and (program or context.host_config_option) else None,
        "--keyring-backend": context.keyring_backend,
    }
    repeated = [
        word for name, value in options.items() if value is not None and name not in named for word in (name, value)
    ]
    # Behind `--` the options would be taken for arguments.
    end = command.index("--") if "--" in command else len(command)
    return " ".join(map(quoted, (*command[:end], *repeated, *command[end:])))
