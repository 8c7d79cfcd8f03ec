"""Add, remove, rename and assign named networks. One that is in use cannot be removed.

An assignment writes the list in force on the account or layer, plus or less the network: where the list is inherited it
is copied first. A list that equals the inherited one is removed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from mailpolicy.diagnostics import KeyPath, dotted
from mailpolicy.edit import entries, exceptions, remarks
from mailpolicy.edit.entries import EntryList
from mailpolicy.edit.layers import selected_layer
from mailpolicy.edit.operations import Drop, DropList, Path, PutElement, Rename, replacing
from mailpolicy.edit.plan import Plan, Result
from mailpolicy.edit.remarks import names_or_count
from mailpolicy.edit.selection import Selection, selected_accounts
from mailpolicy.errors import Advice, Command, Refused
from mailpolicy.policy.account import EXTRA_LAN, Account, Settings, named_in
from mailpolicy.policy.lookup import require_network
from mailpolicy.policy.model import ExtraLan, Layer, Policy
from mailpolicy.policy.names import counted, joined
from mailpolicy.policy.networks import ANYWHERE

if TYPE_CHECKING:
    from mailpolicy.policy.dates import End

_Change = Callable[[tuple[str, ...]], tuple[str, ...]]  # of a list of names


def add(policy: Policy, name: str, texts: tuple[str, ...]) -> Plan:
    """Plan a network with these entries, or more entries of one that exists."""
    plan = Plan()
    network = policy.networks.get(name)
    entries.add(plan, _listed(policy, name), texts)
    if network is None:
        plan.notes.append(Advice("nobody uses it yet", ("mailpolicy", "network", "assign", name, "TARGET...")))
    else:
        plan.notes.append(_count(policy, name))
    return plan


def remove(policy: Policy, name: str, texts: tuple[str, ...] = (), *, if_exists: bool = False) -> Plan:
    """Plan the removal of entries of a network, or of the whole if none are named. Raises NotFound and Refused."""
    plan = Plan()
    if if_exists and name not in policy.networks:
        plan.results.append(Result(f"network {name}", "network", "does not exist", False))
        return plan
    require_network(policy, name, offer=False)
    if texts:
        left = entries.remove(plan, _listed(policy, name), texts)
        plan.notes.append(_count(policy, name))
        if not left:
            command = ("mailpolicy", "network", "remove", name)
            plan.notes.append(
                Advice(f"the network {name} has no entries now, so it admits nobody; to remove it", command)
            )
        return plan
    if users := users_of(policy, name):
        raise Refused(
            f"the network {name} is in use by {_named(users)}",
            code="in-use",
            fix=_unassign_all(name, users),
            content={"users": [{"key": dotted((*user.path, EXTRA_LAN)), "address": user.address} for user in users]},
        )
    old = [entry.text for entry in policy.networks[name].entries]
    plan.change(Drop(("networks", name)), None, f"networks.{name}", old, None)
    plan.results.append(Result(f"network {name}", "network", "removed", True))
    return plan


class User(NamedTuple):
    """A table that names a network: its path, and the address if it is an account's."""

    path: KeyPath
    address: str | None

    @property
    def title(self) -> str:
        """Return the name of the table in a sentence."""
        if self.address is not None:
            return f"the exception of {self.address}" if len(self.path) > 2 else self.address
        return f"the template {self.path[1]}" if self.path[0] == "templates" else "the defaults"


def users_of(policy: Policy, name: str) -> list[User]:
    """Return the tables that name a network, in the order of the layers."""
    addresses = {account.key: account.address for account in policy.accounts.values()}
    return [
        User(path, addresses[str(path[1])] if path[0] == "accounts" else None)
        for path, table in policy.layers()
        if name in named_in(table)
    ]


def accounts_with(policy: Policy) -> Counter[str]:
    """Return how many accounts have each network, in a list of their own or inherited."""
    having: Counter[str] = Counter()
    for group in policy.groups():
        having.update(dict.fromkeys(policy.extra_lan(group[0]).names, len(group)))
    return having


