"""A file under its lock: read, replaced atomically, with markers beside it.

The path is resolved once; its folder stays open and everything is reached through it without following links, so the file
that was checked is the file that is used. A crash leaves either the old or the new content. This does not hold on NFS
without a working `flock`, or on a file system whose rename is not atomic.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

from mailpolicy.errors import NotConfirmed, Refused, WriteFailed
from mailpolicy.system import beside, lock, replacing, trust
from mailpolicy.system.attributes import KEEP_ATTRIBUTES, Attributes
from mailpolicy.system.files import describe_error, open_at, read_all, store_errors
from mailpolicy.system.markers import Marker
from mailpolicy.system.resolve import Place, resolved
from mailpolicy.system.trust import ROOT_ONLY, Trusted

if TYPE_CHECKING:
    from mailpolicy.system.line_file import LineFile
    from mailpolicy.system.private import PrivateFolder

_ATTEMPTS = 3  # attempts to lock a file while its links are being changed
_NOT_READ = (-1,)
_REPLACED = "another program replaced this file; nothing was written, try again"
_UNCONFIRMED = "the new file is in place, but the disk did not confirm it: {}"

Verify = Callable[[BinaryIO], None]


class Moved(WriteFailed):
    """The path no longer leads to the file that was read; nothing was written."""


class Held:
    """A file whose folder is open and whose lock is held."""

    def __init__(self, place: Place, trusted: Trusted, *, check_trust: bool = True) -> None:
        self.path = place.path
        self.target = place.target
        self._place = place
        self.trusted = trusted
        self._check_trust = check_trust
        # The identity of the file that was read, None if there was no file.
        self._last_read: tuple[int, ...] | None = _NOT_READ

    @contextmanager
    def opened(self) -> Iterator[int | None]:
        """Open the file for reading, or yield None if it does not exist. Raises StoreError.

        `replace` will only replace this very file.
        """
        with store_errors(self.path):
            try:
                descriptor = open_at(self._place)
            except FileNotFoundError:
                self._last_read = None
                yield None
                return
            try:
                self._last_read = _identity(os.fstat(descriptor))
                yield descriptor
            finally:
                os.close(descriptor)

    def read(self) -> bytes | None:
        """Return the content, None if the file does not exist. Raises StoreError."""
        with self.opened() as descriptor:
            return None if descriptor is None else read_all(descriptor)

    def lstat(self) -> os.stat_result | None:
        """Return the file's stat result, None if it does not exist. Raises WriteFailed."""
        with self._write_errors():
            return self._place.lstat()

    def stamp(self) -> str | None:
        """Return a value that no other file in its place has, not even one with the same content; None if there is no file."""
        st = self.lstat()
        return f"{st.st_ino}:{st.st_ctime_ns}" if st is not None else None

    def refuse_links(self) -> None:
        """Raise Refused if the file has more hard links, which would keep the old content after an edit."""
        st = self.lstat()
        if st is not None and (count := replacing.link_count(self._place, st)) > 1:
            raise Refused(
                f"has {count} hard links, and an edit would change only this one: "
                "remove the others, or make this one a copy",
                file=self.path,
                code="hard-links",
            )

    def replace(self, content: bytes, attributes: Attributes = KEEP_ATTRIBUTES, verify: Verify | None = None) -> None:
        """Write `content` to a new file and rename it over the old one, or create the file.

        `verify` is called with the new file, open for reading, before the rename, and raises to prevent it. Raises Moved if
        the path leads elsewhere by now, WriteFailed with the old file intact, and NotConfirmed if the new file is in place
        but the disk did not confirm it.
        """
        old = self.lstat()
        with self._write_errors("the old file is intact" if old is not None else "nothing was written"):
            # An editor that does not know our lock may have saved the file since it was read.
            if not self._is_unchanged(old) or not self._path_unchanged():
                raise Moved(_REPLACED, file=self.path)
            replacing.replace(self._place, self._place.name, old, content, attributes, verify)
        self._last_read = _NOT_READ

    def create(self, content: bytes, attributes: Attributes = KEEP_ATTRIBUTES, verify: Verify | None = None) -> None:
        """Create the file. Raises WriteFailed, also if it already exists, and NotConfirmed."""
        if self.lstat() is not None:
            raise WriteFailed("already exists; nothing was written", file=self.path)
        self._last_read = None
        self.replace(content, attributes, verify)

    def create_beside(self, name: str, content: bytes) -> None:
        """Create another file in the folder. Raises WriteFailed, also if it already exists, and NotConfirmed."""
        with self._write_errors("nothing was written", os.path.join(self._place.folder_path, name)):
            replacing.replace(self._place, name, None, content, KEEP_ATTRIBUTES, None)

    def remove_beside(self, name: str) -> None:
        """Remove another file of the folder if possible."""
        with suppress(OSError):
            os.unlink(name, dir_fd=self._place.folder)

    def save_copy(self, suffix: str, content: bytes, attributes: Attributes) -> str:
        """Save `content` beside the file as NAME.SUFFIX, or NAME.SUFFIX.1 and so on, and return the path.

        An existing file is never replaced; one with the same content is taken as the copy. Raises WriteFailed.
        """
        with self._write_errors():
            name, number = f"{self._place.name}.{suffix}", 0
            while True:
                copy = f"{name}.{number}" if number else name
                st = self._place.lstat(copy)
                if st is None:
                    with suppress(FileExistsError):
                        with suppress(replacing.InPlace):
                            replacing.replace(self._place, copy, None, content, attributes, None)
                        return os.path.join(self._place.folder_path, copy)
                elif stat.S_ISREG(st.st_mode) and replacing.read_sibling(self._place, copy) == content:
                    return os.path.join(self._place.folder_path, copy)
                number += 1

    def set_attributes(self, attributes: Attributes) -> None:
        """Set the owner and mode of the file that was read. Raises Moved and WriteFailed."""
        with self._write_errors():
            descriptor = open_at(self._place)
            try:
                if not self._is_unchanged(os.fstat(descriptor)):
                    raise Moved(_REPLACED, file=self.path)
                os.fchown(descriptor, *attributes.owner)
                os.fchmod(descriptor, attributes.mode_for(stat.S_IMODE(os.fstat(descriptor).st_mode)))
            finally:
                os.close(descriptor)

    def replace_with(self, other: str) -> None:
        """Rename another file of the same folder over this one. Raises WriteFailed and NotConfirmed."""
        with self._write_errors():
            replacing.rename(self._place, other)

    def remove(self) -> None:
        """Remove the file if it exists. Raises WriteFailed."""
        with self._write_errors(), suppress(FileNotFoundError):
            os.unlink(self._place.name, dir_fd=self._place.folder)

    def remove_leftovers(self) -> None:
        """Remove temporary files of killed writers. Only for a caller that holds the lock."""
        replacing.remove_leftovers(self._place)

    def line_file(self, suffix: str, begins: bytes) -> AbstractContextManager[LineFile]:
        """Open NAME.SUFFIX beside the file for appending; one that is empty or `begins` so gets the file's owner, group and mode.

        Raises Refused and OSError. Only for a caller that holds the lock.
        """
        from mailpolicy.system import line_file  # 0.3 ms, only for a journal

        return line_file.opened(self._place, self.trusted, suffix, begins)

    def read_beside(self, suffix: str) -> bytes | None:
        """Return the content of NAME.SUFFIX, None if it does not exist. Raises Refused and StoreError."""
        with store_errors(f"{self.target}.{suffix}"):
            return beside.read(self._place, self.trusted, suffix)

    def private_folder(self, suffix: str) -> PrivateFolder:
        """Return the folder NAME.SUFFIX beside the file that only this user can enter."""
        from mailpolicy.system.private import PrivateFolder  # 0.3 ms, only for an edit by hand

        return PrivateFolder(self._place, suffix)

    def reserved(self, suffix: str, who: str) -> AbstractContextManager[None]:
        """Hold the lock NAME.SUFFIX, in which `who` stands for others who come. Raises StillLocked, Refused and WriteFailed."""
        return lock.reserved(self._place, self.trusted, suffix, who)

    def waited_for(self, suffix: str, timeout: float, others: str, *, optional: bool) -> AbstractContextManager[None]:
        """Hold the lock NAME.SUFFIX as `lock.waited_for` does."""
        return lock.waited_for(self._place, self.trusted, suffix, timeout, others, optional=optional)

    def is_locked(self, suffix: str) -> bool:
        """Return whether somebody holds the lock NAME.SUFFIX."""
        return lock.is_held(self._place, suffix)

    def marker(self, suffix: str) -> Marker:
        """Return the marker NAME.SUFFIX beside the file."""
        return Marker(self._place, suffix, self.trusted)

    def is_unchanged(self) -> bool:
        """Return whether the file is still the one that was read. Raises WriteFailed."""
        return self._is_unchanged(self.lstat())

    def _is_unchanged(self, st: os.stat_result | None) -> bool:
        return self._last_read in (_NOT_READ, None if st is None else _identity(st))

    def _path_unchanged(self) -> bool:
        """Return whether the path still leads to this name in this folder; a link on the way may have changed."""
        with resolved(self.path) as now:
            if self._check_trust:
                trust.refuse_unsafe(now, self.trusted)
            return now.same_as(self._place)

    @contextmanager
    def _write_errors(self, consequence: str = "the old file is intact", path: str | None = None) -> Iterator[None]:
        try:
            yield
        except replacing.InPlace as late:
            raise NotConfirmed(_UNCONFIRMED.format(describe_error(late.error)), file=path or self.path) from None
        except OSError as error:
            raise WriteFailed(f"{describe_error(error)}; {consequence}", file=path or self.path) from None


