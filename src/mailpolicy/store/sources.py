"""Validate the MultiPOP sources of an account and turn their tables into values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailpolicy.diagnostics import KeyPath, Problem
from mailpolicy.policy import names
from mailpolicy.policy.source import Auth, Source, Tls
from mailpolicy.store.tables import SOURCE, TABLES, check_name, valid_entries
from mailpolicy.store.values import check_values


def sources_of(tables: Mapping[str, Any], path: KeyPath, problems: list[Problem]) -> dict[str, Source]:
    """Return the valid MultiPOP sources of one account, and add a problem for each error in the others."""
    sources = {}
    for name, table in tables.items():
        below = (*path, name)
        check_name(names.source_name, name, "MP016", below, problems)
        before = len(problems)
        source = valid_entries(table, SOURCE, below, problems)
        for key in TABLES["accounts", "ADDRESS", "sources", "NAME"].required:
            if isinstance(table, dict) and key not in table:
                problems.append(Problem("MP017", below, f'the source has no {key}: write `{key} = "..."` in it'))
        _source_values(source, below, problems)
        if len(problems) == before:
            sources[name] = new_source(source)
    return sources


def _source_values(source: Mapping[str, Any], path: KeyPath, problems: list[Problem]) -> None:
    check_name(names.host_name, source.get("host", "localhost"), "MP015", (*path, "host"), problems)
    check_name(names.login, source.get("login", "none"), "MP014", (*path, "login"), problems)
    check_values(source, path, problems)
    if "delete_after_days" in source and source.get("keep") is False:
        message = (
            "delete_after_days has no effect with `keep = false`: write `keep = true`, or remove delete_after_days"
        )
        problems.append(Problem("MP018", (*path, "delete_after_days"), message))
    problems += _token_problems(source, path)


def _token_problems(source: Mapping[str, Any], path: KeyPath) -> list[Problem]:
    """Return what is wrong with `auth` and `token` of a source. No message repeats `token`, which may be a real one."""
    problems: list[Problem] = []
    by_token = names.joined((f"'{auth}'" for auth in Auth if auth is not Auth.PASSWORD), "or")
    auth, token = source.get("auth", str(Auth.PASSWORD)), source.get("token")
    if token is not None:
        check_name(names.token_name, token, "MP081", (*path, "token"), problems)
    if auth == Auth.PASSWORD and token is not None:
        message = f"token has no effect on a source with a password: write auth = {by_token}, or remove token"
        problems.append(Problem("MP080", (*path, "token"), message))
    elif auth in tuple(Auth) and auth != Auth.PASSWORD and token is None:
        message = f"auth is '{auth}', but nothing makes the token: write `token = \"NAME\"`, the NAME of [tokens.NAME] in host.toml"
        problems.append(Problem("MP080", (*path, "auth"), message))
    return problems


def new_source(table: Mapping[str, Any]) -> Source:
    """Return the source that a valid table describes, with defaults for the keys that it leaves out."""
    tls = Tls(table.get("tls", Tls.IMPLICIT))
    return Source(
        host=names.host_name(table["host"]),
        port=table.get("port", tls.port),
        login=table["login"],
        tls=tls,
        keep=table.get("keep", True),
        enabled=table.get("enabled", True),
        max_size_kb=table.get("max_size_kb"),
        delete_after_days=table.get("delete_after_days"),
        auth=Auth(table.get("auth", Auth.PASSWORD)),
        token=table.get("token"),
    )
