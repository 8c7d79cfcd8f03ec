"""Change settings of the whole server: its keys, the services that it governs, and the smart host logins."""

from __future__ import annotations

from collections.abc import Iterable

from mailpolicy.edit.operations import DropList, Operation, Path, Scalar, replacing
from mailpolicy.edit.plan import Plan, Result
from mailpolicy.errors import Advice, Command, Refused
from mailpolicy.policy.lookup import require_account
from mailpolicy.policy.model import Policy
from mailpolicy.policy.names import counted, joined
from mailpolicy.policy.networks import ANYWHERE
from mailpolicy.policy.service import Service


def set_key(policy: Policy, key: str, value: Scalar) -> Plan:
    """Plan another value for a key of [server]."""
    old = getattr(policy.server, key) if key in policy.server.written else None
    plan = Plan()
    changed = plan.set(("server", key), None, f"server.{key}", old, value)
    plan.results.append(Result("server", key.replace("_", "-"), display_text(value), changed))
    return plan


def govern(policy: Policy, services: Iterable[Service]) -> Plan:
    """Plan that the store decides about these services too. Raises Refused if nobody could use one of them then."""
    wanted = tuple(dict.fromkeys(services))
    new = (*policy.server.govern, *(service for service in wanted if not policy.governs(service)))
    after = policy._replace(server=policy.server._replace(govern=new))
    plan = Plan()
    for service in wanted:
        changed = not policy.governs(service)
        if changed and not after.is_granted(service):
            fix = _first_grant(after, service)
            why = "grant it first" if fix else "each is suspended, has it switched off itself or needs a LAN"
            raise Refused(f"no account could use {service} then: {why}", code="nobody-granted", fix=fix)
        plan.results.append(Result("server", str(service), "governed", changed))
        if changed:
            plan.notes.append(_closing(after, service))
    _govern_change(plan, policy, new)
    return plan


def _closing(after: Policy, service: Service) -> str:
    """Return how many accounts a service is closed or restricted to, now that it is governed."""
    admitted = [after.admitted(address, service) for address in after.accounts]
    closed = sum(not networks for networks in admitted)
    restricted = sum(networks != ANYWHERE for networks in admitted) - closed
    text = f"this closes {service} to {closed} of {counted(len(admitted), 'account')}"
    return f"{text}, and restricts it to the LAN for {restricted}" if restricted else text


def _first_grant(after: Policy, service: Service) -> Command | None:
    """Return the command on a layer that lets some account use a service; None if no single one does."""
    on: dict[str, bool] = {service.switch: True}
    anywhere = on | ({service.own_lan_switch: False} if service.own_lan_switch else {})
    for keys, options in ((on, ()), (anywhere, ("--anywhere",))):
        begin = ("mailpolicy", str(service), "on", *options)
        if after._replace(defaults={**after.defaults, **keys}).is_granted(service):
            return (*begin, "--in-defaults")
        for name, table in after.templates.items():
            if after._replace(templates={**after.templates, name: {**table, **keys}}).is_granted(service):
                return (*begin, "--in-template", name)
    return None


def ungovern(policy: Policy, services: Iterable[Service]) -> Plan:
    """Plan that the store no longer decides about these services, which are open to everybody then."""
    wanted = tuple(dict.fromkeys(services))
    plan = Plan()
    opened = []
    for service in wanted:
        changed = policy.governs(service)
        plan.results.append(Result("server", str(service), "not governed", changed))
        if changed:
            restricted = sum(policy.admitted(address, service) != ANYWHERE for address in policy.accounts)
            opened.append(f"{counted(restricted, 'more account')} use {service} from anywhere")
    if opened:
        plan.question = f"Let {joined(opened)}?"
        plan.notes.append(f"this lets {joined(opened)}")
    _govern_change(plan, policy, tuple(service for service in policy.server.govern if service not in wanted))
    return plan


def _govern_change(plan: Plan, policy: Policy, new: tuple[Service, ...]) -> None:
    path, old, named = ("server", "govern"), tuple(map(str, policy.server.govern)), tuple(map(str, new))
    if set(named) == set(old):
        return
    written = old if "govern" in policy.server.written else None
    operation: Operation = replacing(path, written, named) if named else DropList(path, old)
    plan.change(operation, None, "server.govern", list(old) or None, list(named) or None)


def display_text(value: Scalar | None) -> str:
    """Return a value for the results, such as `on`."""
    if value is None:
        return "not set"
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def set_login(policy: Policy, address: str | None, login: str | None) -> Plan:
    """Plan another smart host login for an account, or for the server if `address` is None. Raises NotFound.

    If `login` is None it stays as it is.
    """
    old, path = _login(policy, address)
    return _login_plan(address, path, old, old if login is None else login)


def unused_login(policy: Policy) -> list[Advice]:
    """Return the note on logins of accounts that are not used; none if they are."""
    if policy.server.per_account_auth:
        return []
    text = "warning: this login is not used, because per-account authentication is off"
    return [Advice(text, ("mailpolicy", "smart-host", "set", "--server", "--per-account", "on"))]


def clear_login(policy: Policy, address: str | None) -> Plan:
    """Plan the removal of the smart host login of an account, or of the server if `address` is None. Raises NotFound."""
    old, path = _login(policy, address)
    return _login_plan(address, path, old, None)


def _login(policy: Policy, address: str | None) -> tuple[str | None, Path]:
    if address is None:
        return policy.server.smart_host_login, ("server", "smart_host", "login")
    account = require_account(policy, address)
    return account.login, ("accounts", account.key, "smart_host_login")


def _login_plan(address: str | None, path: Path, old: str | None, new: str | None) -> Plan:
    plan = Plan()
    plan.set(path, address, "smart_host_login" if address else ".".join(path), old, new)
    if address is None:
        plan.affected = set()  # a login at the smart host changes nobody's access
    return plan


def set_smart_host(policy: Policy, options: dict[str, Scalar]) -> Plan:
    """Plan other values in [server.smart_host], of host, port, login and per_account_auth."""
    server = policy.server
    existing = {
        "host": server.smart_host,
        "port": server.smart_host_port,
        "login": server.smart_host_login,
        "per_account_auth": server.per_account_auth if "smart_host.per_account_auth" in server.written else None,
    }
    plan = Plan()
    for key, value in options.items():
        changed = plan.set(("server", "smart_host", key), None, f"server.smart_host.{key}", existing[key], value)
        plan.results.append(Result("server", f"smart-host {key.replace('_', '-')}", display_text(value), changed))
    plan.affected = set()  # nobody's access changes
    return plan
