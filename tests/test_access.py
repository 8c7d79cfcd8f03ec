"""The access diff: what keeps every decision prints nothing, and what changes one prints exactly that."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mailpolicy.cli.commands.diff import tell
from mailpolicy.cli.context import Context
from mailpolicy.cli.output import Output
from mailpolicy.policy.access import Comparison, compare
from mailpolicy.policy.model import Policy
from mailpolicy.policy.service import Service
from mailpolicy.policy.verdict import judge, question
from mailpolicy.store.store import Store

Tree = dict[str, Any]

SWITCHES = ("pop", "pop_lan_only", "imap", "imap_lan_only", "multipop", "outlook_connector")
ADDRESSES = ("ann@x.example", "bob@x.example", "cat@y.example", "dan@y.example")
PIECES = ("10.0.0.0/8", "10.1.0.0/16", "192.168.*.*", "172.16.0.5-172.16.0.9", "fd00::/8", "203.0.113.7")

switches = st.dictionaries(st.sampled_from(SWITCHES), st.booleans())
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
    }
    names = draw(st.lists(st.sampled_from(ADDRESSES), min_size=1, unique=True))
    return {
        "server": server,
        "defaults": draw(switches),
        "templates": {"one": draw(switches), "two": draw(switches)},
        "accounts": {name: draw(accounts()) for name in names},
    }


def written(tree: Tree) -> str:
    """The tree as TOML text."""

    def value(thing: object) -> str:
        return json.dumps(thing)

    lines = ["version = 1"]
    tables: list[tuple[str, Mapping[str, Any]]] = [("server", tree["server"]), ("defaults", tree["defaults"])]
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
    comparison = Comparison(before.policy(), after.policy())
    printed: list[dict[str, Any]] = []

    class Caught(Output):
        def json(self, schema: str, content: Mapping[str, Any]) -> None:
            printed.extend(content["changes"])

    tell(Caught(Context(format="json")), comparison, comparison.shifts(), before, after)
    return printed


def probes(*policies: Policy) -> list[str]:
    """Addresses at, beside and far from every edge of the LANs: what no two of them tell apart, nothing does."""
    numbers = {4: {0, 2**32 - 1, 0x08080808}, 6: {0, 2**128 - 1, 0x20010DB8 << 96}}
    for policy in policies:
        for entry in policy.server.lan_entries:
            for network in entry.networks:
                for edge in (int(network.network_address), int(network.broadcast_address)):
                    numbers[network.version] |= {edge - 1, edge, edge + 1}
    found = []
    for version, some in numbers.items():
        kind = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
        found += [str(kind(number)) for number in some if 0 <= number < 2 ** (32 if version == 4 else 128)]
    return [ip for ip in found if "::ffff:" not in ip]


def decided(policy: Policy, address: str, service: Service, ips: list[str]) -> list[bool]:
    """The verdicts, asked one by one."""
    return [judge(policy, question(address, service, ip)).allowed for ip in ips]


@given(trees(), trees())
def test_a_shift_is_where_some_verdict_differs(old: Tree, new: Tree) -> None:
    before, after = store(written(old)).policy(), store(written(new)).policy()
    ips = probes(before, after)
    wanted = {}
    for address, service in product({**before.accounts, **after.accounts}, Service):
        one, other = decided(before, address, service, ips), decided(after, address, service, ips)
        if one != other:
            gained = any(now and not once for once, now in zip(one, other, strict=True))
            lost = any(once and not now for once, now in zip(one, other, strict=True))
            wanted[address, str(service)] = "both" if gained and lost else "widened" if gained else "narrowed"
    printed = shown(written(old), written(new))
    assert {(change["address"], change["protocol"]): change["access"] for change in printed} == wanted
    assert all(change["keys"] for change in printed)
    ways = set(wanted.values())
    assert compare(before, after) == ("same" if not ways else ways.pop() if len(ways) == 1 else "both")


@given(trees(), trees())
def test_the_keys_that_are_named_are_written_where_they_are_said_to_be(old: Tree, new: Tree) -> None:
    texts = {"old.toml": written(old).splitlines(), "new.toml": written(new).splitlines()}
    for change in shown(written(old), written(new)):
        for key in change["keys"]:
            assert key["file"] == ("old.toml" if key["removed"] else "new.toml")
            line = texts[key["file"]][key["line"] - 1]
            last = key["key"].rpartition(".")[2]
            assert line.startswith((f"{last} = ", "[")) or f'"{change["address"]}"' in line


@st.composite
def rewritten(draw: st.DrawFn, tree: Tree) -> str:
    """Another text with the same decisions: comments, order, spelling, layers, LAN entries and what opens no door."""
    new: Tree = json.loads(json.dumps(tree))
    policy = store(written(tree)).policy()
    for address, account in list(new["accounts"].items()):
        held = policy.accounts[address]
        how = draw(st.sampled_from(["as it is", "pinned", "by a template of its own", "from the defaults"]))
        resolved = {switch: policy.setting(held, switch).value for switch in SWITCHES}
        rest = {key: thing for key, thing in account.items() if key == "suspended"}
        if how == "pinned":
            new["accounts"][address] = {**account, **resolved}
        elif how == "by a template of its own":
            name = f"own{ADDRESSES.index(address)}"
            new["templates"][name] = resolved
            new["accounts"][address] = {"template": name, **rest}
        elif how == "from the defaults" and account.get("template") is None:
            left = {key: thing for key, thing in resolved.items() if thing is not new["defaults"].get(key, False)}
            new["accounts"][address] = {**left, **rest}
    if draw(st.booleans()):
        new["server"]["lan"] = [
            str(network) for entry in policy.server.lan_entries for network in entry.networks
        ] + new["server"]["lan"][:1]
    if draw(st.booleans()):
        new["templates"]["unused"] = draw(switches)
    if draw(st.booleans()):
        new["accounts"]["eve@x.example"] = {**dict.fromkeys(SWITCHES, False), "smart_host_login": "eve"}
    if draw(st.booleans()):
        new["accounts"] = dict(draw(st.permutations(list(new["accounts"].items()))))
    if draw(st.booleans()):
        new["accounts"] = {name.title().replace("Example", "EXAMPLE"): it for name, it in new["accounts"].items()}
    lines = []
    for line in written(new).splitlines():
        lines += draw(st.sampled_from([[], [], ["# a comment"], ["", "# pop = true"]]))
        lines.append(line.replace(" = ", draw(st.sampled_from([" = ", "=", "  =\t"])), 1) + draw(ENDINGS))
    return draw(st.sampled_from(["", "\ufeff"])) + "\r\n".join(lines)


ENDINGS = st.sampled_from(["", "", "   # why", "\t"])


@given(trees().flatmap(lambda tree: st.tuples(st.just(tree), rewritten(tree))))
def test_what_keeps_the_decisions_prints_nothing(both: tuple[Tree, str]) -> None:
    tree, text = both
    assert shown(written(tree), text) == []


OPEN: Tree = {
    "server": {"edition": "pro", "outlook_connector_installed": True, "multipop": True, "lan": ["10.0.0.0/8"]},
    "defaults": {},
    "templates": {"one": {}, "two": {}},
    "accounts": {},
}


@given(
    st.dictionaries(
        st.sampled_from(ADDRESSES), st.fixed_dictionaries(dict.fromkeys(SWITCHES, st.booleans())), min_size=1
    ),
    st.data(),
)
def test_one_toggle_prints_that_account_and_that_service(them: dict[str, dict[str, bool]], data: st.DataObject) -> None:
    address, switch = data.draw(st.sampled_from(sorted(them))), data.draw(st.sampled_from(SWITCHES))
    old = {**OPEN, "accounts": them}
    mine = them[address]
    new = {**OPEN, "accounts": {**them, address: {**mine, switch: not mine[switch]}}}
    printed = shown(written(old), written(new))
    # Said again in other words: a LAN switch tells only of a service that is on, and the Connector rides on IMAP.
    rides = ["outlook-connector"] if mine["imap"] and mine["outlook_connector"] else []
    wanted = {
        "pop": ["pop"],
        "pop_lan_only": ["pop"] if mine["pop"] else [],
        "imap": ["imap"] + (["outlook-connector"] if mine["outlook_connector"] else []),
        "imap_lan_only": (["imap"] if mine["imap"] else []) + rides,
        "multipop": ["multipop"],
        "outlook_connector": ["outlook-connector"] if mine["imap"] else [],
    }[switch]
    assert [(change["address"], change["protocol"]) for change in printed] == [(address, name) for name in wanted]
    assert all([key["key"] for key in change["keys"]] == [f'accounts."{address}".{switch}'] for change in printed)


# What was changed, and the keys that are named for it.
CAUSES: list[tuple[str, str, list[str]]] = [
    ("[accounts.a]", "[accounts.a]\npop = true", ["accounts.a.pop"]),
    ("[accounts.a]\npop = true\nsuspended = true", "[accounts.a]\npop = true", ["accounts.a.suspended removed"]),
    ("[accounts.a]\npop = true", "[accounts.a]", ["accounts.a.pop removed"]),
    ("[accounts.a]\npop = true", "", ["accounts.a removed"]),
    ("", "[accounts.a]\npop = true", ["accounts.a"]),
    ("[accounts.a]\ntemplate = 'on'", "[accounts.a]\ntemplate = 'off'", ["accounts.a.template"]),
    ("[accounts.a]\ntemplate = 'on'", "[accounts.a]", ["accounts.a.template removed"]),
    ("[defaults]\npop = true\n[accounts.a]", "[accounts.a]", ["defaults.pop removed"]),
    ("[defaults]\npop = true\n[accounts.a]", "[defaults]\npop = false\n[accounts.a]", ["defaults.pop"]),
    # Two keys changed, and only one of them opens or closes anything.
    (
        "[accounts.a]\npop = true\nmultipop = true",
        "[accounts.a]\npop = true\npop_lan_only = true\nmultipop = true\nimap_lan_only = true",
        ["accounts.a.pop_lan_only"],
    ),
    # Two keys changed, and one of them pulls against the shift.
    ("[accounts.a]", "[accounts.a]\npop = true\npop_lan_only = true", ["accounts.a.pop"]),
    (
        "[accounts.a]\npop = true\nsuspended = true",
        "[accounts.a]\npop = true\npop_lan_only = true",
        ["accounts.a.suspended removed"],
    ),
    (
        "[accounts.a]\npop = true\npop_lan_only = true",
        "[accounts.a]\npop = true\n[server]\nlan = ['10.0.0.0/9']",
        ["accounts.a.pop_lan_only removed"],
    ),
    (
        "[accounts.a]\npop = true",
        "[accounts.a]\npop = true\npop_lan_only = true\n[server]\nlan = ['10.0.0.0/8', '192.168.0.0/16']",
        ["accounts.a.pop_lan_only"],
    ),
    # Two keys pull the same way, and the one that does or undoes the whole shift stands first.
    (
        "[accounts.a]\npop = true\npop_lan_only = true\nsuspended = true",
        "[accounts.a]\npop = true",
        ["accounts.a.suspended removed", "accounts.a.pop_lan_only removed"],
    ),
    (
        "[accounts.a]\npop = true",
        "[accounts.a]\npop = true\npop_lan_only = true\nsuspended = true",
        ["accounts.a.suspended", "accounts.a.pop_lan_only"],
    ),
    (
        "[accounts.a]\npop = true\npop_lan_only = true",
        "[accounts.a]\npop = true\n[server]\nlan = ['10.0.0.0/8', '192.168.0.0/16']",
        ["accounts.a.pop_lan_only removed", "server.lan"],
    ),
    # Some addresses in and others out: the keys of either way.
    (
        "[accounts.a]\npop = true\npop_lan_only = true\nsuspended = true",
        "[accounts.a]\npop = true\npop_lan_only = true\n[server]\nlan = ['192.168.0.0/16']",
        ["accounts.a.suspended removed", "server.lan"],
    ),
    (
        "[accounts.a]\npop = true\npop_lan_only = true",
        "[accounts.a]\npop = true\npop_lan_only = true\n[server]\nlan = ['10.0.0.0/9', '192.168.0.0/16']",
        ["server.lan"],
    ),
    # Two doors had to be opened, and neither alone did it.
    (
        "[accounts.a]\nsuspended = true",
        "[accounts.a]\npop = true",
        ["accounts.a.pop", "accounts.a.suspended removed"],
    ),
]


def test_causes() -> None:
    head, lan = "version = 1\n[templates.on]\npop = true\n[templates.off]\n", "[server]\nlan = ['10.0.0.0/8']"
    for old, new, keys in CAUSES:
        texts = (text if "[server]" in text else f"{text}\n{lan}" for text in (old, new))
        before, after = (head + text.replace("accounts.a]", 'accounts."a@x.example"]') for text in texts)
        (change,) = shown(before, after)
        told = [key["key"] + (" removed" if key["removed"] else "") for key in change["keys"]]
        assert told == [key.replace("accounts.a", 'accounts."a@x.example"') for key in keys], (old, new)


@given(trees(), trees())
def test_no_key_that_pulls_the_other_way_is_named(old: Tree, new: Tree) -> None:
    before, after = store(written(old)).policy(), store(written(new)).policy()
    for change in shown(written(old), written(new)):
        ways = {"widened": [True], "narrowed": [False], "both": [True, False]}[change["access"]]
        held = [policy.accounts.get(change["address"]) for policy in (before, after)]
        for key in change["keys"]:
            last = key["key"].rpartition(".")[2]
            if key["key"] == "server.lan":
                assert (not after.server.lan <= before.server.lan and True in ways) or (
                    not before.server.lan <= after.server.lan and False in ways
                ), change
            elif (
                last in SWITCHES
                and not key["key"].startswith("server.")
                and held[0] is not None
                and held[1] is not None
            ):
                once, now = (p.setting(a, last).value for p, a in zip((before, after), held, strict=True) if a)
                assert once is not now
                assert (now is not last.endswith("lan_only")) in ways, change
            elif last == "suspended":
                assert key["removed"] in ways, change


def test_a_template_and_the_server_as_causes() -> None:
    head = "version = 1\n[server]\nedition = 'pro'\n"
    tail = '[templates.t]\nimap = true\n[accounts."a@x.example"]\ntemplate = "t"\n'
    (change,) = shown(head + tail, head + tail.replace("imap = true", "imap = false"))
    assert [(key["key"], key["line"]) for key in change["keys"]] == [("templates.t.imap", 5)]
    (change,) = shown(head + tail, (head + tail).replace("'pro'", "'standard'"))
    assert [key["key"] for key in change["keys"]] == ["server.edition"]
    (change,) = shown(head + tail, (head + tail).replace("edition = 'pro'\n", ""))
    assert [(key["key"], key["removed"], key["line"]) for key in change["keys"]] == [("server.edition", True, 3)]


def test_networks_are_named_only_where_the_lan_moved() -> None:
    head = "version = 1\n[server]\nedition = 'pro'\nlan = ['10.0.0.0/8']\n"
    tail = '[accounts."a@x.example"]\nimap = true\nimap_lan_only = true\n'
    (change,) = shown(head + tail, head + tail.replace("only = true", "only = false"))
    assert (change["before"], change["after"]) == ("LAN", "anywhere")
    assert (change["before_networks"], change["after_networks"]) == (["10.0.0.0/8"], ["0.0.0.0/0", "::/0"])
    moved = (head + tail).replace("'10.0.0.0/8'", "'10.0.0.0/9', '203.0.113.0-203.0.113.2'")
    (change,) = shown(head + tail, moved)
    assert (change["before"], change["after"]) == ("10.0.0.0/8", "10.0.0.0/9, 203.0.113.0-203.0.113.2")
    assert change["access"] == "both"
    assert change["before_networks"] == ["10.0.0.0/8"]
    assert change["after_networks"] == ["10.0.0.0/9", "203.0.113.0/31", "203.0.113.2/32"]
    (change,) = shown(head + tail, (head + tail).replace("lan = ['10.0.0.0/8']\n", ""))
    assert (change["before"], change["after"]) == ("10.0.0.0/8", "nowhere")
    assert (change["before_networks"], change["after_networks"]) == (["10.0.0.0/8"], [])
