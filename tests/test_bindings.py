"""A secret is bound to where it is sent: its name, what is said after a change by hand, and what carries it along."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pexpect
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpolicy.export import TARGETS, Options, Request
from mailpolicy.policy import bindings
from mailpolicy.policy.bindings import Owner, Secret
from mailpolicy.policy.model import Policy, Server, Source, Tls
from tests.helpers import RELAY, Result, Run
from tests.machine import ALICE, BOB, CAROL, FIRST, JSON, SECOND, STORE, Machine, user
from tests.policies import LOGINS
from tests.sealing import BACKEND, host_config, sealed_file

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


@pytest.fixture(params=[LISTS, CANNOT_LIST])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A machine with a keyring of each kind; no run may leak a secret."""
    machine = Machine(tmp_path, None if request.param == LISTS else JSON)
    machine.store.write_text(TEXT)
    machine.known += list(KEPT.values())
    if request.param == LISTS:
        sealed_file(tmp_path).change("mailpolicy", KEPT)
        machine.host_config.write_text(host_config(tmp_path))

        def kept() -> dict[str, str]:
            return sealed_file(tmp_path).everything()["mailpolicy"]

        yield Site(machine, kept)
    else:
        machine.keyring.write_text(json.dumps({"mailpolicy": KEPT}))
        yield Site(machine, machine.kept)
    assert machine.leaks() == []


def lists(site: Site) -> bool:
    return site.machine.backend is None


# names

NAMES = {
    ("smtp.relay.example", 587): "smtp.relay.example:587",
    ("smtp.relay.example", None): "smtp.relay.example:587",
    ("SMTP.Relay.example", 25): "smtp.relay.example:25",
    ("bücher.example", None): "xn--bcher-kva.example:587",
    ("192.0.2.7", 465): "192.0.2.7:465",
    ("2001:DB8::0:1", None): "[2001:db8::1]:587",
    (None, 587): "",
}


@pytest.mark.parametrize(("host", "port"), NAMES)
@pytest.mark.parametrize(("address", "whose"), [(ALICE, ALICE), (None, "@server")])
def test_the_names_of_smart_host_passwords(host: str | None, port: int | None, address: str | None, whose: str) -> None:
    secret = bindings.smart_host_secret(Server(smart_host=host, smart_host_port=port), address)
    assert secret.user == f"smart-host/{whose}/{NAMES[host, port]}"


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("postfix-sasl-passwd", "[smtp.relay.example]:587 relay:word\n"),
        ("postfix-conf", "relayhost = [smtp.relay.example]:587\n"),
        ("exim-conf", "  port = 587\n"),
    ],
)
def test_a_port_that_is_missing_is_the_one_of_the_name(target: str, line: str) -> None:
    """What the servers are told is where the password may be sent."""
    policy = Policy(Server(smart_host="smtp.relay.example", smart_host_login="relay"), {}, {}, {})
    request = Request(policy, Options(data="/x"), lambda users: dict.fromkeys(users, "word"))
    assert line in TARGETS[target].export(request).body


_SOURCES = st.builds(
    Source,
    host=st.sampled_from(["pop.gmx.example", "192.0.2.7", "2001:db8::1"]),
    port=st.sampled_from([110, 995]),
    login=st.one_of(LOGINS, st.sampled_from(["a@pop.gmx.example:995/implicit", "a/b", "x/none", "@"])),
    tls=st.sampled_from(Tls),
)


@given(_SOURCES, _SOURCES)
def test_a_name_stands_for_one_destination(one: Source, other: Source) -> None:
    """Whatever a login holds, no two destinations have one name, and the name is read back as what it was made of."""
    first, second = (bindings.source_secret(ALICE, "gmx", source) for source in (one, other))
    assert (first.user == second.user) is (one[:4] == other[:4])
    assert Secret.of(first.user) == first
    assert first.owner == Owner(ALICE, "gmx")


@pytest.mark.parametrize("name", ["master-key", "trial/x", "smart-host/alice@example.com", "multipop/a@x/gmx", ""])
def test_what_is_no_name_of_a_secret(name: str) -> None:
    assert Secret.of(name) is None


