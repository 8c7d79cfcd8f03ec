"""The policy as frozen values: who may use which service, and the rules that close one.

Promises: pure values and functions, no I/O, no secrets; every rule of the decision but the look at the IP is written
here and nowhere else, and the verdict and the exports both ask it. Not promised: that the values make sense together;
that is for the findings of `validate`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from operator import itemgetter
from types import MappingProxyType
from typing import NamedTuple

from mailpolicy.diagnostics import KeyPath
from mailpolicy.policy.networks import ANYWHERE, NOWHERE, Network, NetworkSet
from mailpolicy.policy.service import Service


class Gate(StrEnum):
    """A rule that can close a service, in the order in which the rules are asked."""

    UNKNOWN_ACCOUNT = "unknown-account"
    ACCOUNT_SUSPENDED = "account-suspended"
    SERVICE_OFF = "service-off"
    IMAP_NEEDS_PRO = "imap-needs-pro"
    CONNECTOR_NOT_INSTALLED = "connector-not-installed"
    CONNECTOR_NEEDS_IMAP = "connector-needs-imap"
    MULTIPOP_OFF_ON_SERVER = "multipop-off-on-server"
    OUTSIDE_LAN = "outside-lan"


def can_close(gate: Gate, service: Service) -> bool:
    """Whether a gate can ever be closed for a service."""
    match gate:
        case Gate.UNKNOWN_ACCOUNT | Gate.ACCOUNT_SUSPENDED | Gate.SERVICE_OFF:
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
    """Where a value comes from."""

    ACCOUNT = "account"
    TEMPLATE = "template"
    DEFAULTS = "defaults"
    SERVER = "server"


class LanEntry(NamedTuple):
    """One entry of the LAN list, as written and as the networks it stands for; `position` is its place in the list, from 0."""

    text: str
    networks: tuple[Network, ...]
    position: int = 0


class Server(NamedTuple):
    """What holds for the whole server. `written` are the keys the file has; the others have their defaults."""

    edition: str = "standard"
    outlook_connector_installed: bool = False
    multipop: bool = False
    lan_entries: tuple[LanEntry, ...] = ()
    lan: NetworkSet = NOWHERE
    smart_host: str | None = None
    smart_host_port: int | None = None
    smart_host_login: str | None = None
    per_account_auth: bool = False
    written: frozenset[str] = frozenset()

    @property
    def relay_port(self) -> int:
        """The port of the smart host, also where none is written. Source: RFC 6409, 3.1."""
        return self.smart_host_port if self.smart_host_port is not None else 587


class Tls(StrEnum):
    """How the connection to a source is protected."""

    IMPLICIT = "implicit"
    STARTTLS = "starttls"
    NONE = "none"

    @property
    def port(self) -> int:
        """The port that is meant where none is named. Source: RFC 8314, 3.2 and RFC 1939, 3."""
        return 995 if self is Tls.IMPLICIT else 110


class Source(NamedTuple):
    """A POP3 mailbox elsewhere from which MultiPOP collects mail; sizes in KiB, ages in days, None where unlimited."""

    host: str
    port: int
    login: str
    tls: Tls = Tls.IMPLICIT
    keep: bool = True
    enabled: bool = True
    max_size_kb: int | None = None
    delete_after_days: int | None = None


class Account(NamedTuple):
    """One account: its normalised address, the key it is written under, and what it says for itself."""

    address: str
    key: str
    own: Mapping[str, bool]
    template: str | None = None
    suspended: bool = False
    login: str | None = None
    sources: Mapping[str, Source] = MappingProxyType({})

    @property
    def domain(self) -> str:
        """The part after the @."""
        return self.address.rpartition("@")[2]

    @property
    def shape(self) -> tuple[object, ...]:
        """What decides about the account: accounts of one shape in one policy have the same decisions.

        A field counts unless it is known to decide nothing, so that a new one is never forgotten.
        """
        return (*_deciding(self), *self.own.items())


_NOT_DECIDING = ("address", "key", "login", "sources")
_deciding: Callable[[Account], tuple[object, ...]] = itemgetter(
    *(index for index, field in enumerate(Account._fields) if field not in (*_NOT_DECIDING, "own"))
)


class Setting(NamedTuple):
    """A resolved switch: its value, and the layer that has it (None where no layer does, which means off)."""

    value: bool
    layer: Layer | None


class SmartHostLogin(NamedTuple):
    """The credentials an account's mail goes out with: whose they are (account, server or None), the login, and why."""

    owner: Layer | None
    login: str | None
    why: str


