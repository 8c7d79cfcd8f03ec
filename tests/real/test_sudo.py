"""The lines for sudo in docs/security.md, with a real sudo on a private copy of this machine: what they allow, and attempts at more."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.docs.pages import blocks
from tests.helpers import EXAMPLE, missing
from tests.real.private import Ended, PrivateMachine, private_machine

pytestmark = pytest.mark.real
LINES = next(block.text for block in blocks("docs/security.md") if "Cmnd_Alias" in block.text)
ALICE, MEI, SECRET = "alice@acme.example", "mei@acme.example", "root-only-text"
# By alias: argument lists that it is for.
ALLOWED = {
    "MAILPOLICY_ASK": [
        ["check", ALICE, "pop", "10.20.0.7"],
        ["check", ALICE, "outlook-connector", "fd00:ac3e::7"],
        ["check", "jonas@acme.example", "multipop"],
        ["account", "show", ALICE],
    ],
    "MAILPOLICY_SUSPEND": [["account", "suspend", MEI], ["account", "resume", MEI]],
    "MAILPOLICY_CLOSE": [
        ["pop", "lan-only", MEI],
        ["pop", "off", MEI],
        ["imap", "lan-only", MEI],
        ["smtp", "off", MEI],
    ],
    "MAILPOLICY_TRAVEL": [["imap", "anywhere", MEI, "--until", "+7d"]],
    "MAILPOLICY_DEPLOY": [["deploy", "--kick"]],
}
# What would lead further, behind or before any of these.
MORE = [
    ["--file", "/home/helen/accounts.toml"], ["--file=/root/secret"], ["--host-config", "/dev/null"],
    ["--host-config=/root/secret"], ["--keyring-backend", "helen.Keyring"], ["--password-file", "/root/secret"],
    ["--password-stdin"], ["--batch", "/root/secret"], ["--output", "/root/made"], ["--all"],
    ["--domain", "acme.example"], ["--in-defaults"], ["--no-cases"], ["--no-journal"], ["--pager"], ["--json"], ["-"],
    ["--"], [ALICE], ["bob@other.example"], [""],
]  # fmt: skip
# In place of the address.
NO_ADDRESS = [
    "-",
    "--all",
    "--file",
    "*@acme.example",
    "bob@other.example",
    f"{ALICE}.other.example",
    "@acme.example",
    "acme.example",
]
NO_ADDRESS += [
    f"-{ALICE}",
    f"../{ALICE}",
    "$(id)@acme.example",
    "a b@acme.example",
    f"{ALICE} --all",
    f"{ALICE}\n--all",
    f"{ALICE}\t-",
]
# Commands that the page gives to nobody.
OTHERS = [
    ["edit"],
    ["validate", "/root/secret"],
    ["test", "/root/secret"],
    ["replay", "/root/secret"],
    ["diff", "/root/secret"],
    ["install", "/root/secret"],
    ["apply", "/root/secret"],
    ["lan", "import", "/root/secret"],
    ["export", "dovecot", "--output", "/root/made"],
    ["secrets", "list"],
    ["secrets", "init", "--secrets-file", "/root/made"],
    ["multipop", "source", "print-password", "imani@acme.example", "provider"],
    ["smart-host", "set", ALICE, "--login", "x", "--password-file", "/root/secret"],
    ["account", "remove", ALICE],
    ["account", "add", "new@acme.example"],
    ["server", "set", "multipop", "off"],
    ["undo"],
    ["init"],
    ["pop", "on", ALICE],
    ["pop", "anywhere", ALICE],
    ["pop", "anywhere", ALICE, "--until", "+8d"],
    ["pop", "anywhere", ALICE, "--until", "2099-12-31"],
    ["pop", "anywhere", ALICE, "--until", "+7d", "--until", "2099-12-31"],
    ["deploy"],
    ["deploy", "--kick", "lan"],
    ["deploy", "--kick", "--accept-clock"],
    [],
]
# Variables that could lead a program elsewhere.
VARIABLES = {
    "MAILPOLICY_FILE": "/home/helen/accounts.toml",
    "MAILPOLICY_HOST_CONFIG": "/home/helen/host.toml",
    "MAILPOLICY_EDITOR": "/home/helen/owned",
    "CREDENTIALS_DIRECTORY": "/home/helen",
    "PAGER": "/home/helen/owned",
    "EDITOR": "/home/helen/owned",
    "LESSOPEN": "|/home/helen/owned %s",
    "PYTHONPATH": "/home/helen",
    "PYTHONSTARTUP": "/home/helen/owned.py",
    "PYTHONHOME": "/home/helen",
    "PYTHON_KEYRING_BACKEND": "helen.Keyring",
    "LD_PRELOAD": "/home/helen/owned.so",
    "PATH": "/home/helen",
    "HOME": "/home/helen",
    "XDG_CONFIG_HOME": "/home/helen",
    "GIT_SSH_COMMAND": "/home/helen/owned",
}
# A helpdesk's member with traps in their home, which is also where they stand: modules and programs that leave a mark.
SETUP = f"""
/opt/mailpolicy/bin/python -m pip install --quiet --no-index --no-deps --no-build-isolation .
ln -s /opt/mailpolicy/bin/mailpolicy /usr/local/bin/mailpolicy
groupadd helpdesk
useradd --create-home --shell /bin/bash --groups helpdesk helen
mkdir -p /etc/mailpolicy
printf %s {shlex.quote(EXAMPLE.read_text(encoding="utf-8"))} > /etc/mailpolicy/accounts.toml
cat > /etc/mailpolicy/host.toml <<'END'
journal = true
[exports.lan]
target = "postfix-sender-login"
path = "/etc/mailpolicy/out/senders"
END
echo '{SECRET}' > /root/secret
chmod 0600 /root/secret /etc/mailpolicy/accounts.toml
cd /home/helen
cp /etc/mailpolicy/accounts.toml .
printf '#!/bin/sh\\ntouch /root/owned\\n' | tee owned git less vi sensible-editor > mailpolicy
for module in typer tomli tomlkit keyring rich idna helen mailpolicy sitecustomize usercustomize owned; do
    echo 'import os; os.close(os.open("/root/owned", os.O_CREAT, 0o600))' > $module.py
