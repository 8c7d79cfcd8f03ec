"""Files that are read whole and replaced whole: reading without a hang, one writer at a time, never half a file.

Promises: `replace` leaves the old or the new content whatever happens, and keeps mode, owner, ACLs and extended
attributes; a symbolic link stays a link; the lock is not the data file. Not promised: anything over NFS without
working `flock`, or on a file system whose rename is not atomic.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import re
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, NamedTuple

from mailpolicy.errors import FileMissing, NotConfirmed, StillLocked, StoreError, WriteFailed

_UNCONFIRMED = "the new file is in place, but the disk did not confirm it: {}"
_GIVEN = re.compile("/dev/stdin|(?:/dev/fd|/proc/self/fd)/[0-9]+")  # what a shell has opened already: <(command)
_RANDOM = re.compile("[0-9a-f]{16}")  # at the end of a temporary file's name
_POLL = 0.01  # seconds between two tries to lock


def read_regular(path: str) -> bytes:
    """The content of a regular file, or of a pipe that this process was given. Raises StoreError.

    A FIFO, a device or a directory is refused and never waited for.
    """
    with opened(path) as descriptor:
        return read_whole(descriptor)


@contextmanager
def opened(path: str) -> Iterator[int]:
    """The descriptor of a regular file, open for reading; errors of reading in the block become StoreError too."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError as error:
        raise FileMissing(_sentence(error), file=path) from None
    except OSError as error:
        raise StoreError(_sentence(error), file=path) from None
    except ValueError:
        raise StoreError("not a file name", file=path) from None
    try:
        kind = os.fstat(descriptor).st_mode
        if stat.S_ISFIFO(kind) and _GIVEN.fullmatch(path):
            os.set_blocking(descriptor, True)
        elif not stat.S_ISREG(kind):
            what = "a directory" if stat.S_ISDIR(kind) else "a FIFO" if stat.S_ISFIFO(kind) else "a device or a socket"
            raise StoreError(f"this is {what}, name a regular file", file=path)
        yield descriptor
    except OSError as error:
        raise StoreError(_sentence(error), file=path) from None
    finally:
        os.close(descriptor)


def read_whole(descriptor: int) -> bytes:
    """The content of an open file."""
    with open(descriptor, "rb", closefd=False) as file:
        return file.read()


@contextmanager
def locked(path: str, timeout: float) -> Iterator[None]:
    """Hold the writers' lock of the file that `path` resolves to; it lies beside the file as `NAME.lock` and stays.

    `timeout` is in seconds. Raises StillLocked, and WriteFailed where the lock cannot be made. What a killed writer
    left behind is cleared away.
    """
    target = os.path.realpath(path)
    descriptor = _open_lock(target)
    try:
        deadline = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise StillLocked(
                        f"another writer has held the lock for {timeout:g} s, nothing was written, try again", file=path
                    ) from None
                time.sleep(_POLL)
            except OSError as error:
                raise WriteFailed(f"cannot be locked: {_sentence(error)}", file=f"{target}.lock") from None
        clear_leftovers(target)
        yield
    finally:
        os.close(descriptor)