def _named(users: list[User]) -> str:
    """Return the first users, and the number of the others: of templates and of accounts, each once."""
    shown, others = users[: remarks.MAX_NAMED], users[remarks.MAX_NAMED :]
    titles = ", ".join(user.title for user in shown)
    templates = sum(user.address is None for user in others)
    accounts = len({user.address for user in others} - {user.address for user in shown} - {None})
    more = [counted(count, f"more {kind}") for count, kind in ((templates, "template"), (accounts, "account")) if count]
    return f"{titles} and {joined(more)}" if more else titles


def _unassign_all(name: str, users: list[User]) -> Command:
    """Return the command for the first users, the layers before the accounts; of many accounts, the one that lists them.

    An account's list that equals what it inherits then is removed, so the layers must be first.
    """
    unassign = ("mailpolicy", "network", "unassign", name)
    layer, *_ = users[0].path
    if layer == "defaults":
        return (*unassign, "--in-defaults")
    if layer == "templates":
        return (*unassign, "--in-template", str(users[0].path[1]))
    addresses = dict.fromkeys(user.address for user in users if user.address is not None and len(user.path) == 2)
    if not addresses:  # exceptions are left
        return ("mailpolicy", "temporary", "end", *(user.address for user in users if user.address is not None))
    return (*unassign, *addresses) if len(addresses) <= remarks.MAX_NAMED else ("mailpolicy", "network", "show", name)


def rename(policy: Policy, old: str, new: str) -> Plan:
    """Plan another name for a network, in all lists that name it too. Raises NotFound and Refused."""
    require_network(policy, old, offer=False)
    plan = Plan()
    if old == new:
        plan.results.append(Result(f"network {new}", "network", "already has this name", False))
        return plan
    if new in policy.networks:
        raise Refused(f"the network {new} already exists; {old} was not renamed", code="exists")
    plan.change(Rename(("networks", old), new), None, f"networks.{old}", old, new)
    plan.results.append(Result(f"network {new}", "network", f"renamed from {old}", True))
    tables = dict(policy.layers())
    for path, address in users_of(policy, old):
        listed = named_in(tables[path])
        changed = tuple(new if name == old else name for name in listed)
        key = _change_key(path, address)
        for index in (index for index, name in enumerate(listed) if name == old):
            plan.change(PutElement((*map(str, path), EXTRA_LAN), index, new), address, key, listed, changed)
    return plan


def assign(policy: Policy, name: str, selection: Selection, until: End | None = None) -> Plan:
    """Plan a further network for accounts or a layer; with `until`, in the exceptions of the accounts.

    Raises NotFound and Refused.
    """
    require_network(policy, name)
    plan = _assignment(policy, name, selection, until, lambda names: (*names, name) if name not in names else names)
    given = [policy.accounts[result.subject] for result in plan.results if result.subject in policy.accounts]
    if unrestricted := [account.address for account in given if not _is_restricted(policy, account)]:
        named = names_or_count(unrestricted)
        plan.notes.append(
            f"note: no service is open to the LAN only for {named}, so the network makes no difference yet"
        )
    return plan


def unassign(policy: Policy, name: str, selection: Selection, until: End | None = None) -> Plan:
    """Plan accounts or a layer without a network; with `until`, by exceptions. Raises NotFound and Refused.

    Without `until` it is taken out of the exceptions in force too, as an edit that narrows must not leave it open.
    """
    require_network(policy, name, offer=False)
    return _assignment(policy, name, selection, until, lambda names: tuple(each for each in names if each != name))