# a change by hand

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
    assert "add --yes if that is meant" in refused.err
    dry = machine.run("secrets", "rebind", *former, "--dry-run")
    assert (dry.status, dry.out.count("\twould move, from ")) == (0, len(lost))
    assert site.answer("n", "secrets", "rebind", *former).status == 5
    assert site.kept() == KEPT
    told = site.answer("y", "secrets", "rebind", *former)
    assert (told.status, told.out.count("would go to")) == (0, len(lost))
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
    assert (refused.status, "say which one with --from" in refused.err) == (5, True)
    assert site.machine.run("secrets", "rebind", "--server", "--yes", "--from", "one.example:587").status == 0
    assert site.kept()[user("--server", "two.example:587")] == SECOND
    assert site.kept()[user("--server")] == "the server's"


# commands that change the destination

CARRYING = {
    "the smart host": (("smart-host", "set", "--server", "--host", "new.example"), 2, "new.example:587"),
    "its port": (("smart-host", "set", "--server", "--port", "25"), 2, "smtp.relay.example:25"),
    "a source's host": (
        ("multipop", "source", "set", ALICE, "gmx", "--host", "new.example"),
        1,
        "alice@new.example:995",
    ),
    "a source's login": (("multipop", "source", "set", ALICE, "gmx", "--login", "al"), 1, "al@pop.gmx.example:995"),
    "a source's port": (("multipop", "source", "set", ALICE, "gmx", "--port", "1"), 1, "alice@pop.gmx.example:1/"),
    "a source's tls": (("multipop", "source", "set", ALICE, "gmx", "--tls", "none"), 1, "pop.gmx.example:110/none"),
}


@pytest.mark.parametrize(("command", "count", "there"), CARRYING.values(), ids=CARRYING)
def test_a_command_carries_the_passwords_along(site: Site, command: tuple[str, ...], count: int, there: str) -> None:
    machine, before = site.machine, site.machine.untouched()
    refused = machine.run(*command)
    assert (refused.status, refused.out) == (5, "")
    assert (there in refused.err, "add --yes if that is meant" in refused.err) == (True, True)
    assert site.answer("n", *command).status == 5
    dry = machine.run(*command, "--dry-run")
    assert (dry.status, dry.err.count("would go to"), there in dry.err) == (0, count, True)
    assert json.loads(machine.run(*command, "--dry-run", "--json").out)["access"] == "widened"
    assert (machine.untouched(), site.kept()) == (before, KEPT)
    carried = site.answer("y", *command)
    assert (carried.status, carried.out.count(" would go to ")) == (0, count)
    assert sorted(site.kept().values()) == sorted(KEPT.values())
    assert sum(there in name for name in site.kept()) == count
    assert machine.run("secrets", "verify").status == 0
    assert machine.pending() == []
    assert machine.run(*command).out.endswith("\tok\n")


def test_with_yes_nobody_is_asked(site: Site) -> None:
    done = site.machine.run("smart-host", "set", "--server", "--host", "new.example", "--yes")
    assert done.out.splitlines() == [
        "server\tsmart-host host\tnew.example\tchanged",
        "server\tsmart-host password\tmoved in the keyring, now for new.example:587\tchanged",
        f"{ALICE}\tsmart-host password\tmoved in the keyring, now for new.example:587\tchanged",
    ]


def test_a_new_host_with_a_new_password(site: Site) -> None:
    """The server's own password is replaced, those of accounts are carried along, and only those are asked about."""
    command = ("smart-host", "set", "--server", "--host", "new.example", "--password-stdin")
    refused = site.machine.run(*command, stdin="another")
    assert (refused.status, "of server" in refused.err, ALICE in refused.err) == (5, False, True)
    assert site.kept() == KEPT
    assert site.machine.run(*command, "--yes", stdin="another").status == 0
    new = {user("--server", "new.example:587"): "another", user(ALICE, "new.example:587"): FIRST}
    assert site.kept() == {**new, GMX + AT_GMX: SECOND}