done
chmod 0755 *
chown -R helen: .
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateMachine]:
    """A server with mailpolicy, an example policy, the lines, and helen."""
    for program in ("sudo", "visudo", "runuser", "script"):
        if shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
            missing(f"{program} is missing: apt install sudo util-linux bsdutils")
    with private_machine(tmp_path_factory.mktemp("server"), {"/opt/mailpolicy": Path(sys.prefix)}) as machine:
        succeed(machine, SETUP)
        install(machine, LINES)
        yield machine


def succeed(machine: PrivateMachine, script: str) -> str:
    ended = machine.run(script)
    assert ended.status == 0, ended.shown
    return ended.shown


def install(machine: PrivateMachine, lines: str) -> None:
    """Give sudo these lines, in which visudo must find no fault."""
    quoted = shlex.quote(lines)
    succeed(machine, f"umask 0337; rm -f /etc/sudoers.d/*; printf %s {quoted} > /etc/sudoers.d/mailpolicy; visudo -c")


def results(machine: PrivateMachine, commands: Sequence[Sequence[str]]) -> list[Ended]:
    """What each of these commands came to, which helen runs in her home."""
    lines = [f"{shlex.join(command)} </dev/null 2>&1 && s=0 || s=$?; printf '\\0%s\\0' $s" for command in commands]
    script = "\n".join(["cd /home/helen", *lines])
    parts = succeed(machine, f"runuser -u helen -- bash <<'END OF SCRIPT'\n{script}\nEND OF SCRIPT").split("\0")[:-1]
    assert len(parts) == 2 * len(commands)
    return [Ended(int(status), shown) for shown, status in zip(parts[::2], parts[1::2], strict=True)]


def sudo(arguments: Sequence[str]) -> list[str]:
    return ["sudo", "-n", "/usr/local/bin/mailpolicy", *arguments]


def state(machine: PrivateMachine) -> str:
    """The files that an attempt may have changed or made."""
    return succeed(
        machine, "find /etc /usr/local/bin /root /home/helen -maxdepth 3 -type f -printf '%p %s %T@ %m\\n' | sort"
    )


def refused(machine: PrivateMachine, commands: Sequence[Sequence[str]]) -> None:
    """Check that sudo lets none of these through, and that nothing came of them."""
    before = state(machine)
    for command, ended in zip(commands, results(machine, commands), strict=True):
        assert ended.status == 1, (command, ended)
        assert re.search("a password is required|not (?:allowed|permitted) to", ended.shown), (command, ended)
        assert SECRET not in ended.shown
    assert state(machine) == before


def test_the_page_has_a_test_for_each_alias() -> None:
    assert re.findall(r"^Cmnd_Alias (\w+)", LINES, re.M) == list(ALLOWED)


@pytest.mark.parametrize("alias", ALLOWED)
def test_what_an_alias_allows_works(machine: PrivateMachine, alias: str) -> None:
    for arguments, ended in zip(ALLOWED[alias], results(machine, [sudo(each) for each in ALLOWED[alias]]), strict=True):
        assert ended.status == 0, (arguments, ended)
    if alias not in ("MAILPOLICY_ASK", "MAILPOLICY_DEPLOY"):
        assert '"sudo_user": "helen"' in succeed(machine, "mailpolicy log --json | head -n 1")
    assert machine.run("test -e /root/owned").status == 1


