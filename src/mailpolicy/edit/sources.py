"""Add, change and remove the MultiPOP sources of an account."""

from __future__ import annotations

from collections.abc import Mapping

from mailpolicy.edit import remarks
from mailpolicy.edit.operations import Add, Drop, Path, Scalar, differences
from mailpolicy.edit.plan import Plan, Result
from mailpolicy.edit.server import display_text
from mailpolicy.errors import NotFound, Refused
from mailpolicy.policy.account import Account
from mailpolicy.policy.lookup import require_account
from mailpolicy.policy.model import Policy
from mailpolicy.policy.nearest import nearest
from mailpolicy.policy.service import Service
from mailpolicy.policy.source import Auth, Source

# What the result line of a removed key says, if it is no limit.
_NOTHING = {"auth": str(Auth.PASSWORD), "token": "none"}


def add(policy: Policy, address: str, name: str, settings: Mapping[str, Scalar], source: Source) -> Plan:
    """Plan a new source, which is `source`, with these settings. Raises NotFound, and Refused if its name is taken."""
    account = require_account(policy, address)
    plan = Plan()
    existing = account.sources.get(name)
    if existing is not None:
        if different := differences(existing._asdict(), {key: getattr(source, key) for key in settings}):
            raise Refused(f"source {name} of {address} already exists with {different}", code="exists")
        plan.results.append(Result(address, f"source {name}", "already exists with these settings", False))
        return plan
    plan.change(Add(_path(account, name), dict(settings)), address, f"sources.{name}", None, dict(settings))
    plan.results.append(Result(address, f"source {name}", "added", True))
    if gates := policy.gates(address, Service.MULTIPOP):
        plan.notes.append(f"note: nothing is collected for {address} yet")
        plan.notes += remarks.still_closed(Service.MULTIPOP, [(account, gates)])
    return plan


def change(policy: Policy, address: str, name: str, settings: Mapping[str, Scalar | None]) -> Plan:
    """Plan other values for keys of a source; None removes a limit, or a token and how it is sent.

    Raises NotFound, and Refused if the source would have a token and nothing that makes it, or the reverse.
    """
    account, source = require_account(policy, address), require(policy, address, name)
    plan = Plan()
    _refuse_half_a_token(address, name, source, settings)
    for key, value in settings.items():
        path = _path(account, name, key)
        # A password needs no key, so if `auth` is written for one it stays.
        old = None if value is None and key == "auth" and source.auth is Auth.PASSWORD else getattr(source, key)
        changed = plan.set(path, address, f"sources.{name}.{key}", old, value)
        shown = _NOTHING.get(key, "no limit") if value is None else display_text(value)
        plan.results.append(Result(address, f"source {name} {key.replace('_', '-')}", shown, changed))
    return plan


def _refuse_half_a_token(address: str, name: str, source: Source, settings: Mapping[str, Scalar | None]) -> None:
    auth, token = settings.get("auth", source.auth), settings.get("token", source.token)
    if (auth in (None, Auth.PASSWORD)) is (token is None):
        return
    command = ("mailpolicy", "multipop", "source", "set", address, name)
    if token is None:
        message = f"nothing makes a token for the source {name} of {address}: add --token NAME"
        raise Refused(message, code="no-token", fix=(*command, "--auth", str(auth), "--token", "NAME"))
    raise Refused(
        f"the source {name} of {address} logs in with a password, so a token has no use: add --auth",
        code="no-token",
        fix=(*command, "--auth", str(Auth.XOAUTH2), "--token", str(token)),
    )


def refuse_password(policy: Policy, address: str, name: str) -> None:
    """Raise Refused if a source logs in with a token, so that a password has no use, or NotFound without the source."""
    if require(policy, address, name).auth is not Auth.PASSWORD:
        raise Refused(
            f"the source {name} of {address} logs in with a token, so it has no password; to give it one, first",
            code="token-source",
            fix=("mailpolicy", "multipop", "source", "set", address, name, "--auth", str(Auth.PASSWORD)),
        )


def remove(policy: Policy, address: str, name: str, *, if_exists: bool = False) -> Plan:
    """Plan the removal of a source. Raises NotFound."""
    account = require_account(policy, address)
    plan = Plan()
    if if_exists and name not in account.sources:
        plan.results.append(Result(address, f"source {name}", "does not exist", False))
        return plan
    require(policy, address, name)
    # The last source goes with the table of sources, which would stay behind empty.
    path = _path(account, name) if len(account.sources) > 1 else _path(account, name)[:-1]
    plan.change(Drop(path), address, f"sources.{name}", dict(as_table(account.sources[name])), None)
    plan.results.append(Result(address, f"source {name}", "removed", True))
    return plan


def require(policy: Policy, address: str, name: str) -> Source:
    """Return the source of that name. Raises NotFound."""
    account = require_account(policy, address)
    source = account.sources.get(name)
    if source is None:
        hint = nearest(name, account.sources)
        raise NotFound(
            f"{address} has no source {name}" + (f", did you mean {hint}?" if hint else ""), code="no-such-source"
        )
    return source


def as_table(source: Source) -> dict[str, Scalar]:
    """Return the keys and values of a source; limits that are not set are left out."""
    return {
        key: str(value) if isinstance(value, str) else value
        for key, value in source._asdict().items()
        if value is not None
    }


def _path(account: Account, *below: str) -> Path:
    return ("accounts", account.key, "sources", *below)
