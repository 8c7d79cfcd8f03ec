"""From a TOML tree to a policy and problems: every rule about what a store may say, each checked and none skipped.

Promises: all problems in one run, in the order of the file's tables; a policy only where there is no error.
Not promised: advice about settings that are allowed but unwise; that is `advice`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from mailpolicy import names
from mailpolicy.diagnostics import KeyPath, Problem
from mailpolicy.names import NameRejected
from mailpolicy.networks import EntryRejected, lan_entry, network_set
from mailpolicy.policy import SWITCHES, Account, LanEntry, Policy, Server

VERSION = 1
EDITIONS = ("pro", "standard")
HOST_KEYS = ("keyring_backend", "keyring_service", "secrets_file", "key_file", "exports")

# What a value of a type is called, and what is asked for where another one stands.
_TYPES: dict[type, tuple[str, str]] = {
    bool: ("a boolean", "true or false"),
    str: ("a string", "a string"),
    int: ("an integer", "an integer"),
    float: ("a float", ""),
    list: ("an array", "an array of strings"),
    dict: ("a table", "a table"),
}

# The keys of each table, with the type of their values and what they mean; the reference is generated from here.
TOP: dict[str, tuple[type, str]] = {
    "version": (int, "the version of this format: 1"),
    "server": (dict, "what holds for the whole server"),
    "defaults": (dict, "what an account and its template leave out"),
    "templates": (dict, "named sets of switches, `[templates.NAME]`"),
    "accounts": (dict, 'the accounts, `[accounts."ADDRESS"]`'),
}
SERVER: dict[str, tuple[type, str]] = {
    "edition": (
        str,
        '`"pro"` or `"standard"`; IMAP needs `"pro"`; servers other than MDaemon: `"pro"`; missing: `"standard"`',
    ),
    "outlook_connector_installed": (bool, "whether Outlook Connector is installed; missing: false"),
    "multipop": (bool, "the server-wide MultiPOP switch; missing: false"),
    "lan": (list, "the LAN: CIDR, address, range `a-b`, trailing IPv4 wildcards; missing: empty"),
    "smart_host": (dict, "where mail goes out"),
}
SMART_HOST: dict[str, tuple[type, str]] = {
    "host": (str, "the smart host's name or IP address"),
    "port": (int, "its port, 1 to 65535"),
    "login": (str, "the server's own login there; its password is in the keyring"),
    "per_account_auth": (
        bool,
        "*Allow per-account authentication*: whether an account's own login is used; missing: false",
    ),
}
SWITCH_KEYS: dict[str, tuple[type, str]] = {
    "pop": (bool, "mail can be read over POP3"),
    "pop_lan_only": (bool, "POP only from the LAN"),
    "imap": (bool, "mail can be read over IMAP; needs the pro edition"),
    "imap_lan_only": (bool, "IMAP, and with it Outlook Connector, only from the LAN"),
    "multipop": (bool, "mail may be collected from other servers"),
    "outlook_connector": (bool, "Outlook folders can be shared; needs IMAP, and Outlook Connector installed"),
}
ACCOUNT: dict[str, tuple[type, str]] = {
    **SWITCH_KEYS,
    "template": (str, "the template that fills in what the account leaves out"),
    "suspended": (bool, "true closes the four services"),
    "smart_host_login": (str, "the account's login at the smart host; its password is in the keyring"),
}
_HOMES = {
    "[server]": SERVER,
    "[server.smart_host]": SMART_HOST,
    "an account": ACCOUNT,
    "[defaults], a template or an account": SWITCH_KEYS,
    "the top of the file": TOP,
}
_ENTRY_CODES = {
    "not-a-network": "MP020",
    "host-bits": "MP021",
    "netmask": "MP022",
    "wildcard": "MP023",
    "leading-zeros": "MP024",
    "range": "MP025",
    "zone": "MP026",
    "too-large": "MP027",
}


class Reading(NamedTuple):
    """What a tree says: the policy, None where there is an error, and the errors.

    `draft` is the policy of those parts that have no error: good enough to look for warnings, never for a verdict.
    """

    policy: Policy | None
    problems: list[Problem]
    draft: Policy | None = None


def read(tree: Mapping[str, Any]) -> Reading:
    """The policy that a store's TOML tree describes, and every error in it."""
    problems: list[Problem] = []
    if "version" not in tree:
        problems.append(
            Problem("MP003", (), f"the key version is missing: write `version = {VERSION}` as the first line")
        )
    top = _checked(tree, TOP, (), problems)
    if (version := top.get("version", VERSION)) != VERSION:
        newer = version > VERSION
        message = "written for a newer mailpolicy" if newer else "there is no such version"
        problems.append(
            Problem("MP004", ("version",), f"version {version}: {message}, this one reads version {VERSION}")
        )
        if newer:
            return Reading(None, problems)
    server = _server(top.get("server"), problems)
    defaults = _checked(top.get("defaults", {}), SWITCH_KEYS, ("defaults",), problems)
    templates: dict[str, dict[str, bool]] = {}
    for name, table in top.get("templates", {}).items():
        _named(names.template_name, name, "MP013", ("templates", name), problems)
        templates[name] = {}  # there, for the accounts that name it, whatever is wrong with it
        if _is_table(table, ("templates", name), problems):
            templates[name] = _checked(table, SWITCH_KEYS, ("templates", name), problems)
    accounts = _accounts(top.get("accounts", {}), templates, problems)
    policy = Policy(server, defaults, templates, accounts)
    return Reading(None if problems else policy, problems, policy)


