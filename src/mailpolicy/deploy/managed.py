"""Deploy one generated file: compare it, replace it atomically, and run the commands that reload its reader.

The policy is read while the file's lock is held, so that of two runs the newer policy wins. The marker `PATH.reload` is
written before the file is replaced and removed after the commands succeeded, so that an interrupted or failed reload is
run again. A file that was edited by hand or made by others is never lost.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from mailpolicy.errors import Refused, StoreError, WriteFailed
from mailpolicy.export.stamp import State, state
from mailpolicy.system import programs
from mailpolicy.system.attributes import Attributes
from mailpolicy.system.files import exists
from mailpolicy.system.held import Held, locked, without_lock
from mailpolicy.system.trust import Trusted

_RELOAD = "reload"  # suffix of the marker: the commands have not succeeded yet
_TIMEOUT = 120.0  # seconds for one command


class GeneratedFile(NamedTuple):
    """The path and attributes of a generated file, and the commands that reload its reader.

    `product` is a file that the commands create: if it is missing, they are run. A file that was edited by hand is saved
    as `PATH.edited` and replaced with `replace_edited`, overwritten with `force`, and else refused.
    """

    path: str
    attributes: Attributes
    commands: tuple[tuple[str, ...], ...] = ()
    product: str | None = None
    replace_edited: bool = False
    force: bool = False


class DeployResult(NamedTuple):
    """The state of a generated file and the changes made; `before` is the old content, None if there was none."""

    state: State
    before: bytes | None
    written: bool = False
    attributes_set: bool = False  # mode or owner
    reloaded: bool = False
    notes: tuple[str, ...] = ()
    reload_error: Refused | None = None  # why the reload failed, although the file was written

    @property
    def changed(self) -> bool:
        """Return whether anything was changed."""
        return self.written or self.attributes_set or self.reloaded


def trusted_with(generated: GeneratedFile) -> Trusted:
    """Return who may own the existing file besides root: the owner named in host.toml."""
    owner = generated.attributes.owner[0]
    return Trusted(owners=frozenset() if owner == -1 else frozenset({owner}))


def inspect(generated: GeneratedFile, make: Callable[[bytes | None], bytes]) -> DeployResult:
    """Return the state of the file without changing it, with notes about other differences than the content.

    `make` is called with the content, None if there is none, as by `update`.
    """
    with without_lock(generated.path, check_trust=False) as file:
        before = _read(file)
        found = state(before, make(before))
        notes = []
        if before is not None and not _has_attributes(file, generated.attributes):
            notes.append(f"{generated.path}: mode or owner is not as configured")
        if before is not None and _reload_pending(file, generated):
            notes.append(f"{generated.path}: reload pending")
    return DeployResult(found, before, notes=tuple(notes))


def update(
    generated: GeneratedFile,
    make: Callable[[bytes | None], bytes],
    lock_timeout: float,
    before_replace: Callable[[Held, bytes | None, bytes], None] | None = None,
) -> DeployResult:
    """Make the content, write the file and reload its reader; `lock_timeout` is in seconds.

    `make` is called with the old content, None if there is none. `before_replace` is called with the locked file, its old
    content and the new one before the file is replaced. A failed reload is returned in `reload_error`. Raises Refused for a
    file that must not be overwritten and for a folder that others can write; StillLocked, WriteFailed, NotConfirmed; and
    the errors of `make`.
    """
    with _locked(generated, lock_timeout) as file:
        # Under the lock, so that of two runs the one that writes last has also read the policy last.
        before = _read(file)
        wanted = make(before)
        found = state(before, wanted)
        notes: list[str] = []
        written = found is not State.CURRENT
        attributes_set = not written and not _has_attributes(file, generated.attributes)
        if found in (State.EDITED, State.FOREIGN) and not generated.force:
            if not generated.replace_edited:
                raise Refused(
                    f"nothing was written, the existing file is {found}: compare with --diff, replace with --force",
                    file=generated.path,
                    code="edited",
                )
            notes.append(f"{generated.path}: was {found}, kept as {_save_edited(file, generated, before or b'')}")
        if written:
            if before_replace is not None:
                before_replace(file, before, wanted)
            # Before the replacement: if this run is killed right after it, the next one still reloads.
            if generated.commands and not file.marker(_RELOAD).exists():
                file.marker(_RELOAD).write(())
            file.replace(wanted, generated.attributes)
        elif attributes_set:
            file.set_attributes(generated.attributes)
        reloaded, reload_error = False, None
        if _reload_pending(file, generated):
            try:
                for command in generated.commands:
                    _run(generated.path, command)
                file.marker(_RELOAD).remove()
                reloaded = True
            except Refused as error:
                reload_error = error
    return DeployResult(found, before, written, attributes_set, reloaded, tuple(notes), reload_error)


def reload_pending(generated: GeneratedFile) -> bool:
    """Return whether the commands that reload the file's reader have yet to succeed."""
    with without_lock(generated.path, check_trust=False) as file:
        return _reload_pending(file, generated)


def owe_reload(generated: GeneratedFile, lock_timeout: float) -> None:
    """Let the next `update` reload the file's reader. Raises Refused, StillLocked and WriteFailed."""
    with locked(generated.path, lock_timeout, trusted_with(generated)) as file:
        if not file.marker(_RELOAD).exists():
            file.marker(_RELOAD).write(())


@contextmanager
def _locked(generated: GeneratedFile, lock_timeout: float) -> Iterator[Held]:
    """Hold the lock of the file. Raises Refused if it is not a regular file."""
    with ExitStack() as stack:
        with _refused():
            file = stack.enter_context(
                locked(generated.path, lock_timeout, trusted_with(generated), make_folders=0o755)
            )
        yield file


@contextmanager
def _refused() -> Iterator[None]:
    """Convert StoreError, as the file is no store."""
    try:
        yield
    except StoreError as error:
        raise Refused(f"nothing was written, {error.message}", file=error.file, code="unreadable") from None


def _read(file: Held) -> bytes | None:
    """Return the content of the file, None if it does not exist. Raises Refused if it is not a regular file."""
    with _refused():
        return file.read()


def _has_attributes(file: Held, attributes: Attributes) -> bool:
    """Return whether mode and owner are as configured."""
    st = file.lstat()
    if st is None:  # it was removed meanwhile
        return False
    mode = stat.S_IMODE(st.st_mode)
    if mode != attributes.mode_for(mode):
        return False
    return all(wanted in (-1, there) for wanted, there in zip(attributes.owner, (st.st_uid, st.st_gid), strict=True))


def _save_edited(file: Held, generated: GeneratedFile, content: bytes) -> str:
    """Save a file that was edited by hand, no more readable than configured, and return the path of the copy."""
    st = file.lstat()
    if st is None:
        raise WriteFailed("was removed by another program meanwhile; run this again", file=generated.path)
    attributes = Attributes(
        stat.S_IMODE(st.st_mode) & generated.attributes.mode, exact=True, owner=(st.st_uid, st.st_gid)
    )
    return file.save_copy("edited", content, attributes)


def _reload_pending(file: Held, generated: GeneratedFile) -> bool:
    missing = generated.product is not None and not exists(generated.product, follow=True)
    return bool(generated.commands) and (missing or file.marker(_RELOAD).exists())


def _run(path: str, command: tuple[str, ...]) -> None:
    import shlex

    result = programs.run(command, _TIMEOUT)
    if result.failure is None:
        return
    shown = shlex.join(command)
    raise Refused(
        f"was written, but `{shown}` {result.failure}; the next deploy will run it again",
        file=path,
        code="reload-failed",
        fix=command,
    )
