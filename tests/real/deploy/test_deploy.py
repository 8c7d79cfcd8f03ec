"""deploy with everything going wrong at once: what is broken stays as it was, what is not goes into force."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.helpers import Result, Run
from tests.machine import ALICE, BOB, JSON, Machine, user
from tests.real.loopback import need_root

pytestmark = pytest.mark.real

ALL = ("access", "logins", "relay", "collect")


class Site(NamedTuple):
    """A machine with four exports, each with a reload of its own that counts how often it ran."""

    machine: Machine
    run: Run
    files: Path

    def deploy(self, *arguments: str) -> Result:
        """Run deploy."""
        return self.run(*self.machine.options(), "deploy", *arguments)

    def states(self, *arguments: str) -> dict[str, str]:
        """What deploy says of each export."""
        lines = [line.split("\t") for line in self.deploy(*arguments).out.splitlines()]
        return {line[0]: line[-1] for line in lines}

    def reloads(self) -> dict[str, int]:
        """How often each reload ran."""
        return {path.stem: len(path.read_text().splitlines()) for path in self.files.glob("*.ran")}

    def written(self) -> dict[str, tuple[int, int, int]]:
        """What changes when a file is written or its attributes are."""
        facts = {name: self.path(name).stat() for name in ALL}
        return {name: (fact.st_ino, fact.st_mtime_ns, fact.st_ctime_ns) for name, fact in facts.items()}

    def path(self, name: str) -> Path:
        """The file of an export."""
        return self.files / name


@pytest.fixture
def site(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Site:
    need_root()
    machine = Machine(tmp_path, JSON)
    machine.here(monkeypatch)
    files = tmp_path / "exported"
    files.mkdir()
    reload = tmp_path / "reload"
    reload.write_text(
        f"#!{sys.executable}\nimport pathlib, sys\nname = pathlib.Path(sys.argv[1])\n"
        'with name.with_suffix(".ran").open("a") as ran:\n    ran.write("x\\n")\n'
        'sys.exit("this server is down" if name.with_suffix(".down").exists() else 0)\n'
    )
    reload.chmod(0o755)
    lines = []
    for name, target, more in (
        ("access", "dovecot", 'owner = "root:nogroup"'),
        ("logins", "postfix-sender-login", 'mode = "0644"'),
        ("relay", "postfix-sasl-passwd", ""),
        ("collect", "fetchmail", 'owner = "nobody"\nmode = "0400"'),
    ):
        lines.append(
            f'[exports.{name}]\ntarget = "{target}"\npath = "{files}/{name}"\n{more}\n'
            f'reload = ["{reload}", "{files}/{name}"]\n'
        )
    machine.host_config.write_text("\n".join(lines))
    machine.give(ALICE, "first")
    source = f'[accounts."{BOB}".sources.far]\nhost = "pop.far.test"\nlogin = "bob"\n'
    text = machine.store.read_text().replace(f'[accounts."{BOB}"]\n', f'[accounts."{BOB}"]\nmultipop = true\n')
    machine.store.write_text(text + source)
    kept = {**machine.kept(), f"multipop/{BOB}/far/bob@pop.far.test:995/implicit": "far"}
    machine.keyring.write_text(json.dumps({"mailpolicy": kept}))
    return Site(machine, run, files)


def test_modes_owners_and_reloads(site: Site) -> None:
    assert site.deploy("--check").status == 1
    assert not list(site.files.iterdir())
    first = site.deploy()
    assert first.status == 0, first.err
    assert {name: oct(stat.S_IMODE(site.path(name).stat().st_mode)) for name in ALL} == {
        "access": "0o640",
        "logins": "0o644",
        "relay": "0o600",
        "collect": "0o400",
    }
    assert [site.path("access").group(), site.path("relay").group()] == ["nogroup", "root"]
    assert [site.path("access").owner(), site.path("collect").owner()] == ["root", "nobody"]
    assert site.reloads() == dict.fromkeys(ALL, 1)
    assert not list(site.files.glob("*.reload"))
    before = site.written()
    assert site.states() == dict.fromkeys(ALL, "ok")
    assert site.written() == before
    assert site.reloads() == dict.fromkeys(ALL, 1)
    assert site.deploy("--check").status == 0


def test_a_mode_that_somebody_changed_is_drift_and_mended(site: Site) -> None:
    site.deploy()
    site.path("relay").chmod(0o644)
    os.chown(site.path("access"), 0, 0)
    assert site.deploy("--check").status == 1
    assert site.states() == {"access": "changed", "logins": "ok", "relay": "changed", "collect": "ok"}
    assert stat.S_IMODE(site.path("relay").stat().st_mode) == 0o600
    assert site.path("access").group() == "nogroup"


def test_all_at_once(site: Site) -> None:
    """relay: no password. collect: edited by hand. access: its reload fails. logins: well, and in force."""
    site.deploy()
    old = {name: site.path(name).read_bytes() for name in ALL}
    machine = site.machine
    machine.store.write_text(
        machine.store.read_text()
        .replace("lan = [", 'lan = ["192.168.0.0/16", ')
        .replace(f'[accounts."{BOB}"]\n', f'[accounts."{BOB}"]\nsmart_host_login = "bob"\nimap = false\n')
    )
    edited = old["collect"].replace(b"far", b"near")
    site.path("collect").write_bytes(edited)
    site.files.joinpath("access.down").touch()

    assert site.deploy("--check").status in (1, 6)
    assert {name: site.path(name).read_bytes() for name in ALL} == {**old, "collect": edited}

    result = site.deploy()
    assert result.status in (5, 6)
    assert {line.split("\t")[0]: line.split("\t")[-1] for line in result.out.splitlines()} == {
        "access": "failed",
        "logins": "changed",
        "relay": "failed",
        "collect": "changed",
    }
    # The broken one keeps its file, and is named with its cure.
    assert site.path("relay").read_bytes() == old["relay"]
    assert f"mailpolicy smart-host set {BOB}" in result.err
    # The edited one is ours, and what somebody wrote is kept, as closed as it was.
    kept = site.files / "collect.edited"
    assert site.path("collect").read_bytes() == old["collect"]
    assert kept.read_bytes() == edited
    assert stat.S_IMODE(kept.stat().st_mode) == 0o400
    assert f"{site.path('collect')}: was edited by hand, kept as {kept}" in result.err
    # The one whose reader was not told is in its place, and owed.
    assert f"imap/{BOB}" not in site.path("access").read_text()
    assert "this server is down" in result.err
    assert (site.files / "access.reload").exists()
    assert f"{BOB} {BOB}\n" in site.path("logins").read_text()
    assert site.reloads() == {"access": 2, "logins": 2, "relay": 1, "collect": 2}
    assert not [secret for secret in ("first", 'far"') if secret in result.out + result.err]

    # The owed reload is drift, and tried again though the file is as it should be, until it succeeds.
    assert site.deploy("--check", "access").status == 1
    assert site.deploy("access").status == 5
    assert site.reloads()["access"] == 3
    site.files.joinpath("access.down").unlink()
    machine.keep(BOB, "second")
    assert site.states() == {"access": "changed", "logins": "ok", "relay": "changed", "collect": "ok"}
    assert site.reloads() == {"access": 4, "logins": 2, "relay": 2, "collect": 2}
    assert not list(site.files.glob("*.reload"))
    assert site.deploy("--check").status == 0


def test_a_keyring_that_fails_is_6_and_the_rest_goes_into_force(site: Site) -> None:
    site.machine.keyring.write_text(json.dumps({"mailpolicy": {user(ALICE): "first"}}))
    result = site.deploy()
    assert result.status == 6
    assert {name for name in ALL if site.path(name).exists()} == {"access", "logins", "relay"}
    assert site.deploy("access", "logins", "relay").status == 0


def test_a_command_that_is_not_there_is_owed(site: Site) -> None:
    text = site.machine.host_config.read_text()
    site.machine.host_config.write_text(text.replace(str(site.machine.folder / "reload"), "/nonexistent/reload"))
    result = site.deploy("access")
    assert result.status == 5
    assert "/nonexistent/reload" in result.err
    site.machine.host_config.write_text(text)
    assert site.deploy("access").status == 0
    assert site.reloads() == {"access": 1}
