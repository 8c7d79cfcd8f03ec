"""Which login and password each sender's mail goes out with, for the targets that hand them to a mail server.

Promises: a sender who should have credentials of its own and has none that the format can carry is an error that names
it, because the fallback, the server's login, would be the wrong one.
"""

from __future__ import annotations

from typing import NamedTuple

from mailpolicy.export.request import CannotCarry, Request
from mailpolicy.policy.bindings import smart_host_secret
from mailpolicy.policy.model import Layer, Policy
from mailpolicy.policy.names import unicode_address


class Login(NamedTuple):
    """A login and its password."""

    name: str
    password: str


class Credentials(NamedTuple):
    """Each sender's own login, by address in their order, and the server's; None where it has none."""

    senders: dict[str, Login]
    server: Login | None


def with_own_login(policy: Policy) -> list[str]:
    """The accounts whose mail goes out with their own login, in order; a suspended one keeps it for its queued mail."""
    owned = (
        account.address
        for account in policy.accounts.values()
        if policy.smart_host_login(account).owner is Layer.ACCOUNT
    )
    return sorted(owned)


def spellings(address: str) -> list[str]:
    """The envelope senders that mean an account: with A-labels, and with U-labels where there are any."""
    shown = unicode_address(address)
    return [address] if shown is None else [address, shown]


def smart_host(policy: Policy) -> str:
    """The smart host's name or address. Raises CannotCarry where the policy names none."""
    if policy.server.smart_host is None:
        raise CannotCarry(
            ["the key server.smart_host.host is missing"],
            fix=("mailpolicy", "smart-host", "set", "--server", "--host", "HOST"),
        )
    return policy.server.smart_host


def gather(request: Request, *, stripped: str) -> Credentials:
    """The credentials of all senders; `stripped` are the characters that the format drops from a password's end.

    Raises CannotCarry for logins and passwords that a line `login:password` cannot carry, KeyringError for passwords
    that are missing.
    """
    policy = request.policy
    names: dict[str | None, str] = {address: policy.accounts[address].login or "" for address in with_own_login(policy)}
    if policy.server.smart_host_login is not None:
        names[None] = policy.server.smart_host_login
    if names:
        smart_host(policy)
    secrets = {address: smart_host_secret(policy.server, address) for address in names}
    kept = request.passwords(list(secrets.values()))
    logins = {address: Login(name, kept[secrets[address]]) for address, name in names.items()}
    complaints = []
    for address, login in logins.items():
        if ":" in login.name:
            complaints.append(f"the login of {address or 'the server'} has a colon, which ends a login here")
        if login.password != login.password.rstrip(stripped):
            complaints.append(f"the password of {address or 'the server'} ends in white space, which would be lost")
        if any(character in login.password for character in "\0\r\n"):
            complaints.append(f"the password of {address or 'the server'} has a newline or a NUL inside")
    if complaints:
        raise CannotCarry(complaints)
    return Credentials({address: login for address, login in logins.items() if address is not None}, logins.get(None))
