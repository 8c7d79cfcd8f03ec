"""Every command that changes a store that is there is held against the cases of host.toml: found in the command tree."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from pathlib import Path

import pytest

from mailpolicy.cli import clock
from mailpolicy.cli.app import root
from mailpolicy.policy.access import Comparison
from mailpolicy.policy.model import Policy
from mailpolicy.policy.networks import NetworkSet
from mailpolicy.policy.service import Service
from mailpolicy.store.store import Store
from tests.cli.test_quiet import leaves, place
from tests.everything import EDITS, rows
from tests.helpers import Run
from tests.machine import ALICE, Machine

__all__ = ["place"]

# Commands with a dry run that change no store that is there.
UNGUARDED = {"init", "secrets init", "secrets move", "secrets rebind", "secrets rotate"}


def option_names(name: str) -> set[str]:
    command = root()
    for word in name.split():
        command = command.get_command(None, word)
    return {option for parameter in command.params for option in parameter.opts}


def is_guarded(line: str) -> bool:
    return not any(f"{line} ".startswith(f"{name} ") for name in UNGUARDED)


def give_cases(folder: Path, path: Path, text: str | None = None) -> None:
    """Let host.toml name a file of cases; it is missing if there is no text."""
    host = folder / "host.toml"
    host.write_text(f'cases = "{path}"\n' + host.read_text())
    if text is not None:
        path.write_text(text)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.suffix != ".lock"}


def cases_of(policy: Policy, addresses: Iterable[str]) -> str:
    """Every decision of a policy about these addresses as cases that hold."""
    found = []
    for address in addresses:
        for service in Service:
            admitted = policy.admitted(address, service)
            found += [
                _case(address, service, admitted, "allow"),
                _case(address, service, admitted.complement(), "deny"),
            ]
    return "".join(found)


def _case(address: str, service: Service, networks: NetworkSet, expect: str) -> str:
    if not networks:
        return ""
    listed = json.dumps([str(network) for network in networks.networks()])
    return f'[[case]]\naddress = "{address}"\nprotocol = "{service}"\nip = {listed}\nexpect = "{expect}"\n'


def test_every_command_with_a_dry_run_has_the_option() -> None:
    edits = {name for name in leaves(root()) if "--dry-run" in option_names(name)}
    assert {name for name in edits if "--no-cases" not in option_names(name)} == UNGUARDED


@pytest.mark.parametrize("line", rows(EDITS))
def test_without_usable_cases_no_edit_goes_through(run: Run, place: list[str], tmp_path: Path, line: str) -> None:
    give_cases(tmp_path, tmp_path / "cases-of-this-machine.toml")
    before = content(tmp_path)
    for more in (["--dry-run"], []):
        result = run(*place, *shlex.split(line), *more, "--json")
        if is_guarded(line):
            assert (result.status, json.loads(result.out)["code"]) == (5, "cases-unusable")
            assert content(tmp_path) == before
        else:
            assert result.status == 0


@pytest.mark.parametrize("line", [line for line in rows(EDITS) if is_guarded(line)])
def test_an_edit_is_refused_if_it_changes_a_decision_in_a_case(
    run: Run, place: list[str], tmp_path: Path, line: str
) -> None:
    store, words = tmp_path / "accounts.toml", [*place, *shlex.split(line)]
    files, old = content(tmp_path), Store.read(str(store)).policy()
    assert run(*words).status == 0
    new = Store.read(str(store)).policy()
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    broken = Comparison(old, new, clock.now).access_changes()
    give_cases(tmp_path, tmp_path / "guard.toml", cases_of(old.at_present(clock.now), {**old.accounts, **new.accounts}))
    before = content(tmp_path)
    for more in (["--dry-run"], []):
        result = run(*words, *more, "--json")
        assert (result.status, json.loads(result.out).get("code")) == ((5, "case-broken") if broken else (0, None))
        assert content(tmp_path) == before or not (more or broken)
    if broken:
        named = {case["address"] for case in json.loads(result.out)["cases"]}
        assert named == {change.address for change in broken}
        previewed = json.loads(run(*words, "--no-cases", "--json", "--dry-run").out)
        assert previewed["no_cases"] is True
        told = run(*words, "--no-cases", "--quiet")
        assert told.status == 0
        assert f"note: --no-cases: not held against {tmp_path}/guard.toml\n" in told.err
        assert Store.read(str(store)).policy() == new


def test_a_refused_edit_asks_no_keyring(changed: Machine) -> None:
    cases = _case(ALICE, Service.POP, NetworkSet([(bytes(4), bytes(4))]), "allow")
    give_cases(changed.folder, changed.folder / "cases.toml", cases)
    for command in (("account", "remove", ALICE), ("account", "rename", ALICE, "al@example.com")):
        result = changed.run(*command)
        assert result.status == 5
        assert "cases.toml:1: not changed" in result.err
    assert changed.calls() == []
    assert changed.run("account", "remove", ALICE, "--no-cases", "--yes").status == 0
    assert changed.calls()


def test_without_host_toml_there_are_no_cases(run: Run, store: Path, tmp_path: Path) -> None:
    (tmp_path / "host.toml").write_text("")
    give_cases(tmp_path, tmp_path / "missing.toml")
    words = ("pop", "off", ALICE, "--file", str(store), "--host-config")
    assert run(*words, str(tmp_path / "host.toml")).status == 5
    past = run(*words, "/dev/null")
    assert (past.status, past.err) == (0, "note: --host-config /dev/null: running without host.toml\n")
