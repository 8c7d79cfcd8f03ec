"""Read a file from git as `REV:PATH`, without a checkout.

The bytes are the committed ones, without textconv, filters or replacements. A revision cannot be mistaken for an option
of git, and the target of a symbolic link is never returned as content. No program named in the repository's
configuration is run and nothing is fetched. Root does not read another user's repository.
"""

from __future__ import annotations

import os
import posixpath
import re
import shlex
from typing import TYPE_CHECKING

from mailpolicy.errors import Refused, StoreError
from mailpolicy.policy.names import printable
from mailpolicy.system.resolve import real_path

if TYPE_CHECKING:
    from subprocess import CompletedProcess

LINK_MODE = "120000"  # the mode of a symbolic link
_MAX_LINK_SIZE = 4096  # PATH_MAX of Linux
# Split into `REV:` (or `:`, `:N:` for the index) and path as git does: a colon in braces belongs to REV.
_NAME = re.compile(r"(:[0-3]:|(?:\{[^}]*\}|[^:{])*:)(.*)", re.DOTALL)
_RELATIVE = ("./", "../")  # prefixes of paths relative to the current directory; others start at the repository's root
# The commands below only read objects and the index. Even so, a repository's configuration could run a program: to fetch
# a missing object (a promisor remote with its ssh command, upload pack or helper), as fsmonitor, or as a hook.
# Replacements and grafts would substitute another commit for the named one.
_SAFE_ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": "none",  # unlike protocol.allow, overrides the repository's protocol.NAME.allow
    "GIT_NO_LAZY_FETCH": "1",  # known since git 2.45 and 2.39.4
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_GRAFT_FILE": os.devnull,
    "LC_ALL": "C",
}
_OPTIONS = ("--no-pager", "--no-replace-objects", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}")
_DUBIOUS_OWNERSHIP = b"detected dubious ownership"  # git's refusal of a repository that belongs to somebody else
FETCH_MORE = "fetch it first; a shallow clone does not have it (actions/checkout: fetch-depth: 0, GitLab: GIT_DEPTH: 0)"


class NoSuchRevision(StoreError):
    """The repository does not have the revision, perhaps because it is a shallow clone."""

    code = "no-such-revision"


class NotInRevision(StoreError):
    """The revision exists but does not contain the file."""

    code = "not-in-revision"


class SymbolicLink(StoreError):
    """`name` is a symbolic link in git; `target` names its target, or is None if the target is not in git."""

    code = "symbolic-link"

    def __init__(self, name: str, content: bytes) -> None:
        target = content.decode("utf-8", "backslashreplace")
        super().__init__(f"this is a symbolic link in git, to '{printable(target)}'", file=name)
        self.name = name
        self.target = _link_target(name, target)


def read_blob(name: str, folder: str | None = None) -> bytes:
    """Return the content of `REV:PATH`; an empty REV means the index.

    The repository is found from `folder`, by default the current directory. Raises StoreError (among them NoSuchRevision,
    NotInRevision and SymbolicLink) and Refused.
    """
    try:
        done = _git("cat-file", "blob", "--end-of-options", name, folder=folder)
        if done.returncode:
            raise _unreadable(name, done, folder)
        if 0 < len(done.stdout) <= _MAX_LINK_SIZE and _is_link(name, folder):
            raise SymbolicLink(name, done.stdout)
    except FileNotFoundError:
        raise StoreError("no such file, and git is not installed, so it cannot be read from git", file=name) from None
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot run git: {error}", file=name) from None
    return done.stdout


def _unreadable(name: str, done: CompletedProcess[bytes], folder: str | None) -> StoreError:
    """Return the error that explains why git could not read `REV:PATH`, with its fix."""
    stderr = done.stderr.decode("utf-8", "replace").strip().splitlines()
    reason = stderr[0].removeprefix("fatal: ") if stderr else f"exit status {done.returncode}"
    match = _NAME.fullmatch(name)
    if match is not None and _git("rev-parse", "--git-dir", folder=folder).returncode == 0:
        prefix, path = match.groups()
        revision = prefix.removesuffix(":")
        if revision == "HEAD" and not _resolves(revision, folder):
            message = "this repository has no commit yet; add --missing-ok to compare with an empty store"
            return NotInRevision(message, file=name)
        if not prefix.startswith(":") and not _resolves(f"{revision}^{{tree}}", folder):
            shallow = _git("rev-parse", "--is-shallow-repository", folder=folder).stdout.strip() == b"true"
            fix = ("git", "fetch", "--unshallow") if shallow else None
            return NoSuchRevision(f"no revision {revision} in this repository: {FETCH_MORE}", file=name, fix=fix)
        if not _resolves(name, folder):
            where = "the index" if prefix.startswith(":") else revision
            return NotInRevision(
                f"{path!r} does not exist in {where}: if the file is new, add --missing-ok to compare with an empty store; "
                f"if {where} should have it, {FETCH_MORE}",
                file=name,
            )
    advice = [tuple(shlex.split(line)) for line in stderr if line.startswith("\tgit ")]
    return StoreError(f"no such file, and git cannot read it: {reason}", file=name, fix=advice[0] if advice else None)


