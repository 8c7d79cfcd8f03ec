"""Edits of what one editor alone edits, in a store that others edit too."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from datetime import date
from typing import Any, NamedTuple

Tree = dict[str, Any]
Step = tuple[list[str], Callable[["Own"], None]]


class Own(NamedTuple):
    """The part of a store that belongs to editor `number`."""

    number: int
    accounts: Tree
    templates: Tree
    networks: Tree
    lan: list[str]

    @property
    def domain(self) -> str:
        return f"e{self.number}.example"


def own_part(tree: Tree, number: int) -> Own:
    """Return what belongs to an editor, in a store's tree."""
    end = f"@e{number}.example"
    return Own(
        number,
        # An empty list says "none of those that others inherit", where there are any.
        {
            key: {name: value for name, value in table.items() if (name, value) != ("extra_lan", [])}
            for key, table in tree["accounts"].items()
            if key.endswith(end)
        },
        {name: table for name, table in tree.get("templates", {}).items() if name.startswith(f"t{number}")},
        {name: entries for name, entries in tree.get("networks", {}).items() if name.startswith(f"n{number}")},
        [entry for entry in tree["server"]["lan"] if entry.startswith(f"172.{16 + number}.")],
    )


def step(drawn: random.Random, own: Own) -> tuple[list[str], Own]:
    """Return a command that can be carried out, and what it makes of the part."""
    while True:
        made = drawn.choice(STEPS)(drawn, own)
        if made is not None:
            after = copy.deepcopy(own)
            made[1](after)
            return made[0], after


def _addresses(own: Own) -> list[str]:
    return list(own.accounts)


def _add(drawn: random.Random, own: Own) -> Step | None:
    address = f"u{drawn.randrange(6)}@{own.domain}"
    if address in own.accounts:
        return None
    return ["account", "add", address, "--pop", "lan-only"], lambda after: after.accounts.update(
        {address: {"pop": True, "pop_lan_only": True}}
    )


def _copy(drawn: random.Random, own: Own) -> Step | None:
    new = f"c{drawn.randrange(3)}@{own.domain}"
    if not own.accounts or new in own.accounts:
        return None
    source = drawn.choice(_addresses(own))
    kept = {
        key: value
        for key, value in own.accounts[source].items()
        if key not in ("suspended", "expires", "temporary", "sources")
    }
    return ["account", "copy", source, new], lambda after: after.accounts.update({new: kept})


def _remove(drawn: random.Random, own: Own) -> Step | None:
    if len(own.accounts) < 3:
        return None
    gone = drawn.sample(_addresses(own), 2)

    def remove(after: Own) -> None:
        for address in gone:
            del after.accounts[address]

    return ["account", "remove", *gone, "--yes"], remove


def _rename(drawn: random.Random, own: Own) -> Step | None:
    new = f"r{drawn.randrange(3)}@{own.domain}"
    if not own.accounts or new in own.accounts:
        return None
    old = drawn.choice(_addresses(own))
    return ["account", "rename", old, new], lambda after: after.accounts.update({new: after.accounts.pop(old)})


def _keys(drawn: random.Random, own: Own) -> Step | None:
    if not own.accounts:
        return None
    some = drawn.sample(_addresses(own), drawn.randrange(1, min(3, len(own.accounts)) + 1))
    changes: list[tuple[list[str], Tree]] = [
        (["imap", "on"], {"imap": True}),
        (["imap", "inherit"], {"imap": None, "imap_lan_only": None}),
        (["multipop", "off"], {"multipop": False}),
        (["pop", "on", "--anywhere"], {"pop": True, "pop_lan_only": False}),
        (["account", "suspend"], {"suspended": True}),
        (["account", "resume"], {"suspended": None}),
        (["account", "expire", "--last-day", "2099-12-31"], {"expires": date(2099, 12, 31)}),
        (["account", "expire", "--never"], {"expires": None}),
        (
            ["account", "set", "--imap", "lan-only", "--pop", "on"],
            {"imap": True, "imap_lan_only": True, "pop": True},
        ),
        (["temporary", "end"], {"temporary": None}),
        (["sieve", "off"], {"sieve": False}),
    ]
    command, keys = drawn.choice(changes)

    def change(after: Own) -> None:
        for address in some:
            for key, value in keys.items():
                if value is None:
                    after.accounts[address].pop(key, None)
                else:
                    after.accounts[address][key] = value

    return [*command, *some], change


