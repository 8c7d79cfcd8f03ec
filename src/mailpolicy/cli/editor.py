"""Find the user's editor and run it on a file."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from mailpolicy.errors import Refused, UsageError
from mailpolicy.policy.names import short

_USUAL = ("sensible-editor", "vi")


def command(chosen: tuple[str, str] | None) -> list[str]:
    """Return the words of the editor's command: of the variable that names one, else the system's.

    Split as a shell would, and never given to one. Raises UsageError and Refused.
    """
    if chosen is None:
        found = next((name for name in _USUAL if shutil.which(name)), None)
        if found is None:
            raise Refused("there is no editor: install one, or name it in VISUAL", code="no-editor")
        return [found]
    variable, text = chosen
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{variable} is no command line: {str(error).lower()}: {short(text)}") from None
    found = shutil.which(words[0]) if words else None
    if found is None:
        name = short(words[0]) if words else ""
        raise Refused(f"there is no editor '{name}', which {variable} names", code="no-editor")
    # A relative one is found from here, and not from the folder that it works in.
    return [os.path.abspath(words[0]), *words[1:]] if "/" in words[0] else words


def run(words: list[str], name: str, folder: int) -> None:
    """Run the editor on a file until it ends. Raises Refused if it fails.

    It works in the open `folder`: a path could be led elsewhere meanwhile by whoever may write a folder on the way.
    """
    shown = short(words[0])
    try:
        with _left_to_the_editor():
            process = subprocess.Popen([*words, name], preexec_fn=lambda: os.fchdir(folder))
            try:
                status = process.wait()
            except BaseException:
                process.terminate()
                process.wait()
                raise
    except OSError as error:
        reason = (error.strerror or "").lower()
        raise Refused(f"the editor {shown} cannot be run: {reason}; nothing was written", code="no-editor") from None
    if status:
        end = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        raise Refused(f"the editor {shown} {end}; nothing was written", code="editor-failed")


@contextmanager
def _left_to_the_editor() -> Iterator[None]:
    """Let Ctrl-C and Ctrl-\\ reach the editor alone. Not SIG_IGN, which it would inherit."""
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGQUIT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
