"""A real Postfix with the exported lines and maps: which login each sender's mail has at the smart host."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.helpers import Result, Run
from tests.machine import ALICE, BOB, JSON, Machine, user
from tests.real.loopback import Certificate, folder, until
from tests.real.pop3 import Dovecot
from tests.real.postfix import Postfix
from tests.real.senders import NOBODYS, NOT_FOR_EXIM, SENDERS, SERVER, Sender, at_random, relayed
from tests.real.smarthost import SmartHost

pytestmark = pytest.mark.real


class Relay:
    """A machine whose policy is exported to a Postfix, and the smart host that it relays to."""

    def __init__(self, programs: ExitStack, run: Run) -> None:
        self.programs = programs
        self._run = run
        self.folder = programs.enter_context(folder())
        self.machine = Machine(self.folder, JSON)
        self.files = self.folder / "exported"
        certificate = Certificate(self.folder)
        self.host = programs.enter_context(SmartHost(certificate))
        (self.folder / "dovecot").mkdir()
        self.logins = programs.enter_context(Dovecot(self.folder / "dovecot", certificate))

    def run(self, *arguments: str) -> Result:
        """Run mailpolicy on the machine."""
        return self._run(*self.machine.options(), *arguments)

    def export(self, target: str, *options: str) -> str:
        """Export to a file; its text."""
        path = self.files / target
        result = self.run("export", target, "--output", str(path), *options)
        assert result.status == 0, result.err
        return path.read_text(encoding="utf-8")

    def export_maps(self, kind: str) -> None:
        """Both maps, with their index where they have one."""
        options = [] if kind == "texthash" else ["--postmap", kind]
        for target in ("postfix-sasl-passwd", "postfix-sender-login"):
            self.export(target, *options)

    def start(self, kind: str = "texthash") -> Postfix:
        """Export everything and start a Postfix on it."""
        self.export_maps(kind)
        maps = (
            "--data",
            str(self.files / "postfix-sasl-passwd"),
            "--sender-login",
            f"{self.files}/postfix-sender-login",
        )
        lines = self.export("postfix-conf", "--map", kind, *maps)
        return self.programs.enter_context(Postfix(self.folder / "postfix", lines, self.logins.login))

    def seen(self, number: int) -> dict[str, tuple[str, str] | None]:
        """The login of each sender, when that many mails have come."""
        until(f"{number} mails are relayed", lambda: len(self.host.mails) >= number)
        assert len(self.host.mails) == number
        return {mail.sender: mail.login for mail in self.host.mails}

    def said(self, of: str) -> tuple[str, str] | None:
        """The login that `smart-host show` names, and the keyring's password of whoever owns it."""
        answer = json.loads(self.run("smart-host", "show", of, "--json").out)
        owner = of if answer["owner"] == "account" else "--server"
        return (
            (answer["login"], self.machine.kept()[user(owner, f"127.0.0.1:{self.host.port}")])
            if answer["login"] is not None
            else None
        )


