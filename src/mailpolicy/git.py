"""A file as git has it: `REV:PATH`, read without a checkout.

Promises: the bytes that were committed, without textconv or filters; a revision never becomes an option of git's.
Not promised: anything about which repository; git looks for it from the current directory, as always.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailpolicy.errors import StoreError

if TYPE_CHECKING:
    from subprocess import CompletedProcess


def blob(name: str) -> bytes:
    """The content of `REV:PATH`; an empty REV is the index. Raises StoreError."""
    try:
        done = _git("cat-file", "blob", "--end-of-options", name)
    except FileNotFoundError:
        raise StoreError(f"{name}: there is no such file, and git, which could know it, is not installed") from None
    except (OSError, ValueError) as error:
        raise StoreError(f"{name!a}: git cannot be asked: {error}") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = said[0].removeprefix("fatal: ") if said else f"exit status {done.returncode}"
        advice = [line.strip() for line in said if line.startswith("\tgit ")]
        raise StoreError(
            f"{name}: no file of this directory, and git says: {reason}", fix=advice[0] if advice else None
        )
    return done.stdout


def knows(name: str) -> bool:
    """Whether `REV:PATH` is a file of some revision, or of the index."""
    try:
        return not _git("cat-file", "-e", "--end-of-options", name).returncode
    except (OSError, ValueError):  # no git, so no revisions
        return False


def _git(*arguments: str) -> CompletedProcess[bytes]:
    import subprocess  # costs start-up, and most stores are files

    return subprocess.run(["git", *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=False)
