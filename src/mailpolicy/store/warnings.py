"""Warnings: settings that are valid but probably not intended.

There is one finding for each key that decides, however many accounts it affects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mailpolicy.diagnostics import KeyPath, Problem, dotted
from mailpolicy.policy.account import Account
from mailpolicy.policy.lan import is_reserved
from mailpolicy.policy.model import Gate, Policy, Setting
from mailpolicy.policy.names import counted, short
from mailpolicy.policy.service import GOVERNABLE, Service
from mailpolicy.policy.source import Tls

# For each deciding key the addresses it affects.
_Affected = dict[KeyPath, list[str]]


class _Decisions(NamedTuple):
    """The settings to be warned about that a group of accounts with the same keys has in common."""

    ineffective: tuple[tuple[Gate, str, Setting], ...]  # a switch that is on, and the gate that closes its service
    lan_only: tuple[tuple[str, Setting], ...]


def warnings(policy: Policy, groups: Iterable[list[Account]], dated: Policy) -> list[Problem]:
    """Return the warnings about a policy without its dates, of `dated`; `groups` are those of Policy.groups()."""
    ineffective: dict[Gate, _Affected] = {}
    lan_only: _Affected = {}
    lan_is_empty = not policy.server.lan_entries  # else LAN-only services need no warning, and no look
    for accounts in groups:
        decisions = _decisions(policy, accounts[0], with_lan=lan_is_empty and not policy.lan_of(accounts[0]))
        for account in accounts if decisions.ineffective or decisions.lan_only else ():
            for gate, switch, setting in decisions.ineffective:
                path = policy.key_path(account, switch, setting.layer)
                ineffective.setdefault(gate, {}).setdefault(path, []).append(account.address)
            for switch, setting in decisions.lan_only:
                lan_only.setdefault(policy.key_path(account, switch, setting.layer), []).append(account.address)
    found = [
        Problem("MP030", path, f"Outlook Connector is on but needs IMAP, which is off: {_cannot_use(affected)}")
        for path, affected in ineffective.get(Gate.CONNECTOR_NEEDS_IMAP, {}).items()
    ]
    found += _public_lan(policy)
    for gate, code, server_key, conflict in _SERVER_GATES:
        found += _server_gate(policy, ineffective.get(gate, {}), code, server_key, conflict)
    found += _governed(policy, dated)
    found += _unused_logins(policy)
    found += _empty_lan(policy, lan_only)
    found += (
        Problem(
            "MP040",
            ("accounts", account.key, "sources", name, "tls"),
            f"this source is polled without TLS: its {source.auth.secret} is sent in clear text",
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


# A gate of the server, its code (None: only the missing key is worth a warning), its key, and the conflict in words.
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


def _decisions(policy: Policy, account: Account, *, with_lan: bool) -> _Decisions:
    ineffective: list[tuple[Gate, str, Setting]] = []
    lan_only: list[tuple[str, Setting]] = []
    for service in policy.services:
        setting = policy.setting(account, service.switch)
        if not setting.value:
            continue
        for gate in policy.gates(account.address, service):
            # Outlook Connector meets IMAP's gate too; with IMAP on, the warning about IMAP is enough.
            repeated = gate is Gate.IMAP_NEEDS_PRO and service is Service.CONNECTOR
            if not repeated or not policy.setting(account, Service.IMAP.switch).value:
                ineffective.append((gate, service.switch, setting))
        if with_lan and (switch := service.own_lan_switch) is not None:
            lan = policy.setting(account, switch)
            if lan.value:
                lan_only.append((switch, lan))
    return _Decisions(tuple(ineffective), tuple(lan_only))


def _governed(policy: Policy, dated: Policy) -> Iterator[Problem]:
    """Yield a warning for each governed service that nobody is granted, and for keys of one that is not governed."""
    for service in GOVERNABLE:
        if policy.governs(service):
            # An exception grants too, whether it is over or not: a warning does not depend on the day.
            if not policy.is_granted(service) and not _with_exceptions(dated).is_granted(service):
                position = policy.server.govern.index(service)
                message = f"{service} is governed, but no account is granted it: nobody can use it"
                yield Problem("MP041", ("server", "govern", position), message)
            continue
        keys = {service.switch, service.own_lan_switch}
        found = [(*path, key) for path, table in dated.layers() for key in table if key in keys]
        if found:
            more = f"; {counted(len(found), 'such key')} in the file" if len(found) > 1 else ""
            yield Problem("MP042", found[0], f"{service} is not governed, so its keys have no effect{more}")


def _with_exceptions(policy: Policy) -> Policy:
    """Return the policy without its dates, with every exception in force."""
    in_force = {
        account.address: account._replace(
            expires=None, temporary=None, in_force=account.temporary.switches if account.temporary is not None else {}
        )
        for account in policy.dated
    }
    return policy._replace(accounts={**policy.accounts, **in_force})


def _server_gate(
    policy: Policy, affected_by: _Affected, code: str | None, key: str, conflict: str
) -> Iterator[Problem]:
    if affected_by and key not in policy.server.written:
        yield _missing(key, f"{conflict} without it")
    elif code is not None:
        for path, affected in affected_by.items():
            yield Problem(code, path, f"{conflict}: {_cannot_use(affected)}")


def _unused_logins(policy: Policy) -> Iterator[Problem]:
    accounts = [account for account in policy.accounts.values() if account.login is not None]
    if not accounts or policy.server.per_account_auth:
        return
    if "smart_host.per_account_auth" not in policy.server.written:
        yield _missing("smart_host.per_account_auth", "the logins of accounts are not used without it")
        return
    for account in accounts:
        path = ("accounts", account.key, "smart_host_login")
        yield Problem("MP034", path, "this login is not used: per-account authentication is off")


def _empty_lan(policy: Policy, lan_only: _Affected) -> Iterator[Problem]:
    if not lan_only:
        return
    if "lan" not in policy.server.written:
        yield _missing("lan", "nobody can use a service that is open to the LAN only without it")
        return
    for path, affected in lan_only.items():
        yield Problem("MP035", path, f"open to the LAN only, but the LAN is empty: {_cannot_use(affected)}")


def _public_lan(policy: Policy) -> Iterator[Problem]:
    for entry in policy.server.lan_entries:
        if not is_reserved(entry.networks):
            message = (
                f"{entry.text} is not entirely within the ranges reserved for local use: "
                "every host with such an address counts as part of the LAN"
            )
            yield Problem("MP031", ("server", "lan", entry.position), message)


def _missing(key: str, message: str) -> Problem:
    path: KeyPath = ("server", *key.split("."))
    return Problem("MP036", path, f"the key {dotted(path)} is missing: {message}")


def _cannot_use(affected: list[str]) -> str:
    accounts = affected[0] if len(affected) == 1 else f"{len(affected)} accounts, such as {affected[0]},"
    return f"{accounts} cannot use it"
