"""Each system call of each command that changes a file fails, is cut short, or is where the process is killed.

Afterwards each file is the old one or the new one, the exit status says which, one sentence says what happened, and nothing is
left behind. What SIGKILL leaves is removed by the next edit.
"""

from __future__ import annotations

import errno
import signal
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.everything import rows
from tests.helpers import Result
from tests.real.proof.faults.commands import KINDS, LINES
from tests.real.proof.faults.site import Action, Fault, Site, site
from tests.real.proof.promises import Promise, Tried, scaled

pytestmark = pytest.mark.real

ERRORS = [errno.EIO, errno.ENOSPC, errno.EROFS, errno.EPERM, errno.EBUSY, errno.EINTR, errno.ESTALE]
LOOKING = {
    **dict.fromkeys(
        ("look", "fstat", "stat", "read", "lseek", "pread", "fgetxattr", "flistxattr"), (errno.EIO, errno.ESTALE)
    ),
    "close": (errno.EIO, errno.ENOSPC, errno.EINTR),
}
SIGNALS = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}
AFTER_A_KILL = ("key.next", "p.reload")
# What a command says that has done a part of its work.
PARTLY = (
    "is still in the keyring",
    "the master key was written, and",
    "may still be in the keyring",
    "nothing was deleted from",
    "all secrets were copied to",
    "cannot read the master key",  # which `secrets init` has just made
)


@pytest.fixture(scope="module")
def machine() -> Iterator[Site]:
    with site() as made:
        yield made


def faults(number: int, name: str) -> list[Fault]:
    """Every fault of a call that changes something; of one that only looks or closes an error and a signal in turn."""
    signals = [Fault(number, Action.SIGNAL, int(one)) for one in SIGNALS]
    if name in LOOKING:
        return [Fault(number, Action.FAIL, LOOKING[name][number % len(LOOKING[name])]), signals[number % 3]]
    found = [Fault(number, Action.FAIL, error) for error in ERRORS] + signals
    if name == "write":
        found += [Fault(number, Action.HALF), Fault(number, Action.HALF_KILL)]
    return found


def chosen(command: str, calls: list[str]) -> Iterator[tuple[Fault, str]]:
    """All faults of a command that stands for its kind, one fault a call of the others; in the short form a part of them."""
    names = [call.split()[0].removesuffix("64") for call in calls]
    every = [(fault, calls[number - 1]) for number, name in enumerate(names, 1) for fault in faults(number, name)]
    stride = scaled(1, 97) if command in rows(KINDS) else scaled(11, 331)
    yield from every[LINES.index(command) % stride :: stride]


@pytest.mark.parametrize("command", LINES)
def test_old_or_new(machine: Site, tried: Tried, command: str) -> None:
    calls = machine.calls(command)
    new = machine.state()
    machine.put_back()
    old = machine.state()
    assert old != new
    counts: Counter[str] = Counter()
    for fault, call in chosen(command, calls):
        machine.put_back()
        result = machine.run(command, fault)
        require_right(machine, old, new, fault, call, result)
        if result.status == -signal.SIGKILL:
            machine.require_next_edit(command, (fault, call))
        counts[fault.action.name] += 1
    for action, what in (
        ("FAIL", "system calls that fail"),
        ("SIGNAL", "signals at a system call: SIGKILL, SIGTERM, SIGINT"),
        ("HALF", "short writes"),
        ("HALF_KILL", "kills in the middle of a write"),
    ):
        if counts[action]:
            tried(Promise.WHOLE, counts[action], what)


def require_right(
    machine: Site, old: dict[str, object], new: dict[str, object], fault: Fault, call: str, result: Result
) -> None:
    """The files, the status and the sentence are right."""
    facts = (fault, call, result)
    state = machine.state()
    killed = result.status == -signal.SIGKILL
    assert killed is (
        fault.action is Action.HALF_KILL or (fault.action, fault.value) == (Action.SIGNAL, signal.SIGKILL)
    ), facts
    pending = state.pop("accounts.toml.pending", None)
    for name in old.keys() | new.keys():
        assert is_one_of(state.get(name), old.get(name), new.get(name)), (name, facts)
    extra = {name for name in state if name not in old and name not in new}
    if killed:
        extra -= {*machine.temporary_files(), *AFTER_A_KILL}
    if is_sealed_anew(old, state):
        extra.discard("key.next")  # it opens the secrets, and the next rotation goes on with it
    if "p" in new:
        extra.discard("p.reload")  # the next `deploy` reloads
    assert not {name for name in extra if not name.startswith("accounts.toml.edit-")}, (extra, facts)
    changed = {name for name in old.keys() | new.keys() if state.get(name) != old.get(name)}
    complete = all(is_one_of(state.get(name), new[name]) for name in new)
    if (
        {"accounts.toml", "secrets"} <= {name for name in new if new[name] != old.get(name)}
        and changed
        and not complete
    ):
        assert pending, (
            facts
        )  # a store without its secrets, or secrets without their store, are noted for the next edit
    if fault.action is Action.FAIL:
        assert result.status in (0, 2, 3, 6, 7, 8) or (result.status == 5 and "nothing was written" in result.err), (
            facts
        )
    elif fault.action is Action.HALF:
        assert result.status == 0, facts
    elif not killed:
        assert result.status in (0, SIGNALS[signal.Signals(fault.value)]), facts
    errors = sum(line.startswith("mailpolicy: ") for line in result.err.splitlines())
    if result.status == 0:
        complete |= "host.toml.secrets" in new and "host.toml.secrets" not in state  # only warns of older copies later
        assert complete, facts
        assert errors == 0, facts
        assert not pending or "the note of this change could not be removed" in result.err, facts
    elif result.status > 0 and result.status not in SIGNALS.values():
        assert errors == 1, facts
        if result.status == 8:
            assert changed, facts
        elif changed and "p" not in new:  # `deploy` tells of each export by itself
            assert any(words in result.err + result.out for words in PARTLY), (changed, facts)


def is_sealed_anew(old: dict[str, object], state: dict[str, object]) -> bool:
    """Whether the secrets are sealed with another key than before."""
    before, now = old["secrets"], state["secrets"]
    return isinstance(before, tuple) and isinstance(now, tuple) and before[1] != now[1]


def is_one_of(found: object, *wanted: object) -> bool:
    """Whether a file is one of these; secrets under whatever key, as each rotation makes one.

    Secrets are copied, then the store is changed, then the old ones are deleted: in between there are both.
    """
    if not isinstance(found, tuple):
        return found in wanted
    secrets = [one[0]["mailpolicy"] for one in wanted if isinstance(one, tuple)]
    return found[0]["mailpolicy"] in [*secrets, {user: value for one in secrets for user, value in one.items()}]