def _until(drawn: random.Random, own: Own) -> Step | None:
    free = [address for address, table in own.accounts.items() if "temporary" not in table]
    if not free:
        return None
    address = drawn.choice(free)
    exception = {"until": date(2099, 12, 31), "smtp": True}
    return ["smtp", "on", address, "--until", "2099-12-31"], lambda after: after.accounts[address].update(
        temporary=exception
    )


def _template(drawn: random.Random, own: Own) -> Step | None:
    name = f"t{own.number}x{drawn.randrange(3)}"
    if name not in own.templates:
        return ["template", "add", name], lambda after: after.templates.update({name: {}})
    users = [address for address, table in own.accounts.items() if table.get("template") == name]
    verb = drawn.choice(["remove", "assign", "pop", "rename"])
    if verb == "pop":
        return ["pop", "off", "--in-template", name], lambda after: after.templates[name].update(pop=False)
    if verb == "assign" and own.accounts:
        address = drawn.choice(_addresses(own))
        return ["template", "assign", name, address], lambda after: after.accounts[address].update(template=name)
    if verb == "remove" and not users:
        return ["template", "remove", name], lambda after: after.templates.pop(name) and None
    new = f"t{own.number}y{drawn.randrange(9)}"
    if new in own.templates:
        return None

    def rename(after: Own) -> None:
        after.templates[new] = after.templates.pop(name)
        for address in users:
            after.accounts[address]["template"] = new

    return ["template", "rename", name, new], rename


def _network(drawn: random.Random, own: Own) -> Step | None:
    name, entry = f"n{own.number}x{drawn.randrange(2)}", f"198.51.{own.number}.{drawn.randrange(9)}"
    if name not in own.networks:
        return ["network", "add", name, entry], lambda after: after.networks.update({name: [entry]})
    users = [address for address, table in own.accounts.items() if name in table.get("extra_lan", ())]
    if users:
        address = drawn.choice(users)
        left = [each for each in own.accounts[address]["extra_lan"] if each != name]
        return (
            ["network", "unassign", name, address],
            lambda after: (
                after.accounts[address].update(extra_lan=left)
                if left
                else after.accounts[address].pop("extra_lan") and None
            ),
        )
    if own.accounts and drawn.random() < 0.6:
        address = drawn.choice(_addresses(own))
        listed = [*own.accounts[address].get("extra_lan", ()), name]
        return ["network", "assign", name, address], lambda after: after.accounts[address].update(extra_lan=listed)
    return ["network", "remove", name], lambda after: after.networks.pop(name) and None


def _lan(drawn: random.Random, own: Own) -> Step | None:
    entry = f"172.{16 + own.number}.{drawn.randrange(4)}.0/24"
    if entry in own.lan:
        return ["lan", "remove", entry], lambda after: after.lan.remove(entry)
    return ["lan", "add", entry], lambda after: after.lan.append(entry)


def _source(drawn: random.Random, own: Own) -> Step | None:
    if not own.accounts or own.number % 2 == 0:  # those that are killed have no secrets, which would be noted
        return None
    address = drawn.choice(_addresses(own))
    command = ["multipop", "source"]
    if "sources" in own.accounts[address]:
        return [
            *command,
            "remove",
            address,
            "isp",
            "--yes",
        ], lambda after: after.accounts[address].pop("sources") and None
    table = {"isp": {"host": "pop.isp.example", "login": "me"}}
    return [
        *command,
        "add",
        address,
        "isp",
        "--host",
        "pop.isp.example",
        "--login",
        "me",
    ], lambda after: after.accounts[address].update(sources=table)


STEPS: list[Callable[[random.Random, Own], Step | None]] = [
    *(_add, _copy, _remove, _rename, _keys, _keys, _keys, _until, _template, _network, _network, _lan, _source)
]
