"""Which secrets a change was about to touch, written down beside the store as `NAME.pending` until the change is whole.

Promises: a change of keyring and store that was killed between the two is noticed afterwards; names only, never a
secret. Not promised: to know which of the two was reached.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress

from mailpolicy import files
from mailpolicy.errors import StoreError, WriteFailed


def names(path: str) -> list[str]:
    """The user names in the keyring that unfinished changes of the store at `path` were about."""
    try:
        return files.read_regular(_beside(path)).decode("utf-8", "replace").split()
    except StoreError:
        return []


def notes(path: str) -> list[str]:
    """A sentence for each unfinished change, for whoever edits next."""
    return [
        f"warning: an earlier change stopped half-way, the secret {name} may not fit the store: mailpolicy validate --secrets"
        for name in names(path)
    ]


def note(path: str, touched: Iterable[str]) -> None:
    """Write down that these secrets are about to be touched; hold the store's lock. Raises WriteFailed."""
    _write(path, dict.fromkeys([*names(path), *touched]))


def clear(path: str, touched: Iterable[str]) -> None:
    """Strike out what is whole again; hold the store's lock. Raises WriteFailed."""
    finished = set(touched)
    known = names(path)
    if left := [name for name in known if name not in finished]:
        _write(path, left)
    elif known:
        with suppress(FileNotFoundError):
            try:
                os.unlink(_beside(path))
            except PermissionError:
                raise WriteFailed(f"{_beside(path)}: permission denied") from None


def _beside(path: str) -> str:
    return f"{os.path.realpath(path)}.pending"


def _write(path: str, lines: Iterable[str]) -> None:
    files.replace(_beside(path), "".join(f"{line}\n" for line in lines).encode("utf-8"), mode=0o600)
