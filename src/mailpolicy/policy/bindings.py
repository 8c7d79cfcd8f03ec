"""Bind each secret to its owner and to the one destination that it may be sent to.

The user name in the keyring holds both. A change of the host, port, login or TLS changes the user name, so the old
password is not found and cannot be sent there. A host of the same name that now belongs to somebody else is not
noticed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from mailpolicy.diagnostics import KeyPath
from mailpolicy.errors import Advice, Command
from mailpolicy.policy import names
from mailpolicy.policy.model import Policy, Server
from mailpolicy.policy.source import Auth, Source

_USER = re.compile(r"(?:smart-host/([^/]+)|multipop/([^/]+)/([^/]+))/(.*)", re.DOTALL)
_SERVER = "@server"


def is_user_name(text: str) -> bool:
    """Return whether a text may be the name of a secret, of an earlier version too."""
    return text.startswith(("smart-host/", "multipop/"))


class Owner(NamedTuple):
    """The owner of a secret: an account (None: the server), and one of its sources (None: its smart host login)."""

    address: str | None
    source: str | None = None

    @property
    def subject(self) -> str:
        """Return the first word of a line about the secret."""
        return self.address or "server"

    @property
    def item(self) -> str:
        """Return the secret's name in a line about it."""
        return "smart-host password" if self.source is None else f"source {self.source} password"

    @property
    def key(self) -> str:
        """Return the secret's key in the list of an edit's changes."""
        return "password" if self.source is None else f"sources.{self.source}.password"

    @property
    def prompt(self) -> str:
        """Return the prompt at which the secret is typed."""
        if self.source is not None:
            return f"password for the source {self.source} of {self.address}"
        return f"smart host password for {self.address or 'the server'}"

    def command(self, *, keep: bool) -> Command:
        """Return the command that sets the secret, or if `keep` is false the one that removes it."""
        if self.source is not None:
            verb = "set-password" if keep else "remove"
            return ("mailpolicy", "multipop", "source", verb, self.address or "", self.source)
        return ("mailpolicy", "smart-host", "set" if keep else "clear", self.address or "--server")

    def cleanup(self, *, replaced: bool) -> Command:
        """Return the command that removes a secret that was left over; if `replaced`, the owner has another, which stays."""
        if not replaced:
            return self.command(keep=False)
        # Without --yes: for what is left over nothing is asked, and whatever else would be sent elsewhere needs consent.
        return ("mailpolicy", "secrets", "rebind", self.address or "--server")

    def __str__(self) -> str:
        return f"the {self.item} of {self.subject}"


class Secret(NamedTuple):
    """A password: its owner and its destination, which is empty if the store names no smart host."""

    owner: Owner
    destination: str

    @classmethod
    def parse(cls, user: str) -> Secret | None:
        """Return the secret of a keyring's user name, or None if the name is not one of mailpolicy's."""
        match = _USER.fullmatch(user)
        if match is None:
            return None
        owner_name, address, source, destination = match.groups()
        if owner_name is None:
            return cls(Owner(address, source), destination)
        return cls(Owner(None if owner_name == _SERVER else owner_name), destination)

    @property
    def user(self) -> str:
        """Return the keyring's user name."""
        owner = self.owner
        if owner.source is not None:
            return f"multipop/{owner.address}/{owner.source}/{self.destination}"
        return f"smart-host/{owner.address or _SERVER}/{self.destination}"


def smart_host_secret(server: Server, address: str | None) -> Secret:
    """Return the smart host secret of an account, or of the server for None."""
    if server.smart_host is None:
        return Secret(Owner(address), "")
    return Secret(Owner(address), _host_port(names.host_name(server.smart_host), server.relay_port))


def source_secret(address: str, name: str, source: Source) -> Secret:
    """Return the secret of one of an account's MultiPOP sources."""
    return Secret(Owner(address, name), f"{source.login}@{_host_port(source.host, source.port)}/{source.tls}")


def secret_of(policy: Policy, owner: Owner) -> Secret:
    """Return the secret of an owner that is in the store."""
    if owner.source is None or owner.address is None:
        return smart_host_secret(policy.server, owner.address)
    return source_secret(owner.address, owner.source, policy.accounts[owner.address].sources[owner.source])


def login_of(policy: Policy, owner: Owner) -> str | None:
    """Return the login of an owner of a smart host secret; that of a source is in its destination."""
    if owner.address is None:
        return policy.server.smart_host_login
    return policy.accounts[owner.address].login if owner.source is None else None


def _host_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def named_secrets(policy: Policy, addresses: Iterable[str] | None = None) -> dict[Secret, KeyPath]:
    """Return every secret that the store needs, with its key: the server's, and those of `addresses` or all accounts."""
    found: dict[Secret, KeyPath] = {}
    if policy.server.smart_host_login is not None:
        found[smart_host_secret(policy.server, None)] = ("server", "smart_host", "login")
    return found | account_secrets(policy, policy.accounts if addresses is None else addresses)