def _open_lock(target: str) -> int:
    name = f"{target}.lock"
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        try:
            descriptor = os.open(name, flags)  # without O_CREAT, which a sticky directory forbids for another's file
        except FileNotFoundError:
            descriptor = os.open(name, flags | os.O_CREAT, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise WriteFailed("the lock is a symbolic link: remove it", file=name) from None
        raise WriteFailed(f"the lock cannot be made: {_sentence(error)}, nothing was written", file=name) from None
    with suppress(OSError):
        owner, lock = os.stat(target), os.fstat(descriptor)
        mode = 0o660 if owner.st_mode & stat.S_IWGRP else 0o600
        if os.geteuid() == 0 and (lock.st_uid, lock.st_gid) != (owner.st_uid, owner.st_gid):
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        elif mode == 0o660 and lock.st_gid != owner.st_gid:
            os.fchown(descriptor, -1, owner.st_gid)
        if stat.S_IMODE(lock.st_mode) != mode:
            os.fchmod(descriptor, mode)
    return descriptor


def _prefix(target: str) -> str:
    return f".{os.path.basename(target)}.new-"


def clear_leftovers(target: str) -> None:
    """Only a holder of the lock makes such files, so one that is there now was left by a killed writer."""
    folder = os.path.dirname(target)
    with suppress(OSError):
        for entry in os.scandir(folder):
            ours = entry.name.startswith(_prefix(target)) and _RANDOM.fullmatch(entry.name, len(_prefix(target)))
            if ours and entry.is_file(follow_symlinks=False):
                with suppress(OSError):
                    os.unlink(entry.path)


class Attributes(NamedTuple):
    """What a file shall be like: `mode` where it is not there yet, or with `exact` in any case; `most` it may keep.

    `owner` are user and group, -1 to leave one as it is. With `later` the time of change is a whole second later than
    the old one's, for readers that look at whole seconds and the size only.
    """

    mode: int = 0o644
    exact: bool = False
    most: int = 0o7777
    owner: tuple[int, int] = (-1, -1)
    later: bool = False


_KEPT = Attributes()


def replace(
    path: str,
    content: bytes | Iterable[bytes],
    attributes: Attributes = _KEPT,
    proof: Callable[[str], None] | None = None,
) -> None:
    """Put `content`, whole or in pieces, in the place of the file that `path` resolves to; hold its lock.

    `proof` is called with the path of the new file before it is in place, and raises where it must not get there.

    Raises WriteFailed, the old file intact, and NotConfirmed where the new one is in place and the disk said no.
    """
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    temporary = os.path.join(folder, _prefix(target) + os.urandom(8).hex())
    try:
        try:
            old: os.stat_result | None = os.stat(target)
        except FileNotFoundError:
            old = None
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with open(descriptor, "wb") as file:
                file.writelines((content,) if isinstance(content, bytes) else content)
                file.flush()
                if old is not None:
                    _keep_attributes(target, descriptor, old)
                _set_attributes(descriptor, attributes, old)
                if proof is not None:
                    proof(temporary)
                os.fsync(descriptor)
            os.rename(temporary, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise WriteFailed(f"{_sentence(error)}, the old file is intact", file=path) from None
    _confirm(path)


def extend(path: str, size: int, tail: bytes, first: bytes, proof: Callable[[BinaryIO], None]) -> None:
    """Put `tail` behind the first `size` bytes of the file that `path` resolves to, then `first` over its beginning.

    For a file whose beginning says how much of it counts: `first` is less than a sector, so it is there or not, and goes
    to the disk after the tail. `proof` is called with the file before that, and raises where it must not happen. Hold
    the lock.

    Raises WriteFailed, the old content in force, and NotConfirmed where the new one is and the disk said no.
    """
    try:
        with open(os.path.realpath(path), "r+b", buffering=0) as file:
            try:
                file.truncate(size)  # what a killed writer left
                file.seek(size)
                _write_whole(file, tail)
                proof(file)
                os.fsync(file.fileno())
            except BaseException:
                with suppress(OSError):
                    file.truncate(size)
                raise
            os.pwrite(file.fileno(), first, 0)
            try:
                os.fsync(file.fileno())
            except OSError as error:
                raise NotConfirmed(_UNCONFIRMED.format(_sentence(error)), file=path) from None
    except OSError as error:
        raise WriteFailed(f"{_sentence(error)}, the old file is intact", file=path) from None


def _write_whole(file: io.FileIO, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]


def make_folders(folder: str, mode: int = 0o755) -> None:
    """Make the missing directories with this mode whatever the umask. Raises WriteFailed."""
    missing = []
    while folder and not os.path.isdir(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    for name in reversed(missing):
        try:
            os.mkdir(name)
            os.chmod(name, mode)
        except FileExistsError:
            continue
        except OSError as error:
            raise WriteFailed(f"the directory cannot be made: {_sentence(error)}", file=name) from None


def _keep_attributes(target: str, descriptor: int, old: os.stat_result) -> None:
    """Give the new file the owner, mode, ACLs and extended attributes of the old one."""
    new = os.fstat(descriptor)
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        try:
            os.fchown(descriptor, old.st_uid, old.st_gid)
        except PermissionError:
            try:
                os.fchown(descriptor, -1, old.st_gid)
            except PermissionError:
                # Without its group the file would open to another one, or close to those who share it.
                raise WriteFailed(
                    f"its group {old.st_gid} cannot be kept by this user, the old file is intact: edit it as its owner",
                    file=target,
                ) from None
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
    try:
        names = os.listxattr(target)
    except OSError as error:
        if error.errno in (errno.ENOTSUP, errno.ENOSYS):
            return
        raise
    for name in names:
        try:
            os.setxattr(descriptor, name, os.getxattr(target, name))
        except OSError as error:
            # A label of the kernel's own (security.*, trusted.*) is set by the kernel's rules, not by a plain user.
            if not (name.startswith(("security.", "trusted.")) and error.errno in (errno.EPERM, errno.ENOTSUP)):
                raise


def _set_attributes(descriptor: int, attributes: Attributes, old: os.stat_result | None) -> None:
    if attributes.owner != (-1, -1):
        os.fchown(descriptor, *attributes.owner)
    if old is None or attributes.exact:
        os.fchmod(descriptor, attributes.mode)
    else:
        os.fchmod(descriptor, stat.S_IMODE(old.st_mode) & attributes.most)
    if attributes.later and old is not None:
        second = max(int(time.time()), int(old.st_mtime) + 1)
        os.utime(descriptor, (second, second))


def move(path: str, target: str) -> None:
    """Put the file at `path` in the place of `target`, for good. Raises WriteFailed, and NotConfirmed as `replace` does."""
    try:
        os.rename(path, target)
    except OSError as error:
        raise WriteFailed(f"{_sentence(error)}, the old file is intact", file=target) from None
    _confirm(target)


def _confirm(path: str) -> None:
    try:
        _sync_folder(os.path.dirname(os.path.realpath(path)))
    except OSError as error:
        raise NotConfirmed(_UNCONFIRMED.format(_sentence(error)), file=path) from None


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sentence(error: OSError) -> str:
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
