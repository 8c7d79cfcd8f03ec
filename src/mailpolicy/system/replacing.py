"""Replace a file atomically in an open folder: temporary file, attributes, fsync, rename."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from mailpolicy.errors import WriteFailed
from mailpolicy.system.attributes import Attributes, set_attributes
from mailpolicy.system.files import READ, read_all
from mailpolicy.system.preserved import copy_attributes, drop_acl
from mailpolicy.system.resolve import Place

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EMLINK)  # from a file system without hard links
_MARKERS = r"(?:\.(?:lock|pending|reload|kick|next|deployed|secrets|edited(?:\.[0-9]+)?))?"  # suffixes of files beside it, replaced too


def replace(
    place: Place,
    name: str,
    old: os.stat_result | None,
    content: bytes,
    attributes: Attributes,
    verify: Callable[[BinaryIO], None] | None,
) -> None:
    """Replace the file NAME, whose stat result is `old`, in the folder of a resolved path; the folder is not synced.

    If `old` is None the file must not exist: FileExistsError is raised if it was created in the meantime. Raises OSError,
    WriteFailed and anything that `verify` raises, each with the old file intact.
    """
    # In the same folder, as a rename is atomic only within one file system.
    temporary = f".{name}.new-{os.urandom(8).hex()}"
    try:
        with _temporary_file(place, temporary) as descriptor:
            _write(descriptor, content)
            copy_attributes(place, name, descriptor, old)
            set_attributes(descriptor, attributes, old)
            if verify is not None:
                _verify(place, temporary, verify)
            # Before the rename: otherwise a crash could leave the new name with no content.
            os.fsync(descriptor)
            held = os.dup(descriptor)  # keeps the inode number from being reused until it is compared below
        try:
            if old is None:
                _link(place, temporary, name)
            else:
                os.rename(temporary, name, src_dir_fd=place.folder, dst_dir_fd=place.folder)
            _require_same_file(place, name, os.fstat(held))
        finally:
            with suppress(OSError):
                os.close(held)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=place.folder)
        raise


def _require_same_file(place: Place, name: str, made: os.stat_result) -> None:
    """Raise WriteFailed if another file has the name: anybody who can write the folder can swap the temporary file."""
    there = place.lstat(name)
    # Compared after the rename: before it, a swap could still happen in between.
    if there is None or not os.path.samestat(there, made):
        raise WriteFailed(
            "another program put a different file here while this one was being written",
            file=os.path.join(place.folder_path, name),
        )


@contextmanager
def _temporary_file(place: Place, name: str) -> Iterator[int]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, 0o600, dir_fd=place.folder)
    try:
        drop_acl(descriptor)
        yield descriptor
    except BaseException:
        # The first error is the cause; one from closing must not hide it.
        with suppress(OSError):
            os.close(descriptor)
        raise
    os.close(descriptor)  # not suppressed: some file systems report a failed write only here


def _write(descriptor: int, content: bytes) -> None:
    with open(descriptor, "wb", closefd=False) as file:
        file.write(content)


def _verify(place: Place, name: str, verify: Callable[[BinaryIO], None]) -> None:
    # Opened by its name, so that the check reads the file that the rename will move.
    descriptor = os.open(name, READ | os.O_NOFOLLOW, dir_fd=place.folder)
    with open(descriptor, "rb") as file:
        verify(file)


def _link(place: Place, temporary: str, name: str) -> None:
    """Give a new file its name. Raises FileExistsError if the name is taken."""
    try:
        # A link fails if the name exists, but a rename would silently replace the file.
        os.link(temporary, name, src_dir_fd=place.folder, dst_dir_fd=place.folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if place.lstat(name) is not None:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        os.rename(temporary, name, src_dir_fd=place.folder, dst_dir_fd=place.folder)
    else:
        with suppress(OSError):  # the file is in place, and the next writer removes the other name
            os.unlink(temporary, dir_fd=place.folder)


def read_sibling(place: Place, name: str, check: Callable[[os.stat_result], None] | None = None) -> bytes:
    """Return the content of another file in the folder; `check` gets its stat result first. Raises OSError."""
    descriptor = os.open(name, READ | os.O_NOFOLLOW, dir_fd=place.folder)
    try:
        if check is not None:
            check(os.fstat(descriptor))
        return read_all(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(place: Place) -> None:
    """Sync the folder's entries to the disk. Raises OSError."""
    descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=place.folder)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(place: Place) -> None:
    """Remove the temporary files of a file and its notes: under the lock, one that is there is a killed writer's."""
    for name, _ in _temporary_files(place):
        with suppress(OSError):
            os.unlink(name, dir_fd=place.folder)


def link_count(place: Place, st: os.stat_result) -> int:
    """Return how many names a file has; one that a killed writer gave it while it was new does not count."""
    if st.st_nlink == 1:
        return 1
    return st.st_nlink - sum(os.path.samestat(st, left) for _, left in _temporary_files(place))


def _temporary_files(place: Place) -> list[tuple[str, os.stat_result]]:
    pattern = re.compile(rf"\.{re.escape(place.name)}{_MARKERS}\.new-[0-9a-f]{{16}}")
    found = []
    with suppress(OSError):
        descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=place.folder)
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    if pattern.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                        with suppress(FileNotFoundError):
                            found.append((entry.name, entry.stat(follow_symlinks=False)))
        finally:
            os.close(descriptor)
    return found
