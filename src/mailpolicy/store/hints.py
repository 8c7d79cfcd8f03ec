"""Hints: keys, entries and networks that could be removed without changing anything, dates, and refused passwords."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mailpolicy.diagnostics import KeyPath, Problem
from mailpolicy.policy.account import Account, Settings, Value, named_in
from mailpolicy.policy.model import LanEntry, Layer, Policy
from mailpolicy.policy.names import short
from mailpolicy.policy.networks import network_set
from mailpolicy.policy.source import Auth

# POP3 servers that accept tokens only: Exchange Online, and Microsoft's mailboxes for consumers.
_REFUSING_HOSTS = ("outlook.office365.com", "pop-mail.outlook.com")


def hints(policy: Policy) -> Iterator[Problem]:
    """Yield a hint for each key, entry and network that changes nothing, and each password that is refused."""
    for path, entry, wider in _redundant_entries(policy):
        yield Problem("MP051", path, f"{entry.text} is already inside {wider.text}")
    for name in _unused_networks(policy):
        yield Problem("MP052", ("networks", name), f"nobody uses the network {short(name)}")
    for name, table in policy.templates.items():
        for key, value in _redundant_in_template(policy, table):
            message = f"{key} is {_toml(value)} without this line too"
            yield Problem("MP050", ("templates", name, key), message)
    for account in policy.accounts.values():
        for key, value, layer in _redundant(policy, account):
            source = f"from {layer}" if layer else "because nothing else sets it"
            message = f"{key} is {_toml(value)} without this line too, {source}"
            yield Problem("MP050", ("accounts", account.key, key), message)
    for account, name in _refused_passwords(policy):
        message = "Microsoft refuses passwords here, so nothing is collected: log in with a token, `auth` and `token`"
        yield Problem("MP082", ("accounts", account.key, "sources", name, "host"), message)


def count_hints(policy: Policy, groups: Iterable[list[Account]]) -> int:
    """Return the number of hints without making each; `groups` are those of Policy.groups()."""
    in_templates = sum(len(_redundant_in_template(policy, table)) for table in policy.templates.values())
    in_accounts = sum(len(_redundant(policy, accounts[0])) * len(accounts) for accounts in groups)
    elsewhere = len(_redundant_entries(policy)) + len(_unused_networks(policy)) + len(_refused_passwords(policy))
    return elsewhere + in_templates + in_accounts


def _refused_passwords(policy: Policy) -> list[tuple[Account, str]]:
    """Return the accounts and names of the sources with a password at a provider that refuses passwords."""
    return [
        (account, name)
        for account in policy.accounts.values()
        for name, source in account.sources.items()
        if source.auth is Auth.PASSWORD and source.host in _REFUSING_HOSTS
    ]


def hints_of_dates(policy: Policy) -> Iterator[Problem]:
    """Yield a hint for each date, past or to come, and for each exception that changes nothing."""
    for account in policy.dated:
        path = ("accounts", account.key)
        if account.expires is not None:
            yield Problem(
                "MP073", (*path, "expires"), f"the account can be used until {account.expires}, not afterwards"
            )
        if (exception := account.temporary) is not None:
            if exception.switches:
                message = f"the switches of this table apply until {exception.until}, not afterwards"
                yield Problem("MP073", (*path, "temporary", "until"), message)
            else:
                yield Problem("MP074", (*path, "temporary"), "this exception has no switch, so it changes nothing")


def _redundant_entries(policy: Policy) -> list[tuple[KeyPath, LanEntry, LanEntry]]:
    """Return the path of each entry that lies inside another one of its list, the entry, and the other one."""
    lists: dict[KeyPath, tuple[LanEntry, ...]] = {("server", "lan"): policy.server.lan_entries}
    lists |= {("networks", name): network.entries for name, network in policy.networks.items()}
    return [
        ((*path, entry.position), entry, wider)
        for path, entries in lists.items()
        for entry, wider in _inside_another(entries)
    ]


def _inside_another(entries: Iterable[LanEntry]) -> list[tuple[LanEntry, LanEntry]]:
    """Return the entries that lie inside another one, each with that one; of two equal ones the later counts."""
    ranges = [(*network_set(entry.networks).spans[0], entry) for entry in entries]
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


def _unused_networks(policy: Policy) -> list[str]:
    used = {name for _, keys in policy.layers() for name in named_in(keys)} if policy.networks else set()
    return [name for name in policy.networks if name not in used]


def _redundant_in_template(policy: Policy, table: Settings) -> list[tuple[str, Value]]:
    nobody = Account("", "", {})
    return [(key, value) for key, value in table.items() if value == policy.resolved(nobody, key)[0]]


def _redundant(policy: Policy, account: Account) -> list[tuple[str, Value, Layer | None]]:
    """Return the keys of an account's own table that have the inherited value, with the layer that it comes from."""
    bare = account.without_own()
    inherited = [(key, value, *policy.resolved(bare, key)) for key, value in account.own.items()]
    return [(key, value, layer) for key, value, other, layer in inherited if value == other]


def _toml(value: Value) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(ascii, value))}]"
    return "true" if value else "false"
