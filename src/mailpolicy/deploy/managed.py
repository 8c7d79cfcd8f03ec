"""Deploy one generated file: compare it, replace it atomically, and run the commands that reload its reader.

The policy is read while the file's lock is held, so that of two runs the newer policy wins. The marker `PATH.reload` is
written before the file is replaced and removed after the commands succeeded, so that an interrupted or failed reload is
run again. A file that was edited by hand or made by others is never lost.
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from typing import NamedTuple

from mailpolicy.deploy import programs
from mailpolicy.errors import Refused, StoreError
from mailpolicy.export.stamp import State, state
from mailpolicy.system.files import exists
from mailpolicy.system.held import Held, locked, without_lock
from mailpolicy.system.replacing import Attributes
from mailpolicy.system.trust import Trusted

_RELOAD = "reload"  # suffix of the marker: the commands have not succeeded yet
_PATIENCE = 120.0  # seconds for one command


class Place(NamedTuple):
    """The path and attributes of a generated file, and the commands that reload its reader.

    `product` is a file that the commands create: if it is missing, they are run. A file that was edited by hand is saved
    as `PATH.edited` and replaced with `ours`, overwritten with `force`, and else refused.
    """

    path: str
    attributes: Attributes
    commands: tuple[tuple[str, ...], ...] = ()
    product: str | None = None
    ours: bool = False
    force: bool = False


class Placed(NamedTuple):
    """The state of a generated file and the changes made; `before` is the old content, None if there was none."""

    state: State
    before: bytes | None
    written: bool = False
    corrected: bool = False  # mode or owner
    told: bool = False
    notes: tuple[str, ...] = ()
    owing: Refused | None = None  # why the reload failed, although the file was written

    @property
    def changed(self) -> bool:
        """Return whether anything was changed."""
        return self.written or self.corrected or self.told


def trusted_with(place: Place) -> Trusted:
    """Return who may own the existing file besides root: the owner named in host.toml."""
    owner = place.attributes.owner[0]
    return Trusted(owners=frozenset() if owner == -1 else frozenset({owner}))


def look(place: Place, wanted: bytes) -> Placed:
    """Return the state of the file without changing it, with notes about other differences than the content."""
    with without_lock(place.path, check_trust=False) as file:
        before = _read(file)
        found = state(before, wanted)
        notes = []
        if before is not None and not _fits(file, place.attributes):
            notes.append(f"{place.path}: mode or owner is not as configured")
        if before is not None and _is_owed(file, place):
            notes.append(f"{place.path}: reload pending")
    return Placed(found, before, notes=tuple(notes))


def put(
    place: Place,
    make: Callable[[], bytes],
    lock_timeout: float,
    first: Callable[[Held, bytes | None, bytes], None] | None = None,
) -> Placed:
    """Make the content, write the file and reload its reader; `lock_timeout` is in seconds.

    `first` is called with the locked file, its old content and the new one before the file is replaced. A failed reload
    is returned in `owing`. Raises Refused for a file that must not be overwritten and for a folder that others can
    write; StillLocked, WriteFailed, NotConfirmed; and the errors of `make`.
    """
    with locked(place.path, lock_timeout, trusted_with(place), make_folders=0o755) as file:
        wanted = make()
        before = _read(file)
        found = state(before, wanted)
        notes: list[str] = []
        written = found is not State.CURRENT
        corrected = not written and not _fits(file, place.attributes)
        if found in (State.EDITED, State.FOREIGN) and not place.force:
            if not place.ours:
                raise Refused(
                    f"nothing was written, the existing file is {found}: compare with --diff, replace with --force",
                    file=place.path,
                    code="edited",
                )
            notes.append(f"{place.path}: was {found}, kept as {_keep(file, place, before or b'')}")
        if written:
            if first is not None:
                first(file, before, wanted)
            # Before the replacement: if this run is killed right after it, the next one still reloads.
            if place.commands and not file.marker(_RELOAD).exists():
                file.marker(_RELOAD).write(())
            file.replace(wanted, place.attributes)
        elif corrected:
            file.set_attributes(place.attributes)
        told, owing = False, None
        if _is_owed(file, place):
            try:
                for command in place.commands:
                    _run(place.path, command)
                file.marker(_RELOAD).remove()
                told = True
            except Refused as error:
                owing = error
    return Placed(found, before, written, corrected, told, tuple(notes), owing)


def _read(file: Held) -> bytes | None:
    """Return the content of the file, None if it does not exist. Raises Refused if it is not a regular file."""
    try:
        return file.read()
    except StoreError as error:
        raise Refused(f"nothing was written, {error.message}", file=error.file, code="unreadable") from None


def _fits(file: Held, attributes: Attributes) -> bool:
    """Return whether mode and owner are as configured."""
    st = file.lstat()
    assert st is not None
    mode = stat.S_IMODE(st.st_mode)
    if mode != (attributes.mode if attributes.exact else mode & attributes.max_mode):
        return False
    return all(wanted in (-1, there) for wanted, there in zip(attributes.owner, (st.st_uid, st.st_gid), strict=True))


def _keep(file: Held, place: Place, content: bytes) -> str:
    """Save a file that was edited by hand, no more readable than configured, and return the path of the copy."""
    st = file.lstat()
    assert st is not None
    attributes = Attributes(stat.S_IMODE(st.st_mode) & place.attributes.mode, exact=True, owner=(st.st_uid, st.st_gid))
    return file.save_copy("edited", content, attributes)


def _is_owed(file: Held, place: Place) -> bool:
    missing = place.product is not None and not exists(place.product, follow=True)
    return bool(place.commands) and (missing or file.marker(_RELOAD).exists())


def _run(path: str, command: tuple[str, ...]) -> None:
    import shlex

    ended = programs.run(command, _PATIENCE)
    if ended.failure is None:
        return
    shown = shlex.join(command)
    raise Refused(
        f"was written, but `{shown}` {ended.failure}; the next deploy will run it again",
        file=path,
        code="reload-failed",
        fix=command,
    )
