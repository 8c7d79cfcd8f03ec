"""A file as git has it: `REV:PATH`, read without a checkout.

Promises: the bytes that were committed, without textconv or filters; a revision never becomes an option of git's.
Not promised: anything about which repository; git looks for it from the current directory, as always.
"""

from __future__ import annotations

from mailpolicy.errors import StoreError


def blob(name: str) -> bytes:
    """The content of `REV:PATH`; an empty REV is the index. Raises StoreError."""
    import subprocess  # costs start-up, and most stores are files

    try:
        done = subprocess.run(
            ["git", "cat-file", "blob", "--end-of-options", name],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise StoreError(f"{name}: there is no such file, and git, which could know it, is not installed") from None
    except (OSError, ValueError) as error:
        raise StoreError(f"{name!a}: git cannot be asked: {error}") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = said[0].removeprefix("fatal: ") if said else f"exit status {done.returncode}"
        raise StoreError(f"{name}: there is no such file, and git says: {reason}")
    return done.stdout
