"""An edit is held against the cases of host.toml: what was right must not become wrong, what was wrong stops nobody."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpolicy.edit import services
from mailpolicy.edit.install import install
from mailpolicy.edit.transaction import transact
from mailpolicy.errors import Refused
from mailpolicy.policy.lan import region
from mailpolicy.policy.networks import packed_address
from mailpolicy.policy.question import question
from mailpolicy.policy.service import Service
from mailpolicy.policy.verdict import judge
from mailpolicy.review.evaluation import mismatches
from mailpolicy.review.guard import Guard
from mailpolicy.store.index.cache import Cache
from mailpolicy.store.store import Store
from tests.helpers import MINIMAL, Run, never, now
from tests.policy.trees import probes
from tests.review.test_cases import networks, one, stores
from tests.store.index.samples import settle, store_of, verb

ALICE = "alice@example.com"
CASE = '[[case]]\naddress = "{}"\nprotocol = "{}"\nip = "{}"\nexpect = "{}"\n'
OUTSIDE_DENIED = CASE.format(ALICE, "pop", "203.0.113.0/24", "deny")


def guard_of(folder: Path, text: str = OUTSIDE_DENIED) -> Guard:
    path = folder / "cases.toml"
    path.write_text(text)
    return Guard(str(path), now)


@given(
    stores,
    stores,
    st.sampled_from(list(Service)),
    networks,
    st.sampled_from([("allow", None), ("deny", None), ("deny", "service-off"), ("deny", "outside-lan")]),
)
def test_only_what_was_right_counts(
    old: Store, new: Store, service: Service, text: str, wanted: tuple[str, str | None]
) -> None:
    expect, reason = wanted
    if reason == "outside-lan" and service.lan_switch is None:
        return
    case, asked = one(old, service, text, expect, reason), region(text)

    def right(store: Store, ip: str) -> bool:
        verdict = judge(store.policy(), question("ann@x.example", service, ip))
        reasons = [None, *(str(found.gate) for found in verdict.reasons[:1])]
        return verdict.allowed is (expect == "allow") and (reason is None or reason == reasons[-1])

    edges = {str(ipaddress.ip_address(packed)) for span in asked.spans for packed in span}
    tried = {*edges, *probes(old.policy()), *probes(new.policy())}
    broken = [ip for ip in tried if packed_address(ip) in asked and right(old, ip) and not right(new, ip)]
    found = mismatches(new.policy(), case, old.policy())
    assert bool(found) is bool(broken)
    named = [region(span) for miss in found for span in miss.asked.partition(" of ")[0].split(", ")]
    assert all(any(packed_address(ip) in part for part in named) for ip in broken)


LAYERED = (
    MINIMAL
    + """
[templates.office]
pop_lan_only = true

