"""The command line: parse, call one function, print, exit; the only room that reads the environment.

Promises: every outcome has its exit code, and a crash (70) never looks like a denial (1). Nothing happens at import.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; `arguments` without the program's name, by default sys.argv's."""
    if arguments is None:
        gc.set_threshold(
            50_000
        )  # nothing that is imported is garbage, and looking for some is a tenth of a short command
    try:
        from mailpolicy.cli.run import run, settled  # typer: inside the try, so that its failure is caught too

        status = run(list(sys.argv[1:] if arguments is None else arguments))
        if arguments is None:
            settled()
            gc.freeze()  # the process frees all it has; Python would look for garbage first, an eighth of a short command
        return status
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - the last catcher
        if was_interrupted(error):
            return 130
        if sys.stderr is not None:
            print(f"mailpolicy: internal error: {type(error).__name__}", file=sys.stderr)
        return 70


def was_interrupted(error: BaseException | None, by: type[BaseException] = KeyboardInterrupt) -> bool:
    """Whether an exception only wraps a signal's, as Python does if one comes while a class is being made."""
    while error is not None and not isinstance(error, by):
        error = error.__cause__ or error.__context__
    return error is not None
