"""The keys of each table, their types and their meanings, and the check of a table against them.

The reference in docs/file-format.md and the JSON Schema are generated from here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mailpolicy.diagnostics import KeyPath, Problem
from mailpolicy.policy import names
from mailpolicy.policy.account import EXTRA_LAN
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
    "cases": "the cases that every edit is held against, an absolute path: docs/cases.md",
    "journal": "true writes every edit down in a journal beside the store: docs/history.md",
    "tokens": "the commands that make the tokens of MultiPOP sources: `[tokens.NAME]`, docs/secrets.md",
    "repository": "the git repository that the store of this machine comes from, an absolute path: docs/several-nodes.md",
    "exports": "the files of other programs that `deploy` writes: `[exports.NAME]`, docs/enforcement.md",
}


class When:
    """The type of a date, or of a date-time with an offset."""


# The name of each type, and what to write if a value has another type.
TYPES: dict[type, tuple[str, str]] = {
    bool: ("a boolean", "true or false"),
    str: ("a string", "a string"),
    int: ("an integer", "an integer"),
    float: ("a float", ""),
    list: ("an array", "an array of strings"),
    dict: ("a table", "a table"),
    When: ("a date", "a date without quotes, such as 2026-12-31"),
}

# The keys of each table, with the type of their values and what they mean; the reference is generated from here.
TOP: dict[str, tuple[type, str]] = {
    "version": (int, "the version of this format: 1"),
    "server": (dict, "settings of the whole server"),
    "defaults": (dict, "switches that apply if neither the account nor its template sets them"),
    "networks": (dict, 'named networks beside the LAN, `NAME = ["203.0.113.0/24"]`, with entries as in `lan`'),
    "templates": (dict, "named sets of switches, `[templates.NAME]`"),
    "accounts": (dict, 'the accounts, `[accounts."ADDRESS"]`'),
}
SERVER: dict[str, tuple[type, str]] = {
    "edition": (
        str,
        '`"pro"` or `"standard"`; IMAP needs `"pro"`; servers other than MDaemon: `"pro"`; missing: `"standard"`',
    ),
    "outlook_connector_installed": (bool, "true if Outlook Connector is installed; missing: false"),
    "multipop": (bool, "the server-wide MultiPOP switch; missing: false"),
    "lan": (list, "the LAN: CIDR, address, range `a-b`, trailing IPv4 wildcards; missing: empty"),
    "time_zone": (str, "the time zone of dates, an IANA name such as `Europe/Berlin`; missing: `UTC`"),
    "govern": (list, "the services, of `smtp` and `sieve`, that this store decides about; missing: none"),
    "smart_host": (dict, "the smart host that outgoing mail is sent through"),
}
# The keys that `server set` writes; the others have commands of their own.
SERVER_VALUES = tuple(key for key, (kind, _) in SERVER.items() if kind in (bool, str))
SMART_HOST: dict[str, tuple[type, str]] = {
    "host": (str, "the smart host's name or IP address"),
    "port": (int, "its port, 1 to 65535; missing: 587"),
    "login": (str, "the server's own login there; its password is in the keyring"),
    "per_account_auth": (
        bool,
        "*Allow per-account authentication*: use the login of the sending account; missing: false",
    ),
}
# The keys that account, template and defaults share.
SHARED_KEYS: dict[str, tuple[type, str]] = {
    **{key: (bool, meaning) for key, meaning in SWITCH_MEANINGS.items()},
    EXTRA_LAN: (list, "the names of networks that count as the LAN here too, `[networks]`"),
}
ACCOUNT: dict[str, tuple[type, str]] = {
    **SHARED_KEYS,
    "template": (str, "the template for switches that the account does not set"),
    "suspended": (bool, "true closes the four services"),
    "expires": (
        When,
        "the last day on which the account may be used, or the date-time with an offset at which it ends",
    ),
    "temporary": (dict, 'switches that apply instead until a day is over, `[accounts."ADDRESS".temporary]`'),
    "smart_host_login": (str, "the account's login at the smart host; its password is in the keyring"),
    "sources": (dict, 'the mailboxes elsewhere that MultiPOP collects mail from, `[accounts."ADDRESS".sources.NAME]`'),
}
TEMPORARY: dict[str, tuple[type, str]] = {
    "until": (When, "the last day of the exception, or the date-time with an offset at which it ends; required"),
    **SHARED_KEYS,
}
NETWORKS: dict[str, tuple[type, str]] = {
    "NAME": (list, "the network's entries, as those of `lan`; any name but `lan`, as many networks as are needed"),
}
SOURCE: dict[str, tuple[type, str]] = {
    "host": (str, "the POP3 server's name or IP address; required"),
    "port": (int, "its port, 1 to 65535; missing: 995 for implicit TLS, else 110"),
    "login": (str, "the login there; required; its password is in the keyring, unless `auth` says otherwise"),
    "auth": (str, '`"password"`, or `"xoauth2"` or `"oauthbearer"` to log in with a token; missing: `"password"`'),
    "token": (
        str,
        'the name of what makes the token, `[tokens.NAME]` in host.toml; required unless `auth` is `"password"`',
    ),
    "tls": (str, '`"implicit"`, `"starttls"` or `"none"`; missing: `"implicit"`'),
    "keep": (bool, "leave a copy of each mail on that server; missing: true, so that nothing is lost"),
    "enabled": (bool, "false stops polling this source; missing: true"),
    "max_size_kb": (int, "skip mails larger than this many KiB"),
    "delete_after_days": (int, "delete the copy after this many days; needs `keep = true`"),
}


class Table(NamedTuple):
    """The keys of one kind of table, and those that are required."""

    keys: Mapping[str, tuple[type, str]]
    required: tuple[str, ...] = ()


# The parser's types of dates, by name: datetime is only imported for a store with dates.
_DATES = {"date": "a date", "datetime": "a date-time"}
_TIMES = {**_DATES, "time": "a time of day"}

# The path of each table; NAME and ADDRESS stand for any name and any address, as a key too.
TABLES: dict[tuple[str, ...], Table] = {
    (): Table(TOP, ("version",)),
    ("server",): Table(SERVER),
    ("server", "smart_host"): Table(SMART_HOST),
    ("networks",): Table(NETWORKS),
    ("defaults",): Table(SHARED_KEYS),
    ("templates", "NAME"): Table(SHARED_KEYS),
    ("accounts", "ADDRESS"): Table(ACCOUNT),
    ("accounts", "ADDRESS", "temporary"): Table(TEMPORARY, ("until",)),
    ("accounts", "ADDRESS", "sources", "NAME"): Table(SOURCE, ("host", "login")),
}
# The tables as a message calls them.
_KEYS_BY_TITLE = {
    "[server]": SERVER,
    "[server.smart_host]": SMART_HOST,
    "an account": ACCOUNT,
    "the temporary table of an account": TEMPORARY,
    "a source of an account": SOURCE,
    "[defaults], a template or an account": SHARED_KEYS,
    "the top of the file": TOP,
}

# The headers of the top-level tables.
_HEADERS = {
    "server": "[server]",
    "defaults": "[defaults]",
    "networks": "[networks]",
    "templates": "[templates.NAME]",
    "accounts": '[accounts."ADDRESS"]',
}


def valid_entries(
    table: Any, keys: Mapping[str, tuple[type, str]], path: KeyPath, problems: list[Problem]
) -> dict[str, Any]:
    """Return the entries of `table` that are known and of the right type, and add a problem for each of the others."""
    good: dict[str, Any] = {}
    if not require_table(table, path, problems):
        return good
    if keys.keys() >= table.keys() and all([type(value) is keys[key][0] for key, value in table.items()]):
        return dict(table)  # the usual case, without a loop in Python
    for key, value in table.items():
        if key not in keys:
            problems.append(_unknown(key, value, keys, path, guess=len(problems) < MAX_GUESSES))
        elif type(value) is not keys[key][0] and not (keys[key][0] is When and type(value).__name__ in _DATES):
            wanted = TYPES[keys[key][0]][1]
            problems.append(Problem("MP006", (*path, key), f"{key} must be {wanted}, not {type_name(value)}"))
        else:
            good[key] = value
    return good


def require_table(table: Any, path: KeyPath, problems: list[Problem]) -> bool:
    """Return whether `table` is a table, and add a problem if it is not."""
    if type(table) is dict:
        return True
    problems.append(Problem("MP006", path, f"{names.short(str(path[-1]))} must be a table, not {type_name(table)}"))
    return False


def _unknown(key: str, value: object, keys: Mapping[str, tuple[type, str]], path: KeyPath, *, guess: bool) -> Problem:
    shown = names.short(key)
    if key in HOST_KEYS and not (keys is SOURCE and key == "tokens" and type(value) is str):  # there it is misspelled
        return Problem(
            "MP007", (*path, key), f"{shown} belongs in host.toml: it is a setting of this machine, not of the policy"
        )
    if "password" in key.lower() or "secret" in key.lower():
        command = "mailpolicy multipop source set-password" if keys is SOURCE else "mailpolicy smart-host set"
        return Problem(
            "MP005", (*path, key), f"unknown key '{shown}': secrets are stored in the keyring, not here; run: {command}"
        )
    # A top-level key after a table's header is misplaced, not misspelled.
    misplaced = keys is not TOP and key in TOP and type(value) is TOP[key][0]
    if guess and not misplaced and (nearest := nearest_key(key, keys)):
        return Problem("MP005", (*path, key), f"unknown key '{shown}', did you mean {nearest}?")
    # A known key in the wrong table, first as it is written, then as it may have been meant.
    for title, known in _KEYS_BY_TITLE.items():
        if key in known:
            return Problem("MP005", (*path, key), f"unknown key '{shown}' here: it belongs {_belongs(title, key)}")
    for title, known in _KEYS_BY_TITLE.items() if guess else ():
        if nearest := nearest_key(key, known):
            hint = f"did you mean {nearest}, which belongs {_belongs(title, nearest)}?"
            return Problem("MP005", (*path, key), f"unknown key '{shown}', {hint}")
    return Problem("MP005", (*path, key), f"unknown key '{shown}' here: the keys of this table are {', '.join(keys)}")


def _belongs(title: str, key: str) -> str:
    if _KEYS_BY_TITLE[title] is not TOP:
        return f"in {title}"
    table = _HEADERS.get(key)
    return f"at {title}: before the first table{f', or as a table of its own, {table}' if table else ''}"


def check_name(check: Callable[[str], str], text: str, code: str, path: KeyPath, problems: list[Problem]) -> None:
    """Call `check` with the text, and add a problem with this code if it rejects it."""
    try:
        check(text)
    except NameRejected as error:
        problems.append(Problem(code, path, str(error)))


def type_name(value: object) -> str:
    """Return the name of a value's type for a message, such as `a boolean`."""
    kind = type(value)
    if value is None:
        return "null"  # of JSON, in a plan
    return TYPES[kind][0] if kind in TYPES else _TIMES[kind.__name__]


def type_title(kind: type) -> str:
    """Return the name of a type for a message, such as `a boolean`."""
    return TYPES[kind][0]