[accounts."carol@example.com"]
template = "office"
pop = true
"""
)
CAROL_OUTSIDE = CASE.format("carol@example.com", "pop", "203.0.113.9", "deny")
CAROL_INSIDE = CASE.format("carol@example.com", "pop", "10.0.0.1", "allow")
BOB_ANYWHERE = CASE.format("bob@example.com", "imap", "0.0.0.0/0", "allow")


@pytest.mark.parametrize(
    ("command", "case", "told"),
    [
        (
            "pop anywhere --in-template office",
            CAROL_OUTSIDE,
            "carol@example.com pop 203.0.113.9: expected deny, got allow",
        ),
        (
            "template unassign carol@example.com",
            CAROL_OUTSIDE,
            "carol@example.com pop 203.0.113.9: expected deny, got allow",
        ),
        ("imap off --in-defaults", BOB_ANYWHERE, "expected allow, got deny: service-off"),
        ("imap lan-only --in-defaults", BOB_ANYWHERE, "of 0.0.0.0/0: expected allow, got deny: outside-lan"),
        ("server set edition standard", BOB_ANYWHERE, "expected allow, got deny: imap-needs-pro"),
        (
            "lan remove 10.0.0.0/8",
            CAROL_INSIDE,
            "carol@example.com pop 10.0.0.1: expected allow, got deny: outside-lan",
        ),
        ("lan reset", CASE.format(ALICE, "pop", "192.168.1.1", "deny"), "expected deny, got allow"),
        ("account rename bob@example.com rob@example.com", BOB_ANYWHERE, "expected allow, got deny: unknown-account"),
        ("account remove bob@example.com", BOB_ANYWHERE, "expected allow, got deny: unknown-account"),
        (
            "account remove bob@example.com",
            BOB_ANYWHERE + CAROL_INSIDE + BOB_ANYWHERE,
            "got deny: unknown-account; and 1 more case, in line 11; if that is meant",
        ),
        (
            "account remove bob@example.com",
            BOB_ANYWHERE * 25,
            "; and 24 more cases, in lines 6, 11, 16, 21, 26, 31, 36, 41, 46, 51, 56, 61, 66, 71, 76, 81, 86, 91, 96, "
            "101, ...; if that is meant",
        ),
        ("account add dan@example.com --imap on", CASE.format("dan@example.com", "imap", "::/0", "deny"), "got allow"),
    ],
)
def test_a_case_is_broken_from_anywhere(
    run: Run, store: Path, tmp_path: Path, command: str, case: str, told: str
) -> None:
    store.write_text(LAYERED)
    guard = guard_of(tmp_path, case)
    (tmp_path / "host.toml").write_text(f'cases = "{guard.path}"')
    result = run("--file", str(store), "--host-config", "host.toml", *command.split())
    assert (result.status, result.out) == (5, "")
    assert result.err.startswith(f"mailpolicy: {guard.path}:1: not changed, as this case would no longer hold: ")
    assert told in result.err
    assert store.read_text() == LAYERED


def test_what_was_wrong_stops_nobody(store: Path, tmp_path: Path) -> None:
    """Alice gets POP from anywhere: that was so in the LAN, and only there was the case wrong."""
    for asked, broken in (("10.0.0.0/8", False), ("10.0.0.0/7", True)):
        guard = guard_of(tmp_path, CASE.format(ALICE, "pop", asked, "deny"))
        edit = verb(services.Verb.ANYWHERE, Service.POP, ALICE)
        if broken:
            with pytest.raises(Refused, match=r"pop 11\.0\.0\.0/8 of 10\.0\.0\.0/7: expected deny, got allow"):
                transact(Store.read(str(store)), edit, never, guard=guard)
        else:
            assert transact(Store.read(str(store)), edit, never, guard=guard, dry_run=True).changed


ENDING = MINIMAL.replace("\npop = true", "\npop = true\nexpires = {}")
EXCEPT = MINIMAL + '\n[accounts."alice@example.com".temporary]\nuntil = {}\npop_lan_only = false\n'
INSIDE_ALLOWED = CASE.format(ALICE, "pop", "10.0.0.1", "allow")


@pytest.mark.parametrize(
    ("before", "after", "case", "told"),
    [
        (
            MINIMAL,
            ENDING.format("2027-12-31"),
            INSIDE_ALLOWED,
            "got deny: account-expired, from 2028-01-01T00:00:00Z on",
        ),
        (MINIMAL, ENDING.format("2026-11-01"), INSIDE_ALLOWED, "got deny: account-expired;"),
        (ENDING.format("2027-12-31"), MINIMAL, INSIDE_ALLOWED, None),
        (ENDING.format("2027-12-31"), ENDING.format("2028-12-31"), INSIDE_ALLOWED, None),
        (ENDING.format("2028-12-31"), ENDING.format("2027-12-31"), INSIDE_ALLOWED, "from 2028-01-01T00:00:00Z on"),
        (MINIMAL, EXCEPT.format("2026-12-04"), OUTSIDE_DENIED, "got allow;"),
        (EXCEPT.format("2026-12-04"), EXCEPT.format("2026-12-05"), OUTSIDE_DENIED, "from 2026-12-05T00:00:00Z on"),
        (EXCEPT.format("2026-12-04"), EXCEPT.format("2026-12-03"), OUTSIDE_DENIED, None),
        (  # masked by the exception until then
            EXCEPT.format("2026-12-04"),
            EXCEPT.format("2026-12-04").replace("lan_only = true", "lan_only = false"),
            OUTSIDE_DENIED,
            "got allow, from 2026-12-05T00:00:00Z on",
        ),
        (MINIMAL, EXCEPT.format("2026-12-04"), OUTSIDE_DENIED + "at = 2026-12-04\n", "got allow;"),
        (MINIMAL, EXCEPT.format("2026-12-04"), OUTSIDE_DENIED + "at = 2026-12-05\n", None),
        (MINIMAL, ENDING.format("2027-12-31"), INSIDE_ALLOWED + "at = 2027-12-31T23:59:59Z\n", None),
        (MINIMAL, ENDING.format("2027-12-31"), INSIDE_ALLOWED + "at = 2028-01-01\n", "got deny: account-expired;"),
    ],
)
def test_every_moment_counts(tmp_path: Path, before: str, after: str, case: str, told: str | None) -> None:
    old, new = (Store("accounts.toml", text.encode()).policy() for text in (before, after))
    guard = guard_of(tmp_path, case)
    if told is None:
        guard.refuse_broken(old, new)
    else:
        with pytest.raises(Refused) as refusal:
            guard.refuse_broken(old, new)
        assert told in refusal.value.message


def test_deploy_names_what_does_not_hold_now(tmp_path: Path) -> None:
    guard = guard_of(tmp_path, OUTSIDE_DENIED + OUTSIDE_DENIED + "at = 2026-12-05\n" + INSIDE_ALLOWED)
    policy = Store("accounts.toml", (EXCEPT.format("2026-12-04")).encode()).policy()
    assert [failure.line for failure in guard.failures(policy)] == [1]
    assert [
        failure.line for failure in Guard(guard.path, lambda: datetime(2027, 1, 1, tzinfo=UTC)).failures(policy)
    ] == []


def test_the_store_is_judged_as_it_is_under_the_lock(store: Path, tmp_path: Path) -> None:
    store.write_text(MINIMAL.replace("pop = true", "pop = false"))
    read = Store.read(str(store))
    edit = verb(services.Verb.ON, Service.POP, ALICE)
    guard = guard_of(tmp_path)
    assert transact(read, edit, never, guard=guard, dry_run=True).changed
    changed = store.read_text().replace("pop_lan_only = true", "pop_lan_only = false")
    store.write_text(changed)
    with pytest.raises(Refused) as refusal:
        transact(read, edit, never, guard=guard)
    assert (refusal.value.code, refusal.value.line) == ("case-broken", 1)
    assert store.read_text() == changed


def test_the_cases_are_those_of_the_moment_of_the_edit(store: Path, tmp_path: Path) -> None:
    guard = guard_of(tmp_path, BOB_ANYWHERE)
    edit = verb(services.Verb.ANYWHERE, Service.POP, ALICE)
    read = Store.read(str(store))

    def rewrite_cases() -> None:
        guard_of(tmp_path)

    with pytest.raises(Refused, match="no longer hold"):
        transact(read, edit, never, guard=guard, confirm=lambda _: rewrite_cases())
    assert store.read_text() == MINIMAL


@pytest.mark.parametrize("before", [None, "[", MINIMAL.replace("pop_lan_only", "pop_lan")])
def test_without_a_policy_before_every_case_held(store: Path, tmp_path: Path, before: str | None) -> None:
    store.unlink()
    if before is not None:
        store.write_text(before)

    def put(text: str) -> bool:
        new = Store("new.toml", text.encode())
        done = install(
            str(store),
            new,
            never,
            allow=lambda _: None,
            confirm=lambda _: None,
            guard=guard_of(tmp_path, OUTSIDE_DENIED),
        )
        return done.changed

    with pytest.raises(Refused, match="no longer hold"):
        put(MINIMAL.replace("pop_lan_only = true", "pop_lan_only = false"))
    assert (store.read_text() if store.exists() else None) == before
    assert put(MINIMAL)


def test_an_edit_of_a_large_store_reads_no_more_than_its_account(tmp_path: Path) -> None:
    path, cache = tmp_path / "accounts.toml", Cache(str(tmp_path / "cache"), lambda _: None, min_size=0)
    path.write_text(store_of(200))
    settle()
    Store.read_for_lookup(str(path), [], cache)
    mine, other = "user0001@d1.example", "user0002@d2.example"
    guard = guard_of(
        tmp_path, CASE.format(mine, "pop", "203.0.113.9", "allow") + CASE.format(other, "pop", "203.0.113.9", "allow")
    )
    off = services.Verb.OFF
    store = Store.read_for_edit(str(path), [mine], cache)
    assert set(store.policy().accounts) == {mine}
    with pytest.raises(Refused) as refusal:
        transact(store, verb(off, Service.POP, mine), never, guard=guard)
    assert refusal.value.line == 1
    assert transact(store, verb(off, Service.IMAP, mine), never, guard=guard).changed
