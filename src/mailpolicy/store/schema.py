"""Validate the TOML tree of a store and turn it into a policy.

Every rule is checked in one run, and problems are in the order of the file's tables. A tree with an error gives no
policy. Settings that are valid but probably not intended are the subject of `warnings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mailpolicy.diagnostics import KeyPath, Problem
from mailpolicy.policy import names
from mailpolicy.policy.account import EXTRA_LAN, Account, Settings
from mailpolicy.policy.model import Policy, Server
from mailpolicy.policy.names import NameRejected
from mailpolicy.policy.nearest import MAX_GUESSES, nearest
from mailpolicy.policy.networks import network_set
from mailpolicy.policy.service import BY_NAME, GOVERNABLE, SWITCHES, Service
from mailpolicy.store.dates import ZoneOf, end_of, temporary_of, zone_of_server
from mailpolicy.store.networks import lan_entries, named_networks, networks_of
from mailpolicy.store.sources import sources_of
from mailpolicy.store.tables import (
    ACCOUNT,
    SERVER,
    SHARED_KEYS,
    SMART_HOST,
    TEMPORARY,
    TOP,
    check_name,
    require_table,
    type_name,
    valid_entries,
)
from mailpolicy.store.values import EDITIONS, check_values, number_text

VERSION = 1


class Validation(NamedTuple):
    """The result for one tree: its errors, and its policy, which is None if there is an error.

    `draft` is the policy of the parts that have no error: good enough to look for warnings, never for a verdict.
    """

    policy: Policy | None
    problems: list[Problem]
    draft: Policy | None = None


def validate(tree: Mapping[str, Any]) -> Validation:
    """Return the policy that a store's tree describes, and every error in it."""
    problems: list[Problem] = []
    if "version" not in tree:
        problems.append(
            Problem("MP003", (), f"the key version is missing: write `version = {VERSION}` as the first line")
        )
    top = valid_entries(tree, TOP, (), problems)
    if (version := top.get("version", VERSION)) != VERSION:
        newer = version > VERSION
        fix = "it was written for a newer mailpolicy" if newer else f"write `version = {VERSION}`"
        problems.append(
            Problem(
                "MP004",
                ("version",),
                f"version {number_text(version)}: this mailpolicy reads version {VERSION}; {fix}",
            )
        )
        if newer:
            return Validation(None, problems)
    server = _server(top.get("server"), problems)
    networks = networks_of(top.get("networks", {}), problems)
    defaults = _settings(top.get("defaults", {}), ("defaults",), networks, problems)
    templates: dict[str, Settings] = {}
    for name, table in top.get("templates", {}).items():
        check_name(names.template_name, name, "MP013", ("templates", name), problems)
        templates[name] = {}  # even if it is invalid, so that accounts that use it get no error of their own
        if require_table(table, ("templates", name), problems):
            templates[name] = _settings(table, ("templates", name), networks, problems)
    zone = zone_of_server(top.get("server", {}).get("time_zone"), problems)
    accounts = _accounts(top.get("accounts", {}), templates, networks, zone, problems)
    policy = Policy(server, defaults, templates, accounts, networks)
    return Validation(None if problems else policy, problems, policy)


