"""Every fix that can be provoked is run, and the verdict changes as it promises."""

from __future__ import annotations

import json
import shlex
from itertools import product
from pathlib import Path

import pytest

from mailpolicy.policy.model import Gate
from tests.helpers import Run

OUTSIDE = "203.0.113.9"  # of the Internet
BRANCH = "192.168.7.9"  # reserved for local use, and not in the LAN


def stores() -> list[str]:
    """Stores that close each gate in each combination, through the account, its template and the defaults."""
    texts = []
    for edition, installed, multipop, suspended, layer, imap in product(
        ("pro", "standard"), (True, False), (True, False), (True, False), ("account", "template", "none"), (True, False)
    ):
        switches = (
            "pop = false\npop_lan_only = true\nimap_lan_only = true\nmultipop = false\noutlook_connector = false\n"
        )
        switches += f"imap = {str(imap).lower()}\n"
        texts.append(
            f'version = 1\n[server]\nedition = "{edition}"\noutlook_connector_installed = {str(installed).lower()}\n'
            f'multipop = {str(multipop).lower()}\nlan = ["10.0.0.0/8"]\n'
            + (f"[templates.t]\n{switches}" if layer == "template" else "[templates.t]\n")
            + '[accounts."o\'neil@x.example"]\ntemplate = "t"\n'
            + ("suspended = true\nexpires = 2026-01-31\n" if suspended else "")
            + (switches if layer == "account" else "")
        )
    return texts


def test_every_command_that_is_printed_does_what_it_promises(run: Run, tmp_path: Path) -> None:
    """Run in order, `fixes` make the verdict allow unless a reason has none; `server_fixes` then open the rest."""
    store = tmp_path / "accounts.toml"
    seen: set[str] = set()

    def ask(protocol: str) -> dict:  # type: ignore[type-arg]
        result = run("--file", str(store), "check", "o'neil@x.example", protocol, BRANCH, "--json")
        assert result.status in (0, 1)
        return json.loads(result.out)  # type: ignore[no-any-return]

    def obey(command: str) -> None:
        program, *arguments = shlex.split(command)
        assert program == "mailpolicy"
        done = run("--file", str(store), *arguments)
        assert done.status == 0, (command, done.err, store.read_text())

    def codes(verdict: dict) -> set[str]:  # type: ignore[type-arg]
        return {reason["code"] for reason in verdict["reasons"]}

    for text, protocol in product(stores(), ("pop", "imap", "multipop", "outlook-connector")):
        store.write_text(text)
        verdict = ask(protocol)
        for command in verdict["fixes"]:
            own = {reason["code"] for reason in verdict["reasons"] if reason["fix"] == command}
            before = codes(ask(protocol))
            assert own <= before
            if own == {"outside-lan"}:  # the alternatives open the same gate, one instead of the other
                confined = store.read_text()
                for alternative in verdict["alternatives"]:
                    obey(alternative)
                    assert codes(ask(protocol)) == before - own
                    store.write_text(confined)
            obey(command)
            assert codes(ask(protocol)) == before - own  # and no other gate has closed
            seen |= own
        helpless = {reason["code"] for reason in verdict["reasons"] if reason["fix"] is None}
        assert codes(ask(protocol)) == helpless, text
        for command in verdict["server_fixes"]:
            obey(command)
        # Outlook Connector can be switched on for an account only when the server has it.
        assert codes(ask(protocol)) == helpless & {"service-off"}, text
        for command in ask(protocol)["fixes"]:
            obey(command)
        assert ask(protocol)["allowed"], text
        seen |= helpless
    assert seen == set(Gate) - {"unknown-account"}


STORE = """\
version = 1
[server]
edition = "pro"
lan = ["10.0.0.0/8", "fd00::/8"]
[templates.confined]
pop_lan_only = true
imap_lan_only = true
[accounts."a@x.example"]
template = "confined"
pop = true
[accounts."b@x.example"]
template = "confined"
imap = true
[accounts."off@x.example"]
template = "confined"
[accounts."suspended@x.example"]
template = "confined"
pop = true
suspended = true
[accounts."anywhere@x.example"]
pop = true
"""


