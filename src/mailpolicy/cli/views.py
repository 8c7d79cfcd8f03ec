"""Views of accounts and templates, shared by the commands that only read. They take no lock and write nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from mailpolicy.cli.output import Output
from mailpolicy.cli.when import as_of
from mailpolicy.errors import Advice, UsageError
from mailpolicy.policy import names
from mailpolicy.policy.account import EXTRA_LAN, Account, Settings, named_in
from mailpolicy.policy.exposure import admitted_by
from mailpolicy.policy.lookup import require_account, require_template
from mailpolicy.policy.model import Policy
from mailpolicy.policy.nearest import nearest
from mailpolicy.policy.networks import ANYWHERE
from mailpolicy.policy.question import Question
from mailpolicy.policy.service import SWITCHES, Service
from mailpolicy.policy.smart_host import smart_host_login
from mailpolicy.policy.verdict import judge
from mailpolicy.store.store import Store
from mailpolicy.system.trust import ROOT_ONLY, Trusted, fix_for_root

if TYPE_CHECKING:
    from mailpolicy.policy.when import When


def open_store(
    out: Output, addresses: Collection[str] | None = None, *, trusted: Trusted = ROOT_ONLY, at: When | None = None
) -> tuple[Store, Policy]:
    """Open the store and return it with its policy as it is now, or `at` a moment. Raises StoreError and UsageError.

    Warns if root should not trust the store.
    With `addresses` only these accounts need to be in the policy, so that an index can save reading the others.
    `trusted` is the group of host.toml, from the commands that read it.
    """
    if addresses is not None:
        store = Store.read_for_lookup(out.context.file, addresses, out.cache)
    else:
        store = Store.read(out.context.file, out.cache)
        # All of the store was read anyway, so the next command may find its index.
        store.update_index()
    policy = as_of(out, store.policy(), at)
    if out.context.is_root and (cure := fix_for_root(out.context.file, trusted)) is not None:
        out.message(Advice(f"warning: {out.context.file}: can be changed by users other than root", cure))
    return store, policy


def show_account(out: Output, address: str, at: When | None = None) -> int:
    """Show the Mail Services of one account. Raises NotFound."""
    store, policy = open_store(out, [address], at=at)
    account = require_account(policy, address)
    if out.context.format == "json":
        out.json("account/1", account_object(store, policy, account))
        return 0
    if out.context.draws_tables:
        # 10 ms, only on a terminal
        from mailpolicy.cli import mail_services, terminal

        page = mail_services.account_page(policy, account, store.path, store.line, out.now)
        terminal.show_page(out.context, out.data, page)
        return 0
    rows = [("account", account.address, place(store, ("accounts", account.key)))]
    rows.append(("template", account.template or "none", ""))
    rows.append(("suspended", "yes" if account.suspended else "no", ""))
    if account.dated:
        from mailpolicy.render import dates  # 2 ms, only for an account with dates

        for name, key, value in (
            ("expires", "expires", dates.expiry(account, out.now)),
            ("exception", "temporary", dates.exception(account, out.now)),
        ):
            written = value not in ("never", "none")
            rows.append((name, value, place(store, ("accounts", account.key, key)) if written else ""))
    for service in policy.services:
        rows.append((str(service), *_service_cells(store, policy, account, service)))
    extra = policy.extra_lan(account)
    where = f"{extra.layer} {place(store, policy.key_path(account, EXTRA_LAN, extra.layer))}" if extra.layer else ""
    rows.append(("networks", ", ".join(extra.names) or "none", where))
    smart_host = smart_host_login(policy, account)
    login = f"{smart_host.login} ({smart_host.owner})" if smart_host.login else "no login"
    rows.append(("smart-host", login, smart_host.why))
    out.rows(("mail service", address, "why"), rows)
    return 0


def _service_cells(store: Store, policy: Policy, account: Account, service: Service) -> tuple[str, str]:
    setting = policy.setting(account, service.switch)
    key = policy.key_path(account, service.switch, setting.layer)
    why = f"{setting.layer} {place(store, key)}" if setting.layer else "not set anywhere"
    lan_only = policy.scope(account.address, service) is not ANYWHERE
    if setting.value and lan_only:
        switch = service.lan_switch or ""
        lan = policy.setting(account, switch)
        why += f"; LAN only: {lan.layer} {place(store, policy.key_path(account, switch, lan.layer))}"
    result = (
        "off"
        if not setting.value
        else "on, from the LAN only"
        if lan_only
        else "on"
        if service.lan_switch is None
        else "on, from anywhere"
    )
    if setting.value:
        closed = judge(policy, Question(account.address, service, None, None)).reasons
        if closed:
            result += f", but denied: {', '.join(reason.gate for reason in closed)}"
    return result, why


def place(store: Store, path: tuple[str | int, ...]) -> str:
    """Return `FILE:LINE` of a key."""
    line = store.line(path)
    return f"{store.path}:{line}" if line else store.path


def account_object(store: Store | None, policy: Policy, account: Account) -> dict[str, Any]:
    """Return the JSON form of an account; with line numbers if the store is given."""
    services: dict[str, Any] = {}
    for service in policy.services:
        setting = policy.setting(account, service.switch)
        lan = service.lan_switch
        services[str(service)] = {
            "on": setting.value,
            "layer": setting.layer,
            "lan_only": policy.setting(account, lan).value if lan else None,
            "admitted": admitted_by(policy, account, service),
            "closed": list(policy.gates(account.address, service)),
        }
        if store is not None:
            services[str(service)]["line"] = store.line(policy.key_path(account, service.switch, setting.layer))
    extra = policy.extra_lan(account)
    networks: dict[str, Any] = {"names": list(extra.names), "layer": extra.layer}
    if store is not None:
        networks["line"] = store.line(policy.key_path(account, EXTRA_LAN, extra.layer)) if extra.layer else None
    smart_host = smart_host_login(policy, account)
    content: dict[str, Any] = {
        "address": account.address,
        "template": account.template,
        "suspended": account.suspended,
        "expires": str(account.expires) if account.expires is not None else None,
        "expired": account.expired,
        "temporary": _exception_object(account),
        "own": dict(account.own),
        "services": services,
        "networks": networks,
        "smart_host": {
            "own_login": account.login,
            "login": smart_host.login,
            "owner": smart_host.owner,
            "why": smart_host.why,
        },
    }
    return {"file": store.path, **content} if store is not None else content


def _exception_object(account: Account) -> dict[str, Any] | None:
    if (exception := account.temporary) is None:
        return None
    in_force = bool(account.in_force)
    return {"until": str(exception.until), "in_force": in_force, "settings": dict(exception.switches)}


def list_accounts(
    out: Output, domain: str | None, with_template: str | None, *, suspended: bool, search: str | None
) -> int:
    """List the accounts that match every filter. Raises NotFound and UsageError."""
    try:
        domain = names.domain_name(domain) if domain is not None else None
    except names.NameRejected as error:
        raise UsageError(str(error)) from None
    _, policy = open_store(out)
    if with_template is not None:
        require_template(policy, with_template, offer=False)
    chosen = [
        account
        for account in policy.accounts.values()
        if (domain is None or account.domain == domain)
        and (with_template is None or account.template == with_template)
        and (account.suspended or not suspended)
        and (search is None or search.lower() in account.address or search.lower() in (account.login or "").lower())
    ]
    if domain is not None and not any(account.domain == domain for account in policy.accounts.values()):
        known = nearest(domain, {account.domain for account in policy.accounts.values()})
        out.message(f"no account is in the domain {domain}" + (f"; did you mean {known}?" if known is not None else ""))
    if out.context.format == "json":
        for account in chosen:
            out.json("account/1", {"file": out.context.file, **account_object(None, policy, account)})
        return 0
    lan = "LAN" if out.context.draws_tables else "LAN only"
    with_networks = bool(policy.networks) or not out.context.draws_tables  # a terminal is narrow
    services = policy.services
    rows = (
        (
            account.address,
            account.template or "-",
            _state(out, account),
            *(_short(policy, account, service, lan) for service in services),
            account.login or "-",
            *([", ".join(policy.extra_lan(account).names) or "-"] if with_networks else []),
        )
        for account in chosen
    )
    columns = [service.facts.column or str(service) for service in services]
    if out.context.draws_tables:
        columns = [service.facts.short or str(service) for service in services]
    headings = ("address", "template", "state", *columns, "login", *(["networks"] if with_networks else []))
    out.rows(headings, rows, of="account", optional="login")
    return 0


def _state(out: Output, account: Account) -> str:
    if not account.dated:
        return "suspended" if account.suspended else "active"
    from mailpolicy.render import dates  # 2 ms, only for an account with dates

    return dates.state(account, out.now)


def _short(policy: Policy, account: Account, service: Service, lan: str) -> str:
    if not policy.setting(account, service.switch).value:
        return "off"
    return "on" if policy.scope(account.address, service) is ANYWHERE else lan


def list_templates(out: Output, name: str | None) -> int:
    """List all templates or one, with their switches and the number of accounts that use them. Raises NotFound."""
    store, policy = open_store(out)
    if name is not None:
        require_template(policy, name, offer=False)
    users: dict[str, int] = {}
    for account in policy.accounts.values():
        if account.template is not None:
            users[account.template] = users.get(account.template, 0) + 1
    chosen: Mapping[str, Settings] = policy.templates if name is None else {name: policy.templates[name]}
    if out.context.format == "json":
        for title, table in chosen.items():
            content: dict[str, Any] = {
                "file": store.path,
                "name": title,
                "line": store.line(("templates", title)),
                "accounts": users.get(title, 0),
            }
            content["switches"] = {switch: table[switch] for switch in SWITCHES if switch in table}
            content["extra_lan"] = list(named_in(table)) if EXTRA_LAN in table else None
            out.json("template/1", content)
        return 0
    if name is not None and out.context.draws_tables:
        # 10 ms, only on a terminal
        from mailpolicy.cli import mail_services, terminal

        terminal.show_page(out.context, out.data, mail_services.template_page(policy, name, store.path, store.line))
        return 0
    with_networks = bool(policy.networks) or not out.context.draws_tables
    cells: dict[object, str] = {True: "on", False: "off", None: "-"}
    switches = [switch for service in policy.template_services for switch in service.switches]
    rows = [
        (
            title,
            *(cells[table.get(switch)] for switch in switches),
            str(users.get(title, 0)),
            *([", ".join(named_in(table)) or "-"] if with_networks else []),
        )
        for title, table in chosen.items()
    ]
    headings = [switch.replace("_", " ") for switch in switches]
    if out.context.draws_tables:
        short = {service.switch: service.facts.short or str(service) for service in Service}
        headings = [short.get(switch) or f"{switch.removesuffix('_lan_only')} lan" for switch in switches]
    out.rows(("template", *headings, "accounts", *(["networks"] if with_networks else [])), rows, of="template")
    return 0