def account_secrets(policy: Policy, addresses: Iterable[str]) -> dict[Secret, KeyPath]:
    """Return the secrets of accounts' logins and sources, each with its key."""
    relay = smart_host_secret(policy.server, None)
    found: dict[Secret, KeyPath] = {}
    for address in addresses:
        account = policy.accounts.get(address)
        if account is None or (account.login is None and not account.sources):
            continue
        path = ("accounts", account.key)
        if account.login is not None:
            found[relay._replace(owner=Owner(address))] = (*path, "smart_host_login")
        for name, source in account.sources.items():
            if source.auth is Auth.PASSWORD:  # a token is made when it is needed
                found[source_secret(address, name, source)] = (*path, "sources", name)
    return found


def redirected(old: Policy, new: Policy, addresses: Iterable[str] | None = None) -> dict[Secret, Secret]:
    """Return the secrets in both policies whose destination differs, each with its counterpart in the new policy.

    With `addresses`, only the sources of these accounts are compared; the smart host concerns every account.
    """
    # A new smart host redirects the passwords of every account, not only of those that were asked about.
    if addresses is not None and smart_host_secret(old.server, None) != smart_host_secret(new.server, None):
        addresses = None
    after = {secret.owner: secret for secret in named_secrets(new, addresses) if secret.destination}
    return {
        secret: after[secret.owner]
        for secret in named_secrets(old, addresses)
        if secret.destination and secret.owner in after and after[secret.owner] != secret
    }


def redirected_tokens(old: Policy, new: Policy, addresses: Iterable[str] | None = None) -> dict[Secret, Secret]:
    """Return the sources with a token in both policies whose destination differs, as `redirected` does for passwords.

    Nothing is stored for them, so nothing can be moved.
    """
    addresses = new.accounts if addresses is None else list(addresses)
    after = {secret.owner: secret for secret in _sent_tokens(new, addresses)}
    return {
        secret: after[secret.owner]
        for secret in _sent_tokens(old, addresses)
        if secret.owner in after and after[secret.owner] != secret
    }


def _sent_tokens(policy: Policy, addresses: Iterable[str]) -> list[Secret]:
    return [
        source_secret(address, name, source)
        for address in addresses
        if (account := policy.accounts.get(address)) is not None
        for name, source in account.sources.items()
        if source.auth is not Auth.PASSWORD
    ]


def secrets_by_owner(users: Iterable[str], owners: Collection[Owner]) -> dict[Owner, list[Secret]]:
    """Return the secrets of these owners among the keyring's user names, whatever their destination."""
    found: dict[Owner, list[Secret]] = {}
    for user in users:
        if (secret := Secret.parse(user)) is not None and secret.owner in owners:
            found.setdefault(secret.owner, []).append(secret)
    return found


def former_secrets(secret: Secret, text: str) -> list[Secret]:
    """Return the secrets that a former destination in a user's words may name: as it is, or a source's host and port."""
    destinations = [text]
    if secret.owner.source is not None:
        login, tls = secret.destination.rpartition("@")[0], secret.destination.rpartition("/")[2]
        destinations.append(f"{login}@{text}/{tls}")
    return [secret._replace(destination=destination) for destination in destinations]


def passwords_to_set(owners: Sequence[Owner]) -> Advice:
    """Return the note for logins that were set without their passwords."""
    more = f" and those of {len(owners) - 1} more" if len(owners) > 1 else ""
    return Advice(f"this does not set a password; set {owners[0]}{more}", owners[0].command(keep=True))


def explain_missing(missing: Collection[Secret], users: Collection[str] | None) -> Mapping[Secret, Advice]:
    """Return the reason and the fix for each missing secret.

    `users` are the keyring's user names, or None if it cannot list them.
    """
    others = secrets_by_owner(users or (), {secret.owner for secret in missing})
    return {secret: _explain(secret, others.get(secret.owner, []), listed=users is not None) for secret in missing}


def _explain(secret: Secret, others: list[Secret], *, listed: bool) -> Advice:
    owner, destination = secret
    if not destination:
        message = f"{owner} cannot be looked up, because the store names no smart host"
        return Advice(message, ("mailpolicy", "smart-host", "set", "--server", "--host", "HOST"))
    if others:
        former = " and ".join(other.destination for other in others)
        message = f"{owner} is in the keyring for {former}, but the store now names {destination}"
        return Advice(message, ("mailpolicy", "secrets", "rebind"))
    message = f"{owner} is not in the keyring for {destination}"
    if not listed:
        message += " (if the destination has changed: mailpolicy secrets rebind --from HOST:PORT)"
    return Advice(message, owner.command(keep=True))
