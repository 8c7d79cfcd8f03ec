"""Which secrets a change was about to touch, written down beside the store as `NAME.pending` until the change is whole.

Promises: a change of keyring and store that was killed between the two is noticed afterwards; names only, never a
secret; whoever may read the store may read it. Not promised: to know which of the two was reached.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress

from mailpolicy import files
from mailpolicy.errors import Advice, NotConfirmed, StoreError, WriteFailed


def names(path: str) -> list[str]:
    """The user names in the keyring that unfinished changes of the store at `path` were about. Raises StoreError."""
    note = _beside(path)
    if os.path.islink(note):
        raise StoreError("this is a symbolic link: remove it", file=note)
    if not os.path.lexists(note):
        return []
    return files.read_regular(note).decode("utf-8", "replace").split()


def notes(path: str) -> list[str | Advice]:
    """A sentence for each unfinished change, for whoever edits next."""
    try:
        return [sentence(name) for name in names(path)]
    except StoreError as error:
        return [f"warning: whether an earlier change stopped half-way cannot be read: {error}"]


def sentence(name: str) -> Advice:
    """What is said about one unfinished change."""
    text = f"warning: an earlier change was interrupted, the secret {name} may be out of date"
    return Advice(text, ("mailpolicy", "validate", "--secrets"))


def note(path: str, touched: Iterable[str]) -> None:
    """Write down that these secrets are about to be touched; hold the store's lock. Raises StoreError and WriteFailed."""
    known = names(path)
    if left := [name for name in touched if name not in known]:
        _write(path, [*known, *left])


def clear(path: str, touched: Iterable[str]) -> None:
    """Strike out what is whole again; hold the store's lock. Raises StoreError and WriteFailed."""
    finished = set(touched)
    known = names(path)
    left = [name for name in known if name not in finished]
    if left and left != known:
        _write(path, left)
    elif known and not left:
        try:
            os.unlink(_beside(path))
        except FileNotFoundError:
            return
        except OSError as error:
            reason = (error.strerror or "input/output error").lower()
            raise WriteFailed(f"cannot be removed: {reason}", file=_beside(path)) from None


def _beside(path: str) -> str:
    return f"{os.path.realpath(path)}.pending"


def _write(path: str, lines: Iterable[str]) -> None:
    mode, group = 0o600, -1
    with suppress(OSError):
        facts = os.stat(path)
        mode, group = stat.S_IMODE(facts.st_mode) & 0o666, facts.st_gid
    # In place is enough here: the store's own replacement, which follows, reports a disk that does not confirm.
    with suppress(NotConfirmed):
        files.replace(_beside(path), "".join(f"{line}\n" for line in lines).encode("utf-8"), files.Attributes(mode))
    with suppress(OSError):
        os.chown(_beside(path), -1, group)
