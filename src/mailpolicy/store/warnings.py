"""What in a valid policy deserves a second look: warnings, and hints about keys that change nothing.

Promises: one finding for each deciding key, however many accounts it reaches. Not promised: that a policy without
findings is the one you want.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from mailpolicy.diagnostics import KeyPath, Problem, dotted
from mailpolicy.policy.lan import is_reserved
from mailpolicy.policy.model import Account, Gate, LanEntry, Policy, Setting, Tls
from mailpolicy.policy.names import short
from mailpolicy.policy.networks import network_set
from mailpolicy.policy.service import Service


class _Shape(NamedTuple):
    """What accounts that say the same for themselves have in common: the deciding keys of what deserves a word."""

    closed: tuple[tuple[Gate, str, Setting], ...]  # a gate that closes what is on, and the switch that is on
    confined: tuple[tuple[str, Setting], ...]


def warnings(policy: Policy, groups: Iterable[list[Account]]) -> list[Problem]:
    """Settings that are allowed and do not do what they seem to say; `groups` are those of `policy.group()`."""
    closed: dict[Gate, dict[KeyPath, list[str]]] = {}
    confined: dict[KeyPath, list[str]] = {}
    lan_counts = not policy.server.lan_entries  # who is confined to the LAN deserves a word only where it is empty
    for group in groups:
        shape = _shape(policy, group[0], lan_counts=lan_counts)
        for account in group if shape.closed or shape.confined else ():
            for gate, switch, setting in shape.closed:
                path = policy.key_path(account, switch, setting.layer)
                closed.setdefault(gate, {}).setdefault(path, []).append(account.address)
            for switch, setting in shape.confined:
                confined.setdefault(policy.key_path(account, switch, setting.layer), []).append(account.address)
    logins = [account for account in policy.accounts.values() if account.login is not None]
    found = [
        Problem(
            "MP030", path, f"Outlook Connector is on without IMAP, on which it rides: {_count(reached)} cannot use it"
        )
        for path, reached in closed.get(Gate.CONNECTOR_NEEDS_IMAP, {}).items()
    ]
    found += _public(policy)
    for gate, code, server_key, why in _SERVER_GATES:
        found += _server_gate(policy, closed.get(gate, {}), code, server_key, why)
    found += _logins(policy, logins)
    found += _empty_lan(policy, confined)
    found += (
        Problem(
            "MP040",
            ("accounts", account.key, "sources", name, "tls"),
            "this source is polled without TLS: its password goes over the network in the clear",
        )
        for account in policy.accounts.values()
        for name, source in account.sources.items()
        if source.tls is Tls.NONE
    )
    used = {account.template for account in policy.accounts.values()}
    found += (
        Problem("MP037", ("templates", name), f"no account uses the template {short(name)}")
        for name in policy.templates
        if name not in used
    )
    return found


# A gate of the server's, its finding (None: only a missing key is worth a word), its key, and why it closes.
_SERVER_GATES: tuple[tuple[Gate, str | None, str, str], ...] = (
    (Gate.IMAP_NEEDS_PRO, "MP032", "edition", "IMAP is on, but the edition is standard"),
    (
        Gate.CONNECTOR_NOT_INSTALLED,
        "MP033",
        "outlook_connector_installed",
        "Outlook Connector is on, but not installed",
    ),
    (Gate.MULTIPOP_OFF_ON_SERVER, None, "multipop", "MultiPOP is on, but off for the whole server"),
)


def _shape(policy: Policy, account: Account, *, lan_counts: bool) -> _Shape:
    closed: list[tuple[Gate, str, Setting]] = []
    confined: list[tuple[str, Setting]] = []
    for service in Service:
        setting = policy.setting(account, service.switch)
        if not setting.value:
            continue
        for gate in policy.gates(account.address, service):
            # A closed gate of IMAP's is told of once, with IMAP, unless IMAP is off and only the Connector meets it.
            repeated = gate is Gate.IMAP_NEEDS_PRO and service is Service.CONNECTOR
            if not repeated or not policy.setting(account, Service.IMAP.switch).value:
                closed.append((gate, service.switch, setting))
        if lan_counts and (switch := service.own_lan_switch) is not None:
            lan = policy.setting(account, switch)
            if lan.value:
                confined.append((switch, lan))
    return _Shape(tuple(closed), tuple(confined))


def _server_gate(
    policy: Policy, reached_by: dict[KeyPath, list[str]], code: str | None, key: str, why: str
) -> Iterator[Problem]:
    if reached_by and key not in policy.server.written:
        yield _missing(key, f"{why} while the key is missing")
    elif code is not None:
        for path, reached in reached_by.items():
            yield Problem(code, path, f"{why}: {_count(reached)} cannot use it")


def _logins(policy: Policy, logins: list[Account]) -> Iterator[Problem]:
    if not logins or policy.server.per_account_auth:
        return
    if "smart_host.per_account_auth" not in policy.server.written:
        yield _missing("smart_host.per_account_auth", "logins of accounts are not used while the key is missing")
        return
    for account in logins:
        path = ("accounts", account.key, "smart_host_login")
        yield Problem("MP034", path, "this login is not used: per-account authentication is off")


def _empty_lan(policy: Policy, confined: dict[KeyPath, list[str]]) -> Iterator[Problem]:
    if not confined:
        return
    if "lan" not in policy.server.written:
        yield _missing("lan", "what is open to the LAN only admits nobody while the key is missing")
        return
    for path, reached in confined.items():
        yield Problem("MP035", path, f"from the LAN only, and the LAN is empty: nobody gets in ({_count(reached)})")


def hints(policy: Policy) -> Iterator[Problem]:
    """Keys that say what would hold without them."""
    for entry, wider in _idle_entries(policy):
        yield Problem("MP051", ("server", "lan", entry.position), f"{entry.text} is inside {wider.text} already")
    for name, table in policy.templates.items():
        for switch, value in _idle_in_template(policy, table):
            yield Problem("MP050", ("templates", name, switch), f"{switch} is {_shown(value)} without this line too")
    for account in policy.accounts.values():
        for switch, inherited in _idle(policy, account):
            source = f"from {inherited.layer}" if inherited.layer else "as nothing grants it"
            message = f"{switch} is {_shown(inherited.value)} without this line too, {source}"
            yield Problem("MP050", ("accounts", account.key, switch), message)


def _idle_entries(policy: Policy) -> list[tuple[LanEntry, LanEntry]]:
    """The entries of the LAN that another one holds, each with that one; of two that are the same the later is idle."""
    spans = [(*network_set(entry.networks).spans[0], entry) for entry in policy.server.lan_entries]
    widest: dict[int, tuple[bytes, LanEntry]] = {}  # of those that begin before, the one that ends last; by the version
    idle = []
    # One pass in the order of their beginnings: an entry is inside another exactly if it ends no later than the widest.
    for first, last, entry in sorted(spans, key=lambda span: (span[0], _descending(span[1]), span[2].position)):
        end, wider = widest.get(len(first), (b"", None))
        if wider is not None and last <= end:
            idle.append((entry, wider))
        else:
            widest[len(first)] = (last, entry)
    return sorted(idle, key=lambda pair: pair[0].position)


def _descending(packed: bytes) -> int:
    return -int.from_bytes(packed, "big")


def hint_count(policy: Policy, groups: Iterable[list[Account]]) -> int:
    """How many hints there are, without making each; `groups` are those of `policy.group()`."""
    in_templates = sum(len(_idle_in_template(policy, table)) for table in policy.templates.values())
    return (
        len(list(_idle_entries(policy)))
        + in_templates
        + sum(len(_idle(policy, group[0])) * len(group) for group in groups)
    )


def _idle_in_template(policy: Policy, table: Mapping[str, bool]) -> list[tuple[str, bool]]:
    return [(switch, value) for switch, value in table.items() if value is policy.defaults.get(switch, False)]


def _idle(policy: Policy, account: Account) -> list[tuple[str, Setting]]:
    found = []
    for switch, value in account.own.items():
        if value is (inherited := policy.inherited(account, switch)).value:
            found.append((switch, inherited))
    return found


def _public(policy: Policy) -> Iterator[Problem]:
    for entry in policy.server.lan_entries:
        if not is_reserved(entry.networks):
            message = (
                f"{entry.text} is not wholly inside the ranges reserved for local use: "
                "whoever has these addresses counts as the LAN"
            )
            yield Problem("MP031", ("server", "lan", entry.position), message)


def _missing(key: str, message: str) -> Problem:
    path: KeyPath = ("server", *key.split("."))
    return Problem("MP036", path, f"the key {dotted(path)} is missing: {message}")


def _count(reached: list[str]) -> str:
    return reached[0] if len(reached) == 1 else f"{len(reached)} accounts, among them {reached[0]},"


def _shown(value: bool) -> str:
    return "true" if value else "false"
