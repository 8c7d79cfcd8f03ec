"""The command line: parse, call one function, print, exit. The only package that reads the environment.

Every outcome has its own exit status, so that a crash (70) never looks like a denial (1).
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mailpolicy.cli.clock import now

if TYPE_CHECKING:
    from mailpolicy.policy.dates import Clock


def main(arguments: Sequence[str] | None = None, clock: Clock = now) -> int:
    """Run one command and return its exit status; `arguments` are without the program's name and default to sys.argv.

    `clock` says what time it is.
    """
    if arguments is None:
        # Imported modules are never garbage, and looking for some takes a tenth of the time of a short command.
        gc.set_threshold(50_000)
        # Python would print an exception that nobody can catch, such as one in `__del__`; its text may hold a secret.
        sys.unraisablehook = lambda _exception: None
    try:
        from mailpolicy.cli.run import (  # inside the try, so that a broken import exits with 70
            prepare_to_end,
            restore_default_signals,
            run,
        )

        status = run(list(sys.argv[1:] if arguments is None else arguments), clock)
        if arguments is None:
            restore_default_signals()
            prepare_to_end(status)
            gc.freeze()  # the process frees all it has; Python would look for garbage first, an eighth of a short command
        return status
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - an error before or in the error handling of run()
        if was_interrupted(error):
            return 130
        if sys.stderr is not None:
            print(f"mailpolicy: internal error: {type(error).__name__}", file=sys.stderr)
        return 70


def was_interrupted(error: BaseException | None, by: type[BaseException] = KeyboardInterrupt) -> bool:
    """Return whether an exception wraps one of type `by`, as Python does if a signal arrives while a class is created."""
    while error is not None and not isinstance(error, by):
        error = error.__cause__ or error.__context__
    return error is not None
