"""One generated file in its place: compared, replaced whole, and the program that reads it told.

Promises: the policy is read while the file's lock is held, so two runs never leave the older one's work; what a command
owes is noted in `PATH.reload` before the file is replaced and struck out when the command has succeeded; a file of
somebody else's is not lost. Not promised: that the program obeys.
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from typing import NamedTuple

from mailpolicy.deploy import programs
from mailpolicy.errors import Refused, StoreError
from mailpolicy.export.stamp import State, state
from mailpolicy.system.files import is_there
from mailpolicy.system.held import Held, locked, without_lock
from mailpolicy.system.replacing import Attributes
from mailpolicy.system.trust import Trusted

_RELOAD = "reload"  # the note that the commands are still to be run
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


def trusted_with(place: Place) -> Trusted:
    """Return who may own the file that stands there already: root, and the owner that host.toml names."""
    owner = place.attributes.owner[0]
    return Trusted(owners=frozenset() if owner == -1 else frozenset({owner}))


def look(place: Place, wanted: bytes) -> Placed:
    """What is there, without changing it; a note for whatever differs besides the content."""
    with without_lock(place.path, judged=False) as file:
        before = _read(file)
        found = state(before, wanted)
        notes = []
        if before is not None and not _fits(file, place.attributes):
            notes.append(f"{place.path}: mode or owner is not as configured")
        if before is not None and _is_owed(file, place):
            notes.append(f"{place.path}: a reload is owed")
    return Placed(found, before, notes=tuple(notes))


def put(
    place: Place,
    make: Callable[[], bytes],
    lock_timeout: float,
    first: Callable[[Held, bytes | None, bytes], None] | None = None,
) -> Placed:
    """Make the content and put it in its place; `lock_timeout` is in seconds.

    `first` gets the file as it is held, the old content and the new one before the file is replaced.

    A command that fails leaves the file in its place, and is told of in `owing`. Raises Refused for a file that must not
    be overwritten and for a folder that others can write; StillLocked, WriteFailed, NotConfirmed; and what `make` raises.
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
                    f"nothing was written, the file there is {found}: look at it with --diff, "
                    "and replace it with --force",
                    file=place.path,
                    code="edited",
                )
            notes.append(f"{place.path}: was {found}, kept as {_keep(file, place, before or b'')}")
        if written:
            if first is not None:
                first(file, before, wanted)
            if place.commands and not file.note(_RELOAD).exists():
                file.note(_RELOAD).write(())
            file.replace(wanted, place.attributes)
        elif corrected:
            file.correct(place.attributes)
        told, owing = False, None
        if _is_owed(file, place):
            try:
                for command in place.commands:
                    _run(place.path, command)
                file.note(_RELOAD).remove()
                told = True
            except Refused as error:
                owing = error
    return Placed(found, before, written, corrected, told, tuple(notes), owing)


def _read(file: Held) -> bytes | None:
    """Return what is there, None if nothing is. Raises Refused for what is no file of ours to replace."""
    try:
        return file.read()
    except StoreError as error:
        raise Refused(f"nothing was written, {error.message}", file=error.file, code="unreadable") from None


def _fits(file: Held, attributes: Attributes) -> bool:
    """Whether mode and owner are as they must be."""
    facts = file.facts()
    assert facts is not None
    mode = stat.S_IMODE(facts.st_mode)
    if mode != (attributes.mode if attributes.exact else mode & attributes.most):
        return False
    return all(
        wanted in (-1, there) for wanted, there in zip(attributes.owner, (facts.st_uid, facts.st_gid), strict=True)
    )


def _keep(file: Held, place: Place, content: bytes) -> str:
    """Keep what somebody wrote, never more open than the file shall be; return the path."""
    facts = file.facts()
    assert facts is not None
    attributes = Attributes(
        stat.S_IMODE(facts.st_mode) & place.attributes.mode, exact=True, owner=(facts.st_uid, facts.st_gid)
    )
    return file.keep_copy("edited", content, attributes)


def _is_owed(file: Held, place: Place) -> bool:
    missing = place.product is not None and not is_there(place.product, follow=True)
    return bool(place.commands) and (missing or file.note(_RELOAD).exists())


def _run(path: str, command: tuple[str, ...]) -> None:
    import shlex

    ended = programs.run(command, _PATIENCE)
    if ended.failure is None:
        return
    shown = shlex.join(command)
    raise Refused(
        f"is in its place, but {shown} {ended.failure}; it is owed until it succeeds",
        file=path,
        code="reload-failed",
        fix=command,
    )
