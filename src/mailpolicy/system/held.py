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
from contextlib import contextmanager, suppress
from typing import BinaryIO

from mailpolicy.errors import NotConfirmed, Refused, WriteFailed
from mailpolicy.system import lock, replacing, trust
from mailpolicy.system.files import open_at, read_whole, sentence, told
from mailpolicy.system.notes import Note
from mailpolicy.system.replacing import KEPT, Attributes
from mailpolicy.system.resolve import Place, resolved
from mailpolicy.system.trust import ROOT_ONLY, Trusted

_TRIES = 3  # attempts to lock a file while its links are being changed
_UNKNOWN = (-1,)
_UNCONFIRMED = "the new file is in place, but the disk did not confirm it: {}"

Proof = Callable[[BinaryIO], None]


class Moved(WriteFailed):
    """The path no longer leads to the file that was read; nothing was written."""


class Held:
    """A file whose folder is open and whose lock is held."""

    def __init__(self, place: Place, trusted: Trusted, *, judged: bool = True) -> None:
        self.path = place.path
        self.target = place.target
        self._place = place
        self.trusted = trusted
        self._judged = judged
        self._seen: tuple[int, ...] | None = _UNKNOWN  # identity of the file that was read, None if there was none

    @contextmanager
    def opened(self) -> Iterator[int | None]:
        """Open the file for reading, or yield None if it does not exist. Raises StoreError.

        `replace` will only replace this very file.
        """
        with told(self.path):
            try:
                descriptor = open_at(self._place)
            except FileNotFoundError:
                self._seen = None
                yield None
                return
            try:
                self._seen = _state(os.fstat(descriptor))
                yield descriptor
            finally:
                os.close(descriptor)

    def read(self) -> bytes | None:
        """Return the content, None if the file does not exist. Raises StoreError."""
        with self.opened() as descriptor:
            return None if descriptor is None else read_whole(descriptor)

    def facts(self) -> os.stat_result | None:
        """Return the file's stat result, None if it does not exist. Raises WriteFailed."""
        with self._writing():
            return self._place.look()

    def refuse_links(self) -> None:
        """Raise Refused if the file has more hard links, which would keep the old content after an edit."""
        facts = self.facts()
        if facts is not None and (count := replacing.names_of(self._place, facts)) > 1:
            raise Refused(
                f"has {count} hard links, and an edit would change only this one: "
                "remove the others, or make this one a copy",
                file=self.path,
                code="hard-links",
            )

    def replace(
        self,
        content: bytes,
        attributes: Attributes = KEPT,
        proof: Proof | None = None,
    ) -> None:
        """Write `content` to a new file and rename it over the old one, or create the file.

        `proof` is called with the new file, open for reading, before the rename, and raises to prevent it. Raises Moved if
        the path leads elsewhere by now, WriteFailed with the old file intact, and NotConfirmed if the new file is in place
        but the disk did not confirm it.
        """
        with self._writing():
            old = self._place.look()
            if not self._same(old) or not self._still_here():
                raise Moved("another program replaced this file; nothing was written, try again", file=self.path)
            replacing.replace(self._place, self._place.name, old, content, attributes, proof)
        self._confirm()
        self._seen = _UNKNOWN

    def create(self, content: bytes, attributes: Attributes = KEPT, proof: Proof | None = None) -> None:
        """Create the file. Raises WriteFailed, also if it already exists, and NotConfirmed."""
        if self.facts() is not None:
            raise WriteFailed("already exists; nothing was written", file=self.path)
        self._seen = None
        self.replace(content, attributes, proof)

    def keep_copy(self, suffix: str, content: bytes, attributes: Attributes) -> str:
        """Save `content` beside the file as NAME.SUFFIX, or NAME.SUFFIX.1 and so on, and return the path.

        An existing file is never replaced; one with the same content is taken as the copy. Raises WriteFailed.
        """
        with self._writing():
            name, number = f"{self._place.name}.{suffix}", 0
            while True:
                kept = f"{name}.{number}" if number else name
                facts = self._place.look(kept)
                if facts is None:
                    with suppress(FileExistsError):
                        replacing.replace(self._place, kept, None, content, attributes, None)
                        return os.path.join(self._place.folder_path, kept)
                elif stat.S_ISREG(facts.st_mode) and replacing.content_of(self._place, kept) == content:
                    return os.path.join(self._place.folder_path, kept)
                number += 1

    def correct(self, attributes: Attributes) -> None:
        """Set the owner and mode of the existing file. Raises WriteFailed."""
        with self._writing():
            descriptor = open_at(self._place)
            try:
                os.fchown(descriptor, *attributes.owner)
                mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
                os.fchmod(descriptor, attributes.mode if attributes.exact else mode & attributes.most)
            finally:
                os.close(descriptor)

    def take(self, other: str) -> None:
        """Rename another file of the same folder over this one. Raises WriteFailed and NotConfirmed."""
        with self._writing():
            os.rename(other, self._place.name, src_dir_fd=self._place.folder, dst_dir_fd=self._place.folder)
        self._confirm()

    def remove(self) -> None:
        """Remove the file if it exists. Raises WriteFailed."""
        with self._writing(), suppress(FileNotFoundError):
            os.unlink(self._place.name, dir_fd=self._place.folder)

    def clear_leftovers(self) -> None:
        """Remove temporary files of killed writers. Only for a caller that holds the lock."""
        replacing.clear_leftovers(self._place)

    def note(self, suffix: str) -> Note:
        """Return the marker NAME.SUFFIX beside the file."""
        return Note(self._place, suffix, self.trusted)

    def _same(self, facts: os.stat_result | None) -> bool:
        if self._seen == _UNKNOWN:
            return True
        return self._seen == (None if facts is None else _state(facts))

    def _still_here(self) -> bool:
        """Return whether the path still leads to this name in this folder; a link on the way may have changed."""
        with resolved(self.path) as now:
            if self._judged:
                trust.refuse_unsafe(now, self.trusted)
            return now.same_as(self._place)

    def _confirm(self) -> None:
        try:
            replacing.sync_folder(self._place)
        except OSError as error:
            raise NotConfirmed(_UNCONFIRMED.format(sentence(error)), file=self.path) from None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise WriteFailed(f"{sentence(error)}, the old file is intact", file=self.path) from None


