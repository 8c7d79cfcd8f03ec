"""A file of lines beside another that is only ever appended to, each time with a sync.

A last line without its line ending was cut off by a crash, or saved so by an editor: it gets one, and stays.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from mailpolicy.system.beside import open_beside
from mailpolicy.system.replacing import sync_folder
from mailpolicy.system.resolve import Place
from mailpolicy.system.trust import Trusted

_CHUNK = 1 << 16  # bytes read at a time from the end


class LineFile:
    """An open file of lines. Only for a caller that holds the lock of the file beside it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._end = os.fstat(descriptor).st_size
        if self._after_newline(self._end) != self._end:
            self._end += os.pwrite(self._descriptor, b"\n", self._end)

    def lines_from_the_end(self) -> Iterator[bytes]:
        """Yield the lines without their line endings, the last one first. Raises OSError."""
        position = self._end - 1  # without the last line ending
        pieces: list[bytes] = []  # of the line whose beginning is not read yet, from its end
        while position > 0:
            start = max(position - _CHUNK, 0)
            first, *whole = os.pread(self._descriptor, position - start, start).split(b"\n")
            if whole:
                yield b"".join([whole[-1], *reversed(pieces)])
                yield from whole[-2::-1]
                pieces = []
            pieces.append(first)
            position = start
        if position >= 0:
            yield b"".join(reversed(pieces))

    def append(self, lines: bytes) -> None:
        """Append whole lines and sync them to the disk; if that fails nothing is appended. Raises OSError."""
        try:
            written = 0
            while written < len(lines):
                written += os.pwrite(self._descriptor, lines[written:], self._end + written)
            os.fsync(self._descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._end)
            raise
        self._end += len(lines)

    def _after_newline(self, end: int) -> int:
        """Return the offset behind the last newline before `end`, 0 if there is none."""
        while end > 0:
            start = max(end - _CHUNK, 0)
            position = os.pread(self._descriptor, end - start, start).rfind(b"\n")
            if position >= 0:
                return start + position + 1
            end = start
        return 0


@contextmanager
def opened(place: Place, trusted: Trusted, suffix: str, begins: bytes) -> Iterator[LineFile]:
    """Open NAME.SUFFIX beside a file; one that is empty or `begins` so gets that file's owner, group and mode.

    Raises Refused and OSError.
    """
    descriptor = open_beside(place, trusted, suffix, lambda mode: mode & 0o666, begins=begins)
    try:
        file = LineFile(descriptor)
        if os.fstat(descriptor).st_size == 0:
            sync_folder(place)  # it may be new, and must be found after a crash
        yield file
    finally:
        with suppress(OSError):  # what was appended is synced
            os.close(descriptor)
