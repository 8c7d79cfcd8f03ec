"""The values of an account's keys as a cell of a table or a JSON object writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from mailpolicy.diagnostics import Problem, dotted
from mailpolicy.policy import names
from mailpolicy.policy.account import EXTRA_LAN
from mailpolicy.policy.names import counted, short
from mailpolicy.policy.nearest import MAX_GUESSES, nearest_key
from mailpolicy.store import schema
from mailpolicy.store.tables import ACCOUNT, SOURCE, TEMPORARY, When, valid_entries

INHERIT = "inherit"  # the cell that removes a key
NOTHING = "-"  # the cell of an empty list
_WORDS = {"true": True, "on": True, "yes": True, "1": True, "false": False, "off": False, "no": False, "0": False}
_DEPTH = 2  # of the tables inside an account
# The tables inside an account, which a cell cannot hold.
NESTED = tuple(key for key, (kind, _) in ACCOUNT.items() if kind is dict)
_KNOWN = tuple({**ACCOUNT, **TEMPORARY, **SOURCE})
COLUMNS = tuple(key for key in ACCOUNT if key not in NESTED)


class ValueRejected(ValueError):
    """A value that a key cannot have. The message names the right form and never repeats the value."""


def is_set(text: str) -> bool:
    """Return whether another server's setting, as text, is anything but off or empty."""
    return text.strip().lower() not in ("", "0", "n", "no", "f", "false")


def _boolean(text: str) -> bool:
    if (value := _WORDS.get(text.lower())) is None:
        raise ValueRejected(f"is not one of {', '.join(_WORDS)} and {INHERIT}")
    return value


def _template(text: str) -> str:
    try:
        return names.template_name(text)
    except names.NameRejected:
        raise ValueRejected("is not the name of a template") from None


def _login(text: str) -> str:
    try:
        return names.login(text)
    except names.NameRejected:
        raise ValueRejected(
            "is not a login: 1 to 255 characters without control characters or white space at either end"
        ) from None


def _day(text: str) -> Any:
    from mailpolicy.policy.when import DateRejected, parse  # 2 ms, only for a plan with dates

    try:
        written = parse(text).written
    except DateRejected:
        written = None
    if written is None:
        raise ValueRejected("is not a date such as 2026-12-31, or a date-time such as 2026-12-31T18:00:00+01:00")
    return written


def _networks(found: list[str]) -> tuple[str, ...]:
    try:
        return tuple(map(names.network_name, found))
    except names.NameRejected:
        raise ValueRejected("is not a list of networks") from None


# How a cell of each key is read.
CELLS: dict[str, Callable[[str], Any]] = {
    **{key: _boolean for key, (kind, _) in ACCOUNT.items() if kind is bool},
    "template": _template,
    "smart_host_login": _login,
    "expires": _day,
    EXTRA_LAN: lambda text: () if text == NOTHING else _networks(text.split()),
}


def of_table(table: dict[str, Any], address: str) -> tuple[dict[str, Any], list[str]]:
    """Return the values of an account's table as TOML or JSON gives it, and the mistakes in it; None removes a key."""
    wrong = unknown((key for key in table if key not in ACCOUNT), tuple(ACCOUNT), "key")
    removed = {key: None for key, value in table.items() if value is None and key in ACCOUNT}
    written = {key: value for key, value in _without_null(table, _DEPTH).items() if key in ACCOUNT}
    _read_dates(written, ACCOUNT, (), wrong)
    if type(written.get("temporary")) is dict:
        written["temporary"] = dict(written["temporary"])
        _read_dates(written["temporary"], TEMPORARY, ("temporary",), wrong)
    problems: list[Problem] = []
    values = valid_entries(written, ACCOUNT, (), problems)
    wrong += (problem.message for problem in problems)
    for key, check in (("template", _template), ("smart_host_login", _login), (EXTRA_LAN, _list_of_networks)):
        if key in values:
            try:
                values[key] = check(values[key])
            except ValueRejected as error:
                wrong.append(f"{key} {error}")
    if getattr(values.get("expires"), "tzinfo", "") is None:  # a date has none; of a time without an offset it is None
        wrong.append("expires is a time without an offset from UTC: write Z or +01:00 behind it")
    if nested := {key: values[key] for key in NESTED if key in values}:
        wrong += _nested_mistakes(nested, address)
        if not wrong and EXTRA_LAN in nested.get("temporary", {}):
            exception = nested["temporary"]
            values["temporary"] = {**exception, EXTRA_LAN: tuple(exception[EXTRA_LAN])}
    return {**values, **removed}, wrong


def unknown(found: Iterable[str], known: tuple[str, ...], noun: str) -> list[str]:
    """Return mistakes about keys or columns that are not known. One is repeated only if it is like a known one: it may be a password."""
    wrong = []
    others = 0
    for number, name in enumerate(found):
        if "password" in name.lower() or "secret" in name.lower():
            wrong.append(f"a plan has no passwords: take that {noun} out, and use mailpolicy smart-host import -")
        elif near := _nearest(name, known) if number < MAX_GUESSES else None:
            wrong.append(f"unknown {noun} '{short(name)}', did you mean {near}?")
        else:
            others += 1
    return [*wrong, f"{counted(others, f'unknown {noun}')}; the {noun}s are {', '.join(known)}"] if others else wrong


# The same key is often wrong in every row.
_nearest = lru_cache(maxsize=MAX_GUESSES)(nearest_key)


def _without_null(table: dict[str, Any], depth: int) -> dict[str, Any]:
    """Return a table without the keys that are null, so many levels deep."""
    return {
        key: _without_null(value, depth - 1) if depth and type(value) is dict else value
        for key, value in table.items()
        if value is not None
    }


def _list_of_networks(found: list[Any]) -> tuple[str, ...]:
    if not all(type(name) is str for name in found):
        raise ValueRejected("is not a list of networks")
    return _networks(found)


def _read_dates(
    table: dict[str, Any], keys: dict[str, tuple[type, str]], path: tuple[str, ...], wrong: list[str]
) -> None:
    """Replace the dates that are written as strings, as JSON has no others."""
    for key, value in list(table.items()):
        if key in keys and keys[key][0] is When and type(value).__name__ not in ("date", "datetime"):
            try:
                table[key] = _day(value if type(value) is str else "")
            except ValueRejected as error:
                wrong.append(f"{dotted((*path, key))} {error}")
                del table[key]


def _nested_mistakes(tables: dict[str, Any], address: str) -> list[str]:
    """Return the mistakes in the exception and the sources of an account, by the rules for a store."""
    # The networks that an exception names are looked up when the store is known.
    exception = tables.get("temporary", {})
    named = exception.get(EXTRA_LAN, ())
    networks = {name: ["127.0.0.1"] for name in named if type(name) is str} if type(named) is list else {}
    tree = {"version": schema.VERSION, "networks": networks, "accounts": {address: tables}}
    # A message about a value repeats it, so only the code is told, and of the path the keys that are known.
    return [
        f"{dotted(tuple(map(_shown, problem.path[2:]))) or 'the account'} is not valid "
        f"({problem.code}: mailpolicy explain {problem.code})"
        for problem in schema.validate(tree).problems
    ]


def _shown(part: str | int) -> str | int:
    return part if type(part) is int or part in _KNOWN or _nearest(str(part), _KNOWN) else "NAME"
