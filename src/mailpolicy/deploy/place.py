"""One generated file in its place: compared, replaced whole, and the program that reads it told.

Promises: the policy is read while the file's lock is held, so two runs never leave the older one's work; what a command
owes is noted in `PATH.reload` before the file is replaced and struck out when the command has succeeded; a file of
somebody else's is not lost. Not promised: that the program obeys.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from mailpolicy import files, trust
from mailpolicy.deploy import programs
from mailpolicy.errors import Refused, StoreError, WriteFailed
from mailpolicy.export.stamp import State, state
from mailpolicy.files import Attributes

_PATIENCE = 120.0  # seconds for a command that tells a program


class Place(NamedTuple):
    """Where a file goes, what it shall be like, and the commands that make its reader notice.

    `product` is a file that the commands make: where it is missing they are owed. With `ours` a file that somebody
    edited is kept as `PATH.edited` and replaced; without, it is left and refused, unless `force` is given.
    """

    path: str
    attributes: Attributes
    commands: tuple[tuple[str, ...], ...] = ()
    product: str | None = None
    ours: bool = False
    force: bool = False


class Placed(NamedTuple):
    """What was found and done. `before` is the old content, None where there was none."""

    state: State
    before: bytes | None
    written: bool = False
    corrected: bool = False  # mode or owner
    told: bool = False
    notes: tuple[str, ...] = ()
    owing: Refused | None = None  # the command that failed, though the file is in its place

    @property
    def changed(self) -> bool:
        """Whether anything was done."""
        return self.written or self.corrected or self.told


def look(place: Place, wanted: bytes) -> Placed:
    """What is there, without changing it; a note for whatever differs besides the content."""
    before = _read(place.path)
    found = state(before, wanted)
    notes = []
    if before is not None and not _fits(place):
        notes.append(f"{place.path}: mode or owner is not as configured")
    if before is not None and _is_owed(place):
        notes.append(f"{place.path}: a reload is owed")
    return Placed(found, before, notes=tuple(notes))


def put(
    place: Place,
    make: Callable[[], bytes],
    lock_timeout: float,
    first: Callable[[bytes | None, bytes], None] | None = None,
) -> Placed:
    """Make the content and put it in its place; `lock_timeout` is in seconds.

    `first` gets the old content and the new one before the file is replaced.

    A command that fails leaves the file in its place, and is told of in `owing`. Raises Refused for a file that must not
    be overwritten and for a folder that others can write; StillLocked, WriteFailed, NotConfirmed; and what `make` raises.
    """
    _refuse_unsafe(place.path)
    files.make_folders(os.path.dirname(os.path.abspath(place.path)))
    with files.locked(place.path, lock_timeout):
        wanted = make()
        before = _read(place.path)
        found = state(before, wanted)
        notes: list[str] = []
        written = found is not State.CURRENT
        corrected = not written and not _fits(place)
        if found in (State.EDITED, State.FOREIGN) and not place.force:
            if not place.ours:
                raise Refused(
                    f"{place.path}: nothing was written, the file there is {found}: look at it with --diff, "
                    "and replace it with --force",
                    code="edited",
                )
            notes.append(f"{place.path}: was {found}, kept as {_keep(place, before or b'')}")
        if written:
            if first is not None:
                first(before, wanted)
            if place.commands:
                _owe(place)
            files.replace(place.path, wanted, place.attributes)
        elif corrected:
            _correct(place)
        told, owing = False, None
        if _is_owed(place):
            try:
                for command in place.commands:
                    _run(place.path, command)
                with suppress(FileNotFoundError):
                    os.unlink(_owed(place))
                told = True
            except Refused as error:
                owing = error
    return Placed(found, before, written, corrected, told, tuple(notes), owing)


def _read(path: str) -> bytes | None:
    """What is there, None where nothing is. Raises Refused for what is no file of ours to replace."""
    if not os.path.lexists(path):
        return None
    try:
        return files.read_regular(path)
    except StoreError as error:
        raise Refused(f"nothing was written, {error.message}", code="unreadable") from None


def _refuse_unsafe(path: str) -> None:
    """Root writes nothing where others could put a link in the way."""
    if os.geteuid() != 0:
        return
    folder = os.path.dirname(os.path.abspath(path))
    planted = os.path.islink(path) and os.lstat(path).st_uid != 0
    fix = f"rm {path}" if planted else trust.unsafe_for_root(folder)
    if fix is not None:
        raise Refused(f"{path}: others than root can write here: {fix}", code="unsafe", fix=fix)


def _fits(place: Place) -> bool:
    """Whether mode and owner are as they must be."""
    facts, attributes = os.stat(place.path), place.attributes
    mode = stat.S_IMODE(facts.st_mode)
    if mode != (attributes.mode if attributes.exact else mode & attributes.most):
        return False
    return all(
        wanted in (-1, there) for wanted, there in zip(attributes.owner, (facts.st_uid, facts.st_gid), strict=True)
    )


def _correct(place: Place) -> None:
    attributes = place.attributes
    try:
        os.chown(place.path, *attributes.owner)
        mode = stat.S_IMODE(os.stat(place.path).st_mode)
        os.chmod(place.path, attributes.mode if attributes.exact else mode & attributes.most)
    except OSError as error:
        raise WriteFailed(
            f"{place.path}: mode and owner cannot be set: {(error.strerror or 'input/output error').lower()}"
        ) from None


def _keep(place: Place, content: bytes) -> str:
    """A copy of what somebody wrote, beside the file and never more open than the file shall be; no earlier one is lost."""
    facts = os.stat(place.path)
    mode = stat.S_IMODE(facts.st_mode) & place.attributes.mode
    attributes = Attributes(mode, exact=True, owner=(facts.st_uid, facts.st_gid))
    whole = f"{os.path.realpath(place.path)}.edited"
    kept, number = whole, 1
    while os.path.lexists(kept):
        if not os.path.islink(kept) and _read(kept) == content:
            return kept
        kept, number = f"{whole}.{number}", number + 1
    files.replace(kept, content, attributes)
    return kept


def _owed(place: Place) -> str:
    return f"{os.path.realpath(place.path)}.reload"


def _is_owed(place: Place) -> bool:
    missing = place.product is not None and not os.path.exists(place.product)
    return bool(place.commands) and (missing or os.path.lexists(_owed(place)))


def _owe(place: Place) -> None:
    if not os.path.lexists(_owed(place)):
        files.replace(_owed(place), b"", Attributes(0o600))


def _run(path: str, command: tuple[str, ...]) -> None:
    import shlex

    ended = programs.run(command, _PATIENCE)
    if ended.failure is None:
        return
    shown = shlex.join(command)
    raise Refused(
        f"{path}: is in its place, but {shown} {ended.failure}; it is owed until it succeeds",
        code="reload-failed",
        fix=shown,
    )