@pytest.fixture
def relay(run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    with ExitStack() as programs:
        relay = Relay(programs, run)
        relay.machine.here(monkeypatch)
        yield relay


@pytest.mark.parametrize("kind", ["texthash", "lmdb"])
def test_each_sender_has_its_login(relay: Relay, kind: str) -> None:
    senders = [*SENDERS, *NOT_FOR_EXIM, *at_random(24)]
    relayed(relay.machine, relay.host.port, senders)
    postfix = relay.start(kind)
    expected: dict[str, tuple[str, str] | None] = {"Alice@Example.COM": ("alice", "plain")}
    assert postfix.submit("Alice@Example.COM", login=ALICE) == ""
    for sender in senders:
        for spelling in sender.spellings():
            assert postfix.submit(spelling, login=sender.address) == ""
            expected[spelling] = relay.said(sender.address)
            assert expected[spelling] == (sender.login, sender.password)
    for unlisted in (NOBODYS, BOB, ""):
        assert postfix.submit(unlisted) == ""
        expected[unlisted] = SERVER
    assert relay.said(BOB) == relay.said("--server") == SERVER
    assert relay.seen(len(expected)) == expected
    assert "warning" not in postfix.log()


def test_without_per_account_authentication_everybody_has_the_servers(relay: Relay) -> None:
    relayed(relay.machine, relay.host.port, SENDERS, per_account=False)
    postfix = relay.start()
    senders = [ALICE, BOB, NOBODYS, "", "carol@bücher.example"]
    for sender in senders:
        assert postfix.submit(sender) == ""
    assert relay.seen(5) == dict.fromkeys(senders, SERVER)


def test_without_a_login_of_the_server_the_others_have_none(relay: Relay) -> None:
    relayed(relay.machine, relay.host.port, SENDERS[:1], server=None)
    postfix = relay.start()
    assert postfix.submit(ALICE, login=ALICE) == postfix.submit(BOB) == ""
    assert relay.seen(2) == {ALICE: ("alice", "plain"), BOB: None}


FORGED = {
    "another account": (ALICE, BOB, False),
    "nobody logged in": (ALICE, None, False),
    "upper case": ("ALICE@EXAMPLE.COM", BOB, False),
    "A-label": ("carol@xn--bcher-kva.example", ALICE, False),
    "U-label": ("carol@bücher.example", ALICE, False),
    "a suspended account's": ("gone@example.com", BOB, False),
    "one's own": (ALICE, ALICE, True),
    "one's own U-label": ("carol@bücher.example", "carol@xn--bcher-kva.example", True),
    "logged in as the U-label": ("carol@xn--bcher-kva.example", "carol@bücher.example", True),
    "an account without a login of its own": (BOB, BOB, True),
    "an alias of an account without": ("info@example.com", BOB, True),
    "an alias of an account with": ("info@example.com", ALICE, True),
    "not listed, not logged in": (NOBODYS, None, True),
    "a bounce": ("", None, True),
    "a bounce of somebody logged in": ("", ALICE, True),
}


@pytest.mark.parametrize("kind", ["texthash", "lmdb"])
def test_a_forged_sender_is_refused(relay: Relay, kind: str) -> None:
    relayed(relay.machine, relay.host.port, SENDERS)
    postfix = relay.start(kind)
    refused = {name: postfix.submit(sender, login=login) for name, (sender, login, _) in FORGED.items()}
    assert {name: answer == "" for name, answer in refused.items()} == {
        name: allowed for name, (_, _, allowed) in FORGED.items()
    }, refused
    assert all("Sender address rejected" in answer for answer in refused.values() if answer)
    passed = {sender for sender, _, allowed in FORGED.values() if allowed}
    assert relay.seen(sum(allowed for *_, allowed in FORGED.values())).keys() == passed


def test_a_new_password_is_used_at_once(relay: Relay) -> None:
    """With lmdb after postmap, with texthash after the reload that deploy runs."""
    machine = relay.machine
    relayed(machine, relay.host.port, SENDERS[:1])
    postfix = relay.start("lmdb")
    postfix.submit(ALICE, login=ALICE)
    assert relay.seen(1) == {ALICE: ("alice", "plain")}
    settings = postfix.settings / "main.cf"
    for number, kind in ((2, "lmdb"), (3, "texthash")):
        settings.write_text(settings.read_text().replace("lmdb:", f"{kind}:"))
        options = (
            'postmap = "lmdb"' if kind == "lmdb" else f'reload = ["postfix", "-c", "{postfix.settings}", "reload"]'
        )
        machine.host_config.write_text(
            f'[exports.relay]\ntarget = "postfix-sasl-passwd"\npath = "{relay.files}/postfix-sasl-passwd"\n{options}\n'
        )
        machine.keep(ALICE, f"changed for {kind}", f"127.0.0.1:{relay.host.port}")
        result = relay.run("deploy")
        assert (result.status, result.err) == (0, "")
        assert "service reloaded" in result.out
        postfix.submit(ALICE, login=ALICE)
        relay.seen(number)
        assert relay.host.mails[-1].login == ("alice", f"changed for {kind}")


@pytest.mark.parametrize(
    ("sender", "said"),
    [
        (Sender(ALICE, "a:b", "x"), "the login of alice@example.com contains a colon"),
        (Sender(ALICE, "a", "x "), "the password of alice@example.com ends in white space"),
        (Sender(ALICE, "a", "x\x0b"), "the password of alice@example.com ends in white space"),
    ],
)
def test_what_cannot_be_carried_is_refused(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, sender: Sender, said: str
) -> None:
    machine = Machine(tmp_path, JSON)
    machine.here(monkeypatch)
    relayed(machine, 25, [*SENDERS[2:], sender])
    for target in ("postfix-sasl-passwd", "exim-passwd"):
        result = run(*machine.options(), "export", target)
        assert (result.status, result.out) == (5, "")
        assert said in result.err
