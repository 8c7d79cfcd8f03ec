"""Disks that are full, odd or broken, in mounts that only this process sees: for a fork, with which they end.

A disk is made at a folder and filled there with files; then something is done to it for a while.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from tests.helpers import NOBODY, missing

_LIBC = ctypes.CDLL(None, use_errno=True)
_NEW_MOUNTS, _NEW_USERS = 0x20000, 0x10000000
_READ_ONLY, _NO_SUID, _NO_DEVICES, _NO_PROGRAMS, _REMOUNT, _BIND = 1, 2, 4, 8, 32, 4096
_PRIVATE = 1 << 18 | 1 << 14
_DETACH = 2
_GET_FLAGS, _SET_FLAGS = 0x80086601, 0x40086602
_IMMUTABLE, _APPEND = 0x10, 0x20
_PAGE = resource.getpagesize()
_FILLER = "filler"
REPLACED = ("accounts.toml", "secrets", "key", "out", "d")  # files that commands replace


def own_mounts() -> None:
    """Give this process mounts of its own."""
    _require(_LIBC.unshare(_NEW_MOUNTS))
    mount("none", "/", None, _PRIVATE)


def be_root_of_a_container() -> None:
    """Go into a user namespace in which root is root, and everybody else nobody."""
    if _LIBC.unshare(_NEW_USERS):
        missing("this kernel gives root no user namespace")
    for name, text in (("setgroups", "deny"), ("uid_map", "0 0 1"), ("gid_map", "0 0 1")):
        Path(f"/proc/self/{name}").write_text(text)


def mount(source: str, target: Path | str, kind: str | None, flags: int = 0, options: str = "") -> None:
    words = [word.encode() if word is not None else None for word in (source, str(target), kind)]
    _require(_LIBC.mount(*words, ctypes.c_ulong(flags), options.encode()))


def unmount(target: Path) -> None:
    _require(_LIBC.umount2(str(target).encode(), _DETACH))


def sync(folder: Path) -> None:
    """Bring what was written to a disk there."""
    descriptor = os.open(folder, os.O_RDONLY)
    _require(_LIBC.syncfs(descriptor))
    os.close(descriptor)


def _require(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class Disk(NamedTuple):
    """A disk: how it is made, and what is then done to it, `amount` by `amount`.

    `statuses` are the exit statuses that may come of that, `words` one of which stands in the message of a 7.
    """

    name: str
    make: Callable[[Path], None]
    trouble: Callable[[Path, int], AbstractContextManager[None]]
    amounts: tuple[int, ...] = (0,)
    statuses: tuple[int, ...] = (0, 7)
    words: tuple[str, ...] = ("",)
    begin: Callable[[Path, int], None] = lambda folder, amount: None  # in the process of the command
    odd_modes: bool = False  # it keeps no owners and modes
    commands: int | None = None  # how many are tried, None for all
    keeps_leftovers: bool = False  # nothing can be removed, temporary files neither, until the trouble is over


def _no_trouble(folder: Path, amount: int) -> AbstractContextManager[None]:
    return nullcontext()


def tmpfs(folder: Path) -> None:
    mount("tmpfs", folder, "tmpfs", 0, "size=256k,nr_inodes=60,mode=755")


@contextmanager
def _filled(folder: Path, room: int) -> Iterator[None]:
    """Leave so many pages of a disk free."""
    with (folder / _FILLER).open("wb", buffering=0) as file:
        facts = os.statvfs(folder)
        file.write(b"x" * max(facts.f_bavail * facts.f_frsize - room * _PAGE, 0))
    yield
    (folder / _FILLER).unlink()


@contextmanager
def _without_inodes(folder: Path, room: int) -> Iterator[None]:
    """Leave room for so many more files."""
    (folder / _FILLER).mkdir()
    for number in range(os.statvfs(folder).f_favail - room):
        (folder / _FILLER / str(number)).touch()
    yield
    shutil.rmtree(folder / _FILLER)


@contextmanager
def _read_only(folder: Path, amount: int) -> Iterator[None]:
    mount("none", folder, None, _REMOUNT | _READ_ONLY)
    yield
    mount("none", folder, None, _REMOUNT)


@contextmanager
def _mount_points(folder: Path, amount: int) -> Iterator[None]:
    """Make the files that are replaced mount points, as a container's are."""
    mounted = [folder / name for name in REPLACED if (folder / name).exists()]
    for path in mounted:
        mount(str(path), path, None, _BIND)
    yield
    for path in mounted:
        unmount(path)


