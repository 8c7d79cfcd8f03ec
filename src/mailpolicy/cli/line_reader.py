"""Read lines from a file, a pipe or stdin, in bounded memory and as soon as they arrive.

A line that is too long is truncated and marked, so that it is never taken for a shorter valid one. A file that cannot be
read is a usage error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator

from mailpolicy.errors import UsageError
from mailpolicy.policy.names import MAX_LINE_BYTES
from mailpolicy.system.files import MAX_FILE_SIZE

_BYTES_PER_READ = 1 << 18
_BYTES_INSPECTED = 8000
_TRUNCATED = "\0"  # on both sides of a truncated line: no question and no login contains it


def open_lines(name: str) -> int:
    """Open a file, or stdin for `-`, and return its descriptor. Raises UsageError."""
    if name == "-":
        if sys.stdin is None:
            raise UsageError("stdin is closed")
        return sys.stdin.fileno()
    try:
        return os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"cannot be read: {(getattr(error, 'strerror', None) or str(error)).lower()}", file=name
        ) from None


def chunks(name: str, descriptor: int, inspect: Callable[[bytes], None] | None = None) -> Iterator[list[str]]:
    """Yield lists of whole lines, each as long as one read allows, so that a pipe is answered line by line.

    `inspect` is called with the first bytes and may raise. Raises UsageError.
    """
    rest, length = b"", 0  # the unfinished line, possibly truncated, and its full length
    start = True
    while True:
        try:
            data = os.read(descriptor, _BYTES_PER_READ)
        except OSError as error:
            raise UsageError(f"cannot be read: {(error.strerror or '').lower()}", file=name) from None
        if not data:
            break
        if start:
            if inspect is not None:
                inspect(data[:_BYTES_INSPECTED])
            data, start = data.removeprefix(b"\xef\xbb\xbf"), False
        whole, newline, tail = data.rpartition(b"\n")
        if newline:
            yield _truncate((rest + whole).decode("utf-8", "surrogateescape").split("\n"))
            rest, length = tail, len(tail)
        else:
            length += len(tail)
            if length > MAX_FILE_SIZE:
                raise UsageError(f"a line is longer than {MAX_FILE_SIZE >> 20} MiB: not a text file", file=name)
            rest = (rest + tail)[: MAX_LINE_BYTES + 1]
    if rest:
        yield _truncate([rest.decode("utf-8", "surrogateescape")])


def _truncate(lines: list[str]) -> list[str]:
    """Return the lines, those that are too long truncated and marked."""
    if max(map(len, lines)) <= MAX_LINE_BYTES:
        return lines
    return [
        line if len(line) <= MAX_LINE_BYTES else f"{_TRUNCATED}{line[:MAX_LINE_BYTES]}{_TRUNCATED}" for line in lines
    ]
