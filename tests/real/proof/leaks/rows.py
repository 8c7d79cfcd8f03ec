"""Table: the command lines that are run on the machine of `site.py`, at least one for every command.

A row has the words of a command line and what stands on stdin; `{given}` and `{listed}` are secrets. `prints` are the secrets
that the command is there to print.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import NamedTuple

from mailpolicy.cli.app import root
from mailpolicy.cli.command_tree import program
from mailpolicy.cli.context import Description
from tests import everything
from tests.cli.test_quiet import leaves
from tests.real.proof.leaks.site import ALICE, BOB, CAROL, JSON, SEALED

PRINT = frozenset({"kept"})


class Row(NamedTuple):
    """One command line."""

    line: str
    stdin: str = ""
    prints: frozenset[str] = frozenset()
    with_secrets: bool = False  # a secret is in memory

    @property
    def words(self) -> list[str]:
        return shlex.split(self.line)

    @property
    def command(self) -> str:
        """The words of the command itself."""
        return max((name for name in COMMANDS if f"{self.line} ".startswith(f"{name} ")), key=len)

    @property
    def options(self) -> Mapping[str, Description]:
        """The options of the command, with their metavars."""
        node = program()
        for word in self.command.split():
            node = node["commands"][word]
        return node["options"]


def _secret(line: str, stdin: str = "", prints: frozenset[str] = frozenset()) -> Row:
    return Row(line, stdin, prints, with_secrets=True)


def _login(password: str = "{given_json}", **others: str) -> str:
    content = {"address": f'"{ALICE}"', "login": '"a"', "password": password, **others}
    return "{{" + ", ".join(f'"{key}": {value}' for key, value in content.items()) + "}}\n"


COMMANDS = tuple(leaves(root()))

# Where passwords come in, where they go to another place, and where they go out.
WITH_SECRETS = [
    _secret(f"smart-host set {ALICE} --login n --password-stdin", "{given}\n"),
    _secret(f"smart-host set {BOB} --login n --password-stdin --json --verbose", "{given}"),
    _secret(f"smart-host set {ALICE} --login n --password-file password"),
    _secret(f"smart-host set {ALICE} --login n --password-file passwords"),
    _secret(f"smart-host set {ALICE} --login n --password-stdin", "{given}\n{given}\n"),
    _secret(f"smart-host set {ALICE} --login n --password-stdin", "{given}\0"),
    _secret(f"smart-host set {ALICE} --login n --password-stdin", "{given}\udcff"),
    _secret(f"smart-host set {ALICE} --login n", "{given}\n"),
    _secret("smart-host set nobody@example.com --login n --password-stdin", "{given}\n"),
    _secret("smart-host set --server --host other.example --yes --password-stdin", "{given}\n"),
    _secret("smart-host set --server --host other.example --password-stdin", "{given}\n"),
    _secret("smart-host set --server --host other.example --yes"),
    _secret("smart-host set --server --port 465 --yes"),
    _secret("smart-host clear --server"),
    _secret(f"smart-host clear {ALICE}"),
    _secret(f"smart-host show {ALICE}"),
    _secret("smart-host import -", _login()),
    _secret("smart-host import -", _login() + _login(address=f'"{BOB}"', login='"b"')),
    _secret("smart-host import -", _login(extra="1") + _login(address='"nobody@example.com"')),
    _secret("smart-host import -", _login(address="{given_json}", login="{given_json}")),
    _secret(
        "smart-host import -", '{{"address": "{listed}", "password": {given_json}\n{given}\n' + _login("[{given_json}]")
    ),
    _secret("smart-host import -", f"{ALICE}:{{given}}\n"),
    _secret(f"multipop source add {ALICE} isp --host pop.isp.example --login a --password-stdin", "{given}\n"),
    _secret(f"multipop source add {ALICE} isp --host pop.isp.example --login a --password-file password"),
    _secret(f"multipop source set-password {BOB} isp --password-stdin", "{given}\n"),
    _secret(f"multipop source set-password {BOB} isp --password-file password"),
    _secret(f"multipop source set-password {CAROL} office --password-stdin", "{given}\n"),
    _secret(f"multipop source set {BOB} isp --host other.example --yes"),
    _secret(f"multipop source set {BOB} isp --login other"),
    _secret(f"multipop source remove {BOB} isp"),
    _secret(f"multipop source print-password {BOB} isp", prints=PRINT),
    _secret(f"multipop source print-password {CAROL} office", prints=frozenset({"token"})),
    _secret("multipop source print-password nobody@example.com isp"),
    _secret(f"account remove {ALICE} {BOB} --yes"),
    _secret(f"account remove {ALICE}"),
    _secret(f"account rename {BOB} rob@example.com"),
    _secret(f"account copy {BOB} new@example.com"),
    _secret("domain rename example.com example.org --yes"),
    _secret("export postfix-sasl-passwd", prints=PRINT),
    _secret("export postfix-sasl-passwd --output exports/new"),
    _secret("export postfix-sasl-passwd --output exports/new --diff"),
    _secret("export exim-passwd", prints=PRINT),
    _secret("export exim-passwd --output exports/new"),
    _secret("export exim-passwd --output exports/new --check"),
    _secret("export fetchmail", prints=PRINT),
    _secret("export fetchmail --output exports/new"),
    _secret("export fetchmail --output exports/new --diff"),
    _secret("export mpop"),
    _secret(f"export getmail --source {BOB}/isp"),
    _secret("export dovecot --token-file dovecot-token", prints=frozenset({"dovecot"})),
    _secret("export dovecot --token-file dovecot-token --output exports/new --diff"),
    _secret("export dovecot-conf --token-file dovecot-token --data /d --dovecot 2.4", prints=frozenset({"dovecot"})),
    _secret("deploy"),
    _secret("deploy --check"),
    _secret("deploy --diff"),
    _secret("doctor"),
    _secret("doctor --verbose"),
    _secret("secrets init"),
    _secret("secrets list"),
    _secret("secrets verify"),
    _secret("secrets rotate"),
    _secret("secrets rotate --new-key-file keys-of-tomorrow"),
    _secret("secrets rebind --server"),
    _secret("secrets rebind --from smtp.relay.example:587 --yes --file new.toml"),
    _secret(f"secrets move --from {JSON} --to {SEALED}"),
    _secret(f"secrets move --from {SEALED} --to {JSON}"),
    _secret(f"secrets move --from {SEALED} --to tests.backends.Losing"),
    _secret("validate --secrets --hints"),
    _secret("install new.toml --yes"),
    _secret("diff accounts.toml new.toml --format markdown"),
    _secret("undo --yes"),
    # A password in the wrong place.
    Row("validate with-password.toml --format sarif"),
    Row("install with-password.toml"),
    Row("diff accounts.toml with-password.toml"),
    Row("apply with-password.csv"),
    Row("apply with-password.ndjson"),
    Row("apply plan-with-password.toml"),
    Row("apply -", "{given}\n"),
    Row("apply -", "address,login,{given}\n"),
    Row("import mdaemon mdaemon.csv --update"),
    Row("import mdaemon mdaemon.xml"),
    Row("import mdaemon mdaemon-broken.xml"),
    Row("import mdaemon -", '"MailBox","{listed}"\n"{listed}"\n'),
    Row("pop on -", f"{ALICE}:{{listed}}\nnew@example.com:{{listed}}\n"),
    Row("pop on -", f"{BOB}\t{{listed}}\n"),
    Row("account add -", "new@example.com,{listed}\nnewer@example.com {listed}\n"),
    Row("account suspend - --skip-unknown", "new@example.com;{listed}\n"),
    Row("template assign t -", f'"{ALICE}" "{{listed}}"\n'),
    Row("check --batch -", f"{ALICE}:{{listed}}\n"),
    Row("check --batch questions"),
    Row("replay log"),
    Row("replay log --strict"),
    Row("test cases.toml --coverage"),
    Row("edit"),
]
# The command lines of the tests of --quiet, which has one for every command.
OTHERS = [
    Row(line, _login(), PRINT if "print-password" in line else frozenset())
    for table in (everything.DATA, everything.EDITS, everything.SILENT)
    for line in everything.rows(table)
]
ROWS = WITH_SECRETS + OTHERS


def missing() -> list[str]:
    """Return the commands that no row has."""
    there = {row.command for row in ROWS}
    return [name for name in COMMANDS if name not in there]