@pytest.mark.parametrize(
    ("ip", "entry"),
    [
        ("192.168.7.9", "192.168.7.9"),
        ("::ffff:192.168.7.9", "192.168.7.9"),
        ("fe80::1%eth0", "fe80::1"),
        ("169.254.1.1", "169.254.1.1"),
        ("fc12::1", "fc12::1"),
        ("203.0.113.9", None),
        ("100.64.0.1", None),
        ("2001:db8::1", None),
        ("::ffff:203.0.113.9", None),
        ("64:ff9b::a01:203", None),
    ],
)
def test_the_lan_is_offered_to_local_clients_only(ip: str, entry: str | None, run: Run, tmp_path: Path) -> None:
    store = tmp_path / "accounts.toml"
    store.write_text(STORE)
    named = ("--file", str(store))
    denied = run(*named, "check", "a@x.example", "pop", ip).out.splitlines()[2:]
    answer = json.loads(run(*named, "check", "a@x.example", "pop", ip, "--json").out)
    assert denied[0] == f"  fix: mailpolicy pop anywhere a@x.example --file {store}"
    assert answer["fixes"] == ["mailpolicy pop anywhere a@x.example"]
    for_now = "mailpolicy pop anywhere a@x.example --until +1d"
    assert denied[1] == f"  or: {for_now} --file {store}"
    if entry is None:
        assert denied[2:] == []
        assert answer["alternatives"] == [for_now]
        assert "lets_in" not in answer
        return
    assert denied[2:] == [f"  or: mailpolicy lan add {entry} --file {store}  # lets in 2 accounts"]
    assert answer["alternatives"] == [for_now, f"mailpolicy lan add {entry}"]
    assert answer["lets_in"] == 2  # of those that are LAN-only nothing else keeps these out
    before = run(*named, "who", "pop", "--from", entry).out + run(*named, "who", "imap", "--from", entry).out
    assert run(*shlex.split(denied[2], comments=True)[2:]).status == 0
    after = run(*named, "who", "pop", "--from", entry).out + run(*named, "who", "imap", "--from", entry).out
    assert len(after.splitlines()) - len(before.splitlines()) == 2
    assert run(*named, "check", "a@x.example", "pop", ip).out == "allow\n"


def test_what_only_the_server_can_change_is_the_last_step(run: Run, tmp_path: Path) -> None:
    store = tmp_path / "accounts.toml"
    store.write_text('version = 1\n[accounts."a@x.example"]\nsuspended = true\n')
    denied = run("--file", str(store), "check", "a@x.example", "multipop").out.splitlines()[4:]
    assert [line.replace(f" --file {store}", "") for line in denied] == [
        "  fix: mailpolicy account resume a@x.example",
        "  then: mailpolicy multipop on a@x.example",
        "  then, for the whole server: mailpolicy server set multipop on",
    ]


def test_an_allow_says_why(run: Run, store: Path) -> None:
    file = str(store)

    def granted(*asked: str) -> object:
        return json.loads(run("--file", file, "check", *asked, "--json").out)["granted_by"]

    def why(key: str, layer: str, line: int, network: str | None = None) -> dict[str, object]:
        name = "lan" if network is not None else None
        return {"key": key, "layer": layer, "file": file, "line": line, "network": network, "network_name": name}

    own = 'accounts."alice@example.com".pop'
    for ip, network in (("10.1.2.3", "10.0.0.0/8"), ("::ffff:10.1.2.3", "10.0.0.0/8"), ("fd00::1", "fd00::/8")):
        assert granted("alice@example.com", "pop", ip) == why(own, "account", 17, network)
    assert granted("bob@example.com", "imap", OUTSIDE) == why("defaults.imap", "defaults", 14)
    assert granted("bob@example.com", "pop", OUTSIDE) is None
    assert run("--file", file, "check", "alice@example.com", "pop", "10.1.2.3").out == "allow\n"
    assert run("--file", file, "check", "alice@example.com", "pop", "10.1.2.3", "--verbose").out == (
        f"allow\n  {file}:17: alice@example.com may use POP ({own}, account)\n"
        f"  {file}:7: 10.1.2.3 is in the LAN, in 10.0.0.0/8 (server.lan[0], server)\n"
    )


