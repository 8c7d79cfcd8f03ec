"""Check what is said of a secret after its destination was changed by hand, and how `secrets rebind` gives it back."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from tests.cli.secrets.site import AT_GMX, GMX, KEPT, TEXT, Site, lists
from tests.helpers import RELAY, Run
from tests.machine import ALICE, BOB, CAROL, FIRST, SECOND, Machine, user

BY_HAND = {
    "the smart host": ('"smtp.relay.example"', '"evil.example"', {user("--server"), user(ALICE)}),
    "its port": ("port = 587", "port = 25", {user("--server"), user(ALICE)}),
    "a source's host": ('"pop.gmx.example"', '"evil.example"', {GMX + AT_GMX}),
    "a source's login": ('login = "alice"', 'login = "eve"', {GMX + AT_GMX}),
    "a source's port": ('login = "alice"', 'login = "alice"\nport = 9995', {GMX + AT_GMX}),
    "a source's tls": ('login = "alice"', 'login = "alice"\ntls = "none" # mailpolicy: allow MP040 x', {GMX + AT_GMX}),
}
EXPORTS = {True: ("postfix-sasl-passwd", "exim-passwd"), False: ("fetchmail",)}


@pytest.mark.parametrize(("old", "new", "lost"), BY_HAND.values(), ids=BY_HAND)
def test_a_change_by_hand(site: Site, old: str, new: str, lost: set[str]) -> None:
    """Nothing gets the password any more, everything says so and names the cure, and the cure works."""
    machine = site.machine
    of_relay = user(ALICE) in lost
    site.change(old, new)
    found = json.loads(machine.run("validate", "--secrets", "--json").out)["files"][0]["findings"]
    assert [(finding["code"], "mailpolicy secrets rebind" in finding["message"]) for finding in found] == (
        [("MP060", True)] * len(lost)
    )
    shown = machine.run("smart-host", "show", ALICE)
    assert ("password\tmissing\n" in shown.out, "mailpolicy secrets rebind" in shown.err) == (of_relay, of_relay)
    verified = machine.run("secrets", "verify")
    assert (verified.status, verified.err.count("mailpolicy secrets rebind")) == (1, len(lost))
    for target in EXPORTS[of_relay]:
        exported = machine.run("export", target)
        assert (exported.status, exported.out) == (6, "")
        assert "mailpolicy secrets rebind" in exported.err
    printed = machine.run("multipop", "source", "print-password", ALICE, "gmx")
    assert (printed.status, "mailpolicy secrets rebind" in printed.err) == ((0, False) if of_relay else (6, True))
    machine.seen = machine.seen.replace(f"{SECOND}\n", "")  # printed, as it was asked for
    assert site.kept() == KEPT

    former = [] if lists(site) else ["--from", RELAY if of_relay else AT_GMX]
    refused = machine.run("secrets", "rebind", *former)
    assert (refused.status, refused.out) == (5, "")
    assert "to agree, add --yes" in refused.err
    dry = machine.run("secrets", "rebind", *former, "--dry-run")
    assert (dry.status, dry.out.count("\twould move, from ")) == (0, len(lost))
    assert site.answer("n", "secrets", "rebind", *former).status == 5
    assert site.kept() == KEPT
    told = site.answer("y", "secrets", "rebind", *former)
    assert (told.status, told.out.count("would be sent to")) == (0, len(lost))
    kept = site.kept()
    assert sorted(kept.values()) == sorted(KEPT.values())
    assert not lost & kept.keys()
    assert machine.run("secrets", "verify").status == 0
    again = machine.run("secrets", "rebind")
    assert (again.status, again.out.count("\tthere already\tok\n"), again.err) == (0, 3, "")


def test_rebind_of_some(site: Site) -> None:
    site.change('"smtp.relay.example"', '"new.example"')
    site.change('"pop.gmx.example"', '"new.example"')
    former = ["--from", RELAY, "--from", "pop.gmx.example:995"]  # of a source the host and port are enough
    moved = json.loads(site.machine.run("secrets", "rebind", "--server", "--yes", "--json", *former).out)
    assert moved["secrets"] == [
        {"address": None, "source": None, "from": RELAY, "to": "new.example:587", "state": "moved"}
    ]
    assert site.machine.run("secrets", "rebind", CAROL, "--yes", *former).status == 4
    assert site.machine.run("secrets", "rebind", ALICE, "--yes", *former).status == 0
    assert site.kept() == {
        user("--server", "new.example:587"): "the server's",
        user(ALICE, "new.example:587"): FIRST,
        GMX + "alice@new.example:995/implicit": SECOND,
    }


def test_rebind_where_it_cannot_be_known(site: Site) -> None:
    """A keyring that cannot list must be told; one that has two of an owner too."""
    site.change('"smtp.relay.example"', '"one.example"')
    if not lists(site):
        refused = site.machine.run("secrets", "rebind", "--yes")
        assert (refused.status, "--from HOST:PORT" in refused.err) == (5, True)
    given = ("smart-host", "set", "--server", "--password-stdin")
    assert site.machine.run(*given, stdin=SECOND).status == 0
    site.change('"one.example"', '"two.example"')
    both = [] if lists(site) else ["--from", RELAY, "--from", "one.example:587"]
    refused = site.machine.run("secrets", "rebind", "--server", "--yes", *both)
    assert (refused.status, "choose one with --from" in refused.err) == (5, True)
    assert site.machine.run("secrets", "rebind", "--server", "--yes", "--from", "one.example:587").status == 0
    assert site.kept()[user("--server", "two.example:587")] == SECOND
    assert site.kept()[user("--server")] == "the server's"


MOVED = {
    "the smart host": ('"smtp.relay.example"', '"new.example"', "server.smart_host.host", RELAY, "new.example:587", 2),
    "its port": ("port = 587\n", "", None, None, None, 0),
    "another port": ("port = 587", "port = 25", "server.smart_host.port", RELAY, "smtp.relay.example:25", 2),
    "a source's host": ("pop.gmx", "pop.evil", f'accounts."{ALICE}".sources.gmx.host', AT_GMX, None, 1),
    "a source's tls": (
        'n = "alice"',
        'n = "alice"\ntls = "none"',
        f'accounts."{ALICE}".sources.gmx.tls',
        AT_GMX,
        None,
        1,
    ),
    "no source": (TEXT[TEXT.index(f'[accounts."{ALICE}".so') : TEXT.index(f'[accounts."{BOB}"]')], "", *(None,) * 3, 0),
    "a login": ('smart_host_login = "al"', 'smart_host_login = "eve"', None, None, None, 0),
}


@pytest.mark.parametrize(("old", "new", "key", "before", "after", "count"), MOVED.values(), ids=MOVED)
def test_diff_and_install_name_what_goes_elsewhere(
    old: str, new: str, key: str | None, before: str | None, after: str | None, count: int, run: Run, tmp_path: Path
) -> None:
    assert TEXT.count(old) == 1
    (tmp_path / "old.toml").write_text(TEXT)
    (tmp_path / "new.toml").write_text(TEXT.replace(old, new))
    stores = ("old.toml", "new.toml")
    told = json.loads(run("diff", *stores, "--json").out)
    assert (told["access"], len(told["changes"])) == ("widened" if count else "same", count)
    for change in told["changes"]:
        assert (change["protocol"], change["access"], change["before"]) == ("credentials", "widened", before)
        assert after in (None, change["after"])
        assert [cause["key"] for cause in change["keys"]] == [key]
    assert run("diff", *stores).out.count(f"\tcredentials\twidened\t{before}\t") == count
    assert (
        run("diff", *stores, "--format", "markdown").out.count(f"| credentials | **widened** | `{before}` |") == count
    )
    assert run("diff", *stores, "--fail-on", "widened").status == int(count > 0)
    assert run("diff", *stores, "--fail-on", "narrowed").status == 0
    use = ("install", "new.toml", "--file", "old.toml", "--host-config", "no.toml")
    (tmp_path / "no.toml").touch()
    assert run(*use, "--fail-on", "widened").status == (5 if count else 0)
    if count:
        installed = run(*use)
        assert (installed.status, installed.out.count("\tcredentials\t")) == (0, count)
        assert "mailpolicy secrets rebind" in installed.err


@pytest.mark.parametrize("stopped", ["before", "after"])
def test_an_interrupted_change_of_the_host_is_finished(changed: Machine, stopped: str) -> None:
    """Its command takes away what was left, and not the password in force, its login or its source."""
    old, new = user(ALICE), user(ALICE, "new.example:587")
    changed.keyring.write_text(json.dumps({"mailpolicy": {old: FIRST, new: FIRST}}))
    Path(f"{changed.store}.pending").write_text(f"{old}\n{new}\n")
    Path(f"{changed.store}.pending").chmod(0o600)
    if stopped == "after":
        changed.store.write_text(changed.store.read_text().replace("smtp.relay.example", "new.example"))
    before = changed.store.read_text()
    told = changed.run("validate", "--secrets")
    [advice] = [line for line in told.out.splitlines() if (new if stopped == "before" else old) in line]
    command = shlex.split(advice.rpartition(": mailpolicy ")[2])
    assert command[:3] == ["secrets", "rebind", ALICE]
    assert "--yes" not in command  # another secret of hers may have been redirected by hand, and that needs consent
    assert changed.run(*command[:3]).status == 0
    assert changed.kept() == {(old if stopped == "before" else new): FIRST}
    assert changed.pending() == []
    assert changed.store.read_text() == before
    assert changed.run("validate", "--secrets", "--strict").status == 0


def test_an_interrupted_change_of_a_password_stays_in_doubt(changed: Machine) -> None:
    """Two different passwords: which one is right is still for a person to say."""
    old, new = user(ALICE), user(ALICE, "new.example:587")
    changed.keyring.write_text(json.dumps({"mailpolicy": {old: FIRST, new: SECOND}}))
    Path(f"{changed.store}.pending").write_text(f"{old}\n{new}\n")
    Path(f"{changed.store}.pending").chmod(0o600)
    assert changed.run("secrets", "rebind", ALICE).status == 0
    assert changed.kept() == {old: FIRST}
    assert changed.pending() == [old]
