"""Read whole files safely: no waiting for a FIFO or device, no unlimited read, and only ENOENT means "does not exist"."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from mailpolicy.errors import FileMissing, StoreError
from mailpolicy.system import trust
from mailpolicy.system.resolve import Place, Step, resolved
from mailpolicy.system.trust import ROOT_ONLY, Trusted

# Opening a FIFO without a writer blocks; non-blocking it returns, and is rejected afterwards.
READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY

# Pipes that the shell opened for this process, such as <(command): these may be FIFOs.
_INHERITED_PIPE = re.compile("/dev/stdin|(?:/dev/fd|/proc/self/fd)/[0-9]+")

MAX_STORE_SIZE = 1 << 30  # bytes; for the store and files generated from it
MAX_FILE_SIZE = 64 << 20  # bytes; for any other file
_CHUNK = 1 << 20  # bytes per read of a stream


class TooLarge(OSError):
    """A file is larger than the limit for its kind."""

    def __init__(self, limit: int) -> None:
        size = f"{limit >> 30} GiB" if limit >= 1 << 30 else f"{limit >> 20} MiB"
        super().__init__(f"larger than {size}, the limit for this kind of file")


def read_regular(path: str, limit: int = MAX_FILE_SIZE) -> bytes:
    """Return the content of a regular file, or of a pipe that this process inherited. Raises StoreError.

    FIFOs, devices and directories are rejected without waiting, and so are files larger than `limit` bytes.
    """
    with open_regular(path) as descriptor:
        return read_all(descriptor, limit)


@contextmanager
def open_regular(path: str) -> Iterator[int]:
    """Open a regular file for reading. Raises StoreError, for read errors inside the block too."""
    with store_errors(path):
        descriptor = os.open(path, READ)
        try:
            if stat.S_ISFIFO(os.fstat(descriptor).st_mode) and _INHERITED_PIPE.fullmatch(path):
                os.set_blocking(descriptor, True)
            else:
                require_regular(path, os.fstat(descriptor))
            yield descriptor
        finally:
            os.close(descriptor)


@contextmanager
def open_trusted(path: str, trusted: Trusted = ROOT_ONLY) -> Iterator[int]:
    """Open a file whose content will be obeyed. Raises Refused if root would trust a file that others can replace.

    The check applies to the opened file itself, not to the path. Raises StoreError as `open_regular` does.
    """
    with store_errors(path), resolved(path) as place:
        descriptor = open_at(place)
        try:
            # The name may have been moved to another file since the path was resolved: check the file we have open.
            place.steps.append(Step(place.target, os.fstat(descriptor)))
            trust.refuse_unsafe(place, trusted)
            yield descriptor
        finally:
            os.close(descriptor)


def open_at(place: Place) -> int:
    """Open the regular file at a resolved path for reading. Raises OSError and StoreError."""
    if len(place.missing) > 1:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    descriptor = os.open(place.name, READ | os.O_NOFOLLOW, dir_fd=place.folder)
    try:
        require_regular(place.path, os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read_all(descriptor: int, limit: int = MAX_STORE_SIZE) -> bytes:
    """Return the content of an open file. Raises TooLarge if it has more than `limit` bytes."""
    st = os.fstat(descriptor)
    if stat.S_ISREG(st.st_mode) and st.st_size > limit:
        raise TooLarge(limit)
    with open(descriptor, "rb", closefd=False) as file:
        return file.read() if stat.S_ISREG(st.st_mode) else read_stream(file, limit)


def read_stream(file: BinaryIO, limit: int) -> bytes:
    """Return everything up to the end of a stream. Raises TooLarge if that is more than `limit` bytes."""
    chunks, left = [], limit
    while chunk := file.read(min(_CHUNK, left + 1)):
        left -= len(chunk)
        if left < 0:
            raise TooLarge(limit)
        chunks.append(chunk)
    return b"".join(chunks)


def require_regular(path: str, st: os.stat_result) -> None:
    """Raise StoreError unless `path` is a regular file."""
    mode = st.st_mode
    if not stat.S_ISREG(mode):
        kind = "a directory" if stat.S_ISDIR(mode) else "a FIFO" if stat.S_ISFIFO(mode) else "a device or a socket"
        raise StoreError(f"this is {kind}, name a regular file", file=path)


def exists(path: str, *, follow: bool = False) -> bool:
    """Return whether `path` exists; with `follow`, a dangling link does not.

    Raises StoreError if the answer is unknown: a failing disk must not pass for a missing file.
    """
    with store_errors(path):
        try:
            os.stat(path, follow_symlinks=follow)
        except FileNotFoundError:
            return False
        return True


@contextmanager
def store_errors(path: str) -> Iterator[None]:
    """Convert an OSError raised in the block to StoreError."""
    if "\0" in path:
        raise StoreError("not a file name", file=path)
    try:
        yield
    except FileNotFoundError as error:
        raise FileMissing(describe_error(error), file=path) from None
    except TooLarge as error:
        raise StoreError(str(error), file=path, code="too-large") from None
    except OSError as error:
        raise StoreError(describe_error(error), file=path) from None


def describe_error(error: OSError) -> str:
    """Return an OSError in words that a mail administrator understands."""
    known = {
        errno.ENOENT: "no such file or directory",
        errno.EACCES: "permission denied",
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "the disk quota is used up",
        errno.EROFS: "the file system is read-only",
        errno.EBUSY: "it is a mount point (a bind-mounted file): mount its directory instead",
        errno.ELOOP: "too many symbolic links",
        errno.ENXIO: "this is a FIFO or a device without a peer, name a regular file",
    }
    return known.get(error.errno or 0, (error.strerror or "input/output error").lower())
