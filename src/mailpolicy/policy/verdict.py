"""Decide whether an account may use a service from an address, and give every reason against it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from mailpolicy.diagnostics import KeyPath, dotted
from mailpolicy.errors import Command
from mailpolicy.policy.account import EXTRA_LAN, Account
from mailpolicy.policy.lan import is_reserved
from mailpolicy.policy.model import Gate, LanEntry, Layer, Policy
from mailpolicy.policy.networks import ANYWHERE, network_of, network_set
from mailpolicy.policy.question import Question
from mailpolicy.policy.service import Service, service_of_lan_switch

if TYPE_CHECKING:
    from mailpolicy.policy.dates import Clock


class ServerSetting(NamedTuple):
    """A server setting that alone opens a gate: its key, the value it needs, and the state of the service until then."""

    key: str
    wanted: str
    closed: str

    @property
    def fix(self) -> Command:
        """Return the command that opens the gate."""
        return ("mailpolicy", "server", "set", self.key.replace("_", "-"), self.wanted)


SERVER_GATES = {
    Gate.IMAP_NEEDS_PRO: ServerSetting("edition", "pro", "needs the pro edition, and the edition is standard"),
    Gate.CONNECTOR_NOT_INSTALLED: ServerSetting("outlook_connector_installed", "on", "is not installed on the server"),
    Gate.MULTIPOP_OFF_ON_SERVER: ServerSetting("multipop", "on", "is off for the whole server"),
}


class Reason(NamedTuple):
    """One closed gate: the message, the key that decided with its layer, and the command that opens it.

    `fix` changes the account only, `server_fix` the whole server.
    """

    gate: Gate
    message: str
    key: KeyPath | None = None
    layer: Layer | None = None
    fix: Command | None = None
    server_fix: Command | None = None


class Admission(NamedTuple):
    """The entry that has the IP address, with its key; `name` is that of its network, None for the LAN.

    `through` is the list that names the network.
    """

    entry: LanEntry
    key: KeyPath
    name: str | None = None
    through: KeyPath | None = None


class Grant(NamedTuple):
    """The setting that allows an access: its key and layer, and if it is LAN only what admits the IP address."""

    key: KeyPath
    layer: Layer
    admission: Admission | None


class Verdict(NamedTuple):
    """The answer to one question: allowed with a grant, or denied with reasons.

    `for_now` opens the LAN's gate for a day only, `lan_fix` for more accounts than this one.
    """

    question: Question
    reasons: tuple[Reason, ...]
    grant: Grant | None = None
    for_now: Command | None = None
    lan_fix: Command | None = None

    @property
    def alternatives(self) -> list[Command]:
        """Return the commands that open the LAN's gate otherwise: for a day, or for more accounts than this one."""
        return [command for command in (self.for_now, self.lan_fix) if command is not None]

    @property
    def allowed(self) -> bool:
        """Return whether access is allowed."""
        return not self.reasons

    @property
    def fixes(self) -> list[Command]:
        """Return the commands that open the gates, in the order in which to run them."""
        # IMAP comes before Outlook Connector, which is refused while IMAP is off.
        order = (
            Gate.ACCOUNT_SUSPENDED,
            Gate.ACCOUNT_EXPIRED,
            Gate.CONNECTOR_NEEDS_IMAP,
            Gate.SERVICE_OFF,
            Gate.OUTSIDE_LAN,
        )
        fixes = {reason.gate: reason.fix for reason in self.reasons if reason.fix is not None}
        return [fixes[gate] for gate in order if gate in fixes]

    @property
    def server_fixes(self) -> list[Command]:
        """Return the commands that open the other gates for the whole server."""
        return [reason.server_fix for reason in self.reasons if reason.server_fix is not None]


def judge(policy: Policy, question: Question, now: Clock | None = None) -> Verdict:
    """Return the verdict on a question, with every reason against it.

    With a clock the policy is that of another moment, and only commands that open that moment are named.
    A service that is not governed is allowed without a grant, as in every comparison of policies; `check` refuses to ask.
    """
    if not policy.governs(question.service):
        return Verdict(question, (), None)
    gates = policy.gates(question.address, question.service)
    account = policy.accounts.get(question.address)
    if account is None:
        return Verdict(question, tuple(_reason(policy, question, gate, now) for gate in gates))
    for_now: Command | None = None
    lan_fix: Command | None = None
    if question.packed is not None and question.packed not in policy.scope(question.address, question.service):
        gates = (*gates, Gate.OUTSIDE_LAN)
        if not account.in_force and now is None:  # an account has only one exception, and that day is another one
            for_now = (*_anywhere(account, question.service), "--until", "+1d")
        # A public address in the LAN would admit every LAN-only account, and strangers once the address changes hands.
        client = network_of(question.packed)
        if is_reserved([client]):
            lan_fix = ("mailpolicy", "lan", "add", str(client.network_address))
    if not gates:
        return Verdict(question, (), _grant(policy, question, account))
    return Verdict(question, tuple(_reason(policy, question, gate, now) for gate in gates), None, for_now, lan_fix)


def _anywhere(account: Account, service: Service) -> Command:
    return ("mailpolicy", str(service_of_lan_switch(service.lan_switch or "")), "anywhere", account.address)