def _resolves(name: str, folder: str | None) -> bool:
    return not _git("rev-parse", "--verify", "--quiet", "--end-of-options", name, folder=folder).returncode


def _is_link(name: str, folder: str | None) -> bool:
    """Return whether `REV:PATH` is a symbolic link; only a listing of the tree or the index shows the mode."""
    match = _NAME.fullmatch(name)
    if match is None:
        return False
    prefix, path = match.groups()
    if prefix.startswith(":"):
        magic = "literal" if path.startswith(_RELATIVE) else "top,literal"
        listed = _git("ls-files", "--stage", "-z", "--", f":({magic}){path}", folder=folder).stdout
        stage = (prefix.strip(":") or "0").encode()
        entry = re.compile(LINK_MODE.encode() + b" [0-9a-f]+ " + stage + b"\t")
        return any(map(entry.match, listed.split(b"\0")))
    above, slash, last = path.rpartition("/")
    tree = f"{prefix}{above}{slash}"
    listed = _git("--literal-pathspecs", "ls-tree", "--full-tree", "--end-of-options", tree, last, folder=folder).stdout
    return listed.startswith(LINK_MODE.encode())


def _link_target(name: str, target: str) -> str | None:
    """Return the target of the link `name` as `REV:PATH`; None if it is outside the repository or unprintable."""
    match = _NAME.fullmatch(name)
    if match is None or printable(target) != target:
        return None
    if target.startswith("/"):
        return target
    prefix, path = match.groups()
    location = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    upward = location.partition("/")[0] == ".."
    if path.startswith(_RELATIVE):
        return f"{prefix}{location if upward else f'./{location}'}"
    return None if upward else f"{prefix}{location}"


def exists(name: str) -> bool:
    """Return whether `REV:PATH` exists in git."""
    try:
        return not _git("cat-file", "-e", "--end-of-options", name).returncode
    except (OSError, ValueError, Refused):  # without a usable git there are no revisions
        return False


def locate(path: str) -> tuple[str, str]:
    """Return the real directory of `path` and the file's path from the root of its repository. Raises StoreError."""
    folder, name = os.path.split(real_path(path))
    try:
        done = _git("rev-parse", "--show-prefix", folder=folder)
    except (OSError, ValueError):
        raise StoreError("git is not installed, so older versions cannot be read", file=path) from None
    if done.returncode:
        raise _unreadable(path, done, folder)
    return folder, os.fsdecode(done.stdout.removesuffix(b"\n")) + name


def commit_id(revision: str, folder: str) -> str | None:
    """Return the abbreviated id of a commit of the repository around `folder`; None if there is no repository or no commit.

    Raises Refused.
    """
    try:
        done = _git("rev-parse", "--verify", "--quiet", "--short=12", f"{revision}^{{commit}}", folder=folder)
    except (OSError, ValueError):  # git is not installed
        return None
    return done.stdout.decode().strip() if done.returncode == 0 else None


def is_revision(name: str, folder: str | None = None) -> bool:
    """Return whether the repository has a revision of this name."""
    try:
        return _resolves(f"{name}^{{tree}}", folder)
    except (OSError, ValueError, Refused):  # without a usable git there are no revisions
        return False


def _git(*arguments: str, folder: str | None = None) -> CompletedProcess[bytes]:
    import subprocess  # costs start-up, and most stores are files

    # With SUDO_UID git trusts the repositories of sudo's caller; without it, root's own check applies. Under sudo HOME may
    # still be the caller's, and with it the global configuration.
    environment = {name: value for name, value in os.environ.items() if name != "SUDO_UID"} | _SAFE_ENVIRONMENT
    if os.geteuid() == 0 and "SUDO_UID" in os.environ:
        environment["GIT_CONFIG_GLOBAL"] = os.devnull
    location = ("-C", folder) if folder is not None else ()
    done = subprocess.run(
        ["git", *_OPTIONS, *location, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        env=environment,
    )
    if done.returncode and _DUBIOUS_OWNERSHIP in done.stderr and os.geteuid() == 0:
        raise Refused(
            "this repository belongs to another user, so root does not read it: run this as its owner, "
            "or have the owner pipe in `git show REV:PATH` and name the file -",
            file=folder or os.curdir,
            code="foreign-repository",
        )
    return done
