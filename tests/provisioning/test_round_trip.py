"""A plan applied twice changes nothing the second time, its changes are the difference, and an export is a plan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailpolicy.edit.text.splices import new_text
from mailpolicy.policy import dates
from mailpolicy.provisioning import accounts
from mailpolicy.provisioning.values import NESTED
from tests.policies import ADDRESSES, LOGINS, trees
from tests.provisioning.plans import applied, policy_of, tables, write_store

SETTINGS = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
NOBODY: dict[str, Any] = {"accounts": {}}


def exported(path: Path, form: str) -> str:
    rows = [(account.address, accounts.written(account)) for account in policy_of(path).accounts.values()]
    if form == "csv":
        return accounts.as_csv(rows).text
    if form == "toml":
        return new_text(accounts.as_tables(rows))
    return "".join(json.dumps(accounts.as_object(address, keys)) + "\n" for address, keys in rows)


@pytest.mark.parametrize("form", ["csv", "ndjson", "toml"])
def test_an_export_applied_to_an_empty_store_gives_the_same_accounts(form: str, tmp_path: Path) -> None:
    @SETTINGS
    @given(drawn=trees())
    def check(drawn: tuple[dict[str, Any], object]) -> None:
        tree, _ = drawn
        old, new = write_store(tmp_path / "old.toml", tree), write_store(tmp_path / "new.toml", {**tree, **NOBODY})
        plan = exported(old, form)
        applied(new, "plan", plan, form)
        without = NESTED if form == "csv" else ()
        assert tables(policy_of(new).accounts) == tables(policy_of(old).accounts, without=without)
        # And to its own store it is nothing new.
        before = old.read_bytes()
        assert not applied(old, "plan", plan, form).changed
        assert old.read_bytes() == before

    check()


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_an_export_brings_any_accounts_to_its_own(form: str, tmp_path: Path) -> None:
    @SETTINGS
    @given(drawn=trees(), other=trees())
    def check(drawn: tuple[dict[str, Any], object], other: tuple[dict[str, Any], object]) -> None:
        (tree, _), (had, _) = drawn, other
        tree["networks"] = {**had["networks"], **tree["networks"]}
        old = write_store(tmp_path / "old.toml", tree)
        new = write_store(tmp_path / "new.toml", {**tree, "accounts": had["accounts"]})
        wanted = tables(policy_of(old).accounts)
        if wanted:
            applied(new, "plan", exported(old, form), form, prune=True, prune_at_most=99)
            found = tables(policy_of(new).accounts)
            assert found.keys() == wanted.keys()
            for address in found:
                for key in found[address].keys() | wanted[address].keys():
                    assert (form == "csv" and key in NESTED) or found[address].get(key) == wanted[address].get(key)

    check()


BY_TOKEN = [{"auth": auth, "token": token} for auth in ("xoauth2", "oauthbearer") for token in ("ms", "g")]
ROWS = st.dictionaries(
    st.sampled_from(ADDRESSES),
    st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(("pop", "pop_lan_only", "imap", "suspended", "smtp"), st.sampled_from([True, False, None])),
            "template": st.sampled_from(["one", "two", None]),
            "smart_host_login": LOGINS | st.none(),
            "expires": st.dates().map(dates.text) | st.none(),
            "temporary": st.fixed_dictionaries({"until": st.just("2026-12-24"), "imap": st.booleans()}) | st.none(),
            "sources": st.dictionaries(
                st.sampled_from(["gmx", "new"]),
                st.fixed_dictionaries(
                    {"host": st.sampled_from(["pop.gmx.example", "h.example"]), "login": LOGINS},
                    optional={
                        "tls": st.sampled_from(["implicit", "starttls"]),
                        "port": st.sampled_from([110, 995]),
                        "keep": st.booleans(),
                    },
                ).flatmap(
                    lambda source: st.sampled_from([{}, {"auth": "password"}, *BY_TOKEN]).map(lambda how: source | how)
                ),
            )
            | st.none(),
        },
    ),
)


def top_keys(key: str | None) -> str | None:
    return key.partition(".")[0] if key is not None else None


@SETTINGS
@given(drawn=trees(), rows=ROWS)
def test_a_plan_is_the_difference_and_twice_is_nothing(
    tmp_path: Path, drawn: tuple[dict[str, Any], object], rows: dict[str, dict[str, Any]]
) -> None:
    path = write_store(tmp_path / "accounts.toml", drawn[0])
    before = tables(policy_of(path).accounts)
    plan = "".join(json.dumps({"address": address, **keys}) + "\n" for address, keys in rows.items())
    done = applied(path, "plan", plan, "ndjson")
    after = tables(policy_of(path).accounts)
    differing: set[tuple[str, str | None]] = {(address, None) for address in after.keys() - before.keys()}
    for address in before:
        keys = before[address].keys() | after[address].keys()
        differing |= {(address, key) for key in keys if before[address].get(key) != after[address].get(key)}
    assert {(change.address, top_keys(change.key)) for change in done.plan.changes} == differing
    for address, wanted in rows.items():
        for key, value in wanted.items():
            assert (after[address].get(key) is None) == (value in (None, {}) or (key, value) == ("suspended", False))
    text = path.read_bytes()
    assert not applied(path, "plan", plan, "ndjson").changed
    assert path.read_bytes() == text
