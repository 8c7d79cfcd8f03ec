"""Which keys each table of a store has, of what type and with what meaning; the reference is generated from here.

Promises: a key that is unknown or has a value of the wrong type is a problem with the nearest known name, and never
reaches the policy. Not promised: that a value of the right type makes sense; that is for the schema.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mailpolicy.diagnostics import KeyPath, Problem
from mailpolicy.policy import names
from mailpolicy.policy.names import NameRejected
from mailpolicy.policy.nearest import MAX_GUESSES, nearest_key
from mailpolicy.policy.service import SWITCH_MEANINGS

# The keys of host.toml and what they mean.
HOST_KEYS = {
    "keyring_backend": "the keyring that keeps the secrets, by its class: docs/secrets.md",
    "keyring_service": "the service name of the secrets in the keyring; missing: `mailpolicy`",
    "secrets_file": "the sealed file, an absolute path; missing: `/var/lib/mailpolicy/secrets`",
    "key_file": "the file of the sealed file's master key, an absolute path",
    "trusted_group": "the group whose members, besides root, may own and write the store and its folder",
    "exports": "the files of other programs that `deploy` makes: `[exports.NAME]`, docs/enforcement.md",
}

# What a value of a type is called, and what is asked for where another one stands.
TYPES: dict[type, tuple[str, str]] = {
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
# The keys that `server set` writes; the others have commands of their own.
SERVER_VALUES = tuple(key for key, (kind, _) in SERVER.items() if kind in (bool, str))
SMART_HOST: dict[str, tuple[type, str]] = {
    "host": (str, "the smart host's name or IP address"),
    "port": (int, "its port, 1 to 65535; missing: 587"),
    "login": (str, "the server's own login there; its password is in the keyring"),
    "per_account_auth": (
        bool,
        "*Allow per-account authentication*: whether an account's own login is used; missing: false",
    ),
}
SWITCH_KEYS: dict[str, tuple[type, str]] = {key: (bool, meaning) for key, meaning in SWITCH_MEANINGS.items()}
ACCOUNT: dict[str, tuple[type, str]] = {
    **SWITCH_KEYS,
    "template": (str, "the template that fills in what the account leaves out"),
    "suspended": (bool, "true closes the four services"),
    "smart_host_login": (str, "the account's login at the smart host; its password is in the keyring"),
    "sources": (dict, 'where MultiPOP collects mail for the account, `[accounts."ADDRESS".sources.NAME]`'),
}
SOURCE: dict[str, tuple[type, str]] = {
    "host": (str, "the POP3 server's name or IP address; required"),
    "port": (int, "its port, 1 to 65535; missing: 995 for implicit TLS, else 110"),
    "login": (str, "the login there; required; its password is in the keyring"),
    "tls": (str, '`"implicit"`, `"starttls"` or `"none"`; missing: `"implicit"`'),
    "keep": (bool, "leave a copy of each mail on that server; missing: true, so that nothing is lost"),
    "enabled": (bool, "whether it is polled at all; missing: true"),
    "max_size_kb": (int, "leave mails larger than this many KiB where they are"),
    "delete_after_days": (int, "delete a kept copy after so many days; needs `keep`"),
}


class Table(NamedTuple):
    """One kind of table: its keys, and those that must be there."""

    keys: Mapping[str, tuple[type, str]]
    required: tuple[str, ...] = ()


# Where each table stands; NAME and ADDRESS stand for every name and every address.
TABLES: dict[tuple[str, ...], Table] = {
    (): Table(TOP, ("version",)),
    ("server",): Table(SERVER),
    ("server", "smart_host"): Table(SMART_HOST),
    ("defaults",): Table(SWITCH_KEYS),
    ("templates", "NAME"): Table(SWITCH_KEYS),
    ("accounts", "ADDRESS"): Table(ACCOUNT),
    ("accounts", "ADDRESS", "sources", "NAME"): Table(SOURCE, ("host", "login")),
}
HOMES = {
    "[server]": SERVER,
    "[server.smart_host]": SMART_HOST,
    "an account": ACCOUNT,
    "a source of an account": SOURCE,
    "[defaults], a template or an account": SWITCH_KEYS,
    "the top of the file": TOP,
}

# How the tables that stand at the top of the file are written.
_HEADERS = {
    "server": "[server]",
    "defaults": "[defaults]",
    "templates": "[templates.NAME]",
    "accounts": '[accounts."ADDRESS"]',
}


def checked(table: Any, keys: Mapping[str, tuple[type, str]], path: KeyPath, problems: list[Problem]) -> dict[str, Any]:
    """The entries of `table` that are known and of the right type; a problem for each of the others."""
    good: dict[str, Any] = {}
    if not is_table(table, path, problems):
        return good
    if keys.keys() >= table.keys() and all([type(value) is keys[key][0] for key, value in table.items()]):
        return dict(table)  # the ordinary case, without a problem
    for key, value in table.items():
        if key not in keys:
            problems.append(_unknown(key, value, keys, path, guess=len(problems) < MAX_GUESSES))
        elif type(value) is not keys[key][0]:
            wanted = TYPES[keys[key][0]][1]
            problems.append(Problem("MP006", (*path, key), f"{key} must be {wanted}, this is {type_name(value)}"))
        else:
            good[key] = value
    return good


def is_table(table: Any, path: KeyPath, problems: list[Problem]) -> bool:
    """Whether it is a table; a problem where it is not."""
    if type(table) is dict:
        return True
    problems.append(Problem("MP006", path, f"{names.short(str(path[-1]))} must be a table, this is {type_name(table)}"))
    return False


def _unknown(key: str, value: object, keys: Mapping[str, tuple[type, str]], path: KeyPath, *, guess: bool) -> Problem:
    shown = names.short(key)
    if key in HOST_KEYS:
        return Problem(
            "MP007", (*path, key), f"{shown} belongs in host.toml, which describes one machine, not in the policy"
        )
    if "password" in key.lower() or "secret" in key.lower():
        command = "mailpolicy multipop source set-password" if keys is SOURCE else "mailpolicy smart-host set"
        return Problem("MP005", (*path, key), f"unknown key '{shown}', secrets are kept in the keyring: {command}")
    misplaced = keys is not TOP and key in TOP and type(value) is TOP[key][0]
    if guess and not misplaced and (nearest := nearest_key(key, keys)):
        return Problem("MP005", (*path, key), f"unknown key '{shown}', did you mean {nearest}?")
    for home, known in HOMES.items():
        if key in known:
            return Problem("MP005", (*path, key), f"unknown key '{shown}' here, it belongs {_where(home, key)}")
    for home, known in HOMES.items() if guess else ():
        if nearest := nearest_key(key, known):
            hint = f"did you mean {nearest}? it belongs {_where(home, nearest)}"
            return Problem("MP005", (*path, key), f"unknown key '{shown}', {hint}")
    return Problem("MP005", (*path, key), f"unknown key '{shown}', known here: {', '.join(keys)}")


def _where(home: str, key: str) -> str:
    if HOMES[home] is not TOP:
        return f"in {home}"
    table = _HEADERS.get(key)
    return f"at {home}: before the first table{f', or as a table of its own, {table}' if table else ''}"


def named(check: Callable[[str], str], text: str, code: str, path: KeyPath, problems: list[Problem]) -> None:
    """A problem where `check` rejects the text."""
    try:
        check(text)
    except NameRejected as error:
        problems.append(Problem(code, path, str(error)))


def type_name(value: object) -> str:
    """What a value's type is called, such as `a boolean`."""
    return TYPES.get(type(value), ("a date or a time", ""))[0]


def type_title(kind: type) -> str:
    """What a value of a type is called, such as `a boolean`."""
    return TYPES[kind][0]
