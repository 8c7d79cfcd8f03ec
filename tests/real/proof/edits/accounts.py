"""Edits of whole accounts, with the trees that they are to make."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

from tests.real.proof.edits.documents import Choices
from tests.real.proof.edits.model import (
    KEYS,
    NEW,
    RESTRICTED,
    Edit,
    Model,
    Tree,
    closing,
    narrow,
    one_of,
    targets_of,
    write,
)


def _options(choices: Choices, model: Model) -> tuple[list[str], Tree]:
    words: list[str] = []
    keys: Tree = {}
    if model.templates and choices.one_in(2):
        name = choices.pick(list(model.templates))
        words, keys = ["--template", name], {"template": name}
    for service in choices.some(("pop", "imap", "multipop"), 3):
        how = choices.pick(["on", "off", "lan-only"] if service != "multipop" else ["on", "off"])
        words += [f"--{service}", how]
        keys |= {service: how != "off", **({f"{service}_lan_only": True} if how == "lan-only" else {})}
    if choices.one_in(3):
        login = choices.pick(["eve", "größe", "it's"])
        words, keys = [*words, "--login", login], {**keys, "smart_host_login": login}
    return words, keys


def add(choices: Choices, model: Model) -> Edit | None:
    new = [address for address in choices.some(NEW, 2, 1) if address not in model.addresses]
    if not new:
        return None
    words, keys = _options(choices, model)
    for address in new:
        model.accounts[address] = dict(keys)
    return Edit(("account", "add", *new, *words), [model.tree], back=("account", "remove", *new, "--yes"))


def change(choices: Choices, model: Model) -> Edit | None:
    targets = targets_of(choices, model)
    words, keys = _options(choices, model)
    if targets is None or not keys:
        return None
    for address in targets[1]:
        write(model.account(address), keys)
        narrow(model.account(address), closing({key: value for key, value in keys.items() if isinstance(value, bool)}))
    return Edit(("account", "set", *targets[0], *words), [model.tree])


def copy(choices: Choices, model: Model) -> Edit | None:
    new = choices.pick(NEW)
    if (source := one_of(choices, model)) is None or new in model.addresses:
        return None
    shared = {*KEYS.values(), *(f"{service}_lan_only" for service in RESTRICTED), "template", "extra_lan"}
    model.accounts[new] = {key: value for key, value in model.account(source).items() if key in shared}
    return Edit(("account", "copy", source, new), [model.tree], back=("account", "remove", new, "--yes"))


def remove(choices: Choices, model: Model) -> Edit | None:
    if not model.addresses:
        return None
    gone = choices.some(list(model.addresses), 2, 1)
    for address in gone:
        del model.accounts[model.addresses[address]]
    return Edit(("account", "remove", *gone, "--yes"), [model.tree])


def rename(choices: Choices, model: Model) -> Edit | None:
    if (old := one_of(choices, model)) is None:
        return None
    new = choices.pick(["eve@x.example", "zoe@new.example", "bob@x.example"])
    if new in model.addresses:
        return Edit(("account", "rename", old, new), [] if new != old else [model.tree])
    key = model.addresses[old]
    model.tree["accounts"] = {new if one == key else one: table for one, table in model.accounts.items()}
    return Edit(("account", "rename", old, new), [model.tree], {("accounts", key): ("accounts", new)})


def domain(choices: Choices, model: Model) -> Edit | None:
    old, new = choices.pick([("x.example", "z.example"), ("y.example", "x.example"), ("x.example", "new.example")])
    names = {
        address: address.replace(f"@{old}", f"@{new}") for address in model.addresses if address.endswith(f"@{old}")
    }
    if not names:
        return None
    if set(names.values()) & model.addresses.keys():
        return Edit(("domain", "rename", old, new), [])
    renamed = {model.addresses[address]: name for address, name in names.items()}
    model.tree["accounts"] = {renamed.get(key, key): table for key, table in model.accounts.items()}
    return Edit(
        ("domain", "rename", old, new, "--yes"),
        [model.tree],
        {("accounts", key): ("accounts", name) for key, name in renamed.items()},
    )


def suspend(choices: Choices, model: Model) -> Edit | None:
    if (targets := targets_of(choices, model)) is None:
        return None
    verb = choices.pick(["suspend", "resume"])
    fresh = not any("suspended" in model.account(address) for address in targets[1])
    for address in targets[1]:
        write(model.account(address), {"suspended": True if verb == "suspend" else None})
    back = ("account", "resume", *targets[0]) if verb == "suspend" and fresh else None
    return Edit(("account", verb, *targets[0]), [model.tree], back=back)


def expire(choices: Choices, model: Model) -> Edit | None:
    if (targets := targets_of(choices, model)) is None:
        return None
    words, value = choices.pick([
        (("--last-day", "2026-12-31"), date(2026, 12, 31)),
        (("--at", "2026-12-31T18:00:00+01:00"), datetime(2026, 12, 31, 18, tzinfo=UTC) - timedelta(hours=1)),
        (("--never",), None),
    ])  # fmt: skip
    for address in targets[1]:
        write(model.account(address), {"expires": value})
    return Edit(("account", "expire", *targets[0], *words), [model.tree])


def apply(choices: Choices, model: Model) -> Edit | None:
    rows = []
    for address in choices.some(list(dict.fromkeys([*model.addresses, *NEW])), 3, 1):
        row: Tree = {}
        for key in choices.some(
            ("pop", "imap", "pop_lan_only", "suspended", "smart_host_login", "template", "expires"), 3
        ):
            match key:
                case "smart_host_login":
                    row[key] = choices.pick(["planned", None])
                case "template":
                    row[key] = choices.pick([*model.templates, None])
                case "suspended":
                    row[key] = choices.pick([True, None])
                case "expires":
                    row[key] = choices.pick(["2027-01-31", None])
                case _:
                    row[key] = choices.pick([True, False, None])
        rows.append({"address": address, **row})
        if "expires" in row:
            row["expires"] = date(2027, 1, 31) if row["expires"] else None
        if address not in model.addresses:
            model.accounts[address] = {key: value for key, value in row.items() if value is not None}
            continue
        account = model.account(address)
        changed = {key: value for key, value in row.items() if account.get(key) != value and isinstance(value, bool)}
        write(account, row)
        narrow(account, closing({key: value for key, value in changed.items() if key != "suspended"}))
    return Edit(("apply", "PLAN", "--yes"), [model.tree], plan="".join(f"{json.dumps(row)}\n" for row in rows))
