"""Check that under sudo the session bus of the caller is not used."""

from __future__ import annotations

from tests.machine import ALICE, FIRST, user
from tests.real.desktop import Desktop
from tests.system.keyrings.unnamed import SET, needs_root


@needs_root
def test_under_sudo_the_callers_bus_is_not_used(desktop: Desktop) -> None:
    """Root would put its passwords into the keyring of whoever called sudo."""
    before = desktop.untouched()
    refused = desktop.run(*SET, stdin=FIRST, environment={"SUDO_UID": "1000"})
    assert (refused.status, "no keyring is available" in refused.err) == (6, True)
    assert desktop.secrets() == {}
    assert desktop.untouched() == before
    assert desktop.run(*SET, stdin=FIRST).status == 0
    assert desktop.secrets() == {user(ALICE): FIRST}
