"""Table: networks of one's own on the command line: what they print, whom they let in, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers import Run

STORE = """\
version = 1

[server]
edition = "pro"
lan = ["10.0.0.0/8"]

[networks]
branch = ["203.0.113.0/24", "2001:db8:7::/48"]
home = ["192.0.2.1"]
spare = []

[defaults]
imap = true
imap_lan_only = true

[templates.contractor]
extra_lan = ["branch"]

[accounts."alice@example.com"]
extra_lan = ["home", "branch"]

[accounts."bob@example.com"]
template = "contractor"

[accounts."carol@example.com"]

[accounts."dave@example.com"]
template = "contractor"
extra_lan = []
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAILPOLICY_FILE", "accounts.toml")
    path = tmp_path / "accounts.toml"
    path.write_text(STORE)
    return path


PRINTED = [
    ("network list", "branch\t203.0.113.0/24, 2001:db8:7::/48\t2\nhome\t192.0.2.1\t1\nspare\tempty\t0\n"),
    (
        "network show branch",
        "entry\t203.0.113.0/24\taccounts.toml:8\nentry\t2001:db8:7::/48\taccounts.toml:8\n"
        "used by\tthe template contractor\taccounts.toml:17\nused by\talice@example.com\taccounts.toml:20\n",
    ),
    (
        "who imap",
        "alice@example.com\timap\tLAN, home, branch\n"
        "bob@example.com\timap\tLAN, branch\n"
        "carol@example.com\timap\tLAN\ndave@example.com\timap\tLAN\n",
    ),
    (
        "who imap --outside-lan --from 203.0.113.0/25",
        "alice@example.com\timap\tLAN, home, branch\tall\n"
        "bob@example.com\timap\tLAN, branch\tall\n",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("line", "expected"), PRINTED)
def test_what_is_printed(run: Run, place: Path, line: str, expected: str) -> None:
    assert run(*line.split()).out == expected


def test_lists_have_the_networks_last(run: Run, place: Path) -> None:
    rows = [line.split("\t") for line in run("account", "list").out.splitlines()]
    assert [(row[0], row[-1]) for row in rows] == [
        ("alice@example.com", "home, branch"),
        ("bob@example.com", "branch"),
        ("carol@example.com", "-"),
        ("dave@example.com", "-"),
    ]
    assert run("template", "list").out.split("\t")[-1] == "branch\n"
    shown = {address: run("account", "show", f"{address}@example.com").out for address in ("bob", "carol", "dave")}
    assert "networks\tbranch\ttemplate accounts.toml:17\n" in shown["bob"]
    assert "networks\tnone\t\n" in shown["carol"]
    assert "networks\tnone\taccount accounts.toml:29\n" in shown["dave"]


def test_objects(run: Run, place: Path) -> None:
    shown = json.loads(run("network", "show", "branch", "--json").out)
    assert shown == {
        "schema": "mailpolicy.network/1",
        "file": "accounts.toml",
        "name": "branch",
        "line": 8,
        "entries": ["203.0.113.0/24", "2001:db8:7::/48"],
        "networks": ["203.0.113.0/24", "2001:db8:7::/48"],
        "accounts": 2,
        "users": [
            {"key": "templates.contractor.extra_lan", "line": 17},
            {"key": 'accounts."alice@example.com".extra_lan', "line": 20},
        ],
    }
    listed = [json.loads(line) for line in run("network", "list", "--json").out.splitlines()]
    assert [(one["name"], one["accounts"]) for one in listed] == [("branch", 2), ("home", 1), ("spare", 0)]
    account = json.loads(run("account", "show", "bob@example.com", "--json").out)
    assert account["networks"] == {"names": ["branch"], "layer": "template", "line": 17}
    assert account["services"]["imap"]["admitted"] == "LAN, branch"
    assert json.loads(run("account", "show", "dave@example.com", "--json").out)["own"] == {"extra_lan": []}
    template = json.loads(run("template", "show", "contractor", "--json").out)
    assert (template["switches"], template["extra_lan"]) == ({}, ["branch"])
    edited = json.loads(run("network", "assign", "home", "bob@example.com", "--json").out)
    assert edited["access"] == "widened"
    assert edited["changes"] == [
        {"address": "bob@example.com", "key": "extra_lan", "old": None, "new": ["branch", "home"]}
    ]


@pytest.mark.parametrize(
    ("lan", "admitted"),
    [('["10.0.0.0/8"]', ["LAN, home, branch", "LAN, branch", "LAN", "LAN"]), ("[]", ["home, branch", "branch", "nowhere", "nowhere"])],
)  # fmt: skip
def test_what_admits_is_named_in_one_way(run: Run, place: Path, lan: str, admitted: list[str]) -> None:
    """By names, of networks that have addresses, wherever it is shown."""
    text = STORE.replace('["10.0.0.0/8"]', lan).replace('["home", "branch"]', '["home", "spare", "branch"]')
    place.write_text(text)
    listed = [json.loads(line) for line in run("account", "list", "--json").out.splitlines()]
    assert [account["services"]["imap"]["admitted"] for account in listed] == admitted
    matrix = [json.loads(line) for line in run("who", "--json").out.splitlines()]
    assert [row["admitted"] for row in matrix if row["protocol"] == "imap"] == admitted
    asked = {row.split("\t")[0]: row.split("\t")[2] for row in run("who", "imap").out.splitlines()}
    open_to = {account["address"]: by for account, by in zip(listed, admitted, strict=True) if by != "nowhere"}
    assert asked == open_to


# A question, the network that admits, its entry, and that place.
ADMITTED = [
    ("alice", "10.1.2.3", "lan", "10.0.0.0/8", "accounts.toml:5: 10.1.2.3 is in the LAN, in 10.0.0.0/8 (server.lan[0], server)"),
    ("bob", "2001:db8:7::1", "branch", "2001:db8:7::/48",
     "accounts.toml:8: 2001:db8:7::1 is in the network branch, in 2001:db8:7::/48 (networks.branch[1], through templates.contractor.extra_lan)"),
    ("alice", "::ffff:192.0.2.1", "home", "192.0.2.1",
     "accounts.toml:9: ::ffff:192.0.2.1 is in the network home, in 192.0.2.1 (networks.home[0], "
     'through accounts."alice@example.com".extra_lan)'),
]  # fmt: skip


@pytest.mark.parametrize(("who", "ip", "network", "entry", "said"), ADMITTED)
def test_an_allow_names_the_network(
    run: Run, place: Path, who: str, ip: str, network: str, entry: str, said: str
) -> None:
    asked = ("check", f"{who}@example.com", "imap", ip)
    granted = json.loads(run(*asked, "--json").out)["granted_by"]
    assert (granted["network_name"], granted["network"]) == (network, entry)
    assert run(*asked, "--verbose").out.splitlines()[-1] == f"  {said}"


@pytest.mark.parametrize(
    ("who", "ip", "said"),
    [
        ("alice", "192.0.2.2", "only from the LAN or the networks home, branch, and 192.0.2.2 is in none of them"),
        ("bob", "192.0.2.1", "only from the LAN or the network branch, and 192.0.2.1 is in neither"),
        ("carol", "203.0.113.9", "only from the LAN, and 203.0.113.9 is outside it"),
        ("dave", "203.0.113.9", "only from the LAN, and 203.0.113.9 is outside it"),
    ],
)
def test_a_denial_names_the_networks_that_were_considered(run: Run, place: Path, who: str, ip: str, said: str) -> None:
    denied = run("check", f"{who}@example.com", "imap", ip)
    assert denied.status == 1
    assert f"{who}@example.com may use IMAP {said} (defaults.imap_lan_only, defaults)" in denied.out
    assert f"fix: mailpolicy imap anywhere {who}@example.com" in denied.out


WIDE = (
    "'0.0.0.0/0' is too large (more addresses than an IPv4 /8): to allow access from everywhere use `anywhere`, "
    "otherwise list the networks one by one"
)
TWO = (
    "'192.0.2.1/24' has host bits set: write '192.0.2.0/24' for the network or '192.0.2.1' for the single address; 'x' is "
    "not a network: write a CIDR such as '10.0.0.0/8', an address, a range 'a-b' or '192.168.*.*'"
)
LAN = "'lan' is the LAN of the whole server, not the name of a network: use another name"
NO_NAME = "'192.0.2.1' is not a network name: use 1 to 63 of a-z 0-9 _ -, starting with a letter or a digit"
IN_USE = "the network branch is in use by the template contractor, alice@example.com"
NO_TARGETS = "no targets; name them with addresses, -, --domain, --with-template, --all, --in-template or --in-defaults"
# A mistake, its exit status, the message, and the command that it suggests.
MISTAKES = [
    ("network add home 0.0.0.0/0", 2, WIDE, None),
    ("network add home 192.0.2.1/24 x", 2, TWO, None),
    ("network add lan 192.0.2.1", 2, LAN, None),
    ("network rename home lan", 2, LAN, None),
    ("network add 192.0.2.1 192.0.2.1", 2, NO_NAME, None),
    ("network assign 192.0.2.1 alice@example.com", 2, NO_NAME, None),
    ("network assign brunch alice@example.com", 4, "no network brunch, did you mean branch?", None),
    ("network assign office alice@example.com", 4, "no network office", "network add office ENTRY..."),
    ("network unassign office alice@example.com", 4, "no network office", "network list"),
    ("network remove office", 4, "no network office", "network list"),
    ("network show office", 4, "no network office", "network list"),
    ("network rename office other", 4, "no network office", "network list"),
    ("network unassign brunch alice@example.com", 4, "no network brunch, did you mean branch?", None),
    ("network remove brunch", 4, "no network brunch, did you mean branch?", None),
    ("network show brunch", 4, "no network brunch, did you mean branch?", None),
    ("network rename brunch other", 4, "no network brunch, did you mean branch?", None),
    ("network rename home branch", 5, "the network branch already exists; home was not renamed", None),
    ("network remove branch", 5, IN_USE, "network unassign branch --in-template contractor"),
    ("network remove home", 5, "the network home is in use by alice@example.com", "network unassign home alice@example.com"),
    ("network assign home eve@example.com", 4, "no account eve@example.com", "account add eve@example.com"),
    ("network assign home", 2, NO_TARGETS, None),
    (
        "network assign home --in-defaults --until 2099-01-31", 2, "--until: only accounts have exceptions",
        "network assign home TARGET... --until 2099-01-31",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("line", "status", "message", "fix"), MISTAKES)
def test_mistakes(run: Run, place: Path, line: str, status: int, message: str, fix: str | None) -> None:
    refused = run(*line.split())
    assert (refused.status, refused.out) == (status, "")
    said, *rest = refused.err.splitlines()
    assert said.removeprefix("mailpolicy: ").removeprefix("accounts.toml: ") == message
    assert rest == ([f"  try: mailpolicy {fix}"] if fix else [])
    assert place.read_text() == STORE


def test_one_in_use_names_the_first_users_and_counts_the_others(run: Run, place: Path) -> None:
    templates = "".join(f'[templates.t{number}]\nextra_lan = ["home"]\n' for number in range(17))
    accounts = "".join(f'[accounts."u{number}@example.com"]\nextra_lan = ["home"]\n' for number in range(5))
    below = '[accounts."u4@example.com".temporary]\nuntil = 2099-12-31\nextra_lan = ["home"]\n'
    text = STORE.replace("[defaults]\n", '[defaults]\nextra_lan = ["home"]\n') + templates + accounts + below
    place.write_text(text)
    named = ", ".join(["the defaults", *(f"the template t{number}" for number in range(17)), "alice@example.com"])
    said = f"the network home is in use by {named}, u0@example.com and 4 more accounts"
    refused = json.loads(run("network", "remove", "home", "--json").out)
    assert (refused["message"], refused["code"]) == (said, "in-use")
    users = [(user["key"], user["address"]) for user in refused["users"]]
    assert len(users) == 25
    assert users[0] == ("defaults.extra_lan", None)
    assert users[-1] == ('accounts."u4@example.com".temporary.extra_lan', "u4@example.com")
    place.write_text(text + "".join(f'[templates.v{number}]\nextra_lan = ["home"]\n' for number in range(5)))
    assert run("network", "remove", "home").err.splitlines()[0].endswith(
        "the template v0, the template v1 and 3 more templates and 6 more accounts"
    )  # fmt: skip
    assert place.read_text().startswith(text)


# An edit, its result lines, and what it says.
EDITS = [
    ("network add home 192.0.2.0/24", "network home\t192.0.2.0/24\tin the network home\tchanged\n",
     "1 account has the network home\n"),
    ("network add new 192.0.2.9", "network new\t192.0.2.9\tin the network new\tchanged\n",
     "nobody uses it yet: mailpolicy network assign new TARGET...\n"),
    ("network add branch 203.0.113.7", "network branch\t203.0.113.7\tin the network branch, inside 203.0.113.0/24\tok\n",
     "2 accounts have the network branch\n"),
    ("network remove home 192.0.2.1", "network home\t192.0.2.1\tnot in the network home\tchanged\n",
     "1 account has the network home\n"
     "the network home has no entries now, so it admits nobody; to remove it: mailpolicy network remove home\n"),
    ("network remove spare", "network spare\tnetwork\tremoved\tchanged\n",
     ""),
    ("network remove other --if-exists", "network other\tnetwork\tdoes not exist\tok\n",
     ""),
    ("network rename home house", "network house\tnetwork\trenamed from home\tchanged\n",
     ""),
    ("network assign home bob@example.com", "bob@example.com\tnetworks\tbranch, home (own list, copied from the template contractor)\tchanged\n",
     ""),
    ("network assign branch bob@example.com", "bob@example.com\tnetworks\tbranch (from the template contractor)\tok\n",
     ""),
    ("network assign branch dave@example.com", "dave@example.com\tnetworks\tbranch (from the template contractor)\tchanged\n",
     ""),
    ("network unassign branch --all", "alice@example.com\tnetworks\thome\tchanged\n"
     "bob@example.com\tnetworks\tnone (own list, copied from the template contractor)\tchanged\n"
     "carol@example.com\tnetworks\tnone\tok\ndave@example.com\tnetworks\tnone\tok\n",
     ""),
    ("network assign home --in-template contractor", "template contractor\tnetworks\tbranch, home\tchanged\n",
     "applies to 1 account; 1 keeps its own setting\n"),
    ("network assign home --in-defaults", "defaults\tnetworks\thome\tchanged\n",
     "applies to 1 account; 3 keep their own setting\n"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "printed", "said"), EDITS)
def test_edits(run: Run, place: Path, line: str, printed: str, said: str) -> None:
    done = run(*line.split())
    assert (done.status, done.out, done.err) == (0, printed, said)


def test_an_assignment_without_effect_says_so(run: Run, place: Path) -> None:
    assert run("imap", "anywhere", "--all").status == 0
    done = run("network", "assign", "home", "bob@example.com", "carol@example.com")
    assert done.err == (
        "note: no service is open to the LAN only for bob@example.com, carol@example.com, so the network makes no "
        "difference yet\n"
    )


def test_the_difference_is_in_addresses(run: Run, place: Path) -> None:
    (place.parent / "old.toml").write_text(STORE)
    assert run("network", "remove", "branch", "203.0.113.0/24").status == 0
    assert run("network", "assign", "home", "carol@example.com").status == 0
    assert run("network", "rename", "home", "house").status == 0
    lines = run("diff", "old.toml", "accounts.toml").out.splitlines()
    assert [line.split("\t")[:6] for line in lines[:3]] == [
        ["alice@example.com", "imap", "narrowed", "LAN, 192.0.2.1, 203.0.113.0/24, 2001:db8:7::/48",
         "LAN, 192.0.2.1, 2001:db8:7::/48", "networks.branch accounts.toml:8"],
        ["bob@example.com", "imap", "narrowed", "LAN, 203.0.113.0/24, 2001:db8:7::/48", "LAN, 2001:db8:7::/48",
         "networks.branch accounts.toml:8"],
        ["carol@example.com", "imap", "widened", "LAN", "LAN, 192.0.2.1",
         'accounts."carol@example.com".extra_lan accounts.toml:26; networks.house accounts.toml:9'],
    ]  # fmt: skip


def test_cases_and_logins_are_judged_with_the_networks(run: Run, place: Path) -> None:
    case = '[[case]]\naddress = "{}@example.com"\nprotocol = "imap"\nip = "203.0.113.0/24"\nexpect = "{}"\n'
    (place.parent / "cases.toml").write_text(case.format("bob", "allow") + case.format("carol", "deny"))
    assert run("test", "cases.toml").status == 0
    login = "Jun 12 16:21:30 mx1 dovecot: imap-login: Login: user=<{}@example.com>, method=PLAIN, rip=203.0.113.9, lip=10.0.0.2\n"
    (place.parent / "mail.log").write_text(login.format("bob") + login.format("carol"))
    assert run("replay", "mail.log").out.partition("\t")[0] == "carol@example.com"


def test_an_export_has_the_union(run: Run, place: Path) -> None:
    lines = run("export", "dovecot").out.splitlines()
    nets = {line.partition(":")[0]: line.rpartition("allow_nets=")[2] for line in lines if line.startswith("imap/")}
    assert nets == {
        "imap/alice@example.com": "10.0.0.0/8,192.0.2.1/32,203.0.113.0/24,2001:db8:7::/48",
        "imap/bob@example.com": "10.0.0.0/8,203.0.113.0/24,2001:db8:7::/48",
        "imap/carol@example.com": "10.0.0.0/8",
        "imap/dave@example.com": "10.0.0.0/8",
    }
