"""Files of lines, however long: whole lines as they come, from a file, a pipe or stdin.

Promises: memory does not grow with the file nor with its longest line, of which what is too long is never taken for a
shorter one; a pipe is answered as it is fed. What cannot be read is a usage error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator

from mailpolicy.errors import UsageError
from mailpolicy.policy.names import MAX_LINE_BYTES
from mailpolicy.system.files import LARGEST

_CHUNK = 1 << 18  # bytes read at once, of what is there
_LOOKED_AT = 8000  # bytes
_CUT = "\0"  # around what is kept of a line of which more was left out: no question and no login looks so


def opened(name: str) -> int:
    """The descriptor of a file, of stdin for `-`. Raises UsageError."""
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


def chunks(name: str, descriptor: int, look: Callable[[bytes], None] | None = None) -> Iterator[list[str]]:
    """Whole lines, as many as are there; whoever asks line by line is answered line by line.

    `look` sees the first bytes and may raise. Raises UsageError.
    """
    rest, left_out = b"", 0
    start = True
    while True:
        try:
            data = os.read(descriptor, _CHUNK)
        except OSError as error:
            raise UsageError(f"cannot be read: {(error.strerror or '').lower()}", file=name) from None
        if not data:
            break
        if start:
            if look is not None:
                look(data[:_LOOKED_AT])
            data, start = data.removeprefix(b"\xef\xbb\xbf"), False
        whole, newline, rest_of = data.rpartition(b"\n")
        if newline:
            yield _cut((rest + whole).decode("utf-8", "surrogateescape").split("\n"))
            rest, left_out = rest_of, 0
        else:
            left_out += len(rest_of)
            if left_out > LARGEST:
                raise UsageError(f"a line of more than {LARGEST >> 20} MiB: this is no text", file=name)
            rest = (rest + rest_of)[: MAX_LINE_BYTES + 1]
    if rest:
        yield _cut([rest.decode("utf-8", "surrogateescape")])


def _cut(lines: list[str]) -> list[str]:
    """The lines, of those that are too long only the beginning and a sign that makes them longer than may be."""
    if max(map(len, lines)) <= MAX_LINE_BYTES:
        return lines
    return [line if len(line) <= MAX_LINE_BYTES else f"{_CUT}{line[:MAX_LINE_BYTES]}{_CUT}" for line in lines]
