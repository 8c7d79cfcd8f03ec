"""Which names are time zones, and what is said of others."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from mailpolicy.system import zones
from tests.helpers import PROGRAM


@pytest.mark.parametrize("name", ["UTC", "Etc/UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "EST5EDT"])
def test_a_zone(name: str) -> None:
    zones.require(name)
    assert zones.zone(name) is not None
    assert name in zones.known()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("localtime", "such as 'Europe/Berlin'"),
        ("posixrules", "such as 'Europe/Berlin'"),
        ("Factory", "such as 'Europe/Berlin'"),
        ("right/Europe/Berlin", "did you mean 'Europe/Berlin'?"),
        ("posix/Europe/Berlin", "did you mean 'Europe/Berlin'?"),
        ("europe/berlin", "did you mean 'Europe/Berlin'?"),
        ("Europe/Berlim", "did you mean 'Europe/Berlin'?"),
        ("Europe", "such as 'Europe/Berlin'"),
        ("../zoneinfo/Europe/Berlin", "such as 'Europe/Berlin'"),
        ("/etc/localtime", "such as 'Europe/Berlin'"),
        ("", "such as 'Europe/Berlin'"),
    ],
)
def test_no_zone(name: str, hint: str) -> None:
    """Also files beside the zones, which mean something else on each machine."""
    for ask in (zones.require, zones.zone):
        with pytest.raises(zones.ZoneUnknown, match=f"there is no time zone '{name}'.*{hint.replace('?', '.')}"):
            ask(name)
    assert name not in zones.known()


@pytest.mark.parametrize(("present", "message"), [
    ((), "this machine has no time zones: install tzdata"),
    (("Asia/Tokyo",), "there is no time zone 'Europe/Berlin' on this machine: write an IANA name, such as 'Asia/Tokyo'"),
])  # fmt: skip
def test_a_database_without_the_zone(present: tuple[str, ...], message: str, tmp_path: Path) -> None:
    for name in present:
        (tmp_path / name).parent.mkdir()
        shutil.copy(Path("/usr/share/zoneinfo", name), tmp_path / name)
    store = tmp_path / "accounts.toml"
    store.write_text(
        'version = 1\n[server]\ntime_zone = "Europe/Berlin"\n'
        '[accounts."ann@x.example"]\npop = true\nexpires = 2099-12-31\n'
    )
    for command, status in ((["validate"], 1), (["check", "ann@x.example", "pop", "::1"], 3)):
        done = subprocess.run(
            [*PROGRAM, "--file", str(store), *command],
            env={**os.environ, "PYTHONTZPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, message in done.stdout + done.stderr) == (status, True), done
