"""The decision at moments before, on and after every boundary, against a second statement that knows no time zones."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpolicy.policy import when
from mailpolicy.policy.access import Comparison, compare
from mailpolicy.policy.model import Gate, Policy, can_close
from mailpolicy.policy.moments import moments, next_change
from mailpolicy.policy.question import question
from mailpolicy.policy.service import GOVERNABLE, Service
from mailpolicy.policy.verdict import judge
from mailpolicy.store import schema
from tests.helpers import NOW, never, now
from tests.policy.dates import dated_trees
from tests.policy.trees import Tree

ANN = "ann@x.example"
ZONE = "Europe/Berlin"
# Moments in UTC, and the date that a calendar in Berlin shows then: around the last days that are used below, at the start
# of winter time on 25 October 2026 and of summer time on 28 March 2027.
CALENDAR = (
    ("2026-10-24T21:59:59Z", "2026-10-24"),
    ("2026-10-24T22:00:00Z", "2026-10-25"),
    ("2026-10-25T00:30:00Z", "2026-10-25"),  # half past two
    ("2026-10-25T01:30:00Z", "2026-10-25"),  # half past two again
    ("2026-10-25T22:59:59Z", "2026-10-25"),
    ("2026-10-25T23:00:00Z", "2026-10-26"),
    ("2026-12-31T22:59:59Z", "2026-12-31"),
    ("2026-12-31T23:00:00Z", "2027-01-01"),
    ("2027-03-27T22:59:59Z", "2027-03-27"),
    ("2027-03-27T23:00:00Z", "2027-03-28"),
    ("2027-03-28T21:59:59Z", "2027-03-28"),
    ("2027-03-28T22:00:00Z", "2027-03-29"),
)
DAYS = (None, "2026-10-24", "2026-10-25", "2026-12-31", "2027-03-28")
MAYBE = (None, True, False)


def naive(facts: dict[str, Any], today: str, *, inside: bool) -> list[str]:
    """The rules for POP, as a person with a calendar would apply them."""

    def is_on(key: str) -> bool:
        if facts["until"] is not None and today <= facts["until"] and facts["temporary"].get(key) is not None:
            return bool(facts["temporary"][key])
        return bool(facts["own"].get(key))

    reasons = []
    if facts["expires"] is not None and today > facts["expires"]:
        reasons.append("account-expired")
    if not is_on("pop"):
        reasons.append("service-off")
    if is_on("pop_lan_only") and not inside:
        reasons.append("outside-lan")
    return reasons


def policy_of(account: dict[str, Any], zone: str = ZONE) -> Policy:
    server = {"edition": "pro", "lan": ["10.0.0.0/8"], "time_zone": zone}
    policy, problems, _ = schema.validate({"version": 1, "server": server, "accounts": {ANN: account}})
    assert policy is not None, problems
    return policy


def dated(own: dict[str, Any], until: str | None = None, expires: str | None = None, **temporary: bool) -> Policy:
    """A policy of one account, with dates as a file has them."""

    def day(text: str) -> date:
        return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)

    account = dict(own)
    if expires is not None:
        account["expires"] = day(expires)
    if until is not None:
        account["temporary"] = {"until": day(until), **temporary}
    return policy_of(account)


def test_every_boundary() -> None:
    seen: set[str] = set()
    for until, expires, on, confined, off_for_now, open_for_now in product(
        DAYS, DAYS, MAYBE, MAYBE, (None, False), (None, False)
    ):
        facts: dict[str, Any] = {
            "own": {key: value for key, value in (("pop", on), ("pop_lan_only", confined)) if value is not None},
            "until": until,
            "expires": expires,
            "temporary": {
                key: value for key, value in (("pop", off_for_now), ("pop_lan_only", open_for_now)) if value is not None
            },
        }
        policy = dated(facts["own"], until, expires, **facts["temporary"])
        for (moment, today), (ip, inside) in product(CALENDAR, (("10.0.0.1", True), ("203.0.113.9", False))):
            verdict = judge(policy.at(datetime.fromisoformat(moment)), question(ANN, "pop", ip))
            expected = naive(facts, today, inside=inside)
            assert [str(reason.gate) for reason in verdict.reasons] == expected, (facts, moment, ip)
            assert verdict.allowed is (not expected)
            seen.update(expected)
    assert seen == {"account-expired", "service-off", "outside-lan"}


@pytest.mark.parametrize("service", Service)
def test_an_expired_account_can_use_nothing(service: Service) -> None:
    server = {
        "edition": "pro",
        "outlook_connector_installed": True,
        "multipop": True,
        "govern": [*map(str, GOVERNABLE)],
    }
    own = {each.switch: True for each in Service}
    policy = valid({"server": server, "accounts": {ANN: {**own, "expires": date(2026, 12, 31)}}})
    for moment, gates in (("2026-12-31T23:59:59Z", []), ("2027-01-01T00:00:00Z", ["account-expired"])):
        assert [*policy.at(datetime.fromisoformat(moment)).gates(ANN, service)] == gates
        assert not gates or can_close(Gate.ACCOUNT_EXPIRED, service)


@pytest.mark.parametrize(
    ("expires", "last", "first"),
    [
        ("2026-12-31T18:00:00+01:00", "2026-12-31T16:59:59Z", "2026-12-31T17:00:00Z"),
        ("2026-12-31T18:00:00Z", "2026-12-31T17:59:59Z", "2026-12-31T18:00:00Z"),
        ("9999-12-31", "9999-12-31T23:59:59Z", None),  # its next day does not exist: never
        ("9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59Z", None),
        ("0001-01-01", None, "0001-01-02T00:00:00Z"),
        ("0001-01-01T00:00:00+14:00", None, "0001-01-01T00:00:00Z"),
    ],
)
def test_the_end_of_an_account(expires: str, last: str | None, first: str | None) -> None:
    policy = dated({"pop": True}, expires=expires)
    for moment, gates in ((last, ()), (first, ("account-expired",))):
        if moment is not None:
            assert policy.at(datetime.fromisoformat(moment)).gates(ANN, Service.POP) == gates


@pytest.mark.parametrize(
    ("zone", "day", "first"),
    [
        ("Africa/Cairo", "2026-04-24", "2026-04-23T22:00:00Z"),  # summer time begins at midnight: there is no 0:00
        ("America/Havana", "2026-11-01", "2026-11-01T04:00:00Z"),  # 0:00 comes twice, and the first counts
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"),  # a day that was left out
        ("Pacific/Kiritimati", "2026-12-31", "2026-12-30T10:00:00Z"),
        ("UTC", "2026-12-31", "2026-12-31T00:00:00Z"),
    ],
)
def test_the_first_instant_of_a_day(zone: str, day: str, first: str) -> None:
    before = (date.fromisoformat(day) - timedelta(days=1)).isoformat()
    policy = policy_of({"pop": True, "expires": date.fromisoformat(before)}, zone)
    assert next_change(policy, lambda: datetime(2000, 1, 1, tzinfo=UTC)) == datetime.fromisoformat(first)


def test_a_policy_with_dates_decides_nothing_without_a_moment() -> None:
    with pytest.raises(AssertionError, match="moment"):
        dated({"pop": True}, expires="2999-12-31").admitted(ANN, Service.POP)


def test_no_date_no_clock() -> None:
    policy = dated({"pop": True})
    assert policy.at_present(never) is policy
    assert next_change(policy, never) is None
    assert moments(policy.accounts[ANN], None, never) == [None]
    assert compare(policy, dated({"pop": False}), never) == "narrowed"


LATER = [
    # expires moved; what nobody can use now does not matter now
    ({"pop": True}, {"expires": "2030-12-31"}, {"pop": True}, {"expires": "2040-12-31"}, [("widened", "2031-01-01")]),
    ({"pop": True}, {"expires": "2040-12-31"}, {"pop": True}, {"expires": "2030-12-31"}, [("narrowed", "2031-01-01")]),
    ({"pop": True}, {}, {"pop": True}, {"expires": "2030-12-31"}, [("narrowed", "2031-01-01")]),
    ({"pop": True}, {"expires": "2030-12-31"}, {"pop": True}, {}, [("widened", "2031-01-01")]),
    ({"pop": True}, {"expires": "2020-12-31"}, {"pop": True}, {}, [("widened", None)]),
    ({"pop": True}, {"expires": "2020-12-31"}, {"pop": True}, {"expires": "2021-12-31"}, []),
    # a key that an exception masks
    (
        {"pop": True, "pop_lan_only": True}, {"until": "2030-12-31", "pop_lan_only": True},
        {"pop": True}, {"until": "2030-12-31", "pop_lan_only": True},
        [("widened", "2031-01-01")],
    ),
    ({"pop": True}, {"until": "2030-12-31", "pop": False}, {}, {"until": "2030-12-31", "pop": False}, [("narrowed", "2031-01-01")]),
    # an exception that is made, moved, and over
    ({}, {}, {}, {"until": "2030-12-31", "pop": True}, [("widened", None)]),
    ({}, {"until": "2030-12-31", "pop": True}, {}, {"until": "2031-12-31", "pop": True}, [("widened", "2031-01-01")]),
    ({}, {"until": "2020-12-31", "pop": True}, {}, {}, []),
    # until the account expires nothing differs, and afterwards nobody can use it
    (
        {}, {"until": "2031-12-31", "pop": True, "expires": "2030-12-31"},
        {}, {"until": "2032-12-31", "pop": True, "expires": "2030-12-31"},
        [],
    ),
    # now narrowed, and when the exception is over widened
    (
        {}, {"until": "2030-12-31", "pop": True}, {"pop": True}, {"until": "2030-12-31", "pop": False},
        [("narrowed", None), ("widened", "2031-01-01")],
    ),
    # what is open from now on is not told again
    (
        {"pop_lan_only": True}, {}, {"pop": True}, {"until": "2030-12-31", "pop_lan_only": True},
        [("widened", None), ("widened", "2031-01-01")],
    ),
    ({}, {}, {"pop": True, "pop_lan_only": True}, {"until": "2030-12-31", "pop_lan_only": False}, [("widened", None)]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "old_dates", "new", "new_dates", "expected"), LATER)
def test_a_change_that_only_comes_later(
    old: dict[str, Any], old_dates: dict[str, Any], new: dict[str, Any], new_dates: dict[str, Any], expected: Any
) -> None:
    comparison = Comparison(dated(old, **old_dates), dated(new, **new_dates), now)
    found = comparison.access_changes()
    assert [(str(change.direction), change.moment and change.moment.date().isoformat()) for change in found] == expected
    assert all(comparison.causes(change) for change in found)


def test_a_key_that_causes_a_later_change_is_named() -> None:
    for old, new, key in (
        ({"expires": "2030-12-31"}, {"expires": "2040-12-31"}, ("expires",)),
        ({"until": "2030-12-31", "pop": False}, {"until": "2030-11-30", "pop": False}, ("temporary", "until")),
        ({"until": "2030-12-31", "pop": True}, {"until": "2030-12-31", "pop": False}, ("temporary", "pop")),
    ):
        comparison = Comparison(dated({"pop": True}, **old), dated({"pop": True}, **new), now)
        [change] = comparison.access_changes()
        assert [cause.key for cause in comparison.causes(change)] == [("accounts", ANN, *key)]


def valid(tree: Tree) -> Policy:
    policy, problems, _ = schema.validate({"version": 1, **tree})
    assert policy is not None, problems
    return policy


@given(tree=dated_trees(), moment=st.datetimes(datetime(2026, 1, 1), datetime(2032, 1, 1), timezones=st.just(UTC)))
def test_nothing_changed_prints_nothing_at_any_moment(tree: Tree, moment: datetime) -> None:
    comparison = Comparison(valid(tree), valid(tree), lambda: moment)
    assert comparison.changes() == []
    assert comparison.direction() == "same"


@given(old=dated_trees(), new=dated_trees())
def test_the_moments_are_all_that_matter(old: Tree, new: Tree) -> None:
    """Between two moments nothing changes, and a change is found exactly if there is one at some moment."""
    before, after = valid(old), valid(new)
    changed = {change.address for change in Comparison(before, after, now).access_changes()}
    instants = {NOW + timedelta(days=days, seconds=-1) for days in range(1, 2000, 20)}
    for address in {**before.accounts, **after.accounts}:
        asked = moments(before.accounts.get(address), after.accounts.get(address), now)
        assert len(asked) <= 5
        for moment in {*instants, *(moment for moment in asked if moment is not None)}:
            sides = [side.at(moment) for side in (before, after)]
            differs = any(sides[0].admitted(address, each) != sides[1].admitted(address, each) for each in Service)
            assert not differs or address in changed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("yesterday", "'yesterday' is not a date: write 2026-12-31"),
        ("2026-02-30", "2026-02-30 is not a date: there is no such day"),
        ("2026-10-25T02:30:00", "2026-10-25T02:30:00 has no offset from UTC: write 2026-10-25T02:30:00Z"),
        ("2026-10-25T25:30:00Z", "is not a date: there is no such day, time or offset"),
        ("+3d", "is not a date"),
        ("20261231", "is not a date"),
    ],
)
def test_what_is_no_moment(text: str, message: str) -> None:
    with pytest.raises(when.DateRejected, match=message.replace("+", r"\+")):
        when.parse(text)