def _settings(table: Any, path: KeyPath, networks: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """Return the valid keys of a template or the defaults."""
    return _with_names(valid_entries(table, SHARED_KEYS, path, problems), path, networks, problems)


def _with_names(
    table: dict[str, Any], path: KeyPath, networks: Mapping[str, Any], problems: list[Problem]
) -> dict[str, Any]:
    """Return a table with the list of networks, if it has one, as a tuple of those that exist."""
    if EXTRA_LAN in table:
        table[EXTRA_LAN] = named_networks(table[EXTRA_LAN], (*path, EXTRA_LAN), networks, problems)
    return table


def _accounts(
    tables: Mapping[str, Any],
    templates: Mapping[str, Any],
    networks: Mapping[str, Any],
    zone: ZoneOf,
    problems: list[Problem],
) -> dict[str, Account]:
    accounts: dict[str, Account] = {}
    switches = frozenset(SWITCHES)
    address_of = names.account_address
    for key, table in tables.items():
        try:
            address = address_of(key)
        except NameRejected as error:
            problems.append(Problem("MP010", ("accounts", key), str(error)))
            address = ""
        # type() and not isinstance(): it is faster, and the parser makes no subclasses. This loop runs once an account.
        own, template = table, None
        if type(table) is dict and type(template := table.get("template")) is str and template in templates:
            own = table.copy()
            del own["template"]
        if type(own) is dict and switches.issuperset(own) and _only_booleans(own):
            account = Account(address, key, own, template)  # the usual account, without the slower general check
        else:
            if not require_table(table, ("accounts", key), problems):
                continue
            path = ("accounts", key)
            known = _with_names(valid_entries(table, ACCOUNT, path, problems), path, networks, problems)
            account = _account(address, key, known, templates, networks, zone, problems)
        if address in accounts and address:
            message = f"account {address} is defined twice: it is also written '{names.short(accounts[address].key)}'"
            problems.append(Problem("MP011", ("accounts", key), message))
        if address:
            accounts[address] = account
    return accounts


def _only_booleans(table: Mapping[str, object]) -> bool:
    return all([value is True or value is False for value in table.values()])


def _account(
    address: str,
    key: str,
    table: dict[str, Any],
    templates: Mapping[str, Any],
    networks: Mapping[str, Any],
    zone: ZoneOf,
    problems: list[Problem],
) -> Account:
    path: KeyPath = ("accounts", key)
    template, suspended, login, sources, expires, temporary = (
        table.pop(own, None) for own in ("template", "suspended", "smart_host_login", "sources", "expires", "temporary")
    )
    if template is not None and template not in templates:
        meant = nearest(template, templates) if len(problems) < MAX_GUESSES else None
        hint = f", did you mean '{meant}'?" if meant else ""
        message = (
            f"there is no template '{names.short(template)}'{hint or ': add [templates.NAME], or name one that exists'}"
        )
        problems.append(Problem("MP012", (*path, "template"), message))
        template = None
    if login is not None:
        check_name(names.login, login, "MP014", (*path, "smart_host_login"), problems)
    account = Account(address, key, table, template, suspended is True, login)
    if sources is not None:
        account = account._replace(sources=sources_of(sources, (*path, "sources"), problems))
    if expires is not None:
        account = account._replace(expires=end_of(expires, (*path, "expires"), zone, problems))
    if temporary is not None:
        below = (*path, "temporary")
        entries = _with_names(valid_entries(temporary, TEMPORARY, below, problems), below, networks, problems)
        account = account._replace(temporary=temporary_of(temporary, entries, below, zone, problems))
    return account


def _server(table: Any, problems: list[Problem]) -> Server:
    path: KeyPath = ("server",)
    server = valid_entries(table if table is not None else {}, SERVER, path, problems)
    smart_host = valid_entries(server.get("smart_host", {}), SMART_HOST, (*path, "smart_host"), problems)
    # A key with an invalid value counts as present, so that no warning says it is missing.
    there: Mapping[str, Any] = table if isinstance(table, dict) else SERVER if table is not None else {}
    below: Any = there.get("smart_host", {})
    edition = server.get("edition", "standard" if "edition" not in there else "pro")
    check_values(server, path, problems)
    if edition not in EDITIONS:
        edition = "pro"  # in the draft, so that the one wrong value is not reported again as closed services
    check_values(smart_host, (*path, "smart_host"), problems)
    if (host := smart_host.get("host")) is not None:
        check_name(names.host_name, host, "MP015", (*path, "smart_host", "host"), problems)
    if (login := smart_host.get("login")) is not None:
        check_name(names.login, login, "MP014", (*path, "smart_host", "login"), problems)
    govern = _govern(server.get("govern", []), (*path, "govern"), problems)
    entries = lan_entries(server.get("lan", []), (*path, "lan"), problems)
    written = frozenset([*there, *(f"smart_host.{key}" for key in (below if isinstance(below, dict) else SMART_HOST))])
    return Server(
        edition=edition,
        outlook_connector_installed=server.get("outlook_connector_installed", False),
        multipop=server.get("multipop", False),
        lan_entries=entries,
        lan=network_set(network for entry in entries for network in entry.networks),
        smart_host=host,
        smart_host_port=smart_host.get("port"),
        smart_host_login=login,
        per_account_auth=smart_host.get("per_account_auth", False),
        govern=govern,
        time_zone=server.get("time_zone", "UTC"),
        written=written,
    )


def _govern_hint(text: str, choices: str) -> str:
    match BY_NAME.get(text.lower()):
        case None:
            near = nearest(text, list(map(str, GOVERNABLE)))
            return f"did you mean '{near}'?" if near is not None else f"which is no service: choose {choices}"
        case service if service.facts.optional:
            return f"did you mean '{service}'?"
        case _:
            return "which every store governs: remove it"


def _govern(texts: list[Any], path: KeyPath, problems: list[Problem]) -> tuple[Service, ...]:
    services = {str(service): service for service in GOVERNABLE}
    choices = names.joined((f"'{name}'" for name in services), "or")
    for index, text in enumerate(texts):
        if type(text) is not str:
            message = f"a service must be a string, not {type_name(text)}: write {choices}"
            problems.append(Problem("MP006", (*path, index), message))
        elif text not in services:
            message = f"govern names '{names.short(text)}', {_govern_hint(text, choices)}"
            problems.append(Problem("MP008", (*path, index), message))
    return tuple(services[text] for text in texts if type(text) is str and text in services)
