"""The recipes for mail suites: every command on their pages, then random questions to Dovecot, answered as `check` does."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from tests.docs.pages import Block, blocks, shown
from tests.helpers import ROOT, Expected, Run
from tests.real.agreement import PASSWORDS, TOKEN, Case, site_passwords, typed_name, verdicts, wrong
from tests.real.clients import Attempt
from tests.real.suites.configurations import LAYOUTS
from tests.real.suites.sites import MASTER, MASTER_PASSWORD, PEOPLE, SUITES, Suite, running

pytestmark = pytest.mark.real

POLICIES = 5
QUESTIONS = 400  # of each policy
GOVERNED = ((), ("smtp",), ("smtp", "sieve"))
# The machine whose outputs a page shows. On the others they are the same, but for the version.
COMPARED = {SUITES[name].page: name for name in reversed(SUITES)}
OUTSIDE, INSIDE = "203.0.113.9", "192.168.7.20"


class Followed:
    """A suite's server after its page.

    `text` is the page with the outputs that the commands had there, `others` has the commands whose outputs are other
    ones than the page shows, whatever the version of Dovecot.
    """

    def __init__(self, name: str, suite: Suite) -> None:
        self.name = name
        self.suite = suite
        self.text = (ROOT / suite.page).read_text(encoding="utf-8")
        self.others: list[tuple[str, str]] = []
        for block in blocks(suite.page):
            if block.runs:
                self._run(block)
            else:
                suite.shown_file(block.kind, block.text)

    def _run(self, block: Block) -> None:
        if block.kind == "sh":
            done = self.suite.machine.run(self._here(block.text))
            assert done.status == 0, f"{block.where}: {done.shown}"
            return
        outputs = [self.suite.machine.run(self._here(f"{command}\n")).shown for command, _ in shown(block)]
        self.others += [
            (there.command, output)
            for there, output in zip(shown(block), outputs, strict=True)
            if _any_version(there.output) != _any_version(output)
        ]
        self.text = self.text.replace(block.showing(there.output for there in shown(block)), block.showing(outputs))

    def _here(self, script: str) -> str:
        version = LAYOUTS[self.name].version
        script = script.replace('dovecot = "2.3"', f'dovecot = "{version}"')
        if self.name.endswith("pgsql"):  # as the page says
            script = script.replace(
                "mariadb --batch --skip-column-names vmail", "runuser -u postgres -- psql -d vmail -At"
            )
            script = script.replace("mariadb --batch --skip-column-names", "runuser -u postgres -- psql -At")
            script = script.replace(
                "--execute 'SELECT username FROM mailbox' vmail", "-d vmail -c 'SELECT username FROM mailbox'"
            )
            script = script.replace("mariadb vmail", "runuser -u postgres -- psql -q -d vmail")
        return f"cd {self.suite.folder}\n{script}"


@pytest.mark.parametrize("name", SUITES)
def test_the_recipe(name: str, run: Run, tmp_path: Path, expected: Expected) -> None:
    """A suite's server follows its page, and then agrees with `check`."""
    with running(name, tmp_path) as suite:
        followed = Followed(name, suite)
        _ask_as_master(followed)
        for number in range(POLICIES):
            _ask_at_random(followed, number, run, tmp_path)
    if COMPARED[suite.page] == name:
        expected(ROOT / suite.page, followed.text)
    else:
        assert followed.others == []


def _any_version(output: str) -> str:
    return re.sub(r"\bDovecot 2\.\S+", "Dovecot", output)


def _ask_as_master(followed: Followed) -> None:
    """As the pages say: past the policy only in iRedMail with Dovecot 2.3; PostfixAdmin has no master users."""
    domain = "" if followed.name == "docker-mailserver" else "@not-exist.com"
    user = f"alice@example.com*{MASTER}{domain}"
    attempts = [Attempt("pop3", ip, user, MASTER_PASSWORD) for ip in (OUTSIDE, INSIDE)]
    has_masters = followed.name != "postfixadmin"
    assert followed.suite.ask(attempts) == [followed.suite.masters_pass, has_masters]


def _ask_at_random(followed: Followed, number: int, run: Run, folder: Path) -> None:
    """Compare Dovecot's answers under a random policy with those of `check`."""
    suite, chance = followed.suite, random.Random(f"{followed.name} {number}")
    case = Case(chance, GOVERNED[number % len(GOVERNED)])
    case.site = {address: password for address, password in case.site.items() if suite.knows(address)}
    (folder / "accounts.toml").write_text(case.text, encoding="utf-8")
    suite.write("/etc/mailpolicy/accounts.toml", case.text)
    suite.let_in(site_passwords(case, None))
    deployed = suite.machine.run("mailpolicy deploy")
    assert deployed.status == 0, deployed.shown
    suite.restart()
    attempts, addresses = [], []
    for _ in range(QUESTIONS):
        address = chance.choice(list(case.accounts))
        password = chance.choice((*(case.site.get(address, "?"),) * 4, chance.choice(PASSWORDS), "*", TOKEN, ""))
        named = typed_name(address, None, chance)
        if case.accounts[address] is None and not named.isascii():
            named = address  # the snippet knows the letters of the accounts only
        attempts.append(Attempt(chance.choice(suite.services), case.ip(chance), named, password))
        addresses.append(address)
    allowed = verdicts(run, folder, case, attempts, addresses)
    right = [
        verdict and attempt.password == case.site.get(address)
        for attempt, address, verdict in zip(attempts, addresses, allowed, strict=True)
    ]
    answers = suite.ask(attempts)
    assert wrong(attempts, right, answers) == []
    assert any(answers)
    assert not all(answers)


def test_the_accounts_of_the_pages_are_the_suites() -> None:
    for page in COMPARED:
        text = (ROOT / page).read_text(encoding="utf-8")
        assert all(password in text for password in PEOPLE.values()), page