@pytest.mark.parametrize("site", [CANNOT_LIST], indirect=True)
def test_what_was_carried_goes_back_where_the_store_cannot_be_written(site: Site) -> None:
    """Another writer takes the store's lock when the passwords have their new names already."""
    before = site.machine.untouched()
    command = ("smart-host", "set", "--server", "--host", "new.example", "--yes", "--lock-timeout", "0.1")
    assert site.machine.run(*command, "--keyring-backend", "tests.backends.Locking").status == 75
    assert ("set", user(ALICE, "new.example:587")) in [(call["call"], call["user"]) for call in site.machine.calls()]
    assert (site.machine.untouched(), site.kept()) == (before, KEPT)


@pytest.mark.parametrize("command", [row[0] for row in CARRYING.values()], ids=CARRYING)
def test_without_passwords_there_is_no_question(tmp_path: Path, command: tuple[str, ...]) -> None:
    machine = Machine(tmp_path, JSON)
    machine.store.write_text(TEXT)
    assert machine.run(*command).status == 0


@pytest.mark.parametrize(
    "command",
    [("smart-host", "set", ALICE), ("smart-host", "set", "--server"), ("smart-host", "set", BOB, "--login", "b")],
    ids=" ".join,
)
def test_a_password_without_a_smart_host_is_refused(site: Site, command: tuple[str, ...]) -> None:
    site.change('host = "smtp.relay.example"\n', "")
    before = site.machine.untouched()
    for dry in ([], ["--dry-run"]):
        refused = site.machine.run(*command, "--password-stdin", *dry, stdin=SECOND)
        assert (refused.status, refused.out) == (5, "")
        assert "try: mailpolicy smart-host set --server --host HOST" in refused.err
    assert (site.machine.untouched(), site.kept()) == (before, KEPT)
    assert site.machine.run("smart-host", "set", "--server", "--host", "smtp.relay.example").status == 0
    assert site.machine.run(*command, "--password-stdin", stdin=SECOND).status == 0


# what is left for another destination

LEFT = [
    ("account", "remove", ALICE),
    ("smart-host", "clear", ALICE),
    ("smart-host", "clear", "--server"),
    ("multipop", "source", "remove", ALICE, "gmx"),
]


@pytest.mark.parametrize("command", LEFT, ids=" ".join)
def test_removing_takes_what_was_sent_elsewhere_too(site: Site, command: tuple[str, ...]) -> None:
    """A keyring that lists does not keep passwords that nobody would find any more."""
    site.change('"smtp.relay.example"', '"new.example"')
    site.change('"pop.gmx.example"', '"new.example"')
    assert site.machine.run(*command).status == 0
    owner = "@server" if "--server" in command else f"{ALICE}/gmx" if "gmx" in command else ALICE
    gone = [name for name in KEPT if f"/{owner}/" in name and (command[0] != "smart-host" or "smart-host" in name)]
    assert gone
    assert site.kept() == {name: KEPT[name] for name in KEPT if not lists(site) or name not in gone}


@pytest.mark.parametrize("site", [LISTS], indirect=True)
def test_move_takes_what_was_sent_elsewhere_along(site: Site) -> None:
    site.change('"smtp.relay.example"', '"new.example"')
    moved = site.machine.run("secrets", "move", "--from", BACKEND, "--to", JSON)
    assert moved.status == 0
    assert (site.kept(), site.machine.kept()) == ({}, KEPT)


def test_rename_takes_what_was_sent_elsewhere_along(site: Site) -> None:
    site.change('"pop.gmx.example"', '"new.example"')
    assert site.machine.run("account", "rename", ALICE, CAROL).status == 0
    kept = {name.replace(ALICE, CAROL): secret for name, secret in KEPT.items()}
    if not lists(site):
        kept = {user(CAROL): FIRST, user("--server"): "the server's", GMX + AT_GMX: SECOND}
    assert site.kept() == kept


def test_a_login_with_blanks_is_written_down_whole(site: Site) -> None:
    """What a crash leaves is found again by its name."""
    site.change('login = "alice"', 'login = "alice b"')
    name = GMX + "alice b@pop.gmx.example:995/implicit"
    Path(f"{site.machine.store}.pending").write_text(f"{name}\n")
    assert f"an earlier change of {name} stopped half-way" in site.machine.run("validate", "--secrets").out


# diff and install

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
