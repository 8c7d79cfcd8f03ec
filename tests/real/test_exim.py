"""A real Exim with the exported parts and file: which login each sender's mail has at the smart host."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.helpers import Run
from tests.machine import ALICE, BOB, JSON, Machine
from tests.real.exim import GROUP, Exim
from tests.real.loopback import Certificate, folder
from tests.real.senders import NOBODYS, NOT_FOR_EXIM, SENDERS, SERVER, Sender, at_random, relayed
from tests.real.smarthost import SmartHost

pytestmark = pytest.mark.real


class Relay:
    """A machine whose policy is deployed to an Exim, and the smart host that it relays to."""

    def __init__(self, programs: ExitStack, run: Run) -> None:
        self.folder = programs.enter_context(folder())
        self.machine = Machine(self.folder, JSON)
        self._run = run
        self.host = programs.enter_context(SmartHost(Certificate(self.folder)))

    def deploy(self) -> Exim:
        """Deploy both files, and an Exim that reads them."""
        files = self.folder / "exported"
        self.machine.host_config.write_text(
            f"""
[exports.login]
target = "exim-passwd"
path = "{files}/passwd"
mode = "0640"
owner = "root:{GROUP}"

[exports.parts]
target = "exim-conf"
path = "{files}/parts"
data = "{files}/passwd"
"""
        )
        result = self._run(*self.machine.options(), "deploy")
        assert result.status == 0, result.err
        return Exim(self.folder / "exim", (files / "parts").read_text(encoding="utf-8"))

    def seen(self) -> dict[str, tuple[str, str] | None]:
        """The login of each sender."""
        return {mail.sender: mail.login for mail in self.host.mails}


@pytest.fixture
def relay(run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    with ExitStack() as programs:
        relay = Relay(programs, run)
        relay.machine.here(monkeypatch)
        yield relay


def test_each_sender_has_its_login(relay: Relay) -> None:
    senders = [*SENDERS, *at_random(12)]
    relayed(relay.machine, relay.host.port, senders)
    expected: dict[str, tuple[str, str] | None] = {"Alice@Example.COM": ("alice", "plain")}
    for sender in senders:
        expected |= dict.fromkeys(sender.spellings(), (sender.login, sender.password))
    expected |= dict.fromkeys((NOBODYS, BOB, ""), SERVER)
    exim = relay.deploy()
    exim.send(list(expected))
    assert relay.seen() == expected, exim.log()


def test_without_per_account_authentication_everybody_has_the_servers(relay: Relay) -> None:
    relayed(relay.machine, relay.host.port, SENDERS, per_account=False)
    senders = [ALICE, BOB, ""]
    relay.deploy().send(senders)
    assert relay.seen() == dict.fromkeys(senders, SERVER)


def test_without_a_login_of_the_server_the_others_have_none(relay: Relay) -> None:
    relayed(relay.machine, relay.host.port, SENDERS[:1], server=None)
    relay.deploy().send([ALICE, BOB])
    assert relay.seen() == {ALICE: ("alice", "plain"), BOB: None}


def test_a_forged_sender_is_refused(relay: Relay) -> None:
    relayed(relay.machine, relay.host.port, SENDERS)
    exim = relay.deploy()
    for sender, login, allowed in FORGED:
        answer = exim.submit(sender, login)
        assert (answer == "") == allowed, (sender, login, answer)
        assert allowed or "belongs to another login" in answer
    assert set(relay.seen()) == {sender for sender, _, allowed in FORGED if allowed}


@pytest.mark.parametrize("sender", NOT_FOR_EXIM, ids=lambda sender: sender.address)
def test_what_cannot_be_carried_is_refused(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, sender: Sender
) -> None:
    machine = Machine(tmp_path, JSON)
    machine.here(monkeypatch)
    relayed(machine, 25, [*SENDERS, sender])
    result = run(*machine.options(), "export", "exim-passwd")
    assert (result.status, result.out) == (5, "")
    assert f" of {sender.address} begins with " in result.err


FORGED = [
    (ALICE, BOB, False),
    ("ALICE@EXAMPLE.COM", BOB, False),
    ("carol@bücher.example", ALICE, False),
    (ALICE, None, False),
    (ALICE, "*", False),
    (ALICE, ALICE, True),
    ("carol@bücher.example", "carol@xn--bcher-kva.example", True),
    (BOB, BOB, True),
    ("info@example.com", ALICE, True),
    ("", ALICE, True),
]
