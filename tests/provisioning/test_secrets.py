"""Passwords follow the accounts that a plan or a renamed domain changes, and are written into no export."""

from __future__ import annotations

import json

import pytest

from tests.machine import ALICE, BOB, FIRST, Machine, user

SOURCE = """\
[accounts."bob@example.com".sources.isp]
host = "pop.isp.example"
login = "b"
"""
ISP = "multipop/bob@example.com/isp/b@pop.isp.example:995/implicit"


@pytest.fixture
def full(changed: Machine) -> Machine:
    """Alice has a password at the smart host, Bob one for his source."""
    changed.store.write_text(changed.store.read_text() + SOURCE)
    changed.keyring.write_text(json.dumps({"mailpolicy": {**changed.kept(), ISP: FIRST}}))
    return changed


def apply(machine: Machine, plan: str, *more: str) -> str:
    result = machine.run("apply", "-", *more, stdin=plan)
    assert result.status == 0, result.err
    return result.out + result.err


def test_pruned_accounts_lose_theirs(full: Machine) -> None:
    told = apply(full, "address\nbob@example.com\n", "--prune", "--dry-run")
    assert f"the smart-host password of {ALICE} would be deleted, if it is in the keyring" in told
    assert full.calls() == []
    done = full.run("apply", "-", "--prune", "--yes", "--json", stdin="address\nbob@example.com\n")
    answer = json.loads(done.out)
    assert answer["plan"] == {"unchanged": [BOB], "remove": [ALICE]}  # and no passwords
    assert {"address": ALICE, "key": "password", "old": None, "new": None} in answer["changes"]
    assert full.kept() == {ISP: FIRST}
    assert full.pending() == []


def test_lines_about_passwords(full: Machine) -> None:
    told = apply(full, "address\nbob@example.com\n", "--prune", "--yes")
    assert f"{ALICE}\tsmart-host password\tremoved from the keyring\tchanged\n" in told


def test_without_consent_the_keyring_is_not_asked(full: Machine) -> None:
    assert full.run("apply", "-", "--prune", stdin="address\nbob@example.com\n").status == 5
    assert full.calls() == []


@pytest.mark.parametrize(
    ("plan", "left"),
    [
        ('{"address": "alice@example.com", "smart_host_login": null}', {ISP}),
        ('{"address": "alice@example.com", "smart_host_login": "other"}', {ISP, user(ALICE)}),
        ('{"address": "bob@example.com", "sources": null}', {user(ALICE)}),
        ('{"address": "bob@example.com", "sources": {"new": {"host": "h.example", "login": "b"}}}', {user(ALICE)}),
    ],
)
def test_a_secret_goes_with_what_it_belongs_to(full: Machine, plan: str, left: set[str]) -> None:
    apply(full, plan)
    assert full.kept().keys() == left


def test_a_secret_is_sent_elsewhere_only_with_consent(full: Machine) -> None:
    plan = '{"address": "bob@example.com", "sources": {"isp": {"host": "new.example", "login": "b"}}}\n'
    before = full.untouched()
    refused = full.run("apply", "-", stdin=plan)
    assert (refused.status, "to agree, add --yes" in refused.err) == (5, True)
    assert "would be sent to b@new.example:995/implicit" in apply(full, plan, "--dry-run")
    assert full.untouched() == before
    assert f"{BOB}\tsource isp password\tmoved in the keyring, now for b@new.example:995/implicit\tchanged\n" in apply(
        full, plan, "--yes"
    )
    assert full.kept().keys() == {user(ALICE), "multipop/bob@example.com/isp/b@new.example:995/implicit"}


def test_a_plan_that_touches_none_asks_no_keyring(full: Machine) -> None:
    apply(full, "address,pop,smart_host_login\nalice@example.com,off,ours\nnew@example.com,on,new\n")
    assert full.calls() == []


def test_a_renamed_domain_takes_them_along(full: Machine) -> None:
    full.store.write_text(full.store.read_text() + '[accounts."x@sub.example.com"]\n')
    dry = full.run("domain", "rename", "example.com", "Example.org", "--dry-run")
    assert dry.status == 0
    assert '+[accounts."bob@example.org".sources.isp]\n' in dry.out
    done = full.run("domain", "rename", "example.com", "Example.org")
    assert done.out == (
        "alice@example.org\taccount\trenamed from alice@example.com\tchanged\n"
        "bob@example.org\taccount\trenamed from bob@example.com\tchanged\n"
        "alice@example.org\tsmart-host password\tmoved in the keyring\tchanged\n"
        "bob@example.org\tsource isp password\tmoved in the keyring\tchanged\n"
    )
    assert full.kept().keys() == {user("alice@example.org"), ISP.replace(BOB, "bob@example.org")}
    assert '[accounts."x@sub.example.com"]' in full.store.read_text()
    assert full.pending() == []
    again = full.run("domain", "rename", "example.com", "example.org")
    assert (again.status, again.out) == (0, "example.org\tdomain\tno accounts are left in example.com\tok\n")
    assert full.run("domain", "rename", "example.com", "elsewhere.example").status == 4


def test_a_domain_is_renamed_whole_or_not_at_all(full: Machine) -> None:
    full.store.write_text(full.store.read_text() + '[accounts."bob@example.org"]\n')
    before = full.untouched()
    refused = full.run("domain", "rename", "example.com", "example.org")
    assert (refused.status, "already there: bob@example.org" in refused.err) == (5, True)
    assert full.run("domain", "rename", "example.com", "example.com").out.endswith("\tok\n")
    assert full.run("domain", "rename", "example.com", "a b").status == 2
    assert full.untouched() == before
    assert full.calls() == []


def test_no_export_has_them(full: Machine) -> None:
    for form in ("csv", "ndjson", "toml"):
        assert full.run("account", "export", "--format", form).status == 0
    assert full.calls() == []


def test_many_interrupted_changes_are_one_warning(full: Machine) -> None:
    """The names of the command's own change do not count."""
    others = [user(f"a{number}@example.com") for number in range(2000)]
    marker = full.store.with_name(f"{full.store.name}.pending")
    for left, named in ((others, "2000 secrets"), (others[:1], f"the secret {others[0]}")):
        for words in (("pop", "on", BOB, "--dry-run"), ("account", "rename", ALICE, "new@example.com")):
            marker.write_text("".join(f"{name}\n" for name in left))
            full.keyring.write_text(json.dumps({"mailpolicy": {user(ALICE): FIRST}}))
            lines = [line for line in full.run(*words).err.splitlines() if line.startswith("warning: an earlier")]
            assert len(lines) == 1
            assert f"; {named} may be out of date: mailpolicy validate --secrets" in lines[0]
        full.run("account", "rename", "new@example.com", ALICE)