def _accounts(tables: Mapping[str, Any], templates: Mapping[str, Any], problems: list[Problem]) -> dict[str, Account]:
    accounts: dict[str, Account] = {}
    switches = frozenset(SWITCHES)
    address_of = names.account_address
    for key, table in tables.items():
        try:
            address = address_of(key)
        except NameRejected as error:
            problems.append(Problem("MP010", ("accounts", key), str(error)))
            address = ""
        if type(table) is dict and switches.issuperset(table) and _all_boolean(table):
            account = Account(address, key, table)  # nothing but switches, as most accounts are written
        else:
            if not _is_table(table, ("accounts", key), problems):
                continue
            account = _account(address, key, _checked(table, ACCOUNT, ("accounts", key), problems), templates, problems)
        if address in accounts and address:
            message = f"this is the account {address} a second time, the other is written '{names.printable(accounts[address].key)}'"
            problems.append(Problem("MP011", ("accounts", key), message))
        if address:
            accounts[address] = account
    return accounts


def _all_boolean(table: Mapping[str, object]) -> bool:
    return all([value is True or value is False for value in table.values()])


def _account(
    address: str, key: str, table: dict[str, Any], templates: Mapping[str, Any], problems: list[Problem]
) -> Account:
    path: KeyPath = ("accounts", key)
    template, suspended, login = (
        table.pop("template", None),
        table.pop("suspended", False),
        table.pop("smart_host_login", None),
    )
    if template is not None and template not in templates:
        nearest = nearest_key(template, templates)
        hint = f", did you mean {nearest!r}?" if nearest else ""
        message = f"there is no template '{names.printable(template)}'{hint or ': add [templates.NAME], or name one that exists'}"
        problems.append(Problem("MP012", (*path, "template"), message))
        template = None
    if login is not None:
        _named(names.login, login, "MP014", (*path, "smart_host_login"), problems)
    return Account(address, key, table, template, suspended, login)


def _server(table: Any, problems: list[Problem]) -> Server:
    path: KeyPath = ("server",)
    server = _checked(table if table is not None else {}, SERVER, path, problems)
    smart_host = _checked(server.get("smart_host", {}), SMART_HOST, (*path, "smart_host"), problems)
    # A key with a wrong value is not missing; what is wrong with it is said already.
    there: Mapping[str, Any] = table if isinstance(table, dict) else SERVER if table is not None else {}
    below: Any = there.get("smart_host", {})
    edition = server.get("edition", "standard" if "edition" not in there else "pro")
    if edition not in EDITIONS:
        message = f"edition is '{names.printable(edition)}': write 'pro' or 'standard'"
        problems.append(Problem("MP008", (*path, "edition"), message))
        edition = "pro"  # for the draft, which has enough to say about the wrong value
    if (port := smart_host.get("port")) is not None and not 1 <= port <= 65535:
        problems.append(
            Problem("MP008", (*path, "smart_host", "port"), f"port is {port}: write a number from 1 to 65535")
        )
    if (host := smart_host.get("host")) is not None:
        _named(names.host_name, host, "MP015", (*path, "smart_host", "host"), problems)
    if (login := smart_host.get("login")) is not None:
        _named(names.login, login, "MP014", (*path, "smart_host", "login"), problems)
    entries = _lan(server.get("lan", []), (*path, "lan"), problems)
    written = frozenset([*there, *(f"smart_host.{key}" for key in (below if isinstance(below, dict) else SMART_HOST))])
    return Server(
        edition=edition,
        outlook_connector_installed=server.get("outlook_connector_installed", False),
        multipop=server.get("multipop", False),
        lan_entries=entries,
        lan=network_set(network for entry in entries for network in entry.networks),
        smart_host=host,
        smart_host_port=port,
        smart_host_login=login,
        per_account_auth=smart_host.get("per_account_auth", False),
        written=written,
    )