EXCEPTION = """\
version = 1
[server]
edition = "pro"
outlook_connector_installed = true
[accounts."a@x.example"]
pop = true
imap = true
[accounts."b@x.example"]
imap = true
"""


@pytest.mark.parametrize(
    ("before", "command", "protocol"),
    [
        ("imap off a@x.example --until 2099-06-30", "imap on a@x.example", "imap"),
        ("pop off a@x.example --until 2099-06-30", "pop anywhere a@x.example", "pop"),
        ("imap off a@x.example --until 2099-06-30", "outlook-connector on a@x.example", "outlook-connector"),
        ("imap off a@x.example --until 2099-06-30T12:00:00+02:00", "imap anywhere a@x.example", "imap"),
        (
            "imap off a@x.example b@x.example --until +2d",
            "outlook-connector on a@x.example b@x.example --until +2d",
            "outlook-connector",
        ),
    ],
)
def test_advice_about_an_exception_helps(before: str, command: str, protocol: str, run: Run, tmp_path: Path) -> None:
    store = tmp_path / "accounts.toml"
    store.write_text(EXCEPTION)
    assert run("--file", str(store), *before.split()).status == 0
    result = run("--file", str(store), *command.split())
    advice = [line for line in result.err.splitlines() if "  try: " in line or " off for a@x.example: " in line]
    assert run(*shlex.split(advice[0].split("mailpolicy ")[-1])).status == 0, result.err
    if result.status:
        assert run("--file", str(store), *command.split()).status == 0
    assert run("--file", str(store), "check", "a@x.example", protocol, "10.0.0.1").out == "allow\n"


def test_advice_for_exceptions_with_several_ends(run: Run, tmp_path: Path) -> None:
    store = tmp_path / "accounts.toml"
    store.write_text(EXCEPTION)
    named = ("--file", str(store))
    for address, day in (("a@x.example", "2099-06-30"), ("b@x.example", "2099-12-31")):
        assert run(*named, "imap", "off", address, "--until", day).status == 0
    for _ in range(2):
        refused = run(*named, "outlook-connector", "on", "a@x.example", "b@x.example")
        assert refused.status == 5
        assert run(*shlex.split(refused.err.splitlines()[-1])[2:]).status == 0
    assert run(*named, "outlook-connector", "on", "a@x.example", "b@x.example").status == 0


@pytest.mark.parametrize(
    ("exception", "at", "commands"),
    [
        ("until = 2026-11-20\npop = false", "2026-11-19", []),
        ("until = 2026-11-20\npop = false", "2026-11-21", ["mailpolicy pop on a@x.example"]),
        ("until = 2099-11-20\npop = false", "2098-11-19", ["mailpolicy pop on a@x.example --until 2099-11-20"]),
        ("until = 2026-11-20\npop = true\npop_lan_only = true", "2026-11-19", []),
    ],
)
def test_at_a_moment_only_what_opens_it_is_offered(
    exception: str, at: str, commands: list[str], run: Run, tmp_path: Path
) -> None:
    store = tmp_path / "accounts.toml"
    store.write_text(f'version = 1\n[accounts."a@x.example".temporary]\n{exception}\n')
    asked = ("check", "a@x.example", "pop", OUTSIDE, "--at", at)
    answer = json.loads(run("--file", str(store), *asked, "--json").out)
    assert (answer["fixes"], answer["alternatives"]) == (commands, [])
    for command in commands:
        assert run("--file", str(store), *shlex.split(command)[1:]).status == 0
        assert run("--file", str(store), *asked).status == 0
    assert "--until" not in run("--file", str(store), "check", "a@x.example", "pop", OUTSIDE, "--at", "2030-01-01").out
