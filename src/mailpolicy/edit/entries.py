"""Add entries to a list of networks, the LAN or a named network, and remove them.

Entries are compared as networks and not as text, and a list is judged as it is after the whole command.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mailpolicy.edit.operations import Amend, Operation, Path, Put, PutList
from mailpolicy.edit.plan import Plan, Result
from mailpolicy.policy.lan import lan_entry
from mailpolicy.policy.model import LanEntry
from mailpolicy.policy.networks import Network, network_set

_ONE_LINE = 80  # characters of a new list that stands on one line


class EntryList(NamedTuple):
    """A list of entries: its key, its subject in results, its name in sentences, and its entries; None if not written."""

    path: Path
    subject: str
    place: str
    entries: tuple[LanEntry, ...] | None

    def change(self, plan: Plan, operation: Operation, new: Sequence[str]) -> None:
        """Plan an operation that makes the list `new`."""
        old = [entry.text for entry in self.entries] if self.entries is not None else None
        plan.change(operation, None, ".".join(self.path), old, list(new))


def add(plan: Plan, listed: EntryList, texts: tuple[str, ...]) -> list[LanEntry]:
    """Plan new entries, and return them. An entry that the list or another argument already contains is not added."""
    existing = list(listed.entries or ())
    named = [LanEntry(text, lan_entry(text)) for text in texts]
    fresh: list[LanEntry] = []
    for entry in named:
        same, wider = _find([*existing, *fresh], entry.networks)
        wider = wider or _find(named, entry.networks)[1]
        covered = same is not None or wider is not None
        inside = f", inside {wider.text}" if same is None and wider is not None else ""
        plan.results.append(Result(listed.subject, entry.text, f"in {listed.place}{inside}", not covered))
        if not covered:
            fresh.append(entry)
    if fresh:
        added = tuple(entry.text for entry in fresh)
        new = [entry.text for entry in (*existing, *fresh)]
        listed.change(plan, _addition(listed, added, tuple(new)), new)
    return fresh


def _addition(listed: EntryList, added: tuple[str, ...], new: tuple[str, ...]) -> Operation:
    if listed.entries is not None:
        return Amend(listed.path, (), added, new)
    return Put(listed.path, added) if sum(map(len, added)) <= _ONE_LINE else PutList(listed.path, added)


def remove(plan: Plan, listed: EntryList, texts: tuple[str, ...]) -> list[LanEntry]:
    """Plan the removal of entries, and return those that are left; warn if they still contain addresses of these."""
    entries = listed.entries or ()
    named = [LanEntry(text, lan_entry(text)) for text in texts]
    # Compared as sets of addresses: 10.0.0.0/8 and 10.*.*.* are the same entry.
    wanted = {network_set(entry.networks) for entry in named}
    gone = tuple(index for index, entry in enumerate(entries) if network_set(entry.networks) in wanted)
    kept = [entry for index, entry in enumerate(entries) if index not in gone]
    left = network_set(network for entry in kept for network in entry.networks)
    for text, networks in ((entry.text, network_set(entry.networks)) for entry in named):
        removed = any(network_set(entries[index].networks) == networks for index in gone)
        through = [entry.text for entry in kept if network_set(entry.networks) & networks]
        if not through:
            plan.results.append(Result(listed.subject, text, f"not in {listed.place}", removed))
            continue
        whole = networks <= left
        state = f"still in {listed.place}" if whole else f"partly in {listed.place}"
        plan.results.append(Result(listed.subject, text, state, removed))
        still = "still" if whole else "still partly"
        plan.notes.append(f"warning: {text} is {still} in {listed.place}, through {', '.join(through)}")
    if gone:
        new = tuple(entry.text for entry in kept)
        listed.change(plan, Amend(listed.path, gone, (), new), new)
    return kept


def _find(entries: list[LanEntry], networks: tuple[Network, ...]) -> tuple[LanEntry | None, LanEntry | None]:
    """Return the entry that is the same network, and one that is wider."""
    wanted = network_set(networks)
    sets = [(entry, network_set(entry.networks)) for entry in entries]
    same = next((entry for entry, existing in sets if existing == wanted), None)
    wider = next((entry for entry, existing in sets if wanted <= existing != wanted), None)
    return same, wider
