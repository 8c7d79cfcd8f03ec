"""The next edit of an editor: one that can be carried out on its part of the store as it is now."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path

from tests.real.proof.updates import accounts, tables
from tests.real.proof.updates.own import Own, Step, is_about

_DRAWN: list[Callable[[random.Random, Own], Step | None]] = [
    *(accounts.add, accounts.copy, accounts.remove, accounts.rename, accounts.rename_domain, accounts.apply),
    *(accounts.set_keys, accounts.set_keys, accounts.set_keys, accounts.until, accounts.take_over),
    *(tables.template, tables.network, tables.network, tables.lan, tables.source, tables.login, tables.login),
]


def step(drawn: random.Random, own: Own) -> tuple[Step, Own]:
    """Return a command that can be carried out, and what the part is after it."""
    while True:
        made = drawn.choice(_DRAWN)(drawn, own)
        if made is not None:
            after = copy.deepcopy(own)
            made.change(after)
            return made, after


def undo(store: Path, own: Own, before: Own) -> tuple[Step, Own]:
    """Return the undoing of the newest edit of this editor, which made `own` of `before`."""
    entries = [json.loads(line) for line in store.with_name(f"{store.name}.log").read_text().splitlines()]
    newest = next(
        entry
        for entry in reversed(entries)
        if "changes" in entry and is_about(json.dumps(entry["changes"]), own.number)
    )
    return Step(["undo", newest["id"], "--yes"], lambda after: None), before


def after_undo(own: Own, before: Own, found: dict[str, str]) -> dict[str, str]:
    """Return the passwords after an undo: those found, if none is missing and none is too many.

    One that was removed or replaced is not brought back, and one moves along with its account.
    """
    with_login = {address for address, table in before.accounts.items() if "smart_host_login" in table}
    kept = {address: password for address, password in own.passwords.items() if address in with_login}
    moved = {address: password for address, password in found.items() if password in own.passwords.values()}
    return {**{address: moved[address] for address in moved if address in with_login}, **kept}
