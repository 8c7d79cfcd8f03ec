"""A machine whose secrets are bound to where they are sent, with a keyring that can list its names and with one that cannot."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pexpect

from tests.helpers import Result
from tests.machine import ALICE, BOB, FIRST, SECOND, STORE, Machine, user

GMX = f"multipop/{ALICE}/gmx/"
AT_GMX = "alice@pop.gmx.example:995/implicit"
TEXT = (
    STORE.replace("per_account_auth", 'login = "relay"\nper_account_auth')
    .replace(f'[accounts."{ALICE}"]\n', f'[accounts."{ALICE}"]\nsmart_host_login = "al"\nmultipop = true\n')
    .replace(
        f'[accounts."{BOB}"]',
        f'[accounts."{ALICE}".sources.gmx]\nhost = "pop.gmx.example"\nlogin = "alice"\n\n[accounts."{BOB}"]',
    )
)
KEPT = {user("--server"): "the server's", user(ALICE): FIRST, GMX + AT_GMX: SECOND}
LISTS, CANNOT_LIST = "a keyring that lists", "a keyring that cannot list"


class Site(NamedTuple):
    """A machine with three secrets, and how to look at them."""

    machine: Machine
    kept: Callable[[], dict[str, str]]

    def change(self, old: str, new: str) -> None:
        """Edit the store by hand."""
        text = self.machine.store.read_text()
        assert text.count(old) == 1
        self.machine.store.write_text(text.replace(old, new))

    def answer(self, answer: str, *arguments: str, password: str | None = None) -> Result:
        """Run at a real terminal, where somebody answers the question."""
        program, *rest = self.machine.command(*arguments)
        child = pexpect.spawn(
            program, rest, cwd=str(self.machine.folder), env=self.machine.environment, encoding="utf-8", timeout=30
        )
        child.expect(r"\[y/N\]: ")
        shown = child.before
        child.sendline(answer)
        child.expect(pexpect.EOF)
        child.close()
        return self.machine.note(Result(child.exitstatus, shown + child.before, ""))


def lists(site: Site) -> bool:
    return site.machine.backend is None
