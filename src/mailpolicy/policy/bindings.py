"""Which secret belongs to what, and the one destination that it may be sent to: its user name in the keyring says both.

Promises: pure values. Whoever changes where a password would go changes the user name under which it is looked for, and
so does not get it. Not promised: anything about a host that is the same and belongs to somebody else now.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from mailpolicy.diagnostics import KeyPath
from mailpolicy.errors import Advice, Command
from mailpolicy.policy import names
from mailpolicy.policy.model import Policy, Server, Source

_USER = re.compile(r"(?:smart-host/([^/]+)|multipop/([^/]+)/([^/]+))/(.*)", re.DOTALL)
_SERVER = "@server"


class Owner(NamedTuple):
    """Whose a secret is: an account (None: the server) and one of its sources (None: its smart host login)."""

    address: str | None
    source: str | None = None

    @property
    def subject(self) -> str:
        """Who it is, as a line about it begins."""
        return self.address or "server"

    @property
    def item(self) -> str:
        """The secret as a line about it names it."""
        return "smart-host password" if self.source is None else f"source {self.source} password"

    @property
    def key(self) -> str:
        """The secret as a change of an edit names it."""
        return "password" if self.source is None else f"sources.{self.source}.password"

    @property
    def prompt(self) -> str:
        """The question at which somebody types the secret."""
        if self.source is not None:
            return f"password of the source {self.source} of {self.address}"
        return f"smart host password of {self.subject}"

    def command(self, *, keep: bool) -> Command:
        """The command that sets the secret, or with `keep` false the one that takes it away."""
        if self.source is not None:
            verb = "set-password" if keep else "remove"
            return ("mailpolicy", "multipop", "source", verb, self.address or "", self.source)
        return ("mailpolicy", "smart-host", "set" if keep else "clear", self.address or "--server")

    def __str__(self) -> str:
        return f"the {self.item} of {self.subject}"


class Secret(NamedTuple):
    """A password: whose it is, and where it may be sent; the destination is empty where the store names no smart host."""

    owner: Owner
    destination: str

    @classmethod
    def of(cls, user: str) -> Secret | None:
        """The secret that a user name of the keyring stands for; None where it is none of ours."""
        match = _USER.fullmatch(user)
        if match is None:
            return None
        whose, address, source, destination = match.groups()
        if whose is None:
            return cls(Owner(address, source), destination)
        return cls(Owner(None if whose == _SERVER else whose), destination)

    @property
    def user(self) -> str:
        """The keyring's user name."""
        owner = self.owner
        if owner.source is not None:
            return f"multipop/{owner.address}/{owner.source}/{self.destination}"
        return f"smart-host/{owner.address or _SERVER}/{self.destination}"


def smart_host_secret(server: Server, address: str | None) -> Secret:
    """The smart host password of an account, or with None of the server."""
    if server.smart_host is None:
        return Secret(Owner(address), "")
    return Secret(Owner(address), _at(names.host_name(server.smart_host), server.relay_port))


def source_secret(address: str, name: str, source: Source) -> Secret:
    """The password of one of an account's MultiPOP sources."""
    return Secret(Owner(address, name), f"{source.login}@{_at(source.host, source.port)}/{source.tls}")


def secret_of(policy: Policy, owner: Owner) -> Secret:
    """The secret of an owner that the store has."""
    if owner.source is None or owner.address is None:
        return smart_host_secret(policy.server, owner.address)
    return source_secret(owner.address, owner.source, policy.accounts[owner.address].sources[owner.source])


def _at(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def named(policy: Policy, addresses: Iterable[str] | None = None) -> dict[Secret, KeyPath]:
    """Every secret that the store names, with the key that names it: of the server, and of some accounts or of all."""
    found: dict[Secret, KeyPath] = {}
    if policy.server.smart_host_login is not None:
        found[smart_host_secret(policy.server, None)] = ("server", "smart_host", "login")
    return found | of_accounts(policy, policy.accounts if addresses is None else addresses)


def of_accounts(policy: Policy, addresses: Iterable[str]) -> dict[Secret, KeyPath]:
    """The secrets that accounts name, of their logins and sources, each with the key that names it."""
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
            found[source_secret(address, name, source)] = (*path, "sources", name)
    return found


def moved(old: Policy, new: Policy, addresses: Iterable[str] | None = None) -> dict[Secret, Secret]:
    """The secrets that both policies name, and that the new one would send to another destination than the old one.

    With `addresses` those of sources are looked for in these accounts only; a smart host is everybody's.
    """
    if addresses is not None and smart_host_secret(old.server, None) != smart_host_secret(new.server, None):
        addresses = None
    after = {secret.owner: secret for secret in named(new, addresses) if secret.destination}
    return {
        secret: after[secret.owner]
        for secret in named(old, addresses)
        if secret.destination and secret.owner in after and after[secret.owner] != secret
    }


def elsewhere(users: Iterable[str], owners: Collection[Owner]) -> dict[Owner, list[Secret]]:
    """The secrets of some owners among the keyring's user names, whatever their destination."""
    found: dict[Owner, list[Secret]] = {}
    for user in users:
        if (secret := Secret.of(user)) is not None and secret.owner in owners:
            found.setdefault(secret.owner, []).append(secret)
    return found


def meant(secret: Secret, text: str) -> list[Secret]:
    """What a former destination may be that somebody names: as it is, or of a source its host and port alone."""
    destinations = [text]
    if secret.owner.source is not None:
        login, tls = secret.destination.rpartition("@")[0], secret.destination.rpartition("/")[2]
        destinations.append(f"{login}@{text}/{tls}")
    return [secret._replace(destination=destination) for destination in destinations]


def not_set_yet(owners: Sequence[Owner]) -> Advice:
    """What is said where logins were given without their passwords."""
    more = f" and those of {len(owners) - 1} more" if len(owners) > 1 else ""
    return Advice(f"this sets no password, set {owners[0]}{more}", owners[0].command(keep=True))


def absences(missing: Collection[Secret], users: Collection[str] | None) -> Mapping[Secret, Advice]:
    """Why each of these secrets is missing; `users` are the keyring's user names, None where it cannot list them."""
    others = elsewhere(users or (), {secret.owner for secret in missing})
    return {secret: _absence(secret, others.get(secret.owner, []), listed=users is not None) for secret in missing}


def _absence(secret: Secret, others: list[Secret], *, listed: bool) -> Advice:
    owner, destination = secret
    if not destination:
        message = f"{owner} is kept for the smart host that it is sent to, and the store names none"
        return Advice(message, ("mailpolicy", "smart-host", "set", "--server", "--host", "HOST"))
    if others:
        former = " and ".join(other.destination for other in others)
        message = f"{owner} is in the keyring for {former}, and the store now says {destination}"
        return Advice(message, ("mailpolicy", "secrets", "rebind"))
    message = f"{owner} is not in the keyring for {destination}"
    if not listed:
        message += " (if the store said something else before: mailpolicy secrets rebind --from HOST:PORT)"
    return Advice(message, owner.command(keep=True))
