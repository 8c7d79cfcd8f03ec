"""Collect each sender's smart host login and password, for the targets that pass them to a mail server.

A sender whose own login is missing or cannot be expressed is an error that names the sender, because the fallback, the
server's login, would be the wrong one.
"""

from __future__ import annotations

from typing import NamedTuple

from mailpolicy.export.request import CannotCarry, Request
from mailpolicy.policy.bindings import smart_host_secret
from mailpolicy.policy.model import Layer, Policy
from mailpolicy.policy.names import unicode_address
from mailpolicy.policy.smart_host import smart_host_login


class Login(NamedTuple):
    """A login and its password."""

    name: str
    password: str


class Credentials(NamedTuple):
    """Each sender's own login, sorted by address, and the server's; None if the server has none."""

    senders: dict[str, Login]
    server: Login | None


def accounts_with_own_login(policy: Policy) -> list[str]:
    """Return the accounts whose mail goes out with their own login, sorted.

    A suspended account is one of them, as it may have mail in the queue.
    """
    owned = (
        account.address
        for account in policy.accounts.values()
        if smart_host_login(policy, account).owner is Layer.ACCOUNT
    )
    return sorted(owned)


def spellings(address: str) -> list[str]:
    """Return the envelope senders of an account: its address, and the one with U-labels if that differs."""
    shown = unicode_address(address)
    return [address] if shown is None else [address, shown]


def smart_host(policy: Policy) -> str:
    """Return the smart host's name or IP address. Raise CannotCarry if the policy names none."""
    if policy.server.smart_host is None:
        raise CannotCarry(
            ["the key server.smart_host.host is missing"],
            fix=("mailpolicy", "smart-host", "set", "--server", "--host", "HOST"),
        )
    return policy.server.smart_host


def collect(request: Request, *, stripped: str) -> Credentials:
    """Return the credentials of all senders; `stripped` are the characters that the format drops from a password's end.

    Raise CannotCarry for logins and passwords that a line `login:password` cannot express, and KeyringError for missing
    passwords.
    """
    policy = request.policy
    names: dict[str | None, str] = {
        address: policy.accounts[address].login or "" for address in accounts_with_own_login(policy)
    }
    if policy.server.smart_host_login is not None:
        names[None] = policy.server.smart_host_login
    if names:
        smart_host(policy)
    secrets = {address: smart_host_secret(policy.server, address) for address in names}
    passwords = request.passwords(list(secrets.values()))
    logins = {address: Login(name, passwords[secrets[address]]) for address, name in names.items()}
    problems = []
    for address, login in logins.items():
        if ":" in login.name:
            problems.append(
                f"the login of {address or 'the server'} contains a colon, which ends the login in this format"
            )
        if login.password != login.password.rstrip(stripped):
            problems.append(f"the password of {address or 'the server'} ends in white space, which this format loses")
        if any(character in login.password for character in "\0\r\n"):
            problems.append(f"the password of {address or 'the server'} contains a newline or a NUL")
    if problems:
        raise CannotCarry(problems)
    return Credentials({address: login for address, login in logins.items() if address is not None}, logins.get(None))
