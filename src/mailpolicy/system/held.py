"""A file under its lock: read, replaced whole, with notes beside it, and never another file than the one that was judged.

The path is resolved once, its folder stays open, and everything is reached through it without following links. A
replacement leaves the old or the new content whatever happens. Over NFS without a working `flock`, and on a file system
whose rename is not atomic, none of this holds.
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

_TRIES = 3  # to lock a file while its links are being changed
_UNKNOWN = (-1,)
_UNCONFIRMED = "the new file is in place, but the disk did not confirm it: {}"

Proof = Callable[[BinaryIO], None]


class Moved(WriteFailed):
    """The path leads to another file than the one that was read; nothing was written."""


class Held:
    """A file whose folder is open and whose lock is held."""

    def __init__(self, place: Place, trusted: Trusted, *, judged: bool = True) -> None:
        self.path = place.path
        self.target = place.target
        self._place = place
        self.trusted = trusted
        self._judged = judged
        self._seen: tuple[int, ...] | None = _UNKNOWN  # what was read, None if nothing was there

    @contextmanager
    def opened(self) -> Iterator[int | None]:
        """Open the file for reading; None if it does not exist. Raises StoreError.

        This is the file that `replace` replaces.
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
        """Return what the file is like, None if it does not exist. Raises WriteFailed."""
        with self._writing():
            return self._place.look()

    def refuse_links(self) -> None:
        """Raise Refused if the file has a second name, which an edit would leave with the old content."""
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
        """Put `content` in the place of the file, or where there is none yet.

        `proof` gets the new file, open for reading, before it is in place, and raises if it must not get there. Raises
        Moved if the path leads elsewhere by now, WriteFailed with the old file intact, and NotConfirmed if the new one
        is in place and the disk did not confirm it.
        """
        with self._writing():
            old = self._place.look()
            if not self._same(old) or not self._still_here():
                raise Moved("was replaced by another program meanwhile, nothing was written, try again", file=self.path)
            replacing.replace(self._place, self._place.name, old, content, attributes, proof)
        self._confirm()
        self._seen = _UNKNOWN

    def create(self, content: bytes, attributes: Attributes = KEPT, proof: Proof | None = None) -> None:
        """Put a new file where there is none. Raises WriteFailed, also if there is one, and NotConfirmed."""
        if self.facts() is not None:
            raise WriteFailed("exists already, nothing was written", file=self.path)
        self._seen = None
        self.replace(content, attributes, proof)

    def keep_copy(self, suffix: str, content: bytes, attributes: Attributes) -> str:
        """Keep `content` beside the file as NAME.SUFFIX, or NAME.SUFFIX.1 and so on; return the path.

        What is there already is never replaced; if it has this content it is the copy. Raises WriteFailed.
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
        """Give the file, as it is, its owner and mode. Raises WriteFailed."""
        with self._writing():
            descriptor = open_at(self._place)
            try:
                os.fchown(descriptor, *attributes.owner)
                mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
                os.fchmod(descriptor, attributes.mode if attributes.exact else mode & attributes.most)
            finally:
                os.close(descriptor)

    def take(self, other: str) -> None:
        """Put another file of the folder in the place of this one. Raises WriteFailed and NotConfirmed."""
        with self._writing():
            os.rename(other, self._place.name, src_dir_fd=self._place.folder, dst_dir_fd=self._place.folder)
        self._confirm()

    def remove(self) -> None:
        """Remove the file, if it exists. Raises WriteFailed."""
        with self._writing(), suppress(FileNotFoundError):
            os.unlink(self._place.name, dir_fd=self._place.folder)

    def clear_leftovers(self) -> None:
        """Remove what killed writers left beside the file. Only for whoever holds the lock that guards it."""
        replacing.clear_leftovers(self._place)

    def note(self, suffix: str) -> Note:
        """Return the note NAME.SUFFIX beside the file."""
        return Note(self._place, suffix, self.trusted)

    def _same(self, facts: os.stat_result | None) -> bool:
        if self._seen == _UNKNOWN:
            return True
        return self._seen == (None if facts is None else _state(facts))

    def _still_here(self) -> bool:
        """Whether the path still leads to this name in this folder: a link on the way may have been changed."""
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
    """Return what tells a file as it was read from another one, and from itself after somebody wrote into it."""
    return (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)


@contextmanager
def locked(
    path: str, timeout: float, trusted: Trusted = ROOT_ONLY, *, make_folders: int | None = None
) -> Iterator[Held]:
    """Hold the writers' lock of the file that `path` leads to; it lies beside the file as `NAME.lock` and stays.

    `timeout` is in seconds. With `make_folders`, a mode, the folders that are missing are made first. What a killed
    writer left behind is removed. Raises Refused if root must not write there, StillLocked, and WriteFailed if the lock
    cannot be made.
    """
    deadline = time.monotonic() + timeout
    for _ in range(_TRIES):
        with _placed(path, trusted, make_folders) as place:
            descriptor = lock.opened(place, trusted)
            try:
                lock.acquire(descriptor, place, timeout, deadline)
                with _placed(path, trusted) as now, lock.nothing_written(path):
                    moved = not now.same_as(place)  # while we waited
                if not moved:
                    replacing.clear_leftovers(place)
                    yield Held(place, trusted)
                    return
            finally:
                with suppress(OSError):  # the lock goes with the descriptor, whatever a close says
                    os.close(descriptor)
    raise WriteFailed("leads to one file after another, nothing was written, try again", file=path)


@contextmanager
def without_lock(
    path: str, trusted: Trusted = ROOT_ONLY, *, make_folders: int | None = None, judged: bool = True
) -> Iterator[Held]:
    """Hold the folder of a file that another file's lock guards, or that is only looked at. Raises as `locked` does.

    Without `judged` root uses it whoever else can write there; for looking only.
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
        raise WriteFailed(f"the directory cannot be made: {sentence(error)}", file=folder) from None