def _changing(account: Account, switch: str, command: Command, now: Clock | None) -> Command | None:
    """Return the command for the layer that decides about a switch; None if that is an exception which is over by now."""
    option = account.until_option(switch)
    if option and now is not None and account.temporary is not None and account.temporary.until.is_over(now()):
        return None
    return (*command, *option)


def _grant(policy: Policy, question: Question, account: Account) -> Grant:
    setting = policy.setting(account, question.service.switch)
    assert setting.layer is not None, "a switch that no layer sets is off"
    admission = None
    if question.packed is not None and policy.scope(question.address, question.service) is not ANYWHERE:
        found = _admissions(policy, account)
        admission = next(each for each in found if question.packed in network_set(each.entry.networks))
    return Grant(policy.key_path(account, question.service.switch, setting.layer), setting.layer, admission)


def _admissions(policy: Policy, account: Account) -> Iterator[Admission]:
    """Yield the entries of the LAN and of the account's networks."""
    yield from (Admission(entry, ("server", "lan", entry.position)) for entry in policy.server.lan_entries)
    extra = policy.extra_lan(account)
    through = policy.key_path(account, EXTRA_LAN, extra.layer)
    for name in extra.names:
        for entry in policy.networks[name].entries:
            yield Admission(entry, ("networks", name, entry.position), name, through)


def _reason(policy: Policy, question: Question, gate: Gate, now: Clock | None) -> Reason:
    address, service = question.address, question.service
    account = policy.accounts.get(address)
    if account is None:
        return Reason(gate, f"no account {address}; to add it: mailpolicy account add {address}")
    own: KeyPath = ("accounts", account.key)
    fix: Command | None
    match gate:
        case Gate.ACCOUNT_SUSPENDED:
            fix = ("mailpolicy", "account", "resume", address)
            return Reason(gate, f"{address} is suspended", (*own, "suspended"), Layer.ACCOUNT, fix)
        case Gate.ACCOUNT_EXPIRED:
            fix = ("mailpolicy", "account", "expire", address, "--never")
            return Reason(gate, f"{address} {_expiry(account)}", (*own, "expires"), Layer.ACCOUNT, fix)
        case Gate.SERVICE_OFF:
            # Without Outlook Connector on the server the command would be refused, and a fix that is printed must work.
            no_fix = service is Service.CONNECTOR and not policy.server.outlook_connector_installed
            return _switched_off(policy, account, service, gate, now, fixable=not no_fix)
        case Gate.CONNECTOR_NEEDS_IMAP:
            return _switched_off(policy, account, Service.IMAP, gate, now)
        case Gate.OUTSIDE_LAN:
            switch = service.lan_switch or ""
            setting = policy.setting(account, switch)
            names = policy.extra_lan(account).names
            places, outside = "the LAN", "outside it"
            if names:
                places += f" or the network{'s' * (len(names) > 1)} {', '.join(names)}"
                outside = "in neither" if len(names) == 1 else "in none of them"
            message = f"{address} may use {service.label} only from {places}, and {question.ip} is {outside}"
            if not policy.server.lan_entries:
                missing = "" if "lan" in policy.server.written else ", the key server.lan is missing"
                message += f" (the LAN is empty{missing})"
            fix = _changing(account, switch, _anywhere(account, service), now)
            return Reason(gate, message, policy.key_path(account, switch, setting.layer), setting.layer, fix)
        case Gate.IMAP_NEEDS_PRO | Gate.CONNECTOR_NOT_INSTALLED | Gate.MULTIPOP_OFF_ON_SERVER:
            return _server_reason(policy, service, gate)
        case Gate.UNKNOWN_ACCOUNT:
            raise AssertionError("an account of the store is not unknown")


def _switched_off(
    policy: Policy, account: Account, service: Service, gate: Gate, now: Clock | None, *, fixable: bool = True
) -> Reason:
    setting = policy.setting(account, service.switch)
    source = {
        Layer.TEMPORARY: f"switched off by an exception until {account.temporary and account.temporary.until}",
        Layer.ACCOUNT: "switched off for the account itself",
        Layer.TEMPLATE: f"switched off by the template {account.template}",
        Layer.DEFAULTS: "switched off by the defaults",
        None: "not granted by the account, a template or the defaults",
    }[setting.layer]
    prefix = "Outlook Connector uses IMAP, and " if gate is Gate.CONNECTOR_NEEDS_IMAP else ""
    switch_on = ("mailpolicy", str(service), "on", account.address)
    fix = _changing(account, service.switch, switch_on, now) if fixable else None
    key = policy.key_path(account, service.switch, setting.layer)
    return Reason(gate, f"{prefix}{service.label} is {source}", key, setting.layer, fix)


def _expiry(account: Account) -> str:
    assert account.expires is not None, "only an account with a date expires"
    end = account.expires
    return f"has expired, at {end}" if end.is_instant else f"has expired: its last day was {end}"


def _server_reason(policy: Policy, service: Service, gate: Gate) -> Reason:
    setting = SERVER_GATES[gate]
    path: KeyPath = ("server", setting.key)
    message = f"{service.label} {setting.closed}"
    if setting.key not in policy.server.written:
        return Reason(gate, f"{message}: the key {dotted(path)} is missing", path, server_fix=setting.fix)
    return Reason(gate, message, path, Layer.SERVER, server_fix=setting.fix)