@pytest.mark.parametrize("alias", ALLOWED)
def test_an_alias_gives_its_own_commands_alone(machine: PrivateMachine, alias: str) -> None:
    """With one alias the commands of the others are refused."""
    try:
        install(machine, re.sub(r"(NOPASSWD: ).*", rf"\1{alias}", LINES))
        refused(machine, [sudo(each) for other, lists in ALLOWED.items() if other != alias for each in lists])
    finally:
        install(machine, LINES)


@pytest.mark.parametrize("alias", ALLOWED)
def test_nothing_can_be_added(machine: PrivateMachine, alias: str) -> None:
    attempts = []
    for arguments in ALLOWED[alias]:
        attempts += [[*arguments, *more] for more in MORE]
        attempts += [
            [other if "@" in each else each for each in arguments] for other in NO_ADDRESS if "@" in str(arguments)
        ]
    first, *rest = ALLOWED[alias][0]
    for more in MORE:
        attempts += [[*more, first, *rest], [first, *more, *rest]]
        attempts += [[first, *rest[:-1], f"{rest[-1]}{blank}{' '.join(more)}"] for blank in (" ", "\n", "\t")]
    refused(machine, [sudo(attempt) for attempt in attempts])


def test_other_commands_programs_and_users(machine: PrivateMachine) -> None:
    refused(machine, [sudo(arguments) for arguments in OTHERS])
    command = ["account", "suspend", ALICE]
    programs = [
        ["./mailpolicy"],
        ["/home/helen/mailpolicy"],
        ["/opt/mailpolicy/bin/python", "-m", "mailpolicy"],
        ["bash", "-c"],
        ["/bin/sh"],
    ]
    ways = [["-u", "nobody"], ["-g", "root"], ["-i"], ["-s"], ["-E"], ["-D", "/"], ["-R", "/home/helen"]]
    attempts = [["sudo", "-n", *program, *command] for program in programs]
    attempts += [["sudo", "-n", *way, "/usr/local/bin/mailpolicy", *command] for way in ways]
    attempts += [["sudo", "-n", "-e", "/etc/mailpolicy/accounts.toml"], ["sudoedit", "-n", "/etc/mailpolicy/host.toml"]]
    refused(machine, attempts)


def test_the_environment_of_the_caller(machine: PrivateMachine) -> None:
    """Set before sudo it decides nothing, and sudo refuses to be given it."""
    given = [
        ["sudo", "-n", f"{name}={value}", *sudo(["check", ALICE, "pop", "10.20.0.7"])[2:]]
        for name, value in VARIABLES.items()
    ]
    refused(machine, given)
    # helen's own copy of the store, which these variables would lead to, has no such account.
    succeed(machine, "sed -i 's/acme.example/helen.example/' /home/helen/accounts.toml")
    lists = [each[0] for each in ALLOWED.values()]
    quoted = [f"{name}={value}" for name, value in VARIABLES.items() if name != "PATH"]
    for arguments, ended in zip(
        lists, results(machine, [["env", *quoted, *sudo(each)] for each in lists]), strict=True
    ):
        assert ended.status == 0, (arguments, ended)
    assert machine.run("test -e /root/owned").status == 1


def test_arguments_in_one_word_are_no_command(machine: PrivateMachine) -> None:
    """To sudo they are the same line, to mailpolicy an unknown command."""
    before = state(machine)
    words = [[" ".join(each[0])] for alias, each in ALLOWED.items() if alias != "MAILPOLICY_DEPLOY"]
    for ended in results(machine, [sudo(word) for word in words]):
        assert ended.status == 2
        assert "unknown command" in ended.shown
    refused(machine, [sudo(["deploy --kick", "x"])])
    assert state(machine) == before


def test_what_the_page_says_of_wildcards(machine: PrivateMachine) -> None:
    """The line that it warns of shows root's files, and so does each option that it warns of."""
    try:
        install(machine, "helen ALL = (root) NOPASSWD: /usr/local/bin/mailpolicy account suspend *\n")
        shown = [["--file", "/root/secret"], ["--host-config", "/root/secret"]]
        commands = [
            ["script", "-qec", shlex.join(sudo(["account", "suspend", ALICE, *more])), "/dev/null"] for more in shown
        ]
        for command, ended in zip(commands, results(machine, commands), strict=True):
            assert SECRET in ended.shown, (command, ended)
    finally:
        install(machine, LINES)
