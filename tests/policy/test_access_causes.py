"""Check that the keys a shift is blamed on are those that did it."""

from __future__ import annotations

from hypothesis import given

from mailpolicy.policy.service import SWITCHES
from tests.policy.trees import Tree, shown, store, trees, written


@given(trees(), trees())
def test_the_keys_that_are_named_are_written_where_they_are_said_to_be(old: Tree, new: Tree) -> None:
    texts = {"old.toml": written(old).splitlines(), "new.toml": written(new).splitlines()}
    for change in shown(written(old), written(new)):
        for key in change["keys"]:
            assert key["file"] == ("old.toml" if key["removed"] else "new.toml")
            line = texts[key["file"]][key["line"] - 1]
            last = key["key"].rpartition(".")[2]
            assert line.startswith((f"{last} = ", "[")) or f'"{change["address"]}"' in line


LAN_ONLY = "[accounts.a]\npop = true\npop_lan_only = true\n"
NETWORKS = "\n[networks]\nn = ['192.0.2.0/24']\no = ['203.0.113.1']\n"
FURTHER = NETWORKS.replace("24'", "24', '198.51.100.1'")
TEMPLATE = "[templates.t]\nextra_lan = ['n']\n"
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
    # Networks: the list, its layer, the entries, and both where neither alone did it.
    (f"{LAN_ONLY}{NETWORKS}", f"{LAN_ONLY}extra_lan = ['n']{NETWORKS}", ["accounts.a.extra_lan"]),
    (f"{LAN_ONLY}extra_lan = ['n']{NETWORKS}", f"{LAN_ONLY}{NETWORKS}", ["accounts.a.extra_lan removed"]),
    (f"{LAN_ONLY}{NETWORKS}", f"{LAN_ONLY}{NETWORKS}[defaults]\nextra_lan = ['n']", ["defaults.extra_lan"]),
    (f"{LAN_ONLY}{NETWORKS}{TEMPLATE}", f"{LAN_ONLY}template = 't'{NETWORKS}{TEMPLATE}", ["accounts.a.template"]),
    (f"{LAN_ONLY}extra_lan = ['n', 'o']{NETWORKS}", f"{LAN_ONLY}extra_lan = ['o', 'n']{FURTHER}", ["networks.n"]),
    (f"{LAN_ONLY}extra_lan = ['n']{NETWORKS}", f"{LAN_ONLY}extra_lan = ['o']{NETWORKS}", ["accounts.a.extra_lan"]),
    (LAN_ONLY, f"{LAN_ONLY}extra_lan = ['n']{NETWORKS}", ["accounts.a.extra_lan", "networks.n"]),
    (f"{LAN_ONLY}extra_lan = ['n']{NETWORKS}", LAN_ONLY, ["accounts.a.extra_lan removed", "networks.n removed"]),
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
