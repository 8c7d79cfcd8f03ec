"""The program as the README installs it: with pipx or uv from a clone that is gone afterwards."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mailpolicy
from tests.docs.pages import blocks
from tests.helpers import ROOT, missing

pytestmark = pytest.mark.real
README = (ROOT / "README.md").read_text(encoding="utf-8")
FOR_EVERYBODY = next(block.text for block in blocks("README.md") if block.text.startswith("pipx install --global ."))
CRONTAB = next(block.text for block in blocks("README.md") if block.kind == "crontab")


class Machine:
    """A home and a /usr/local in a folder; the tools that install, and a clone."""

    def __init__(self, root: Path) -> None:
        self.root, self.home, self.local, self.clone = root, root / "home", root / "usr/local", root / "clone"
        tools = root / "tools"
        for folder in (self.home, self.local, self.clone, tools):
            folder.mkdir(parents=True)
        for name in ("pipx", "uv"):
            program = Path(sys.executable).with_name(name)
            if not program.exists():
                missing(f"{name} is missing: pip install {name}")
            (tools / name).symlink_to(program)
        for name in ("src", "docs"):
            shutil.copytree(ROOT / name, self.clone / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, self.clone)
        (root / "host.toml").write_text(f'[exports.d]\ntarget = "dovecot"\npath = "{root}/d"\n')
        outside = {name: value for name, value in os.environ.items() if not name.startswith(("PIPX_", "UV_", "XDG_"))}
        self.environment = outside | {
            "HOME": str(self.home),
            "PATH": f"{self.home}/.local/bin:{self.local}/bin:{tools}:/usr/bin:/bin",
            "PIPX_GLOBAL_HOME": str(root / "opt/pipx"),
            "PIPX_GLOBAL_BIN_DIR": str(self.local / "bin"),
            "PIPX_GLOBAL_MAN_DIR": str(self.local / "share/man"),
            "UV_PYTHON": sys.executable,
            "MAILPOLICY_FILE": str(root / "accounts.toml"),
            "MAILPOLICY_HOST_CONFIG": str(root / "host.toml"),
        }
        self.environment.pop("MANPATH", None)
        self.environment.pop("PYTHONPATH", None)

    def run(self, script: str, **more: str) -> str:
        """Run a script in the clone, or in the root once the clone is gone; return its stdout."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.clone if self.clone.exists() else self.root,
            env=self.environment | more,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def lose_the_clone(self) -> None:
        shutil.rmtree(self.clone)

    def works(self) -> None:
        """Show that the program does without the clone."""
        assert self.run("mailpolicy --version") == f"mailpolicy {mailpolicy.__version__}\n"
        self.run("mailpolicy init")
        self.run("mailpolicy account add alice@example.com --pop lan-only")
        assert self.run("mailpolicy check alice@example.com pop 10.1.2.3") == "allow\n"
        assert (self.root / "accounts.schema.json").exists()
        self.run("mailpolicy completion bash | bash -n")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    if shutil.which("man") is None:
        missing("man is missing: apt install man-db")
    return Machine(tmp_path)


@pytest.mark.parametrize("command", ["pipx install .", "uv tool install ."])
def test_for_oneself(machine: Machine, command: str) -> None:
    (row,) = re.findall(rf"^\| `{re.escape(command)}`(.*)$", README, re.M)
    assert "`~/.local/bin`" in row
    machine.run(command)
    machine.lose_the_clone()
    assert machine.run("command -v mailpolicy").strip() == f"{machine.home}/.local/bin/mailpolicy"
    machine.works()
    (manual,) = re.findall("`(man .*?mailpolicy)`", row)
    where = manual.replace("man ", "man --where ", 1).removesuffix("mailpolicy")
    for page in ("man1/mailpolicy.1", "man1/mailpolicy-check.1", "man5/host.toml.5"):
        found = machine.run(f"{where}{Path(page).stem}")
        assert found.startswith(f"{machine.home}/")
        assert found.endswith(f"/{page}\n")


def test_for_everybody(machine: Machine) -> None:
    """The block as it stands on the page, but for its folders."""
    completions = machine.root / "etc/bash_completion.d"
    completions.mkdir(parents=True)
    machine.run(FOR_EVERYBODY.replace("/etc/bash_completion.d", str(completions)))
    assert (machine.root / "accounts.toml").exists()
    assert "mailpolicy" in (completions / "mailpolicy").read_text()
    (machine.root / "accounts.toml").unlink()
    machine.lose_the_clone()
    machine.works()
    assert machine.run("command -v mailpolicy").strip() == f"{machine.local}/bin/mailpolicy"
    manual = (machine.local / "share/man/man1/mailpolicy.1").resolve(strict=True)
    assert machine.run("man --where mailpolicy").strip() == str(manual)
    cron_finds_it(machine)


def cron_finds_it(machine: Machine) -> None:
    """The crontab of the page works with cron's environment, in which PATH is as it says."""
    setting, entry = CRONTAB.splitlines()
    path = setting.removeprefix("PATH=").replace("/usr/local", str(machine.local))
    command = entry.split(maxsplit=6)[6]
    store = {name: machine.environment[name] for name in ("MAILPOLICY_FILE", "MAILPOLICY_HOST_CONFIG")}
    for searched, status in (("/usr/bin:/bin", 127), (path, 0)):
        environment = store | {"PATH": searched, "HOME": str(machine.home), "SHELL": "/bin/sh", "LOGNAME": "root"}
        done = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert (machine.root / "d").exists()


def test_where_pipx_installs_for_everybody(machine: Machine) -> None:
    """The folder of the units, of the crontab and of the table."""
    for name in ("PIPX_GLOBAL_HOME", "PIPX_GLOBAL_BIN_DIR", "PIPX_GLOBAL_MAN_DIR"):
        del machine.environment[name]
    assert machine.run("pipx environment --global --value PIPX_BIN_DIR").strip() == "/usr/local/bin"
    (row,) = re.findall(r"^\| `pipx install --global \.`(.*)$", README, re.M)
    assert "`/usr/local/bin`" in row