def _identity(st: os.stat_result) -> tuple[int, ...]:
    """Return a value that changes if the file is replaced or written to."""
    return (st.st_dev, st.st_ino, st.st_size, st.st_mtime_ns)


@contextmanager
def locked(
    path: str, timeout: float, trusted: Trusted = ROOT_ONLY, *, make_folders: int | None = None
) -> Iterator[Held]:
    """Hold the writers' lock of the file that `path` leads to, `NAME.lock` beside it.

    `timeout` is in seconds. With `make_folders`, a mode, missing folders are created first. Temporary files of killed
    writers are removed. Raises StoreError for what is no regular file, Refused if root must not write there, StillLocked, and
    WriteFailed.
    """
    deadline = time.monotonic() + timeout
    for _ in range(_ATTEMPTS):
        with _resolved(path, trusted, make_folders) as place:
            descriptor = lock.open_lock(place, trusted)
            try:
                lock.acquire(descriptor, place, "lock", timeout, deadline)
                with _resolved(path, trusted) as now, lock.write_errors(path):
                    # While we waited, the path may have been pointed at another file, whose lock we do not hold.
                    moved = not now.same_as(place)
                if not moved:
                    replacing.remove_leftovers(place)
                    yield Held(place, trusted)
                    return
            finally:
                with suppress(OSError):  # the lock is released with the descriptor even if close reports an error
                    os.close(descriptor)
    raise WriteFailed("the path keeps leading to other files; nothing was written, try again", file=path)


@contextmanager
def without_lock(
    path: str, trusted: Trusted = ROOT_ONLY, *, make_folders: int | None = None, check_trust: bool = True
) -> Iterator[Held]:
    """Open the folder of a file that another file's lock guards, or that is only read. Raises as `locked` does.

    With `check_trust` false, root also uses a folder that others can write; for reading only.
    """
    with _resolved(path, trusted, make_folders, check_trust=check_trust) as place:
        yield Held(place, trusted, check_trust=check_trust)


@contextmanager
def _resolved(
    path: str, trusted: Trusted, make_folders: int | None = None, *, check_trust: bool = True
) -> Iterator[Place]:
    if "\0" in path:
        raise WriteFailed("not a file name", file=path)
    with lock.write_errors(path):
        place = Place(path)
    try:
        if check_trust:
            trust.refuse_unsafe(place, trusted)
        if len(place.missing) > 1 and make_folders is not None:
            try:
                place.make_folders(make_folders)
            except OSError as error:
                folder = os.path.dirname(place.target)
                raise WriteFailed(f"cannot create the directory: {describe_error(error)}", file=folder) from None
        yield place
    finally:
        place.close()