def _assignment(policy: Policy, name: str, selection: Selection, until: End | None, change: _Change) -> Plan:
    plan = Plan()
    if selection.layer is not None:
        layer = selected_layer(policy, selection)
        nobody = Account("", "", {})
        inherited = policy.extra_lan(nobody) if layer.path[0] == "templates" else ExtraLan((), None)
        written = _write(plan, layer.path, None, layer.table, inherited, change)
        plan.results.append(Result(layer.subject, "networks", written.state, written.changed))
        plan.notes.append(layer.reach(layer.keeping(policy, EXTRA_LAN)))
        return plan
    accounts = selected_accounts(policy, selection, plan)
    if until is not None:
        exceptions.refuse_second(policy, accounts, {EXTRA_LAN: ()}, until)
    taken, left = [], []
    for account in accounts:
        if until is not None:
            written = _except(policy, plan, account, change, until)
        else:
            inherited = policy.extra_lan(account.without_own())
            path = ("accounts", account.key)
            written = _write(plan, path, account.address, account.own, inherited, change, account.template)
            in_force = named_in(account.in_force)
            kept: tuple[str, ...] | None = tuple(each for each in change(in_force) if each in in_force)
            if kept != in_force:
                kept = kept if set(kept or ()) != set(written.names) else None
                exceptions.narrow(plan, account, {EXTRA_LAN: kept})
                taken.append(account)
                written = written._replace(changed=True)
            if EXTRA_LAN in account.in_force and kept is not None:
                left.append(account)
        plan.results.append(Result(account.address, "networks", written.state, written.changed))
    plan.notes += exceptions.notes(taken, left, [name])
    return plan


class _Written(NamedTuple):
    """A list as it is after an edit: its names, the state in words, and whether anything changed."""

    names: tuple[str, ...]
    state: str
    changed: bool


def _except(policy: Policy, plan: Plan, account: Account, change: _Change, until: End) -> _Written:
    """Plan the changed list of an account's exception, or none if it is the list that applies without the exception."""
    names = change(policy.extra_lan(account).names)
    permanent = policy.extra_lan(account.without_exception())
    if set(names) == set(permanent.names):
        changed = EXTRA_LAN in account.in_force
        if changed:
            exceptions.narrow(plan, account, {EXTRA_LAN: None})
        return _Written(names, _state(names, permanent.layer, account.template), changed)
    changed = exceptions.write(policy, plan, account, {EXTRA_LAN: names}, until)
    return _Written(names, f"{_state(names)}, until {until}", changed)


def _write(
    plan: Plan,
    path: Path,
    address: str | None,
    table: Settings,
    inherited: ExtraLan,
    change: _Change,
    template: str | None = None,
) -> _Written:
    """Plan the changed list of one table."""
    own = named_in(table) if EXTRA_LAN in table else None
    old = inherited.names if own is None else own
    new = change(old)
    key, list_path = _change_key(path, address), (*path, EXTRA_LAN)
    if new == old:
        return _Written(new, _state(new, inherited.layer if own is None else None, template), False)
    if set(new) == set(inherited.names):
        # Without a list to inherit, one in a style of its own stays, empty, so that it can come back as it was.
        drop = Drop(list_path) if inherited.layer is not None else DropList(list_path, own or ())
        plan.change(drop, address, key, own, None)
        return _Written(new, _state(new, inherited.layer, template), True)
    plan.change(replacing(list_path, own, new), address, key, own, new)
    copied = f" (own list, copied from {_source(inherited.layer, template)})" if own is None and old else ""
    return _Written(new, f"{_state(new)}{copied}", True)


def _state(names: tuple[str, ...], layer: Layer | None = None, template: str | None = None) -> str:
    """Return a list in words, with the layer that it is inherited from."""
    inherited = names and layer in (Layer.TEMPLATE, Layer.DEFAULTS)
    return f"{', '.join(dict.fromkeys(names)) or 'none'}{f' (from {_source(layer, template)})' if inherited else ''}"


def _source(layer: Layer | None, template: str | None) -> str:
    return f"the template {template}" if layer is Layer.TEMPLATE else f"the {layer}"


def _change_key(path: KeyPath, address: str | None) -> str:
    """Return the key as an edit reports it: of an account without its table."""
    return ".".join(map(str, (*path[2 if address is not None else 0 :], EXTRA_LAN)))


def _is_restricted(policy: Policy, account: Account) -> bool:
    return any(policy.scope(account.address, service) is not ANYWHERE for service in policy.services)


def _listed(policy: Policy, name: str) -> EntryList:
    network = policy.networks.get(name)
    return EntryList(
        ("networks", name), f"network {name}", f"the network {name}", network.entries if network is not None else None
    )


def _count(policy: Policy, name: str) -> str:
    users = accounts_with(policy)[name]
    return f"{counted(users, 'account')} {'has' if users == 1 else 'have'} the network {name}"
