"""A private copy of this machine: its files under an overlay, its own processes and its own loopback; gone afterwards.

Whatever root does there, nothing outside changes. The first process waits for its stdin to end, which ends all others.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from tests.helpers import ROOT, missing

SOURCE = "/usr/local/src/mailpolicy"  # a clone of the repository, as a reader has it
_NEEDED = ("src", "docs", "pyproject.toml", "README.md", "LICENSE")
_START = """
set -eu
top=$1 root=$1/root
# The number of this process outside, before /proc is the new one's.
read -r pid rest < /proc/self/stat
mount -t tmpfs tmpfs "$top"
mkdir "$top/upper" "$top/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$top/upper,workdir=$top/work" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mkdir -m 1777 "$root/run/lock"
ip link set lo up
# Nothing of mailpolicy's is there yet.
(cd "$root" && rm -rf etc/mailpolicy var/lib/mailpolicy opt/mailpolicy usr/local/bin/mailpolicy root/.local/share/keyrings ".$3")
mkdir -p "$root$3"
cp -r "$2/." "$root$3"
# Folders of the outside, whose files are changed in the copy only: pairs of the place there and the folder.
number=0
shift 3
while [ $# -gt 0 ]; do
    number=$((number + 1))
    mkdir -p "$top/upper$number" "$top/work$number" "$root$1"
    mount -t overlay overlay -o "lowerdir=$2,upperdir=$top/upper$number,workdir=$top/work$number" "$root$1"
    shift 2
done
exec chroot "$root" /bin/bash -c 'echo "$1"; while read -r line; do :; done' first "$pid"
"""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Ended(NamedTuple):
    """What a script printed, stdout and stderr as they came, and its exit status."""

    status: int
    shown: str


class PrivateMachine:
    """The copy; `pid` is the number of its first process outside."""

    def __init__(self, pid: int, admin: list[str]) -> None:
        self._pid = pid
        self._admin = admin

    @property
    def root(self) -> Path:
        """Its root directory, as root sees it from outside; sockets below it can be connected to."""
        return Path(f"/proc/{self._pid}/root")

    def run(self, script: str, *, online: bool = False) -> Ended:
        """Run a script as root with bash, in the clone of the repository; `online` lends it the network of the outside."""
        enter = ["nsenter", f"--target={self._pid}", "--mount", "--pid", *([] if online else ["--net"])]
        folder = f"{self.root}{SOURCE}"
        settings = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        settings |= {"HOME": "/root", "LANG": "C.UTF-8", "PATH": _PATH, "DEBIAN_FRONTEND": "noninteractive"}
        # Into a file and not a pipe, whose end would come only when the servers that the script starts have ended.
        with tempfile.TemporaryFile() as shown:
            ended = subprocess.run(
                [*self._admin, *enter, "--root", f"--wd={folder}", "env", "-i"]
                + [f"{name}={value}" for name, value in settings.items()]
                + ["bash", "-euo", "pipefail", "-c", script],
                stdin=subprocess.DEVNULL,
                stdout=shown,
                stderr=subprocess.STDOUT,
                timeout=300,
                check=False,
            )
            shown.seek(0)
            return Ended(ended.returncode, shown.read().decode("utf-8", "replace"))


def need_packages() -> None:
    """Miss what docs/enforcement.md installs, as installing it in a test would take minutes."""
    page = (ROOT / "docs/enforcement.md").read_text(encoding="utf-8")
    named = re.search(r"^apt-get install --yes --no-install-recommends ((?:.*\\\n)*.*)$", page, re.M)
    assert named is not None
    for package in [*named[1].replace("\\\n", " ").split(), "systemd"]:
        query = ["dpkg-query", "--show", "--showformat=${Status}", package]
        if shutil.which("dpkg-query") is None:
            missing("this test needs Debian")
        if not subprocess.run(query, capture_output=True, check=False).stdout.endswith(b" installed"):
            missing(f"{package} is missing: apt install {package}")


@contextmanager
def private_machine(folder: Path, lent: Mapping[str, Path] = MappingProxyType({})) -> Iterator[PrivateMachine]:
    """A copy whose overlay is kept under `folder`, with more folders of the outside lent to it, by their place there.

    Where the kernel refuses one, the test is `missing` what it needs.
    """
    admin = [] if os.geteuid() == 0 else ["sudo", "-n"]
    for program in ("unshare", "nsenter", "ip", *admin[:1]):
        if shutil.which(program, path=_PATH) is None:
            missing(f"{program} is missing: apt install util-linux iproute2")
    top, clone = folder / "machine", folder / "clone"
    top.mkdir()
    clone.mkdir()
    for name in _NEEDED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(ROOT / name, clone)
    command = [*admin, "unshare", "--mount", "--net", "--pid", "--fork", "--propagation=private"]
    command += ["bash", "-c", _START, "start", str(top), str(clone), SOURCE]
    command += [str(part) for pair in lent.items() for part in pair]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as first:
        assert first.stdin is not None
        assert first.stdout is not None
        assert first.stderr is not None
        try:
            number = first.stdout.readline().decode().strip()
            if not number:
                why = first.stderr.read().decode("utf-8", "replace").strip()
                missing(f"no private copy of this machine, it needs root (CAP_SYS_ADMIN) and overlayfs: {why}")
            yield PrivateMachine(int(number), admin)
        finally:
            first.stdin.close()
            first.wait(30)
