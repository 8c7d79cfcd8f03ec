"""Decide which login an account's mail goes out with."""

from __future__ import annotations

from typing import NamedTuple

from mailpolicy.policy.account import Account
from mailpolicy.policy.model import Layer, Policy


class SmartHostLogin(NamedTuple):
    """The login that an account's mail goes out with: its owner (account, server or None), its name, and the reason."""

    owner: Layer | None
    login: str | None
    why: str


def smart_host_login(policy: Policy, account: Account) -> SmartHostLogin:
    """Return the login that the account's mail goes out with.

    Source: MDaemon's *Allow per-account authentication*: an account's own login is used only if it is on, and an
    account without one falls back to the server's.
    """
    server = policy.server
    if server.per_account_auth and account.login is not None:
        return SmartHostLogin(
            Layer.ACCOUNT, account.login, "per-account authentication is on and the account has a login"
        )
    if not server.per_account_auth and account.login is not None:
        why = "per-account authentication is off, so the account's own login is not used"
    elif server.per_account_auth:
        why = "the account has no login of its own"
    else:
        why = "per-account authentication is off"
    if server.smart_host_login is not None:
        return SmartHostLogin(Layer.SERVER, server.smart_host_login, why)
    return SmartHostLogin(None, None, f"{why}, and the server has no login: mail goes out unauthenticated")