def _flags(path: Path, flags: int) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        before = struct.unpack("i", fcntl.ioctl(descriptor, _GET_FLAGS, struct.pack("i", 0)))[0]
        fcntl.ioctl(descriptor, _SET_FLAGS, struct.pack("i", before & ~(_IMMUTABLE | _APPEND) | flags))
    except OSError as error:
        missing(f"no chattr on this file system: {error}")
    finally:
        os.close(descriptor)


def _with_flags(names: tuple[str, ...], flags: int) -> Callable[[Path, int], AbstractContextManager[None]]:
    @contextmanager
    def flagged(folder: Path, amount: int) -> Iterator[None]:
        paths = [folder / name for name in names if (folder / name).exists()]
        for path in paths:
            _flags(path, flags)
        yield
        for path in paths:
            _flags(path, 0)

    return flagged


def _limit_sizes(folder: Path, amount: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (amount, amount))


@contextmanager
def _default_acl(folder: Path, amount: int) -> Iterator[None]:
    """Let whatever is made there be everybody's."""
    if shutil.which("setfacl") is None:
        missing("setfacl is missing: Debian package acl")
    subprocess.run(["setfacl", "-d", "-m", f"u:{NOBODY}:rwx,g::rwx,o::rwx", folder], check=True)
    yield
    subprocess.run(["setfacl", "-k", folder], check=True)


def _overlay(folder: Path) -> None:
    """Lay an empty layer over the files that are there."""
    above = folder.with_name("above")
    above.mkdir()
    tmpfs(above)
    for name in ("lower", "upper", "work"):
        (above / name).mkdir()
    mount("overlay", folder, "overlay", 0, f"lowerdir={above}/lower,upperdir={above}/upper,workdir={above}/work")


@contextmanager
def _over_lower_files(folder: Path, amount: int) -> Iterator[None]:
    """Move the files of the upper layer to the lower one, and mount both anew."""
    above = folder.with_name("above")
    unmount(folder)
    for path in (above / "lower").iterdir():
        path.unlink()
    for path in (above / "upper").iterdir():
        path.rename(above / "lower" / path.name)
    shutil.rmtree(above / "work")
    (above / "work").mkdir()
    mount("overlay", folder, "overlay", 0, f"lowerdir={above}/lower,upperdir={above}/upper,workdir={above}/work")
    yield


def _ramfs(folder: Path) -> None:
    mount("none", folder, "ramfs", 0, "mode=755")


def _restricted(folder: Path) -> None:
    mount("tmpfs", folder, "tmpfs", _NO_SUID | _NO_DEVICES | _NO_PROGRAMS, "size=256k,mode=755")


def _exfat(folder: Path) -> None:
    """A file system without hard links, owners and modes."""
    image = folder.with_name("image")
    for program, package in (("mkfs.exfat", "exfatprogs"), ("mount.exfat-fuse", "exfat-fuse")):
        if shutil.which(program, path=_PATH) is None:
            missing(f"{program} is missing: Debian package {package}")
    image.write_bytes(b"")
    os.truncate(image, 4 << 20)
    commands: list[list[str | Path]] = [
        ["mkfs.exfat", image],
        ["mount", "-t", "exfat-fuse", "-o", "loop,umask=077", image, folder],
    ]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": _PATH})
        if done.returncode:
            missing(f"{command[0]} does not work here, it needs /dev/fuse and a loop device: {done.stderr}")


