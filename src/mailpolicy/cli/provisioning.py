"""Read plans and files to import, and show the progress."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic

from mailpolicy.cli import line_reader
from mailpolicy.cli.output import Output
from mailpolicy.errors import UsageError
from mailpolicy.policy.names import counted
from mailpolicy.provisioning.forms import FORMS
from mailpolicy.provisioning.rows import BadRows, Mistake
from mailpolicy.system.files import MAX_FILE_SIZE, TooLarge, read_stream

_SILENT = 0.5  # seconds


def content_of(name: str) -> bytes:
    """Return a whole file or, for `-`, stdin. Raises UsageError, and BadRows if there is nothing in it."""
    descriptor = line_reader.open_lines(name)
    try:
        with os.fdopen(descriptor, "rb", closefd=name != "-") as file:
            data = read_stream(file, MAX_FILE_SIZE)
    except TooLarge as error:
        raise UsageError(str(error), file=name, code="too-large") from None
    except OSError as error:
        raise UsageError(f"cannot be read: {(error.strerror or '').lower()}", file=name) from None
    if not data.strip():  # the program that should have written it has probably failed
        raise BadRows([Mistake(name, 1, "there is nothing in it")])
    return data


def form_named(text: str | None, forms: tuple[str, ...] = tuple(FORMS)) -> str | None:
    """Return the form that --input-format names. Raises UsageError."""
    if text is not None and text not in forms:
        raise UsageError(f"--input-format is {', '.join(forms[:-1])} or {forms[-1]}, not {text!a}")
    return text


@contextmanager
def progress(out: Output, name: str) -> Iterator[Callable[[int], None]]:
    """Give a function that says on stderr how many rows were read, if somebody is watching and it takes a while."""
    start, shown = monotonic(), False

    def show(count: int) -> None:
        nonlocal shown
        if out.context.progress and monotonic() - start > _SILENT:
            shown = True
            _write(f"\r{name}: {counted(count, 'row')} read")

    try:
        yield show
    finally:
        if shown:
            _write("\r\033[K")


def _write(text: str) -> None:
    with suppress(OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()
