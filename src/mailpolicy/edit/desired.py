"""Bring accounts to a desired state: the rows of a plan, or a few keys for accounts that are named.

A key gets the value that is wanted; keys that are not named are left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mailpolicy.edit import exceptions, remarks
from mailpolicy.edit.operations import Add, Drop, toml_text
from mailpolicy.edit.plan import Plan, Result
from mailpolicy.edit.selection import Selection, selected_accounts
from mailpolicy.edit.services import note_connector_stops, refuse_connector, require_governed
from mailpolicy.edit.sources import as_table
from mailpolicy.errors import Advice, Refused
from mailpolicy.policy.account import EXTRA_LAN, Account
from mailpolicy.policy.bindings import Owner, passwords_to_set
from mailpolicy.policy.lookup import require_template
from mailpolicy.policy.model import Policy
from mailpolicy.policy.names import counted
from mailpolicy.policy.nearest import nearest
from mailpolicy.policy.service import SWITCHES, Service, closes
from mailpolicy.provisioning.rows import Row, refused
from mailpolicy.provisioning.values import NESTED
from mailpolicy.store.sources import new_source
from mailpolicy.store.tables import ACCOUNT

_FEW = 10  # accounts that a plan may remove without more words
_PART = 10  # and more of them if they are no more than this part of its scope


class Scope(NamedTuple):
    """The things that a plan may do besides changing accounts; `file` is its name in messages."""

    file: str
    create: bool = True
    update: bool = True
    prune: bool = False
    domain: str | None = None
    prune_at_most: int | None = None


def apply(policy: Policy, rows: Sequence[Row], scope: Scope) -> Plan:
    """Plan the desired state of the accounts in the rows. Raises BadRows and Refused."""
    _refuse_unknown(policy, rows, scope)
    plan = Plan()
    done: list[_Wanted] = []
    listed: dict[str, list[str]] = {what: [] for what in ("create", "change", "remove", "unchanged")}
    followed = _Exceptions(only_changed=True)
    for row in rows:
        account = policy.accounts.get(row.address)
        keys = {key: _comparable(key, value) for key, value in row.keys.items()}
        if account is None:
            table = {key: value for key, value in keys.items() if value is not None}
            plan.change(Add(("accounts", row.address), table), row.address, None, None, table)
            what, said = "create", ", ".join(f"{key} = {toml_text(value)}" for key, value in table.items())
            done.append(_Wanted(Account(row.address, row.address, {}), keys, is_new=True))
        elif scope.update:
            said = _bring(plan, account, keys, followed)
            what = "change" if said else "unchanged"
            done.append(_Wanted(account, keys))
        else:
            what, said = "unchanged", "exists already, left alone" if _differs(account, keys) else ""
        listed[what].append(row.address)
        plan.results.append(Result(row.address, what, said or "-", what != "unchanged"))
    if scope.prune:
        listed["remove"] = _prune(policy, plan, rows, scope)
    plan.listed = {what: addresses for what, addresses in listed.items() if addresses}
    plan.notes.append(", ".join(f"{what} {len(addresses)}" for what, addresses in listed.items()))
    plan.notes += (*_notes(policy, done), *followed.notes())
    return plan


def change(policy: Policy, selection: Selection, settings: Mapping[str, Any]) -> Plan:
    """Plan these settings for existing accounts. Raises NotFound and Refused."""
    if (template := settings.get("template")) is not None:
        require_template(policy, template)
    for service in Service:
        if not settings.keys().isdisjoint(service.switches):
            require_governed(policy, service)
    plan = Plan()
    accounts = selected_accounts(policy, selection, plan)
    wanted = [_Wanted(account, settings) for account in accounts]
    if settings.get(Service.CONNECTOR.switch):
        after = {one.after.address: one.after for one in wanted}
        refuse_connector(policy._replace(accounts={**policy.accounts, **after}), after.values())
    followed = _Exceptions(only_changed=False)
    for account in accounts:
        before = len(plan.operations)
        said = _bring(plan, account, settings, followed)
        state = said or ", ".join(f"{key} = {toml_text(value)}" for key, value in settings.items())
        plan.results.append(Result(account.address, "account", state, len(plan.operations) > before))
    plan.notes += (*_notes(policy, wanted), *followed.notes())
    return plan


class _Wanted(NamedTuple):
    """An account as it is, and the keys that are wanted of it."""

    account: Account
    keys: Mapping[str, Any]
    is_new: bool = False

    @property
    def after(self) -> Account:
        """Return the account with these keys, as far as its services are concerned."""
        account, keys, _ = self
        shared = {key: value for key, value in keys.items() if key in SWITCHES or key == EXTRA_LAN}
        own = {key: value for key, value in {**account.own, **shared}.items() if value is not None}
        return account._replace(own=own, template=keys.get("template", account.template))


class _Exceptions:
    """The live exceptions of accounts: keys that a closed door takes out of them, and those that stay.

    A command means now, whatever the account's own keys are. A plan is kept and applied again, and may be the export of
    this very store: with `only_changed` a key that is as it should be ends no exception, but a note says that it stays.
    """

    def __init__(self, *, only_changed: bool) -> None:
        self._only_changed = only_changed
        self._taken: list[Account] = []
        self._left: list[Account] = []
        self._keys: set[str] = set()

    def follow(self, plan: Plan, account: Account, keys: Mapping[str, Any], changed: Mapping[str, Any]) -> None:
        """Let the exception of an account follow its wanted keys, of which some change."""
        if not account.in_force:
            return
        named = changed if self._only_changed else keys
        closing = {key for key, value in named.items() if key in SWITCHES and closes(key, value)}
        if account.in_force.keys() & (keys.keys() - closing):
            self._left.append(account)
        if exceptions.narrow(plan, account, dict.fromkeys(closing)):
            self._taken.append(account)
            self._keys |= closing

    def notes(self) -> list[remarks.Note]:
        """Return the notes about them."""
        return exceptions.notes(self._taken, self._left, sorted(self._keys))


def _refuse_unknown(policy: Policy, rows: Sequence[Row], scope: Scope) -> None:
    """Raise BadRows for rows that name an account, a template or a network that there is not, or another domain."""
    end = f"@{scope.domain}" if scope.domain is not None else ""
    elsewhere = [(row, f"{row.address} is not in {scope.domain}") for row in rows if not row.address.endswith(end)]
    absent = [(row, f"no account {row.address}") for row in rows if row.address not in policy.accounts]
    if scope.create:
        absent = []
    unknown = [(row, f"{row.address}: {', '.join(found)}") for row in rows if (found := list(_unknown(policy, row)))]
    if wrong := [*elsewhere, *absent, *unknown]:
        code = "bad-plan" if elsewhere else "no-such-account" if absent else "no-such-name"
        raise refused(scope.file, wrong, exit_status=2 if elsewhere else 4, code=code)


def _unknown(policy: Policy, row: Row) -> Iterator[str]:
    """Yield a message for each name in a row that the store has not. It is not repeated: it may be a password in a wrong column."""
    template = row.keys.get("template")
    if template is not None and template not in policy.templates:
        near = nearest(template, policy.templates)
        yield "there is no such template" + (f", did you mean {near}?" if near else "")
    exception = row.keys.get("temporary") or {}
    for name in (*(row.keys.get(EXTRA_LAN) or ()), *exception.get(EXTRA_LAN, ())):
        if name not in policy.networks:
            near = nearest(name, policy.networks)
            yield f"there is no such network in {EXTRA_LAN}" + (f", did you mean {near}?" if near else "")


def _differs(account: Account, keys: Mapping[str, Any]) -> bool:
    return any(_old(account, key) != value for key, value in keys.items())


def _comparable(key: str, value: Any) -> Any:
    """Return a wanted value in the form that Account.value() has."""
    if key == "suspended":
        return value or None  # false and a missing key are one
    if key == "sources" and value is not None:
        return {name: new_source(table).table for name, table in value.items()} or None
    return value


def _old(account: Account, key: str) -> Any:
    return account.own.get(key) if key in SWITCHES else account.value(key)


def _bring(plan: Plan, account: Account, keys: Mapping[str, Any], followed: _Exceptions) -> str:
    """Plan the wanted keys of an account that is there, and return in words what changes; "" if nothing does."""
    said = []
    changed = {}
    for key, new in keys.items():
        if (old := _old(account, key)) == new:
            continue
        changed[key] = new
        if key in NESTED:
            _bring_table(plan, account, key, old or {}, new or {})
        else:
            plan.set(("accounts", account.key, key), account.address, key, old, new)
        was = f" (was {toml_text(old)})" if old is not None else ""
        said.append(f"{key} = {toml_text(new)}{was}" if new is not None else f"no {key}{was}")
    if "temporary" not in keys:  # which says itself what the exception is to be
        followed.follow(plan, account, keys, changed)
    return ", ".join(said)


def _bring_table(plan: Plan, account: Account, key: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Plan an exception or the sources of an account, key by key, so that comments stay."""
    path, address = ("accounts", account.key, key), account.address
    if not new:
        plan.change(Drop(path), address, key, old, None)
    elif key == "temporary":
        _bring_keys(plan, path, address, old, new)
    else:
        for name in dict.fromkeys([*old, *new]):
            if name not in new:
                plan.change(Drop((*path, name)), address, f"{key}.{name}", old[name], None)
            elif name not in old:
                plan.change(Add((*path, name), new[name]), address, f"{key}.{name}", None, new[name])
            else:
                was, wanted = as_table(account.sources[name]), as_table(new_source(new[name]))
                if was["tls"] != wanted["tls"]:
                    del was["port"]  # a missing port follows the kind of TLS, so now it is written
                _bring_keys(plan, (*path, name), address, was, wanted)


