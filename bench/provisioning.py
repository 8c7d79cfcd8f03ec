"""The promises about many accounts at once: plans, imports, and passwords.

Promises: each run is looked at: it changed as many accounts as it should have. Not promised: quiet neighbours.
"""

from __future__ import annotations

import json
from itertools import cycle
from pathlib import Path

import stores
from bars import FEW, GREAT_MANY, MANY, require, stored, tree_of
from passwords import sealed
from table import Bar, mebibytes, milliseconds, spaced
from timing import MAILPOLICY, mailpolicy, peak, told, turns

_PASSWORDS = 1_000
_PEER = "`tomli.loads` of the same store"


def plan(folder: Path) -> list[Bar]:
    """A plan of very many rows that changes every tenth account, there and back, against only reading the store."""
    store, plans = stored(folder, GREAT_MANY), _plans(folder, GREAT_MANY)
    turn, out = cycle(plans), folder / "out"

    def applied() -> float:
        seconds = mailpolicy("apply", next(turn), "--file", store, "--no-cache", output=out)
        changed = out.read_text(encoding="utf-8").count("\tchanged\n")
        require(changed == GREAT_MANY // 10, f"{changed} accounts were changed")
        return seconds

    mailpolicy("apply", plans[1], "--file", store)
    rounds = turns(4, applied, lambda: mailpolicy("--version"), lambda: float(told("toml_loads", store)["seconds"]))
    what = f"`apply` of {spaced(GREAT_MANY)} rows, every tenth changes an account"
    pairs = [(all_of_it - start, loads) for all_of_it, start, loads in rounds]
    small, small_plan = stored(folder, MANY, "small"), _plans(folder, MANY)[0]
    start = peak([MAILPOLICY, "--version"])
    command: list[str | Path] = [MAILPOLICY, "apply", "--dry-run", "--quiet", "--no-cache"]
    tenfold = GREAT_MANY // MANY
    memory = [
        (
            peak([*command, plans[0], "--file", store]) - start,
            tenfold * (peak([*command, small_plan, "--file", small]) - start),
        )
        for _ in range(2)
    ]
    return [
        Bar(f"{what}, less `mailpolicy --version`", 10, True, pairs, _PEER, milliseconds),
        Bar(f"{what}: peak memory", 1.1, True, memory, f"{tenfold} times that of {spaced(MANY)}", mebibytes),
    ]


def mdaemon(folder: Path) -> list[Bar]:
    """Very many accounts out of an account CSV, against only reading the store that they make."""
    store, exported = folder / "new.toml", folder / "mdaemon.csv"
    lines = ['"MailBox","Domain","FullName","Password","AllowAccess","EnableMultiPOP","MaxDiskSpace"\n']
    for address in stores.addresses(GREAT_MANY):
        local, _, domain = address.partition("@")
        lines.append(f'"{local}","{domain}","Somebody","",Y,N,0\n')
    exported.write_text("".join(lines), encoding="utf-8")

    def imported() -> float:
        store.write_text("version = 1\n", encoding="utf-8")
        seconds = mailpolicy("import", "mdaemon", exported, "--file", store, "--no-cache")
        require(len(tree_of(store)["accounts"]) == GREAT_MANY, "not every account was imported")
        return seconds

    rounds = turns(4, imported, lambda: mailpolicy("--version"), lambda: float(told("toml_loads", store)["seconds"]))
    what = f"`import mdaemon` of {spaced(GREAT_MANY)} accounts, less `mailpolicy --version`"
    pairs = [(all_of_it - start, loads) for all_of_it, start, loads in rounds]
    return [Bar(what, 10, True, pairs, _PEER, milliseconds)]


def logins(folder: Path) -> list[Bar]:
    """A thousand passwords into a sealed file at once, against one."""
    store, place = stored(folder, _PASSWORDS), sealed(folder, FEW)
    accounts, machine = stores.addresses(_PASSWORDS), ("--host-config", place / "host.toml")
    listed, passwords = [], []
    for name in ("one", "two"):
        rows = ({"address": address, "login": "relay", "password": f"the password {name}"} for address in accounts)
        listed.append(folder / f"{name}.ndjson")
        listed[-1].write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        passwords.append(folder / name)
        passwords[-1].write_text(f"the only password {name}", encoding="utf-8")
    many, one = cycle(listed), cycle(passwords)
    only = ("smart-host", "set", accounts[0], "--login", "relay", "--file", store, *machine)

    def all_of_them() -> float:
        before = (place / "secrets").read_bytes()
        seconds = mailpolicy("smart-host", "import", "-", "--file", store, *machine, source=next(many))
        require((place / "secrets").read_bytes() != before, "nothing was set")
        return seconds

    rounds = turns(20, all_of_them, lambda: mailpolicy(*only, "--password-file", next(one)))
    pairs = [(ours, single) for ours, single in rounds]
    what = f"`smart-host import` of {spaced(_PASSWORDS)} passwords into the sealed file"
    return [Bar(what, 3, True, pairs, "one `smart-host set`", milliseconds)]


def _plans(folder: Path, accounts: int) -> list[Path]:
    """Two plans for a store of that many accounts, which switch MultiPOP of every tenth one on, and off."""
    paths = []
    for name in ("on", "off"):
        rows = (
            f"{address},{name if number % 10 == 0 else ''}\n"
            for number, address in enumerate(stores.addresses(accounts))
        )
        paths.append(folder / f"{name}-{accounts}.csv")
        paths[-1].write_text("address,multipop\n" + "".join(rows), encoding="utf-8")
    return paths


ALL = {"apply": plan, "import-mdaemon": mdaemon, "import-logins": logins}
