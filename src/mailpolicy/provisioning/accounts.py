"""The accounts of a policy as rows that a plan is made of; without passwords."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, NamedTuple

from mailpolicy.policy import dates
from mailpolicy.policy.account import EXTRA_LAN, Account
from mailpolicy.policy.model import Policy
from mailpolicy.policy.service import SWITCHES
from mailpolicy.provisioning.values import COLUMNS, INHERIT, NOTHING
from mailpolicy.store.tables import ACCOUNT

_CALCULATED = ("=", "+", "-", "@")  # the characters that a formula of a spreadsheet begins with


class NotInCsv(ValueError):
    """A value that a cell would give another meaning; the message names the account and the key."""


class Table(NamedTuple):
    """Accounts as CSV, and the number of things that it leaves out."""

    text: str
    exceptions: int  # accounts with one, which is left out
    sources: int
    calculated: list[tuple[str, str]]  # the addresses and columns of values that a spreadsheet would calculate


def written(account: Account) -> dict[str, Any]:
    """Return every key of an account as it is written, None for one that it has not."""
    return {key: account.value(key) for key in ACCOUNT}


def effective(policy: Policy, account: Account) -> dict[str, Any]:
    """Return the settings in force for an account, whichever layer they come from, and the keys that no layer shares.

    Without its exception, which is in force already or over, and without services that the store does not govern.
    """
    governed = {switch for service in policy.services for switch in service.switches}
    shared = {switch: policy.setting(account, switch).value for switch in SWITCHES if switch in governed}
    found = {**written(account), **shared, EXTRA_LAN: policy.extra_lan(account).names}
    return {key: found[key] for key in ACCOUNT if key != "temporary" and (key not in SWITCHES or key in governed)}


def as_object(address: str, keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON object of an account; null means that it has not that key."""
    return {"address": address, **{key: _plain(value) for key, value in keys.items()}}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return dates.text(value) if isinstance(value, date) else value


def as_csv(rows: Iterable[tuple[str, Mapping[str, Any]]]) -> Table:
    """Return accounts as CSV with the same columns in every row. Raises NotInCsv."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    exceptions = sources = 0
    columns: list[str] | None = None
    calculated = []
    for address, keys in rows:
        if columns is None:
            columns = [key for key in COLUMNS if key in keys]
            writer.writerow(["address", *columns])
        writer.writerow([address, *(_cell(address, key, keys[key]) for key in columns)])
        exceptions += keys.get("temporary") is not None
        sources += len(keys["sources"] or ())
        calculated += [
            (address, key) for key in columns if type(keys[key]) is str and keys[key].startswith(_CALCULATED)
        ]
    if columns is None:
        writer.writerow(["address", *COLUMNS])
    return Table(file.getvalue(), exceptions, sources, calculated)


def _cell(address: str, key: str, value: Any) -> str:
    match value:
        case None:
            return INHERIT
        case bool():
            return "true" if value else "false"
        case tuple():
            return " ".join(value) or NOTHING
        case date():
            return dates.text(value)
        case _ if value.lower() == INHERIT:
            raise NotInCsv(f"the {key} of {address} is '{value}', which removes a key in CSV")
        case _:
            return str(value)


def as_tables(rows: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterable[tuple[str, dict[str, Any]]]:
    """Yield the TOML table of each account."""
    for address, keys in rows:
        yield address, {key: value for key, value in keys.items() if value is not None}