def _bring_keys(
    plan: Plan, path: tuple[str, ...], address: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> None:
    for key in dict.fromkeys([*old, *new]):
        plan.set((*path, key), address, ".".join((*path[2:], key)), old.get(key), new.get(key))


def _prune(policy: Policy, plan: Plan, rows: Sequence[Row], scope: Scope) -> list[str]:
    """Plan the removal of the accounts in the scope that no row names, and return their addresses. Raises Refused."""
    if not rows:
        raise Refused("the plan names no account, so --prune would remove all", code="empty-plan", file=scope.file)
    named = {row.address for row in rows}
    there = [account for account in policy.accounts.values() if scope.domain in (None, account.domain)]
    gone = [account for account in there if account.address not in named]
    most = scope.prune_at_most if scope.prune_at_most is not None else max(_FEW, len(there) // _PART)
    if len(gone) > most:
        raise Refused(
            f"this plan would remove {counted(len(gone), 'account')} of {len(there)}, more than {most}: if that is meant, "
            f"add --prune-at-most {len(gone)}",
            code="prune-too-many",
        )
    for account in gone:
        table = {key: value for key in ACCOUNT if (value := account.value(key)) is not None}
        plan.change(Drop(("accounts", account.key)), account.address, None, table, None)
        plan.results.append(Result(account.address, "remove", "-", True))
    if gone:
        more = f" and {len(gone) - _FEW} more" if len(gone) > _FEW else ""
        named_ones = f"{', '.join(account.address for account in gone[:_FEW])}{more}"
        plan.question = f"Remove {counted(len(gone), 'account')} that the plan does not name ({named_ones})?"
        plan.needs_yes = True
    return [account.address for account in gone]


def _notes(policy: Policy, wanted: Iterable[_Wanted]) -> Iterator[remarks.Note]:
    """Yield notes about settings without effect, services that are stopped along, and passwords that are to be set."""
    listed = list(wanted)
    used = {key for one in listed for key, value in one.keys.items() if value is not None}
    for service in Service:
        if not policy.governs(service) and not used.isdisjoint(service.switches):
            govern = ("mailpolicy", "server", "govern", str(service))
            yield Advice(f"note: {service} is not governed yet, so its settings have no effect until it is", govern)
    connected = [one.after for one in listed if one.keys.get(Service.CONNECTOR.switch)]
    if without := [account.address for account in connected if not policy.setting(account, Service.IMAP.switch).value]:
        yield f"warning: Outlook Connector needs IMAP, which is off for {remarks.names_or_count(without)}"
    stops = Plan()
    imap_off = [one.account for one in listed if one.keys.get(Service.IMAP.switch) is False and not one.is_new]
    note_connector_stops(policy, imap_off, stops)
    yield from stops.notes
    logins = [one.account for one in listed if one.keys.get("smart_host_login") not in (None, one.account.login)]
    owners = [Owner(account.address) for account in logins]
    for one in listed:
        owners += [
            Owner(one.account.address, name)
            for name in one.keys.get("sources") or ()
            if name not in one.account.sources
        ]
    if owners:
        yield passwords_to_set(owners)
