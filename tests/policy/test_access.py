"""Check that the access diff prints each decision that changes, and nothing else."""

from __future__ import annotations

import json
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from mailpolicy.policy.access import compare
from mailpolicy.policy.model import Policy
from mailpolicy.policy.question import question
from mailpolicy.policy.service import SWITCHES, Service
from mailpolicy.policy.verdict import judge
from tests.helpers import never
from tests.policy.trees import ADDRESSES, Tree, lans, probes, shown, store, switches, trees, written


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
    assert compare(before, after, never) == ("same" if not ways else ways.pop() if len(ways) == 1 else "both")


@st.composite
def rewritten(draw: st.DrawFn, tree: Tree) -> str:
    """Another text with the same decisions: comments, order, spelling, layers, LAN entries and what opens no door."""
    new: Tree = json.loads(json.dumps(tree))
    policy = store(written(tree)).policy()
    for address, account in list(new["accounts"].items()):
        held = policy.accounts[address]
        how = draw(st.sampled_from(["as it is", "pinned", "by a template of its own", "from the defaults"]))
        resolved: Tree = {switch: policy.setting(held, switch).value for switch in SWITCHES}
        resolved["extra_lan"] = draw(st.permutations(policy.extra_lan(held).names))
        rest = {key: thing for key, thing in account.items() if key == "suspended"}
        if how == "pinned":
            new["accounts"][address] = {**account, **resolved}
        elif how == "by a template of its own":
            name = f"own{ADDRESSES.index(address)}"
            new["templates"][name] = resolved
            new["accounts"][address] = {"template": name, **rest}
        elif how == "from the defaults" and account.get("template") is None:
            above = {**dict.fromkeys(SWITCHES, False), "extra_lan": [], **new["defaults"]}
            left = {key: thing for key, thing in resolved.items() if thing != above[key]}
            new["accounts"][address] = {**left, **rest}
    if draw(st.booleans()):
        new["server"]["lan"] = [
            str(network) for entry in policy.server.lan_entries for network in entry.networks
        ] + new["server"]["lan"][:1]
    if draw(st.booleans()):
        new["networks"]["unused"] = draw(lans)
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
    "server": {
        "edition": "pro",
        "outlook_connector_installed": True,
        "multipop": True,
        "lan": ["10.0.0.0/8"],
        "govern": ["smtp", "sieve"],
    },
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
        "smtp": ["smtp"],
        "smtp_lan_only": ["smtp"] if mine["smtp"] else [],
        "sieve": ["sieve"],
        "sieve_lan_only": ["sieve"] if mine["sieve"] else [],
    }[switch]
    assert [(change["address"], change["protocol"]) for change in printed] == [(address, name) for name in wanted]
    assert all([key["key"] for key in change["keys"]] == [f'accounts."{address}".{switch}'] for change in printed)


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
