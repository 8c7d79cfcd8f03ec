"""docs/secrets.md does what it says: the commands of each kind of machine, run; systemd's units, verified."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import MINIMAL, ROOT

from real.conftest import Desktop, need

pytestmark = pytest.mark.real

PAGE = (ROOT / "docs" / "secrets.md").read_text(encoding="utf-8")
SECRET = "s3cret-on-the-page"
HOST_KEY = Path("/var/lib/systemd/credential.secret")  # systemd's own, which its first use makes
# Places of a real machine, which are in the test's own folder instead.
PLACES = ("/etc/mailpolicy", "/etc/credstore.encrypted", "/var/lib/mailpolicy", "/run/secrets")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root encrypts credentials")

WRAPPER = """\
#!/bin/sh
[ "$1 $2" = "secrets init" ] && case " $* " in
    *" --secrets-file "*) set -- "$@" ;;
    *) set -- "$@" --secrets-file {root}/var/lib/mailpolicy/secrets ;;
esac
[ "$1 $2" = "secrets init" ] && set -- "$@" --key-file {root}/etc/mailpolicy/key
exec {python} -m mailpolicy "$@" --file {root}/etc/mailpolicy/accounts.toml --host-config {root}/etc/mailpolicy/host.toml
"""


class Box:
    """A machine in a folder: the page's commands run in it as they stand, but for where the places are."""

    def __init__(self, root: Path, environment: dict[str, str] | None = None) -> None:
        self.root = root
        for place in ("etc/mailpolicy", "var/lib", "bin", "work"):
            (root / place).mkdir(parents=True)
        program = root / "bin" / "mailpolicy"
        program.write_text(WRAPPER.format(root=root, python=sys.executable))
        program.chmod(0o755)
        store = MINIMAL.replace('login = "relay"\n', "").replace(
            "\npop = true", '\nsmart_host_login = "al"\npop = true'
        )
        (root / "etc/mailpolicy/accounts.toml").write_text(store)
        (root / "work/password").write_text(SECRET + "\n")
        self.environment = environment or {"HOME": str(root / "work")}
        self.environment["PATH"] = f"{root}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}"

    def run(self, commands: str, **more: str) -> str:
        """Run commands as a shell does that stops at the first failure; what they printed."""
        text = re.sub("|".join(PLACES), lambda match: f"{self.root}{match.group()}", commands)
        done = subprocess.run(
            ["sh", "-euc", text],
            cwd=self.root / "work",
            env=self.environment | more,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        assert SECRET not in done.stdout or commands.startswith("keyring ")
        return done.stdout


def commands(heading: str) -> str:
    """The commands below a heading of the page."""
    section = re.search(rf"^##+ {re.escape(heading)}\n(.*?)(?=^##+ )", PAGE, re.DOTALL | re.MULTILINE)
    assert section is not None
    block = re.search(r"^```sh\n(.*?)^```", section[1], re.DOTALL | re.MULTILINE)
    assert block is not None
    return block[1]


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """A machine without a desktop and without D-Bus."""
    return Box(tmp_path / "box")


@pytest.fixture
def host_key() -> Iterator[None]:
    """Afterwards systemd has a key of its own only where it had one before."""
    there = HOST_KEY.exists()
    yield
    if not there:
        HOST_KEY.unlink(missing_ok=True)


def test_a_server_without_systemd(box: Box) -> None:
    said = box.run(commands("Server without systemd"))
    assert "smart-host/alice@example.com\tthere\n" in said
    assert "1 secret\tchanged\n" in said
    asked = box.run(
        commands("The sealed file"),
        KEYRING_PROPERTY_SECRETS_FILE=f"{box.root}/var/lib/mailpolicy/secrets",
        KEYRING_PROPERTY_KEY_FILE=f"{box.root}/etc/mailpolicy/key",
    )
    assert asked.strip() == SECRET


def test_a_container(box: Box) -> None:
    folder = box.root / "run/secrets"
    folder.mkdir(parents=True)
    (folder / "mailpolicy.key").write_bytes(os.urandom(32))
    (folder / "mailpolicy.key").chmod(0o400)
    assert "smart-host/alice@example.com\tthere\n" in box.run(commands("Container"))
    assert not (box.root / "etc/mailpolicy/key").exists()


def test_ci(box: Box) -> None:
    assert '"ok": true' in box.run(commands("CI"))
    assert (box.root / "work/secrets").exists()


def test_a_desktop(desktop: Desktop, tmp_path: Path) -> None:
    box = Box(tmp_path / "box", dict(desktop.environment))
    (box.root / "etc/mailpolicy/host.toml").write_text("")
    # As root the keyring is named, elsewhere it is found.
    assert "keyring.backends.SecretService.Keyring" in box.run(commands("Desktop"))
    assert list(desktop.secrets().values()) == [SECRET]


@needs_root
def test_a_server_with_systemd(box: Box, host_key: None) -> None:
    need("systemd-creds", "systemd")
    assert "smart-host/alice@example.com\tthere\n" in box.run(commands("Server with systemd"))
    # What systemd does for a service, and the admin afterwards: the key is in the credential alone.
    given = box.root / "given"
    given.mkdir(mode=0o700)
    credential = "/etc/credstore.encrypted/mailpolicy.key"
    box.run(f"systemd-creds decrypt --name=mailpolicy.key {credential} {given}/mailpolicy.key")
    (given / "mailpolicy.key").chmod(0o400)
    (box.root / "etc/mailpolicy/key").unlink()
    config = box.root / "etc/mailpolicy/host.toml"
    config.write_text("".join(line for line in config.read_text().splitlines(True) if "key_file" not in line))
    assert "there" in box.run("mailpolicy secrets verify", CREDENTIALS_DIRECTORY=str(given))
    with pytest.raises(AssertionError):
        box.run("mailpolicy secrets verify")


@pytest.mark.parametrize("broken", [False, True])
def test_the_unit_with_the_key(tmp_path: Path, broken: bool) -> None:
    """The unit that deploys, with the drop-in; the program where it is here, and a verification that finds something."""
    verify = need("systemd-analyze", "systemd")
    program = shutil.which("mailpolicy", path=str(Path(sys.executable).parent))
    unit = tmp_path / "mailpolicy-deploy.service"
    command = (ROOT / "docs" / "systemd" / unit.name).read_text(encoding="utf-8")
    assert "/usr/local/bin/mailpolicy" in command
    unit.write_text(command.replace("/usr/local/bin/mailpolicy", program or sys.executable), encoding="utf-8")
    text = (ROOT / "docs" / "systemd" / "sealed.conf").read_text(encoding="utf-8")
    (tmp_path / f"{unit.name}.d").mkdir()
    (tmp_path / f"{unit.name}.d" / "sealed.conf").write_text(text.replace("Load", "Lode") if broken else text)
    done = subprocess.run([verify, "verify", str(unit)], capture_output=True, text=True, check=False)
    if broken:
        assert "LodeCredentialEncrypted" in done.stderr
    else:
        assert (done.returncode, done.stderr) == (0, "")


def test_every_machine_of_the_table_has_its_commands() -> None:
    table = re.search(r"\| machine \|.*?\n\n", PAGE, re.DOTALL)
    assert table is not None
    machines = [line.split("|")[1].strip() for line in table[0].strip().splitlines()[2:]]
    assert machines == ["desktop", "server with systemd", "server without systemd", "container", "CI"]
    for machine in machines:
        assert commands(machine[0].upper() + machine[1:])
