"""Processes that fork for each command: all modules are imported before, so that a command costs some milliseconds."""

from __future__ import annotations

import gc
import importlib
import io
import os
import pkgutil
import sys
from functools import cache

import mailpolicy

_OTHERS = (
    *(
        "cryptography.hazmat.primitives.ciphers.aead",
        "getpass",
        "shlex",
        "syslog",
        "tests.backends",
        "tomli",
        "tomlkit",
    ),
    *("keyring", "keyring.backends.fail", "keyring.backends.null", "keyring.core"),
    *("rich.table", "typer", "typer.main", "typer.rich_utils"),
)


@cache
def preload() -> None:
    """Import what commands import, so that a fork has it already."""
    for module in pkgutil.walk_packages(mailpolicy.__path__, "mailpolicy."):
        if module.name != "mailpolicy.__main__":
            importlib.import_module(module.name)
    for name in _OTHERS:
        importlib.import_module(name)


def freeze() -> None:
    """Preload in a process that does nothing but fork: a fork that looked for garbage would copy every page."""
    preload()
    gc.collect()
    gc.freeze()


def open_streams() -> None:
    """Open the streams on the descriptors 0 to 2, in a fork, as the interpreter does in the C.UTF-8 locale."""
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), "utf-8", "surrogateescape")
    sys.stdout = _written(1, "surrogateescape")
    sys.stderr = _written(2, "backslashreplace")


def _written(number: int, errors: str) -> io.TextIOWrapper:
    raw = io.FileIO(number, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), "utf-8", errors, line_buffering=os.isatty(number) or number == 2)
