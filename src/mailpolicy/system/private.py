"""A folder `NAME.SUFFIX` beside a file that only this user can enter, for a text that is being worked on."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from mailpolicy.errors import Refused
from mailpolicy.system.files import READ, read_all, require_regular
from mailpolicy.system.resolve import Place

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_NOT_OURS = "this is in the way and was not made by mailpolicy for this user: check it, then remove it"


class PrivateFolder:
    """The folder, which need not exist yet. Files in it are named without a path, and links are not followed."""

    def __init__(self, place: Place, suffix: str) -> None:
        self._place = place
        self._name = f"{place.name}.{suffix}"
        self.path = os.path.join(place.folder_path, self._name)

    def make(self) -> None:
        """Create the folder if it does not exist. Raises Refused and OSError."""
        with suppress(FileExistsError):
            # No chmod by the name, which may be a link by then. A default ACL gives nobody more than these bits.
            os.mkdir(self._name, 0o700, dir_fd=self._place.folder)
        with self.opened():
            pass

    @contextmanager
    def opened(self) -> Iterator[int]:
        """Open the folder, for a program that works in it. Raises Refused and OSError."""
        descriptor = self._open()
        try:
            yield descriptor
        finally:
            with suppress(OSError):  # nothing was written through it that an error could lose
                os.close(descriptor)

    def read(self, name: str) -> bytes | None:
        """Return the content of a file, None if it or the folder does not exist. Raises Refused, StoreError and OSError."""
        path = os.path.join(self.path, name)
        try:
            with self.opened() as folder:
                if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                    raise _foreign("an editor has left this in the place of the text: check it, then remove it", path)
                descriptor = os.open(name, READ | os.O_NOFOLLOW, dir_fd=folder)
        except FileNotFoundError:
            return None
        try:
            require_regular(path, os.fstat(descriptor))
            return read_all(descriptor)
        finally:
            os.close(descriptor)

    def write(self, name: str, content: bytes) -> None:
        """Write a file anew. Raises Refused and OSError."""
        with self.opened() as folder:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with open(os.open(name, flags, 0o600, dir_fd=folder), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())

    def remove(self) -> None:
        """Remove the folder with its files, those that an editor left too. What cannot be removed stays."""
        with suppress(OSError, Refused):
            with self.opened() as folder:
                for name in os.listdir(folder):
                    with suppress(OSError):
                        os.unlink(name, dir_fd=folder)
            os.rmdir(self._name, dir_fd=self._place.folder)

    def _open(self) -> int:
        try:
            descriptor = os.open(self._name, _FOLDER, dir_fd=self._place.folder)
        except NotADirectoryError:  # a link, or a file
            raise _foreign(_NOT_OURS, self.path) from None
        st = os.fstat(descriptor)
        if st.st_uid != os.geteuid() or stat.S_IMODE(st.st_mode) & 0o077:
            os.close(descriptor)
            raise _foreign(_NOT_OURS, self.path)
        return descriptor


def _foreign(message: str, path: str) -> Refused:
    return Refused(message, file=path, code="foreign-file", fix=("rm", "-r", path))
