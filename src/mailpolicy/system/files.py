"""Reading files whole: never a wait for a FIFO or a device, never without end, and no failed look is "not there"."""

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

# Non-blocking, so that opening a FIFO returns; it is refused afterwards.
READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY

_GIVEN = re.compile("/dev/stdin|(?:/dev/fd|/proc/self/fd)/[0-9]+")  # what a shell has opened already: <(command)

LARGEST_STORE = 1 << 30  # bytes of a store, or of a file made of one
LARGEST = 64 << 20  # bytes of any other file
_PART = 1 << 20  # bytes of a stream that are read at once


class TooLarge(OSError):
    """A file has more bytes than one of its kind may have; the text says so."""

    def __init__(self, limit: int) -> None:
        size = f"{limit >> 30} GiB" if limit >= 1 << 30 else f"{limit >> 20} MiB"
        super().__init__(f"larger than {size}, which is the most that is read of such a file")


def read_regular(path: str, limit: int = LARGEST) -> bytes:
    """Return the content of a regular file, or of a pipe that this process was given. Raises StoreError.

    A FIFO, a device or a directory is refused and never waited for, and so is what has more bytes than `limit`.
    """
    with opened(path) as descriptor:
        return read_whole(descriptor, limit)


@contextmanager
def opened(path: str) -> Iterator[int]:
    """Open a regular file for reading, for the time of the block; errors of reading there become StoreError too."""
    with told(path):
        descriptor = os.open(path, READ)
        try:
            if stat.S_ISFIFO(os.fstat(descriptor).st_mode) and _GIVEN.fullmatch(path):
                os.set_blocking(descriptor, True)
            else:
                require_regular(path, os.fstat(descriptor))
            yield descriptor
        finally:
            os.close(descriptor)


@contextmanager
def opened_trusted(path: str, trusted: Trusted = ROOT_ONLY) -> Iterator[int]:
    """Open a file that is going to be obeyed: as root, Refused is raised if others could have put it there.

    What was judged is what is read. Raises StoreError as `opened` does.
    """
    with told(path), resolved(path) as place:
        descriptor = open_at(place)
        try:
            # The file that was opened is judged, not the one that the path went by.
            place.steps.append(Step(place.target, os.fstat(descriptor)))
            trust.refuse_unsafe(place, trusted)
            yield descriptor
        finally:
            os.close(descriptor)


def open_at(place: Place) -> int:
    """Open the regular file that a path was resolved to, for reading. Raises OSError and StoreError."""
    if len(place.missing) > 1:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    descriptor = os.open(place.name, READ | os.O_NOFOLLOW, dir_fd=place.folder)
    try:
        require_regular(place.path, os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read_whole(descriptor: int, limit: int = LARGEST_STORE) -> bytes:
    """Return the content of an open file. Raises TooLarge for one of more bytes than `limit`."""
    facts = os.fstat(descriptor)
    if stat.S_ISREG(facts.st_mode) and facts.st_size > limit:
        raise TooLarge(limit)
    with open(descriptor, "rb", closefd=False) as file:
        return file.read() if stat.S_ISREG(facts.st_mode) else read_stream(file, limit)


def read_stream(file: BinaryIO, limit: int) -> bytes:
    """Return all that comes. Raises TooLarge for more bytes than `limit`."""
    parts, left = [], limit
    while part := file.read(min(_PART, left + 1)):
        left -= len(part)
        if left < 0:
            raise TooLarge(limit)
        parts.append(part)
    return b"".join(parts)


def require_regular(path: str, facts: os.stat_result) -> None:
    """Raise StoreError if something else than a regular file is at `path`."""
    kind = facts.st_mode
    if not stat.S_ISREG(kind):
        what = "a directory" if stat.S_ISDIR(kind) else "a FIFO" if stat.S_ISFIFO(kind) else "a device or a socket"
        raise StoreError(f"this is {what}, name a regular file", file=path)


def is_there(path: str, *, follow: bool = False) -> bool:
    """Return whether something exists at `path`; with `follow` a link to nothing does not count.

    Raises StoreError if that cannot be told: a disk that fails says nothing about what is on it.
    """
    with told(path):
        try:
            os.stat(path, follow_symlinks=follow)
        except FileNotFoundError:
            return False
        return True


@contextmanager
def told(path: str) -> Iterator[None]:
    """Turn the operating system's errors into StoreError."""
    if "\0" in path:
        raise StoreError("not a file name", file=path)
    try:
        yield
    except FileNotFoundError as error:
        raise FileMissing(sentence(error), file=path) from None
    except TooLarge as error:
        raise StoreError(str(error), file=path, code="too-large") from None
    except OSError as error:
        raise StoreError(sentence(error), file=path) from None


def sentence(error: OSError) -> str:
    """Return what an error of the operating system means here."""
    special = {
        errno.ENOENT: "no such file or directory",
        errno.EACCES: "permission denied",
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "the disk quota is used up",
        errno.EROFS: "the file system is read-only",
        errno.EBUSY: "it is a mount point (a bind-mounted file): mount its directory instead",
        errno.ELOOP: "too many symbolic links",
        errno.ENXIO: "this is a FIFO or a device without a peer, name a regular file",
    }
    return special.get(error.errno or 0, (error.strerror or "input/output error").lower())