_OFF = Setting(False, None)


class Policy(NamedTuple):
    """The whole policy of one store."""

    server: Server
    defaults: Mapping[str, bool]
    templates: Mapping[str, Mapping[str, bool]]
    accounts: Mapping[str, Account]

    def setting(self, account: Account, switch: str) -> Setting:
        """A switch of an account: its own value, else its template's, else the defaults', else off."""
        if (value := account.own.get(switch)) is not None:
            return Setting(value, Layer.ACCOUNT)
        return self.inherited(account, switch)

    def inherited(self, account: Account, switch: str) -> Setting:
        """What the switch is, or would be, where the account itself says nothing."""
        if account.template is not None and (value := self.templates[account.template].get(switch)) is not None:
            return Setting(value, Layer.TEMPLATE)
        if (value := self.defaults.get(switch)) is not None:
            return Setting(value, Layer.DEFAULTS)
        return _OFF

    def key_path(self, account: Account, switch: str, layer: Layer | None) -> KeyPath:
        """Where a switch of the account is written in `layer`; with None where the account would write it."""
        if layer is Layer.TEMPLATE:
            return ("templates", account.template or "", switch)
        if layer is Layer.DEFAULTS:
            return ("defaults", switch)
        return ("accounts", account.key, switch)

    def gates(self, address: str, service: Service) -> tuple[Gate, ...]:
        """The gates that close a service of an account whatever the IP, in order; all of them but `outside-lan`."""
        account = self.accounts.get(address)
        if account is None:
            return (Gate.UNKNOWN_ACCOUNT,)
        server = self.server
        failing = []
        if account.suspended:
            failing.append(Gate.ACCOUNT_SUSPENDED)
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

    def reach(self, address: str, service: Service) -> NetworkSet:
        """From where the service could be used if no other gate were closed: the LAN or anywhere."""
        account = self.accounts.get(address)
        switch = service.lan_switch
        if account is None:
            return NOWHERE
        return self.server.lan if switch is not None and self.setting(account, switch).value else ANYWHERE

    def admitted(self, address: str, service: Service) -> NetworkSet:
        """From where the account may use the service: nowhere, the LAN, or anywhere."""
        return NOWHERE if self.gates(address, service) else self.reach(address, service)

    def alike(self) -> Iterable[list[Account]]:
        """The accounts in groups that say the same for themselves, so that what a group resolves to is asked once.

        Within a group the gates, the reach and every setting are the same; logins and sources may differ.
        """
        groups: dict[tuple[object, ...], list[Account]] = {}
        for account in self.accounts.values():
            groups.setdefault(account.shape, []).append(account)
        return groups.values()

    def waiting_outside(self) -> int:
        """The number of accounts that an address new in the LAN lets in: a service is open to them from the LAN only."""
        return sum(
            len(group)
            for group in self.alike()
            if any(
                self.reach(group[0].address, service) is not ANYWHERE and not self.gates(group[0].address, service)
                for service in Service
            )
        )

    def polled(self, account: Account) -> dict[str, Source]:
        """The sources that MultiPOP collects from for the account: none where it may not, and only enabled ones."""
        if self.gates(account.address, Service.MULTIPOP):
            return {}
        return {name: source for name, source in account.sources.items() if source.enabled}

    def smart_host_login(self, account: Account) -> SmartHostLogin:
        """Which credentials the account's mail goes out with.

        Source: MDaemon's *Allow per-account authentication*: only under it is an account's own login used, and an
        account without one falls back to the server's.
        """
        server = self.server
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