def _lan(texts: list[Any], path: KeyPath, problems: list[Problem]) -> tuple[LanEntry, ...]:
    entries = []
    for index, text in enumerate(texts):
        if type(text) is not str:
            problems.append(Problem("MP006", (*path, index), f"a LAN entry is a string, this is {_type_name(text)}"))
            continue
        try:
            entries.append(LanEntry(text, lan_entry(text), index))
        except EntryRejected as error:
            problems.append(Problem(_ENTRY_CODES[error.kind], (*path, index), str(error)))
    return tuple(entries)


def _checked(
    table: Any, keys: Mapping[str, tuple[type, str]], path: KeyPath, problems: list[Problem]
) -> dict[str, Any]:
    """The entries of `table` that are known and of the right type; a problem for each of the others."""
    good: dict[str, Any] = {}
    if not _is_table(table, path, problems):
        return good
    if keys.keys() >= table.keys() and all([type(value) is keys[key][0] for key, value in table.items()]):
        return dict(table)  # the ordinary case, without a problem
    for key, value in table.items():
        if key not in keys:
            problems.append(_unknown(key, keys, path))
        elif type(value) is not keys[key][0]:
            wanted = _TYPES[keys[key][0]][1]
            problems.append(Problem("MP006", (*path, key), f"{key} must be {wanted}, this is {_type_name(value)}"))
        else:
            good[key] = value
    return good


def _is_table(table: Any, path: KeyPath, problems: list[Problem]) -> bool:
    if type(table) is dict:
        return True
    problems.append(
        Problem("MP006", path, f"{names.printable(str(path[-1]))} must be a table, this is {_type_name(table)}")
    )
    return False


def _unknown(key: str, keys: Mapping[str, tuple[type, str]], path: KeyPath) -> Problem:
    shown = names.printable(key)
    if key in HOST_KEYS:
        return Problem(
            "MP007", (*path, key), f"{shown} belongs in host.toml, which describes one machine, not in the policy"
        )
    if "password" in key.lower() or "secret" in key.lower():
        return Problem(
            "MP005", (*path, key), f"unknown key '{shown}', secrets are kept in the keyring: mailpolicy smart-host set"
        )
    if nearest := nearest_key(key, keys):
        hint = f"did you mean {nearest}?"
    elif elsewhere := next(
        (home for home, known in _HOMES.items() if known is not keys and nearest_key(key, known)), None
    ):
        hint = f"did you mean {nearest_key(key, _HOMES[elsewhere])}? it belongs in {elsewhere}"
    else:
        hint = f"known here: {', '.join(keys)}"
    return Problem("MP005", (*path, key), f"unknown key '{shown}', {hint}")


def nearest_key(name: str, known: Iterable[str]) -> str | None:
    """The known key most like `name`, None where none is much like it."""
    from difflib import get_close_matches  # costs start-up, and only a mistake needs it

    folded = name.lower().replace("-", "_")
    matches = get_close_matches(folded, list(known), n=1, cutoff=0.7)
    return matches[0] if matches else None


def _named(check: Callable[[str], str], text: str, code: str, path: KeyPath, problems: list[Problem]) -> None:
    try:
        check(text)
    except NameRejected as error:
        problems.append(Problem(code, path, str(error)))


def _type_name(value: object) -> str:
    return _TYPES.get(type(value), ("a date or a time", ""))[0]


def type_title(kind: type) -> str:
    """What a value of a type is called, such as `a boolean`."""
    return _TYPES[kind][0]
