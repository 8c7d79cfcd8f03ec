"""undo takes an edit back as a whole, by an ordinary edit, or says what was changed since."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from mailpolicy.store.store import Store
from tests.cli.commands.journals import entries, journal
from tests.cli.test_quiet import place
from tests.everything import EDITS, rows
from tests.helpers import MINIMAL, RELAYED, Run
from tests.machine import ALICE, BOB

__all__ = ["place"]

WHOLE = (
    RELAYED.replace("[defaults]", '[networks]\nbranch = ["203.0.113.0/24", "198.51.100.7"]\n\n[defaults]')
    + """\
suspended = true
expires = 2026-12-31
extra_lan = ["branch"]
template = "staff"

[accounts."bob@example.com".temporary]
until = 2026-12-04T18:00:00+01:00
pop = true

[accounts."bob@example.com".sources.isp]
host = "pop.isp.example"
login = "b"

[accounts."bob@example.com".sources.gmx]
host = "pop.gmx.example"
login = "b"
keep = false

# the staff
[templates.staff]
imap_lan_only = true
extra_lan = ["branch"]
"""
)

# a command, and whether its undo is sure to give the original bytes
BACK = [
    ("pop off alice@example.com", True),
    ("pop inherit alice@example.com", False),  # the comment and the place of a key are gone with it
    ("imap off alice@example.com", True),
    ("imap on alice@example.com --lan-only", True),
    ("pop anywhere alice@example.com bob@example.com", True),
    ("pop on alice@example.com --until 2026-12-01", True),
    ("temporary end bob@example.com", False),
    ("account add carol@example.com --pop on", True),
    ("account suspend alice@example.com", True),
    ("account resume bob@example.com", False),
    ("account expire alice@example.com --last-day 2026-12-31", True),
    ("account expire bob@example.com --never", False),
    ("account expire bob@example.com --at 2027-01-01T00:00:00Z", True),
    ("account remove bob@example.com --yes", False),
    ("account remove alice@example.com bob@example.com --yes", False),
    ("account rename bob@example.com rob@example.com", True),
    ("imap off --in-defaults", True),
    ("pop on --in-defaults", True),
    ("imap anywhere --in-template staff", True),
    ("template add new", True),
    ("template rename staff crew", True),
    ("template assign staff alice@example.com", True),
    ("template unassign bob@example.com", True),
    ("lan add 192.168.0.0/24", True),
    ("lan remove -- fd00::/8", True),
    ("lan reset", False),
    ("network add office 192.0.2.0/24", True),
    ("network add branch 192.0.2.0/24", True),
    ("network remove branch 198.51.100.7", True),
    ("network rename branch office", True),
    ("network assign branch alice@example.com", True),
    ("server set multipop off", True),
    ("server set time_zone Europe/Berlin", True),
    ("server govern smtp sieve", True),
    ("server ungovern smtp sieve --yes", True),
    ("smart-host set --server --port 465 --yes", True),
    ("smart-host set --server --login other --yes", True),
    ("multipop source add alice@example.com isp --host h.example --login l", True),
    ("multipop source set bob@example.com isp --port 110 --yes", True),
    ("multipop source remove bob@example.com isp --yes", False),
    ("install new.toml", False),
]


def policy(path: Path) -> object:
    """The policy, with lists of networks in one order."""
    found = Store.read(str(path)).policy()
    entries = sorted(entry._replace(position=0) for entry in found.server.lan_entries)
    server = found.server._replace(lan_entries=tuple(entries), written=frozenset(found.server.written))
    return found._replace(server=server)


@pytest.mark.parametrize(("command", "bytes_too"), BACK)
def test_there_and_back(
    run: Run, store: Path, journaled: list[str], tmp_path: Path, command: str, bytes_too: bool
) -> None:
    store.write_text(WHOLE)
    (tmp_path / "new.toml").write_text(MINIMAL)
    if command.startswith("server govern"):
        store.write_text(WHOLE.replace("[defaults]", "[defaults]\nsmtp = true\nsieve = true"))
    if command.startswith("server ungovern"):
        store.write_text(WHOLE.replace("multipop = true\n", 'multipop = true\ngovern = ["smtp", "sieve"]\n', 1))
    before, old = store.read_bytes(), policy(store)
    assert run(*journaled, *shlex.split(command)).status == 0
    after = store.read_bytes()
    assert after != before
    planned = run(*journaled, "undo", "--dry-run")
    assert planned.status == 0
    assert store.read_bytes() == after
    done = run(*journaled, "undo")
    assert done.status == 0, done.err
    assert all(line.endswith("\tchanged") for line in done.out.splitlines())
    assert policy(store) == old
    assert store.read_bytes() == before or not bytes_too
    assert entries(store)[-1]["undoes"] == entries(store)[0]["id"]
    # Undone is undone; and an undo is an edit, which can be taken back too.
    assert run(*journaled, "undo", entries(store)[0]["id"]).out.endswith("\tok\n")
    nothing = run(*journaled, "undo")
    assert (nothing.status, "there is no edit to undo" in nothing.err) == (5, True)
    assert run(*journaled, "undo", entries(store)[-1]["id"]).status == 0
    assert Store.read(str(store)).policy().accounts == Store(str(store), after).policy().accounts


@pytest.mark.parametrize("line", [line for line in rows(EDITS) if not line.startswith(("secrets", "init", "undo"))])
def test_every_edit_can_be_undone(run: Run, place: list[str], tmp_path: Path, line: str) -> None:
    host, store = tmp_path / "host.toml", tmp_path / "accounts.toml"
    host.write_text(f"journal = true\n{host.read_text()}")
    store.with_name("accounts.toml.log").unlink()
    before, old = store.read_bytes(), policy(store)
    assert run(*place, *shlex.split(line)).status == 0
    if store.read_bytes() == before:
        return
    assert run(*place, "undo", "--yes").status == 0
    assert policy(store) == old


# commands, the first of which is then to be undone; the part of the message that says why not
SINCE = {
    "the same key": ([f"pop off {ALICE}", f"pop on {ALICE}"], f"{ALICE} pop was changed since, by {{1}}"),
    "the key removed": ([f"pop off {ALICE}", f"pop inherit {ALICE}"], f"{ALICE} pop was changed since, by {{1}}"),
    "a rename": ([f"pop off {ALICE}", f"account rename {ALICE} al@example.com"], "was changed since, by {1}"),
    "a removal": ([f"pop off {ALICE}", f"account remove {ALICE} --yes"], "was changed since, by {1}"),
    "a key of a new account": (
        ["account add carol@example.com", "pop on carol@example.com"],
        "carol@example.com account was changed since, by {1}",
    ),
    "the old name is taken": (
        [f"account rename {ALICE} al@example.com", f"account add {ALICE}"],
        "was changed since, by {1}",
    ),
    "an entry of a list": (
        ["lan add 192.168.0.0/24", "lan remove 192.168.0.0/24"],
        "server lan was changed since, by {1}",
    ),
    "an entry that is back": (["lan remove fd00::/8", "lan add fd00::/8"], "server lan was changed since, by {1}"),
    "a layer": (["pop on --in-defaults", "pop off --in-defaults"], "defaults pop was changed since, by {1}"),
    "the server": (
        ["server set multipop off", "server set multipop on"],
        "server multipop was changed since, by {1}",
    ),
    "one of two": ([f"pop off {ALICE} {BOB}", f"pop on {BOB}"], f"{BOB} pop was changed since, by {{1}}"),
    "an undo": ([f"pop off {ALICE}", "undo", f"pop off {ALICE}"], None),
}


@pytest.mark.parametrize("name", SINCE)
def test_what_was_changed_since(run: Run, store: Path, journaled: list[str], name: str) -> None:
    commands, why = SINCE[name]
    for command in commands:
        assert run(*journaled, *command.split()).status == 0
    before = store.read_bytes()
    written = entries(store)
    for more in (["--dry-run"], []):
        refused = run(*journaled, "undo", written[0]["id"], "--json", *more)
        if why is None:
            assert refused.status == 0
        else:
            error = json.loads(refused.out)
            assert (refused.status, error["code"], error["later"]) == (5, "changed-since", written[1]["id"])
            assert error["fix"].split()[-1] == written[1]["id"]
            assert why.format(None, f"{written[1]['id']} (mailpolicy {commands[1]})") in error["message"]
        assert store.read_bytes() == before
    assert entries(store) == written


def test_a_key_changed_by_other_means(run: Run, store: Path, journaled: list[str]) -> None:
    run(*journaled, "pop", "off", ALICE)
    store.write_text(store.read_text().replace("pop = false", "pop = true # again"))
    refused = run(*journaled, "undo")
    assert refused.status == 5
    assert f"{ALICE} pop was changed since, and the journal does not say by whom" in refused.err


def test_entries_of_a_list_that_others_changed_too(run: Run, store: Path, journaled: list[str]) -> None:
    for command in ("add 192.168.0.0/24", "add 172.16.0.0/12", "remove fd00::/8"):
        run(*journaled, "lan", *command.split())
    assert run(*journaled, "undo", entries(store)[0]["id"]).status == 0
    assert run(*journaled, "undo", entries(store)[2]["id"]).status == 0
    lan = [entry.text for entry in Store.read(str(store)).policy().server.lan_entries]
    assert sorted(lan) == ["10.0.0.0/8", "172.16.0.0/12", "fd00::/8"]


def test_the_next_undo_goes_one_further_back(run: Run, store: Path, journaled: list[str]) -> None:
    before = store.read_bytes()
    for command in (f"pop off {ALICE}", f"imap off {ALICE}", f"pop on {BOB}"):
        run(*journaled, *command.split())
    for _ in range(3):
        assert run(*journaled, "undo").status == 0
    assert store.read_bytes() == before


def test_an_id(run: Run, store: Path, journaled: list[str]) -> None:
    run(*journaled, "pop", "off", ALICE)
    identity = entries(store)[0]["id"]
    unknown = run(*journaled, "undo", "ffff")
    assert (unknown.status, "there is no entry 'ffff'" in unknown.err) == (4, True)
    few = run(*journaled, "undo", identity[:3])
    assert (few.status, "too short for an id: at least 4 characters" in few.err) == (2, True)
    whole = journal(store).read_text()
    journal(store).write_text(whole + whole.replace(identity, f"{identity[:4]}zz"))
    many = run(*journaled, "undo", identity[:4])
    assert many.status == 5
    for name in (identity, f"{identity[:4]}zz"):
        assert f"{name} (mailpolicy pop off {ALICE})" in many.err
    journal(store).write_text(whole)
    assert run(*journaled, "undo", identity[:4]).status == 0


@pytest.mark.parametrize(
    ("new", "why"),
    [
        ("# a note\n" + MINIMAL, "changed comments and layout only"),
        (MINIMAL, "replaced a store with errors"),
    ],
)
def test_what_cannot_be_undone(run: Run, store: Path, journaled: list[str], tmp_path: Path, new: str, why: str) -> None:
    (tmp_path / "new.toml").write_text(new)
    if "errors" in why:
        store.write_text(MINIMAL + "popp = true\n")
    assert run(*journaled, "install", "new.toml").status == 0
    refused = run(*journaled, "undo")
    assert refused.status == 5
    assert why in refused.err


@pytest.mark.parametrize(
    "change",
    [
        {"path": ["accounts", ALICE, "pop", "x", "y"], "old": 1, "new": None},
        {"path": ["nonsense"], "old": 1, "new": None},
        {"path": ["nonsense", "x"], "old": 1, "new": None},
        {"path": ["accounts", "q"], "old": 5, "new": None},
        {"path": ["accounts", ALICE, "pop"], "old": {"a": {"b": [{}]}}, "new": True},
        {"path": ["accounts"], "renamed": "x"},
        {"path": ["server", "lan"], "removed": ["zzz"], "added": ["10.0.0.0/8"]},
    ],
)
def test_changes_that_no_edit_makes_are_refused(
    run: Run, store: Path, journaled: list[str], change: dict[str, object]
) -> None:
    entry = {"event": "edit", "time": "2026-11-27T12:00:00Z", "id": "4f2a91", "command": "c", "changes": [change]}
    journal(store).write_text(json.dumps({**entry, "before": "1", "after": "2"}) + "\n")
    before = store.read_bytes()
    refused = run(*journaled, "undo")
    assert (refused.status, refused.err.count("\n"), store.read_bytes()) == (5, 1, before)


def test_the_store_itself_is_not_undone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "host.toml").write_text("journal = true\n")
    words = ["--file", str(tmp_path / "accounts.toml"), "--host-config", str(tmp_path / "host.toml")]
    assert run(*words, "init").status == 0
    refused = run(*words, "undo")
    assert refused.status == 5
    assert "made the store, and there is none to go back to" in refused.err


def test_it_is_held_against_the_cases(run: Run, store: Path, journaled: list[str], tmp_path: Path) -> None:
    run(*journaled, "pop", "off", ALICE)
    cases = tmp_path / "cases.toml"
    cases.write_text(f'[[case]]\naddress = "{ALICE}"\nprotocol = "pop"\nip = "10.0.0.1"\nexpect = "deny"\n')
    host = tmp_path / "host.toml"
    host.write_text(f'cases = "{cases}"\n' + host.read_text())
    refused = run(*journaled, "undo")
    assert refused.status == 5
    assert "this case would no longer hold" in refused.err
    assert run(*journaled, "undo", "--no-cases").status == 0
