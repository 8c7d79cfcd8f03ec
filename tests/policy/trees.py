"""Hypothesis strategies: stores as trees, their texts, and what the access diff shows of two."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from mailpolicy.cli.commands.diff import report
from mailpolicy.cli.context import Context
from mailpolicy.cli.output import Output
from mailpolicy.policy.access import Comparison
from mailpolicy.policy.model import Policy
from mailpolicy.policy.service import GOVERNABLE, SWITCHES
from mailpolicy.store.store import Store
from tests.helpers import now

Tree = dict[str, Any]

ADDRESSES = ("ann@x.example", "bob@x.example", "cat@y.example", "dan@y.example")
PIECES = ("10.0.0.0/8", "10.1.0.0/16", "192.168.*.*", "172.16.0.5-172.16.0.9", "fd00::/8", "203.0.113.7")

NETWORKS = ("branch", "home")

lists = st.fixed_dictionaries({}, optional={"extra_lan": st.lists(st.sampled_from(NETWORKS), max_size=2)})
switches = st.builds(lambda keys, names: keys | names, st.dictionaries(st.sampled_from(SWITCHES), st.booleans()), lists)
governed = st.lists(st.sampled_from(GOVERNABLE), unique=True)
lans = st.lists(st.sampled_from(PIECES), max_size=3, unique=True)


@st.composite
def accounts(draw: st.DrawFn) -> Tree:
    account: Tree = dict(draw(switches))
    if (template := draw(st.sampled_from([None, "one", "two"]))) is not None:
        account["template"] = template
    if draw(st.integers(0, 5)) == 0:
        account["suspended"] = True
    return account


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    server = {
        "edition": draw(st.sampled_from(["pro", "pro", "standard"])),
        "outlook_connector_installed": draw(st.booleans()),
        "multipop": draw(st.booleans()),
        "lan": draw(lans),
        "govern": draw(governed),
    }
    names = draw(st.lists(st.sampled_from(ADDRESSES), min_size=1, unique=True))
    return {
        "server": server,
        "networks": {name: draw(lans) for name in NETWORKS},
        "defaults": draw(switches),
        "templates": {"one": draw(switches), "two": draw(switches)},
        "accounts": {name: draw(accounts()) for name in names},
    }


def written(tree: Tree) -> str:
    """The tree as TOML text."""

    def value(thing: object) -> str:
        return json.dumps(thing)

    lines = ["version = 1"]
    tables: list[tuple[str, Mapping[str, Any]]] = [
        (name, tree.get(name, {})) for name in ("server", "networks", "defaults")
    ]
    tables += [(f"templates.{name}", table) for name, table in tree["templates"].items()]
    tables += [(f"accounts.{value(name)}", table) for name, table in tree["accounts"].items()]
    for name, table in tables:
        lines += [f"[{name}]", *(f"{key} = {value(thing)}" for key, thing in table.items())]
    return "\n".join(lines) + "\n"


def store(text: str, name: str = "accounts.toml") -> Store:
    return Store(name, text.encode())


def shown(old: str, new: str) -> list[dict[str, Any]]:
    """The changes that `diff --json` prints."""
    before, after = store(old, "old.toml"), store(new, "new.toml")
    comparison = Comparison(before.policy(), after.policy(), now)
    printed: list[dict[str, Any]] = []

    class Caught(Output):
        def json(self, schema: str, content: Mapping[str, Any]) -> None:
            printed.extend(content["changes"])

    report(Caught(Context(format="json")), comparison, comparison.access_changes(), before, after)
    return printed


def probes(*policies: Policy) -> list[str]:
    """Addresses at, beside and far from every edge of the LANs: what no two of them tell apart, nothing does."""
    numbers = {4: {0, 2**32 - 1, 0x08080808}, 6: {0, 2**128 - 1, 0x20010DB8 << 96}}
    for policy in policies:
        lists = [policy.server.lan_entries, *(network.entries for network in policy.networks.values())]
        for entry in (entry for listed in lists for entry in listed):
            for network in entry.networks:
                for edge in (int(network.network_address), int(network.broadcast_address)):
                    numbers[network.version] |= {edge - 1, edge, edge + 1}
    found = []
    for version, some in numbers.items():
        kind = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
        found += [str(kind(number)) for number in some if 0 <= number < 2 ** (32 if version == 4 else 128)]
    return [ip for ip in found if "::ffff:" not in ip]
