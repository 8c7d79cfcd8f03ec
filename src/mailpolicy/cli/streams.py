"""stdin read whole, stdout given up, and words quoted for a shell."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO

from mailpolicy.errors import StoreError
from mailpolicy.policy.names import printable


def stdin_bytes(limit: int | None = None) -> bytes:
    """Read all of stdin, at most `limit` bytes (default: the limit of a store). Raises StoreError."""
    # Imports fcntl: at the top it would fail before run() can say that the system is not supported.
    from mailpolicy.system.files import MAX_STORE_SIZE, TooLarge, read_stream

    if sys.stdin is None:
        raise StoreError("stdin is closed")
    try:
        return read_stream(sys.stdin.buffer, limit or MAX_STORE_SIZE)
    except TooLarge as error:
        raise StoreError(str(error), file="-", code="too-large") from None
    except OSError as error:
        raise StoreError((error.strerror or "cannot be read").lower(), file="-") from None


def discard_stdout() -> None:
    """Redirect stdout to /dev/null if it cannot be flushed, so that the interpreter does not fail again at exit."""
    _discard(sys.stdout)


def discard_stderr() -> None:
    """Redirect stderr to /dev/null if it cannot be flushed: Python would end with 120 instead of the command's status."""
    _discard(sys.stderr)


def _discard(stream: TextIO) -> None:
    with suppress(OSError, ValueError, AttributeError):
        stream.flush()
        return
    with suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def quoted(word: str) -> str:
    """Quote a word for a shell, on one line; characters that cannot be printed are escaped as bash and zsh do."""
    if word.isprintable() and printable(word) == word:
        import shlex  # 0.5 ms, only for a command to print

        return shlex.quote(word)
    escaped = (
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b"\\'" else f"\\x{byte:02x}" for byte in os.fsencode(word)
    )
    return f"$'{''.join(escaped)}'"
