"""The policy as frozen values: who may use which service, and the gates that can close one.

Every rule of the decision except the check of the IP address is here and nowhere else; verdicts, warnings and exports
all ask it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from mailpolicy.diagnostics import KeyPath
from mailpolicy.policy.account import EXTRA_LAN, Account, Settings, Value, named_in
from mailpolicy.policy.networks import ANYWHERE, NOWHERE, Network, NetworkSet, union
from mailpolicy.policy.service import Service
from mailpolicy.policy.source import Source

if TYPE_CHECKING:
    from datetime import datetime  # 2 ms, only for a store with dates

    from mailpolicy.policy.dates import Clock


class Gate(StrEnum):
    """A rule that can close a service, in the order in which the rules are checked."""

    UNKNOWN_ACCOUNT = "unknown-account"
    ACCOUNT_SUSPENDED = "account-suspended"
    ACCOUNT_EXPIRED = "account-expired"
    SERVICE_OFF = "service-off"
    IMAP_NEEDS_PRO = "imap-needs-pro"
    CONNECTOR_NOT_INSTALLED = "connector-not-installed"
    CONNECTOR_NEEDS_IMAP = "connector-needs-imap"
    MULTIPOP_OFF_ON_SERVER = "multipop-off-on-server"
    OUTSIDE_LAN = "outside-lan"


def can_close(gate: Gate, service: Service) -> bool:
    """Return whether a gate can ever be closed for a service."""
    match gate:
        case Gate.UNKNOWN_ACCOUNT | Gate.ACCOUNT_SUSPENDED | Gate.ACCOUNT_EXPIRED | Gate.SERVICE_OFF:
            return True
        case Gate.IMAP_NEEDS_PRO:
            return service.facts.needs_pro
        case Gate.CONNECTOR_NOT_INSTALLED | Gate.CONNECTOR_NEEDS_IMAP:
            return service is Service.CONNECTOR
        case Gate.MULTIPOP_OFF_ON_SERVER:
            return service is Service.MULTIPOP
        case Gate.OUTSIDE_LAN:
            return service.lan_switch is not None


class Layer(StrEnum):
    """The part of the store that sets a value."""

    TEMPORARY = "temporary"
    ACCOUNT = "account"
    TEMPLATE = "template"
    DEFAULTS = "defaults"
    SERVER = "server"


class LanEntry(NamedTuple):
    """One entry of the LAN or of a named network: its text, its networks, and its `position` in the list, from 0."""

    text: str
    networks: tuple[Network, ...]
    position: int = 0


class NamedNetwork(NamedTuple):
    """A network of [networks]: its entries, and the addresses in them."""

    entries: tuple[LanEntry, ...] = ()
    addresses: NetworkSet = NOWHERE


class Server(NamedTuple):
    """The settings of the whole server. `written` holds the keys that the file has; the others have their defaults."""

    edition: str = "standard"
    outlook_connector_installed: bool = False
    multipop: bool = False
    lan_entries: tuple[LanEntry, ...] = ()
    lan: NetworkSet = NOWHERE
    smart_host: str | None = None
    smart_host_port: int | None = None
    smart_host_login: str | None = None
    per_account_auth: bool = False
    govern: tuple[Service, ...] = ()  # the optional services, as written
    time_zone: str = "UTC"
    written: frozenset[str] = frozenset()

    @property
    def relay_port(self) -> int:
        """Return the port of the smart host, 587 if none is set. Source: RFC 6409, 3.1."""
        return self.smart_host_port if self.smart_host_port is not None else 587


class Setting(NamedTuple):
    """The resolved value of a switch, and the layer that sets it; None if no layer does, which means off."""

    value: bool
    layer: Layer | None


class ExtraLan(NamedTuple):
    """The names of the networks that LAN only admits beside the LAN, and the layer that has the list; None if none has."""

    names: tuple[str, ...]
    layer: Layer | None


class Policy(NamedTuple):
    """The whole policy of one store.

    One with dates decides nothing until at() has said for which moment.
    """

    server: Server
    defaults: Settings
    templates: Mapping[str, Settings]
    accounts: Mapping[str, Account]
    networks: Mapping[str, NamedNetwork] = MappingProxyType({})
    moment: datetime | None = None

    @property
    def dated(self) -> list[Account]:
        """Return the accounts that change with time."""
        return [account for account in self.accounts.values() if account.dated]

    def at(self, moment: datetime | None) -> Policy:
        """Return the policy as it is at a moment, in which nothing depends on time any more.

        Nothing else knows a clock. A policy without dates is the same at every moment, for which None stands.
        """
        dated = self.dated
        if moment is None or not dated:
            return self
        accounts = {**self.accounts, **{account.address: account.at(moment) for account in dated}}
        return self._replace(accounts=accounts, moment=moment)

    def at_present(self, now: Clock) -> Policy:
        """Return the policy as it is now; the clock is asked only if there are dates."""
        return self.at(now()) if self.dated else self

    def undated(self) -> Policy:
        """Return the policy without its dates, for what is true of a file on every day."""
        if not (dated := self.dated):
            return self
        bare = {account.address: account._replace(expires=None, temporary=None) for account in dated}
        return self._replace(accounts={**self.accounts, **bare})

    def setting(self, account: Account, switch: str) -> Setting:
        """Return a switch of an account: that of its exception, its own, its template's, the default, or off."""
        value, layer = self.resolved(account, switch)
        return Setting(value is True, layer)

    def extra_lan(self, account: Account) -> ExtraLan:
        """Return the networks that an account has beside the LAN; the first layer with a list decides, as for a switch."""
        value, layer = self.resolved(account, EXTRA_LAN)
        return ExtraLan(tuple(dict.fromkeys(named_in({EXTRA_LAN: value}))), layer)

    def resolved(self, account: Account, key: str) -> tuple[Value, Layer | None]:
        """Return the value of a shared key and the first layer that has it; off or no networks if none has."""
        if account.in_force and (value := account.in_force.get(key)) is not None:
            return value, Layer.TEMPORARY
        if (value := account.own.get(key)) is not None:
            return value, Layer.ACCOUNT
        if account.template is not None and (value := self.templates[account.template].get(key)) is not None:
            return value, Layer.TEMPLATE
        if (value := self.defaults.get(key)) is not None:
            return value, Layer.DEFAULTS
        return () if key == EXTRA_LAN else False, None

    def layers(self) -> Iterator[tuple[KeyPath, Settings]]:
        """Yield every table that has shared keys: its path and its keys."""
        yield ("defaults",), self.defaults
        yield from ((("templates", name), table) for name, table in self.templates.items())
        for account in self.accounts.values():
            yield ("accounts", account.key), account.own
            if account.temporary is not None:
                yield ("accounts", account.key, "temporary"), account.temporary.switches

    def key_path(self, account: Account, key: str, layer: Layer | None) -> KeyPath:
        """Return the path of a key in `layer`; for None, its path in the account's own table."""
        if layer is Layer.TEMPORARY:
            return ("accounts", account.key, "temporary", key)
        if layer is Layer.TEMPLATE:
            return ("templates", account.template or "", key)
        if layer is Layer.DEFAULTS:
            return ("defaults", key)
        return ("accounts", account.key, key)

    def governs(self, service: Service) -> bool:
        """Return whether the store decides about a service."""
        return not service.facts.optional or service in self.server.govern

    @property
    def services(self) -> tuple[Service, ...]:
        """Return the services that the store decides about."""
        return tuple(service for service in Service if self.governs(service))

    @property
    def template_services(self) -> tuple[Service, ...]:
        """Return the services that the store decides about, and those that a template is prepared for."""
        prepared = {switch for table in self.templates.values() for switch in table}
        return tuple(
            service for service in Service if self.governs(service) or not prepared.isdisjoint(service.switches)
        )

    def is_granted(self, service: Service) -> bool:
        """Return whether any account may use a service; in a store without accounts, whether one that is added could."""
        if not self.accounts:
            return any(layer.get(service.switch) for layer in (self.defaults, *self.templates.values()))
        return any(self.admitted(group[0].address, service) for group in self.groups())

    def gates(self, address: str, service: Service) -> tuple[Gate, ...]:
        """Return the closed gates of a service that do not depend on the IP address, in order: all but `outside-lan`.

        A service that is not governed has none, even for an unknown account: it is open to everybody.
        """
        if not self.governs(service):
            return ()
        account = self.accounts.get(address)
        if account is None:
            return (Gate.UNKNOWN_ACCOUNT,)
        if self.moment is None and account.dated:
            raise AssertionError("a policy with dates decides at a moment: Policy.at()")
        server = self.server
        failing = []
        if account.suspended:
            failing.append(Gate.ACCOUNT_SUSPENDED)
        if account.expired:
            failing.append(Gate.ACCOUNT_EXPIRED)
        if not self.setting(account, service.switch).value:
            failing.append(Gate.SERVICE_OFF)
        if service.facts.needs_pro and server.edition != "pro":
            failing.append(Gate.IMAP_NEEDS_PRO)
        if service is Service.CONNECTOR:
            if not server.outlook_connector_installed:
                failing.append(Gate.CONNECTOR_NOT_INSTALLED)
            if not self.setting(account, Service.IMAP.switch).value:
                failing.append(Gate.CONNECTOR_NEEDS_IMAP)
        if service is Service.MULTIPOP and not server.multipop:
            failing.append(Gate.MULTIPOP_OFF_ON_SERVER)
        return tuple(failing)

    def scope(self, address: str, service: Service) -> NetworkSet:
        """Return the addresses that the LAN restriction admits, whether or not other gates are closed."""
        if not self.governs(service):
            return ANYWHERE
        account = self.accounts.get(address)
        switch = service.lan_switch
        if account is None:
            return NOWHERE
        if switch is None or not self.setting(account, switch).value:
            return ANYWHERE
        return self.lan_of(account)

    def lan_of(self, account: Account) -> NetworkSet:
        """Return the addresses that LAN only admits for an account: the LAN, and the networks of its list."""
        names = self.extra_lan(account).names
        return union(self.server.lan, *(self.networks[name].addresses for name in names)) if names else self.server.lan

    def admitted(self, address: str, service: Service) -> NetworkSet:
        """Return the addresses from which the account may use the service."""
        return NOWHERE if self.gates(address, service) else self.scope(address, service)

    def groups(self) -> Iterable[list[Account]]:
        """Return the accounts in groups of the same shape, so that a question is decided once for each group.

        Within a group the gates, the scope and every switch are the same; logins and sources may differ.
        """
        groups: dict[tuple[object, ...], list[Account]] = {}
        for account in self.accounts.values():
            groups.setdefault(account.shape, []).append(account)
        return groups.values()

    def count_lan_only_accounts(self) -> int:
        """Return the number of accounts that may use some service from the LAN only; a new LAN entry admits these."""
        return sum(
            len(group)
            for group in self.groups()
            if any(
                self.scope(group[0].address, service) is not ANYWHERE and not self.gates(group[0].address, service)
                for service in Service
            )
        )

    def polled(self, account: Account) -> dict[str, Source]:
        """Return the sources that MultiPOP collects from for the account; none if MultiPOP is closed to it."""
        if self.gates(account.address, Service.MULTIPOP):
            return {}
        return {name: source for name, source in account.sources.items() if source.enabled}
