"""A power loss at each moment of each command that changes a file: what may be on the disk then is the old file or the new one.

After a command that ended with 0 it is the new one, whatever the disk had not done yet.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mailpolicy.errors import KeyringError
from mailpolicy.sealed.format import Key, unseal
from tests.everything import rows
from tests.real.proof.faults.commands import KINDS, LINES
from tests.real.proof.faults.power import Disk, State, operations
from tests.real.proof.faults.site import Site, site
from tests.real.proof.promises import Promise, Tried, scaled

pytestmark = pytest.mark.real

# What `deploy` and edits note for themselves; a note that a power loss takes is made again, or is none.
NOTES = ("host.toml.deployed", "host.toml.secrets", "accounts.toml.log", "fresh.toml.log")
KEYS = ("key", "key.next", "otherkey")


@pytest.fixture(scope="module")
def machine() -> Iterator[Site]:
    with site() as made:
        yield made


@pytest.mark.parametrize("command", LINES)
def test_old_or_new(machine: Site, tried: Tried, command: str) -> None:
    machine.put_back()
    old = machine.files()
    disk = Disk(machine.folder)
    record = machine.outside / "record"
    result = machine.run(command, record=record)
    assert result.status == 0, result
    new = machine.files()
    done = operations(record)
    assert {"write", "sync"} <= {operation.what for operation in done}
    seen: dict[frozenset[tuple[str, bytes]], State] = {}
    moments = 0
    for number, operation in enumerate(done, 1):
        disk.apply(operation)
        for state in disk.after_a_loss():
            moments += 1
            seen.setdefault(frozenset(state.items()), state)
            require_old_or_new(old, new, state, (command, number, operation.what, operation.one, operation.two))
    for state in disk.after_a_loss():  # the command has said that it is done
        require_new(old, new, state, command)
    tried(Promise.POWER, moments, "states of the disk after a power loss")
    whole = command in rows(KINDS)
    tried_again = list(seen.values())[:: scaled(1, 40) if whole else scaled(10, 400)]
    for state in tried_again:
        machine.become(state)
        machine.require_next_edit(command, sorted(state))
    tried(Promise.POWER, len(tried_again), "of them in which the next edit was made")


def require_old_or_new(old: State, new: State, state: State, facts: object) -> None:
    """Each file is old or new; the secrets can be opened."""
    for name in (old.keys() | new.keys()) - {*NOTES, *KEYS, "secrets", "other"}:
        if not name.endswith((".lock", ".pending", ".reload")):
            assert state.get(name) in (old.get(name), new.get(name)), (name, state.get(name), facts)
    for name in ("secrets", "other"):
        if name in state:
            found = opened(state, name)
            assert found in possible(old, new, name), (name, facts)


def require_new(old: State, new: State, state: State, facts: object) -> None:
    """Everything is new."""
    for name in (old.keys() | new.keys()) - {*KEYS}:
        if not name.endswith((".lock", ".pending", ".reload")):
            assert state.get(name) == new.get(name), (name, facts)
    opened(state, "secrets")


def opened(state: State, name: str) -> object:
    """What is sealed in a file, with one of the keys beside it."""
    for key in KEYS:
        if key in state and len(state[key]) == 32:
            try:
                return unseal(name, Key(state[key]), state[name])
            except KeyringError:
                continue
    raise AssertionError(f"no key opens {name}")


def possible(old: State, new: State, name: str) -> list[object]:
    """The secrets that may be found: the old ones, the new ones, and both, as each is copied before one is deleted."""
    known = [opened(files, name) for files in (old, new) if name in files]
    both: dict[str, dict[str, str]] = {}
    for services in known:
        assert isinstance(services, dict)
        for service, secrets in services.items():
            both.setdefault(service, {}).update(secrets)
    return [*known, both]
