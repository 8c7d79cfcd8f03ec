"""Validate the LAN, the named networks, and the lists that name them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from mailpolicy.diagnostics import KeyPath, Problem
from mailpolicy.policy import names
from mailpolicy.policy.account import EXTRA_LAN
from mailpolicy.policy.lan import EntryRejected, lan_entry
from mailpolicy.policy.model import LanEntry, NamedNetwork
from mailpolicy.policy.nearest import MAX_GUESSES, nearest
from mailpolicy.policy.networks import network_set
from mailpolicy.store.tables import check_name, type_name

_MAX_LISTED = 5  # networks that a message about an unknown one names
_ENTRY_CODES = {
    "not-a-network": "MP020",
    "host-bits": "MP021",
    "netmask": "MP022",
    "wildcard": "MP023",
    "leading-zeros": "MP024",
    "range": "MP025",
    "zone": "MP026",
    "too-large": "MP027",
}


def lan_entries(texts: list[Any], path: KeyPath, problems: list[Problem]) -> tuple[LanEntry, ...]:
    """Return the valid entries of the LAN or of a named network, and add a problem for each of the others."""
    entries = []
    for index, text in enumerate(texts):
        if type(text) is not str:
            problems.append(Problem("MP006", (*path, index), f"an entry must be a string, not {type_name(text)}"))
            continue
        try:
            entries.append(LanEntry(text, lan_entry(text), index))
        except EntryRejected as error:
            problems.append(Problem(_ENTRY_CODES[error.kind], (*path, index), str(error)))
    return tuple(entries)


def networks_of(tables: Mapping[str, Any], problems: list[Problem]) -> dict[str, NamedNetwork]:
    """Return the networks of [networks] by their names; one with an error has those of its entries that have none."""
    networks = {}
    for name, texts in tables.items():
        path = ("networks", name)
        check_name(names.network_name, name, "MP028", path, problems)
        entries: tuple[LanEntry, ...] = ()
        if type(texts) is list:
            entries = lan_entries(texts, path, problems)
        else:
            wanted = "must be an array of strings"
            problems.append(Problem("MP006", path, f"{names.short(name)} {wanted}, not {type_name(texts)}"))
        networks[name] = NamedNetwork(entries, network_set(network for entry in entries for network in entry.networks))
    return networks


def named_networks(
    listed: list[Any], path: KeyPath, known: Collection[str], problems: list[Problem]
) -> tuple[str, ...]:
    """Return the networks that a list names, as it is written, and add a problem for each name that there is not."""
    for index, name in enumerate(listed):
        if type(name) is not str:
            message = f"{EXTRA_LAN} names networks: write a string, not {type_name(name)}"
            problems.append(Problem("MP006", (*path, index), message))
        elif name not in known:
            message = (
                f"{EXTRA_LAN} names '{names.short(name)}', {_remedy(name, known, guess=len(problems) < MAX_GUESSES)}"
            )
            problems.append(Problem("MP029", (*path, index), message))
    return tuple(name for name in listed if type(name) is str and name in known)


def _remedy(name: str, known: Collection[str], *, guess: bool) -> str:
    if name == names.LAN:
        return "which it always admits: remove it"
    if re.search("[.:/*]", name):
        return f"but takes names of networks: mailpolicy network add NAME {_entry(name)}, and write NAME here"
    if guess and (meant := nearest(name, known)) is not None:
        return f"which is not in [networks], did you mean '{meant}'?"
    there = names.joined(sorted(known), "or") if 0 < len(known) <= _MAX_LISTED else "one that exists"
    return f"which is not in [networks]: add it there, or name {there}"


def _entry(text: str) -> str:
    try:
        lan_entry(text)
    except EntryRejected:
        return "ENTRY"
    return text