_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def _ext4(folder: Path) -> None:
    """An ext4 that becomes read-only at its first error."""
    image = folder.with_name("image")
    image.write_bytes(b"")
    os.truncate(image, 2 << 20)
    commands: list[list[str | Path]] = [
        ["mkfs.ext4", "-q", "-F", image],
        ["mount", "-o", "loop,errors=remount-ro", image, folder],
    ]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": _PATH})
        if done.returncode:
            missing(f"{command[0]} does not work here, it needs a loop device: {done.stderr}")
    shutil.rmtree(folder / "lost+found")


def _break(folder: Path) -> None:
    device = Path(
        os.path.realpath(f"/sys/dev/block/{os.major(folder.stat().st_dev)}:{os.minor(folder.stat().st_dev)}")
    ).name
    Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("1")


@contextmanager
def _mended(folder: Path, amount: int) -> Iterator[None]:
    """Afterwards mount the disk anew, as after a repair."""
    yield
    unmount(folder)
    subprocess.run(["mount", "-o", "loop,errors=remount-ro", folder.with_name("image"), folder], check=True)


def _break_at(folder: Path, amount: int) -> None:
    """Let the disk break before the call of this number that changes something."""
    counted = 0

    def breaking(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **settings: Any) -> Any:
            nonlocal counted
            if counted == amount:
                _break(folder)
            counted += 1
            return original(*arguments, **settings)

        return call

    for name in ("open", "rename", "link", "unlink", "fsync", "pwrite", "ftruncate", "fchmod", "close"):
        setattr(os, name, breaking(getattr(os, name)))


FULL, READ_ONLY = "the disk is full", "read-only"
NOT_PERMITTED = "not permitted"
DISKS = [
    Disk("full disks", tmpfs, _filled, tuple(range(9)), words=(FULL,)),
    Disk("disks without inodes", tmpfs, _without_inodes, tuple(range(6)), words=(FULL,)),
    Disk("read-only disks", tmpfs, _read_only, words=(READ_ONLY,)),
    Disk("files that are mount points", tmpfs, _mount_points, words=("mount point",)),
    Disk("folders that may not be changed", tmpfs, _with_flags((".",), _IMMUTABLE), words=(NOT_PERMITTED,)),
    Disk("append-only folders", tmpfs, _with_flags((".",), _APPEND), statuses=(0, 7, 8), words=(NOT_PERMITTED,), keeps_leftovers=True),
    Disk("files that may not be changed", tmpfs, _with_flags(REPLACED, _IMMUTABLE), words=(NOT_PERMITTED,)),
    Disk("append-only files", tmpfs, _with_flags(REPLACED, _APPEND), words=(NOT_PERMITTED,)),
    Disk("append-only journals", tmpfs, _with_flags(("accounts.toml.log",), _APPEND), words=("journal",)),
    Disk("limits of a file's size", tmpfs, _no_trouble, (0, 1, 100, 300, 700, 1000, 2000), words=("too large",), begin=_limit_sizes),
    Disk("folders with a default ACL", tmpfs, _default_acl, statuses=(0,)),
    Disk("overlays over lower files", _overlay, _over_lower_files, statuses=(0,)),
    Disk("disks without extended attributes", _ramfs, _no_trouble, statuses=(0,)),
    Disk("mounts with noexec, nosuid and nodev", _restricted, _no_trouble, statuses=(0,)),
    Disk("disks without hard links, owners and modes", _exfat, _no_trouble, odd_modes=True),
    Disk(
        "disks that break in the middle", _ext4, _mended, tuple(range(0, 60, 3)), words=(READ_ONLY, "input/output"),
        statuses=(0, 7, 8), begin=_break_at, keeps_leftovers=True, commands=4,
    ),
]  # fmt: skip
