"""A file as git has it: `REV:PATH`, read without a checkout.

Promises: the bytes that were committed, without textconv or filters; a revision never becomes an option of git's; the
text of a symbolic link is never taken for a file.
Not promised: anything about which repository; git looks for it from the current directory, as always.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from typing import TYPE_CHECKING

from mailpolicy.errors import StoreError
from mailpolicy.names import printable

if TYPE_CHECKING:
    from subprocess import CompletedProcess

LINK = "120000"  # the mode of a symbolic link
_LONGEST_LINK = 4096  # PATH_MAX of Linux
# `REV:` or the index, and the path, parted as git does: a colon in braces belongs to REV.
_NAME = re.compile(r"(:[0-3]:|(?:\{[^}]*\}|[^:{])*:)(.*)", re.DOTALL)
_HERE = ("./", "../")  # what a path from the current directory begins with, any other is from the root


class SymbolicLink(StoreError):
    """`name` is a symbolic link in git; `leads_to` is what names its target, None where nothing of git's does."""

    code = "symbolic-link"

    def __init__(self, name: str, content: bytes) -> None:
        target = content.decode("utf-8", "backslashreplace")
        super().__init__(f"this is a symbolic link in git, to '{printable(target)}'", file=name)
        self.name = name
        self.leads_to = _beside(name, target)


def blob(name: str) -> bytes:
    """The content of `REV:PATH`; an empty REV is the index. Raises StoreError, SymbolicLink for one."""
    try:
        done = _git("cat-file", "blob", "--end-of-options", name)
    except FileNotFoundError:
        raise StoreError("there is no such file, and git, which could know it, is not installed", file=name) from None
    except (OSError, ValueError) as error:
        raise StoreError(f"{name!a}: git cannot be asked: {error}") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = said[0].removeprefix("fatal: ") if said else f"exit status {done.returncode}"
        advice = [tuple(shlex.split(line)) for line in said if line.startswith("\tgit ")]
        raise StoreError(
            f"no file of this directory, and git says: {reason}", file=name, fix=advice[0] if advice else None
        )
    if 0 < len(done.stdout) <= _LONGEST_LINK and _is_link(name):
        raise SymbolicLink(name, done.stdout)
    return done.stdout


def _is_link(name: str) -> bool:
    """Whether git has `REV:PATH` as a symbolic link. Only a listing of a tree or of the index tells the mode."""
    parted = _NAME.fullmatch(name)
    if parted is None:
        return False
    start, path = parted.groups()
    if start.startswith(":"):
        magic = "literal" if path.startswith(_HERE) else "top,literal"
        listed = _git("ls-files", "--stage", "-z", "--", f":({magic}){path}").stdout
        stage = (start.strip(":") or "0").encode()
        entry = re.compile(LINK.encode() + b" [0-9a-f]+ " + stage + b"\t")
        return any(map(entry.match, listed.split(b"\0")))
    folder, slash, last = path.rpartition("/")
    tree = f"{start}{folder}{slash}"
    listed = _git("--literal-pathspecs", "ls-tree", "--full-tree", "--end-of-options", tree, last).stdout
    return listed.startswith(LINK.encode())


def _beside(name: str, target: str) -> str | None:
    """What names the target of the link `name`; None where it lies outside the repository or cannot be shown."""
    parted = _NAME.fullmatch(name)
    if parted is None or printable(target) != target:
        return None
    if target.startswith("/"):
        return target
    start, path = parted.groups()
    there = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    upward = there.partition("/")[0] == ".."
    if path.startswith(_HERE):
        return f"{start}{there if upward else f'./{there}'}"
    return None if upward else f"{start}{there}"


def knows(name: str) -> bool:
    """Whether `REV:PATH` is a file of some revision, or of the index."""
    try:
        return not _git("cat-file", "-e", "--end-of-options", name).returncode
    except (OSError, ValueError):  # no git, so no revisions
        return False


def _git(*arguments: str) -> CompletedProcess[bytes]:
    import subprocess  # costs start-up, and most stores are files

    return subprocess.run(["git", *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=False)