def _state(facts: os.stat_result) -> tuple[int, ...]:
    """Return a value that changes if the file is replaced or written to."""
    return (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)


@contextmanager
def locked(
    path: str, timeout: float, trusted: Trusted = ROOT_ONLY, *, make_folders: int | None = None
) -> Iterator[Held]:
    """Hold the writers' lock of the file that `path` leads to, `NAME.lock` beside it.

    `timeout` is in seconds. With `make_folders`, a mode, missing folders are created first. Temporary files of killed
    writers are removed. Raises Refused if root must not write there, StillLocked, and WriteFailed.
    """
    deadline = time.monotonic() + timeout
    for _ in range(_TRIES):
        with _placed(path, trusted, make_folders) as place:
            descriptor = lock.opened(place, trusted)
            try:
                lock.acquire(descriptor, place, timeout, deadline)
                with _placed(path, trusted) as now, lock.nothing_written(path):
                    # While we waited, the path may have been pointed at another file, whose lock we do not hold.
                    moved = not now.same_as(place)
                if not moved:
                    replacing.clear_leftovers(place)
                    yield Held(place, trusted)
                    return
            finally:
                with suppress(OSError):  # the lock is released with the descriptor even if close reports an error
                    os.close(descriptor)
    raise WriteFailed("the path keeps leading to other files; nothing was written, try again", file=path)


@contextmanager
def without_lock(
    path: str, trusted: Trusted = ROOT_ONLY, *, make_folders: int | None = None, judged: bool = True
) -> Iterator[Held]:
    """Open the folder of a file that another file's lock guards, or that is only read. Raises as `locked` does.

    With `judged` false, root also uses a folder that others can write; for reading only.
    """
    with _placed(path, trusted, make_folders, judged=judged) as place:
        yield Held(place, trusted, judged=judged)


@contextmanager
def _placed(path: str, trusted: Trusted, make_folders: int | None = None, *, judged: bool = True) -> Iterator[Place]:
    if "\0" in path:
        raise WriteFailed("not a file name", file=path)
    with lock.nothing_written(path):
        place = Place(path)
    try:
        if judged:
            trust.refuse_unsafe(place, trusted)
        if len(place.missing) > 1 and make_folders is not None:
            _make_folders(place, make_folders)
        yield place
    finally:
        place.close()


def _make_folders(place: Place, mode: int) -> None:
    folder = os.path.dirname(place.target)
    try:
        place.make_folders(mode)
    except OSError as error:
        raise WriteFailed(f"cannot create the directory: {sentence(error)}", file=folder) from None
