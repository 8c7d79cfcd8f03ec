"""Undo of any edit, on stores in every style that people write: the policy is back, and the bytes where that is promised."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailpolicy.edit import accounts, lan, networks, services, templates, undo
from mailpolicy.edit.history import changes, entries
from mailpolicy.edit.history.journal import Journal
from mailpolicy.edit.plan import Plan, Planner, TreePlanner
from mailpolicy.edit.selection import Selection
from mailpolicy.edit.transaction import transact
from mailpolicy.errors import NotFound, Refused
from mailpolicy.policy.model import Policy
from mailpolicy.policy.service import Service
from mailpolicy.store.store import Store
from mailpolicy.system.digests import digest
from mailpolicy.system.held import without_lock
from tests.helpers import now
from tests.policy.trees import trees
from tests.stores import ADDRESS, store_text

JOURNAL = Journal("root", None, "mailpolicy something", now)

Change = Callable[[Policy], Plan]


@st.composite
def edits(draw: st.DrawFn) -> tuple[Change, bool]:
    """A command of an ordinary day, and whether its undo gives the original bytes."""
    address, other = draw(ADDRESS), draw(ADDRESS)
    service = draw(st.sampled_from([Service.POP, Service.IMAP, Service.MULTIPOP]))
    verb = draw(st.sampled_from([services.Verb.ON, services.Verb.OFF]))
    both = Selection(tuple(dict.fromkeys((address, other))))
    found: list[tuple[Change, bool]] = [
        (lambda policy: services.switch(policy, service, verb, both), True),
        (lambda policy: services.switch(policy, service, services.Verb.INHERIT, both), False),
        (lambda policy: accounts.suspend(policy, both), True),
        (lambda policy: accounts.add(policy, ["eve@y.example"], {"pop": True}), True),
        (lambda policy: accounts.remove(policy, both, if_exists=False), False),
        (lambda policy: accounts.rename(policy, address, "zoe@z.example"), False),
        (lambda policy: lan.add(policy, ("192.168.0.0/24",)), True),
        (lambda policy: lan.remove(policy, ("10.0.0.0/8",)), False),
        (lan.reset, False),
        (lambda policy: templates.add(policy, "staff"), False),
        (lambda policy: networks.add(policy, "office", ("192.0.2.0/24",)), False),
        (lambda policy: services.switch(policy, service, verb, Selection(in_defaults=True)), False),
    ]
    return draw(st.sampled_from(found))


def plain(policy: Policy) -> Policy:
    """A policy whose lists are in one order."""
    listed = sorted(entry._replace(position=0) for entry in policy.server.lan_entries)
    return policy._replace(server=policy.server._replace(lan_entries=tuple(listed)))


def read(path: Path) -> entries.History:
    with without_lock(str(path)) as held:
        return entries.read(held, digest(path.read_bytes()))


def carry_out(path: Path, planner: Planner) -> bool:
    store = Store.read(str(path))
    return transact(store, planner, now, journal=JOURNAL).changed


def take_back(path: Path) -> None:
    entry = undo.chosen(read(path), None)
    undo.refuse_unusable(read(path), entry)
    carry_out(path, TreePlanner(lambda store: undo.plan(store, entry, lambda: read(path))))


@settings(
    max_examples=int(os.environ.get("MAILPOLICY_EXAMPLES", "150")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(text=store_text(), made=st.lists(edits(), min_size=1, max_size=4))
def test_undo_gives_back_the_policy_and_the_bytes(text: str, made: list[tuple[Change, bool]]) -> None:
    """Several edits, then as many undos: each is the way back to the text before."""
    folder = Path(tempfile.mkdtemp())
    try:
        path = folder / "accounts.toml"
        path.write_bytes(text.encode())
        before: list[tuple[bytes, bool]] = []
        for change, bytes_too in made:
            content = path.read_bytes()
            try:
                if carry_out(path, change):
                    before.append((content, bytes_too))
            except (Refused, NotFound):
                assert path.read_bytes() == content
        if not before:
            return
        exact = True
        for content, bytes_too in reversed(before):
            try:
                take_back(path)
            except Refused as error:
                assert error.code == "needs-hand-edit"  # the whole plan, and nothing is written
                return
            exact = exact and bytes_too
            assert plain(Store.read(str(path)).policy()) == plain(Store(str(path), content).policy())
            if exact:
                assert path.read_bytes() == content
        with pytest.raises(Refused):
            undo.chosen(read(path), None)
    finally:
        shutil.rmtree(folder)


@given(trees(), trees())
def test_changes_lead_from_one_tree_to_the_other_and_back(old: dict[str, object], new: dict[str, object]) -> None:
    """Also through JSON, and for trees that have nothing to do with each other."""
    import json

    from mailpolicy.edit.tree import apply_operations

    written = json.loads(json.dumps([changes.as_json(change) for change in changes.find(old, new)]))
    there = [changes.from_json(value) for value in written]
    assert there == changes.find(old, new)
    for tree, steps, wanted in ((old, there, new), (new, [*map(changes.inverse, there)], old)):
        operations = [operation for change in steps for operation in undo._operations(tree, change)]
        assert not changes.find(apply_operations(tree, operations), wanted) or _only_order(
            apply_operations(tree, operations), wanted
        )


def _only_order(one: object, other: object) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return all(_only_order(one.get(key) or {}, other.get(key) or {}) for key in {**one, **other})
    if isinstance(one, list) and isinstance(other, list):
        return sorted(one) == sorted(other)
    return one == other


def test_a_journal_that_is_exchanged_between_two_looks(tmp_path: Path) -> None:
    path = tmp_path / "accounts.toml"
    path.write_text('version = 1\n[accounts."ann@x.example"]\n')
    assert carry_out(path, lambda policy: accounts.suspend(policy, Selection(("ann@x.example",))))
    [entry] = read(path).entries
    assert carry_out(path, lambda policy: accounts.resume(policy, Selection(("ann@x.example",))))
    with pytest.raises(Refused, match="was changed since, and the journal does not say by whom"):
        undo.plan(Store.read(str(path)), entry, lambda: entries.History("log", [], []))
