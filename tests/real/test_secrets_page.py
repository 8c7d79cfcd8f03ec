"""docs/secrets.md does what it says: the commands of each kind of machine, run; systemd's units, verified."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.helpers import MINIMAL, ROOT, missing
from tests.real.desktop import Desktop
from tests.real.loopback import folder, need

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

    prefix: Sequence[str] = ()

    def __init__(self, root: Path, environment: dict[str, str] | None = None) -> None:
        self.root = root
        for place in ("etc/mailpolicy", "var/lib", "bin", "work"):
            (root / place).mkdir(parents=True)
        program = root / "bin" / "mailpolicy"
        program.write_text(WRAPPER.format(root=root, python=sys.executable))
        program.chmod(0o755)
        (root / "etc/mailpolicy/accounts.toml").write_text(MINIMAL.replace('login = "relay"\n', ""))
        (root / "work/password").write_text(SECRET + "\n")
        self.environment = environment or {"HOME": str(root / "work")}
        self.environment["PATH"] = f"{root}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}"

    def run(self, commands: str, **more: str) -> str:
        """Run commands as a shell does that stops at the first failure; what they printed."""
        text = re.sub(rf"({'|'.join(PLACES)})\b(?!-not-here)", lambda match: f"{self.root}{match.group()}", commands)
        done = subprocess.run(
            [*self.prefix, "sh", "-euc", text],
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
    assert "smart-host/alice@example.com/smtp.relay.example:587\tthere\n" in said
    assert "1 secret\tchanged\n" in said
    asked = box.run(
        commands("The sealed file"),
        KEYRING_PROPERTY_SECRETS_FILE=f"{box.root}/var/lib/mailpolicy/secrets",
        KEYRING_PROPERTY_KEY_FILE=f"{box.root}/etc/mailpolicy/key",
    )
    assert asked.strip() == SECRET


class Ordinary(Box):
    """A machine in a folder for somebody who is not root, with a read-only /etc; the program is used as it is."""

    def __init__(self, root: Path, prefix: list[str]) -> None:
        super().__init__(root)
        (root / "bin/mailpolicy").write_text(f'#!/bin/sh\nexec {sys.executable} -m mailpolicy "$@"\n')
        for place in ("run/secrets", "var/lib/mailpolicy"):
            (root / place).mkdir(parents=True)
        store = (root / "etc/mailpolicy/accounts.toml").read_text()
        for place in ("var/lib/mailpolicy", "work"):
            (root / place / "accounts.toml").write_text(store)
        key = root / "run/secrets/mailpolicy.key"
        key.write_bytes(os.urandom(32))
        key.chmod(0o400)
        self.prefix = prefix
        if prefix:
            for path in (root, *root.rglob("*")):
                os.chown(path, 65534, 65534)

    def made(self) -> list[str]:
        """The files of mailpolicy's own that are there."""
        names = ("host.toml", "secrets", "key", "mailpolicy.key")
        return sorted(
            str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.name in names and path.is_file()
        )


@pytest.fixture
def ordinary() -> Iterator[Ordinary]:
    """A machine for an ordinary user."""
    with folder() as root:
        prefix: list[str] = []
        if os.geteuid() == 0:
            # What mailpolicy has on this machine itself is out of sight.
            hidden = "if [ -d /etc/mailpolicy ]; then mount -t tmpfs -o ro,mode=0755 none /etc/mailpolicy; fi"
            read_only = f'mount --bind /etc /etc; {hidden}; mount -o remount,bind,ro /etc; exec "$@"'
            # Root's own directories stay readable, as the interpreter may live in one.
            capability = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=+dac_read_search"]
            nobody = [need("setpriv", "util-linux"), "--reuid=65534", "--regid=65534", "--clear-groups", *capability]
            prefix = [need("unshare", "util-linux"), "--mount", "sh", "-euc", read_only, "sh", *nobody]
            if subprocess.run([*prefix, sys.executable, "-c", "import mailpolicy"], check=False).returncode != 0:
                missing("this machine lets nobody have a read-only /etc of his own: run the tests with CAP_SYS_ADMIN")
        yield Ordinary(root / "box", prefix)


def test_a_container(ordinary: Ordinary) -> None:
    assert "smart-host/alice@example.com/smtp.relay.example:587\tthere\n" in ordinary.run(commands("Container"))
    there = ["run/secrets/mailpolicy.key", "var/lib/mailpolicy/host.toml", "var/lib/mailpolicy/secrets"]
    assert ordinary.made() == there
    use = dict(re.findall(r"export (\w+)=(\S+)", commands("Container")))
    asked = "keyring -b mailpolicy.sealed.Keyring get mailpolicy smart-host/alice@example.com/smtp.relay.example:587"
    set_up = {name: f"{ordinary.root}{path}" for name, path in use.items()}
    assert ordinary.run(asked, **set_up).strip() == SECRET


def test_ci(ordinary: Ordinary) -> None:
    assert '"ok": true' in ordinary.run(commands("CI"))
    there = ["run/secrets/mailpolicy.key", "work/credentials/mailpolicy.key", "work/host.toml", "work/secrets"]
    assert ordinary.made() == there


UNFIT = {
    "host.toml": ("--secrets-file s", "/etc/mailpolicy/host.toml", "--host-config PATH or $MAILPOLICY_HOST_CONFIG"),
    "the file": ("--host-config h", "/var/lib/mailpolicy-not-here/secrets", "--secrets-file PATH"),
    "the key": ("--host-config h --secrets-file s --key-file /etc/k", "/etc/k", "--key-file PATH"),
}


@pytest.mark.parametrize(("options", "path", "cure"), UNFIT.values(), ids=UNFIT)
def test_nothing_is_made_where_a_place_is_not_fit(ordinary: Ordinary, options: str, path: str, cure: str) -> None:
    """What is named can be written, what is left out cannot; the message names it and how to choose another."""
    if "--secrets-file" not in options:
        options += " --secrets-file /var/lib/mailpolicy-not-here/secrets"
    before = sorted(ordinary.root.rglob("*"))
    said = ordinary.run(f"mailpolicy secrets init {options} && exit 1 || test $? -eq 7")
    assert "nothing was written" in said
    assert (path in said, cure in said) == (True, True)
    assert sorted(ordinary.root.rglob("*")) == before


def test_a_desktop(desktop: Desktop, tmp_path: Path) -> None:
    box = Box(tmp_path / "box", dict(desktop.environment))
    (box.root / "etc/mailpolicy/host.toml").write_text("")
    # As root the keyring is named, elsewhere it is found.
    assert "keyring.backends.SecretService.Keyring" in box.run(commands("Desktop"))
    assert list(desktop.secrets().values()) == [SECRET]


@needs_root
def test_a_server_with_systemd(box: Box, host_key: None) -> None:
    need("systemd-creds", "systemd")
    assert "smart-host/alice@example.com/smtp.relay.example:587\tthere\n" in box.run(commands("Server with systemd"))
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
