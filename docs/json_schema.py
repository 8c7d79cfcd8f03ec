"""The JSON Schema of accounts.toml (draft-07), made from the tables and limits that the validator reads.

The schema accepts everything that the validator accepts. It refuses unknown keys, wrong types, missing keys, values that are
not allowed, and malformed hosts, logins and names of templates and sources exactly if the validator does. It does not see two
tables for one account or a template that does not exist, and to JSON a float such as 1.0 is an integer. Patterns use no
look-around and no back reference, which an editor's engine may lack.
"""

from __future__ import annotations

import json
from typing import Any

from mailpolicy.policy import names
from mailpolicy.policy.account import EXTRA_LAN
from mailpolicy.policy.service import GOVERNABLE
from mailpolicy.store import schema, values
from mailpolicy.store.tables import NETWORKS, TABLES, Table, When

_TYPES = {bool: "boolean", str: "string", int: "integer", list: "array", dict: "object", When: "string"}
_BLANK = r" \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"  # white space that is no control character
_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ATOM = "[A-Za-z0-9_+=~&'-]"

_LOGIN = {
    "minLength": 1,
    "maxLength": 255,
    "allOf": [{"pattern": f"^[^{_BLANK}]"}, {"pattern": f"[^{_BLANK}]$"}],
    "not": {"pattern": r"[\x00-\x1f\x7f-\x9f\u2028\u2029]"},
}
_ONE_LINE = {"not": {"pattern": "[\\r\\n]"}}  # to some engines $ is also before a newline at the end
_NAME = {"pattern": f"^{names.TEMPLATE_PATTERN}$"} | _ONE_LINE
# Domains that are not ASCII are left to the validator, which knows IDNA, and so is the syntax of IPv6 addresses.
_ANY_LETTER = r"([A-Za-z0-9.-]|[^\x00-\x7f])"
_HOST = {
    "pattern": rf"^({_LABEL}(\.{_LABEL})*|{_ANY_LETTER}*[^\x00-\x7f]{_ANY_LETTER}*|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*(%{names.ZONE_PATTERN})?)$"
} | _ONE_LINE
_ENTRIES = {"items": {"type": "string", "pattern": "^[0-9A-Fa-f:./*-]+$"}}  # all characters of any form of an entry
_NETWORK = _NAME | {"not": {"anyOf": [_ONE_LINE["not"], {"const": names.LAN}]}}
# JSON has no dates: tools that read TOML for a schema make texts of them.
_DATE = {
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?([Zz]|[+-][0-9]{2}:[0-9]{2}))?$"
} | _ONE_LINE
# Further constraints on a key, in whichever table it is.
_VALUES: dict[str, dict[str, Any]] = {
    "version": {"const": schema.VERSION},
    "host": _HOST,
    "template": _NAME,
    "expires": _DATE,
    "until": _DATE,
    "token": _NAME,
    "login": _LOGIN,
    "smart_host_login": _LOGIN,
    "lan": _ENTRIES,
    "govern": {"items": {"enum": list(GOVERNABLE)}},
    EXTRA_LAN: {"items": {"type": "string"} | _NETWORK},
    **{key: {"enum": list(choices)} for key, choices in values.CHOICES.items()},
    **{key: {"minimum": least, "maximum": most} for key, (least, most) in values.RANGES.items()},
}
# Constraints on the names of tables.
_NAMES: dict[str, dict[str, Any]] = {
    "NAME": _NAME,
    "ADDRESS": {
        "allOf": [
            {"pattern": "^[^@]{1,64}@[^@]+$"},
            {"pattern": rf"^[A-Za-z0-9_]{_ATOM}*(\.{_ATOM}+)*@"},
            # Domains that are not ASCII are left to the validator, which knows IDNA.
            {"pattern": rf"@({_LABEL}(\.{_LABEL})*|[^@]*[^\x00-\x7f][^@]*)$"},
        ]
    }
    | _ONE_LINE,
}


def text() -> str:
    """Return the schema as text."""
    head = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$comment": "written by `make docs` in mailpolicy; `mailpolicy schema` prints it",
        "title": "accounts.toml of mailpolicy",
        "description": "which mail services each account may use; `mailpolicy validate` checks more than this schema",
    }
    return json.dumps(head | _table((), TABLES[()]), indent=2) + "\n"


def _table(path: tuple[str, ...], table: Table) -> dict[str, Any]:
    if table.keys is NETWORKS:
        ((kind, meaning),) = NETWORKS.values()
        entries = {"description": meaning, "type": _TYPES[kind]} | _ENTRIES
        return {"type": "object", "propertyNames": _NETWORK, "additionalProperties": entries}
    properties = {key: _key((*path, key), kind, meaning) for key, (kind, meaning) in table.keys.items()}
    found: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": properties}
    return found | ({"required": list(table.required)} if table.required else {})


def _key(path: tuple[str, ...], kind: type, meaning: str) -> dict[str, Any]:
    said = {"description": meaning, "type": _TYPES[kind]}
    if kind is not dict:
        return said | _VALUES.get(path[-1], {})
    if path in TABLES:
        return said | _table(path, TABLES[path])
    (below,) = (other for other in TABLES if other[:-1] == path)
    return said | {"propertyNames": _NAMES[below[-1]], "additionalProperties": _table(below, TABLES[below])}
