"""Hints: keys and LAN entries that could be removed without changing anything, and dates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from mailpolicy.diagnostics import Problem
from mailpolicy.policy.model import Account, LanEntry, Policy, Setting
from mailpolicy.policy.networks import network_set


def hints(policy: Policy) -> Iterator[Problem]:
    """Yield a hint for each key and LAN entry that changes nothing."""
    for entry, wider in _redundant_entries(policy):
        yield Problem("MP051", ("server", "lan", entry.position), f"{entry.text} is already inside {wider.text}")
    for name, table in policy.templates.items():
        for switch, value in _redundant_in_template(policy, table):
            message = f"{switch} is {_toml(value)} without this line too"
            yield Problem("MP050", ("templates", name, switch), message)
    for account in policy.accounts.values():
        for switch, inherited in _redundant(policy, account):
            source = f"from {inherited.layer}" if inherited.layer else "because nothing else sets it"
            message = f"{switch} is {_toml(inherited.value)} without this line too, {source}"
            yield Problem("MP050", ("accounts", account.key, switch), message)


def count_hints(policy: Policy, groups: Iterable[list[Account]]) -> int:
    """Return the number of hints without making each; `groups` are those of Policy.groups()."""
    in_templates = sum(len(_redundant_in_template(policy, table)) for table in policy.templates.values())
    in_accounts = sum(len(_redundant(policy, accounts[0])) * len(accounts) for accounts in groups)
    return len(_redundant_entries(policy)) + in_templates + in_accounts


def hints_of_dates(policy: Policy) -> Iterator[Problem]:
    """Yield a hint for each date, past or to come, and for each exception that changes nothing."""
    for account in policy.dated:
        path = ("accounts", account.key)
        if account.expires is not None:
            yield Problem("MP073", (*path, "expires"), f"the account can be used until {account.expires}, not afterwards")
        if (exception := account.temporary) is not None:
            if exception.switches:
                message = f"the switches of this table apply until {exception.until}, not afterwards"
                yield Problem("MP073", (*path, "temporary", "until"), message)
            else:
                yield Problem("MP074", (*path, "temporary"), "this exception has no switch, so it changes nothing")


def _redundant_entries(policy: Policy) -> list[tuple[LanEntry, LanEntry]]:
    """Return the LAN entries that lie inside another one, each with that one; of two equal ones the later counts."""
    ranges = [(*network_set(entry.networks).spans[0], entry) for entry in policy.server.lan_entries]
    widest: dict[int, tuple[bytes, LanEntry]] = {}  # by IP version: of the entries so far, the one that ends last
    redundant = []
    # One pass in order of the first addresses: an entry lies inside another exactly if it ends no later than the widest.
    for first, last, entry in sorted(ranges, key=lambda found: (found[0], _descending(found[1]), found[2].position)):
        end, wider = widest.get(len(first), (b"", None))
        if wider is not None and last <= end:
            redundant.append((entry, wider))
        else:
            widest[len(first)] = (last, entry)
    return sorted(redundant, key=lambda pair: pair[0].position)


def _descending(packed: bytes) -> int:
    return -int.from_bytes(packed, "big")


def _redundant_in_template(policy: Policy, table: Mapping[str, bool]) -> list[tuple[str, bool]]:
    return [(switch, value) for switch, value in table.items() if value is policy.defaults.get(switch, False)]


def _redundant(policy: Policy, account: Account) -> list[tuple[str, Setting]]:
    return [
        (switch, inherited)
        for switch, value in account.own.items()
        if value is (inherited := policy.inherited(account, switch)).value
    ]


def _toml(value: bool) -> str:
    return "true" if value else "false"
