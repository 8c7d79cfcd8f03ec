"""May this account use this service from this address, and why.

Promises: every gate that closes is a reason, the first one is *the* reason; a denial always has one. The gates are
asked of the policy, only the look at the IP is taken here. Not promised: that the password is right.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mailpolicy.diagnostics import KeyPath, dotted
from mailpolicy.errors import Command, UsageError
from mailpolicy.policy.lan import is_reserved
from mailpolicy.policy.model import Account, Gate, LanEntry, Layer, Policy
from mailpolicy.policy.names import NameRejected, account_address, printable
from mailpolicy.policy.networks import (
    ANYWHERE,
    AddressRejected,
    NetworkSet,
    network_of,
    network_set,
    packed_address,
    packer,
)
from mailpolicy.policy.service import BY_NAME, Service, confined_by

_WEB = ("webmail", "worldclient", "http", "https")


class ServerSetting(NamedTuple):
    """A setting of the server that alone opens a gate, the value that does, and what a service is while it is closed."""

    key: str
    wanted: str
    closed: str

    @property
    def fix(self) -> Command:
        """The command that opens the gate."""
        return ("mailpolicy", "server", "set", self.key.replace("_", "-"), self.wanted)


ON_SERVER = {
    Gate.IMAP_NEEDS_PRO: ServerSetting("edition", "pro", "needs the pro edition, and the edition is standard"),
    Gate.CONNECTOR_NOT_INSTALLED: ServerSetting("outlook_connector_installed", "on", "is not installed on the server"),
    Gate.MULTIPOP_OFF_ON_SERVER: ServerSetting("multipop", "on", "is off for the whole server"),
}


class Question(NamedTuple):
    """A well-formed question. `ip` is as it was asked, None where none was given; `packed` its packed form."""

    address: str
    service: Service
    ip: str | None
    packed: bytes | None


class QuestionRejected(UsageError):
    """A question that cannot be asked; `reason` says why without the text that was given, which a list may not repeat."""

    def __init__(self, message: str, reason: str | None = None, *, fix: Command | None = None) -> None:
        super().__init__(message, fix=fix)
        self.reason = reason or message


class Reason(NamedTuple):
    """One closed gate: which, why in words, the key that decided and its layer, and the command that opens it.

    `fix` concerns the account alone, `server_fix` the whole server.
    """

    gate: Gate
    message: str
    key: KeyPath | None = None
    layer: Layer | None = None
    fix: Command | None = None
    server_fix: Command | None = None


class Grant(NamedTuple):
    """What allowed it: the key that switches the service on, its layer, and for LAN only the entry that has the IP."""

    key: KeyPath
    layer: Layer
    network: LanEntry | None


class Verdict(NamedTuple):
    """The answer to one question; allowed if there is no reason against it, and then there is a grant.

    `alternatives` are commands that open a gate in another way than its fix, for more accounts than this one.
    """

    question: Question
    reasons: tuple[Reason, ...]
    grant: Grant | None = None
    alternatives: tuple[Command, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether the answer is yes."""
        return not self.reasons

    @property
    def fixes(self) -> list[Command]:
        """The commands that open the gates, in the order in which to run them: IMAP before what rides on it."""
        order = (Gate.ACCOUNT_SUSPENDED, Gate.CONNECTOR_NEEDS_IMAP, Gate.SERVICE_OFF, Gate.OUTSIDE_LAN)
        fixes = {reason.gate: reason.fix for reason in self.reasons if reason.fix is not None}
        return [fixes[gate] for gate in order if gate in fixes]

    @property
    def server_fixes(self) -> list[Command]:
        """The commands about the whole server that open the other gates."""
        return [reason.server_fix for reason in self.reasons if reason.server_fix is not None]


def service_named(text: str) -> Service:
    """The service that a protocol's name stands for. Raises QuestionRejected; webmail is told which page governs it."""
    service = BY_NAME.get(text) or BY_NAME.get(text.lower())
    if service is not None:
        return service
    if text.lower() in _WEB:
        raise QuestionRejected(
            f"{text} is governed by the page Web Services, not by Mail Services: there is no verdict on it here"
        )
    if text.lower() == "activesync":
        raise QuestionRejected(f"{text} is not governed here: there is no verdict on it")
    *first, last = Service
    known = f"choose {', '.join(first)} or {last}"
    raise QuestionRejected(f"unknown protocol '{printable(text[:60])}': {known}", f"unknown protocol: {known}")


def question(address: str, protocol: str, ip: str | None) -> Question:
    """The question asked in words. Raises QuestionRejected where one of them is malformed or missing."""
    normalised = _address(address)
    service = service_named(protocol)
    if ip is None:
        if not service.facts.connects_out:
            raise QuestionRejected(
                f"missing IP address: whether {service} is allowed depends on it",
                fix=("mailpolicy", "check", normalised, str(service), "IP"),
            )
        return Question(normalised, service, None, None)
    try:
        return Question(normalised, service, ip, packed_address(ip))
    except AddressRejected as error:
        raise QuestionRejected(str(error), error.reason) from None


def _address(text: str) -> str:
    try:
        return account_address(text)
    except NameRejected as error:
        raise QuestionRejected(str(error), "not an address") from None


def judge(policy: Policy, asked: Question) -> Verdict:
    """The verdict on a question, with every reason against it."""
    gates = policy.gates(asked.address, asked.service)
    account = policy.accounts.get(asked.address)
    if account is None:
        return Verdict(asked, tuple(_reason(policy, asked, gate) for gate in gates))
    alternatives: tuple[Command, ...] = ()
    if asked.packed is not None and asked.packed not in policy.reach(asked.address, asked.service):
        gates = (*gates, Gate.OUTSIDE_LAN)
        # An address of the Internet in the LAN would let everybody in to cure one, and more tomorrow.
        client = network_of(asked.packed)
        if is_reserved([client]):
            alternatives = (("mailpolicy", "lan", "add", str(client.network_address)),)
    if not gates:
        return Verdict(asked, (), _grant(policy, asked, account))
    return Verdict(asked, tuple(_reason(policy, asked, gate) for gate in gates), None, alternatives)


def _grant(policy: Policy, asked: Question, account: Account) -> Grant:
    setting = policy.setting(account, asked.service.switch)
    assert setting.layer is not None, "what no layer grants is off"
    network = None
    if asked.packed is not None and policy.reach(asked.address, asked.service) is not ANYWHERE:
        network = next(entry for entry in policy.server.lan_entries if asked.packed in network_set(entry.networks))
    return Grant(policy.key_path(account, asked.service.switch, setting.layer), setting.layer, network)


def _reason(policy: Policy, asked: Question, gate: Gate) -> Reason:
    address, service = asked.address, asked.service
    account = policy.accounts.get(address)
    if account is None:
        return Reason(gate, f"there is no account {address} in the store; mailpolicy account add would make one")
    own: KeyPath = ("accounts", account.key)
    match gate:
        case Gate.ACCOUNT_SUSPENDED:
            fix = ("mailpolicy", "account", "resume", address)
            return Reason(gate, f"{address} is suspended", (*own, "suspended"), Layer.ACCOUNT, fix)
        case Gate.SERVICE_OFF:
            # Without Outlook Connector on the server the command is refused, and no fix of the account's helps.
            no_fix = service is Service.CONNECTOR and not policy.server.outlook_connector_installed
            return _switched_off(policy, account, service, gate, None if no_fix else service)
        case Gate.CONNECTOR_NEEDS_IMAP:
            return _switched_off(policy, account, Service.IMAP, gate, Service.IMAP)
        case Gate.OUTSIDE_LAN:
            switch = service.lan_switch or ""
            setting = policy.setting(account, switch)
            where = f"{address} may use {service.label} only from the LAN, and {asked.ip} is outside it"
            if not policy.server.lan_entries:
                missing = "" if "lan" in policy.server.written else ", the key server.lan is missing"
                where += f" (the LAN is empty{missing})"
            fix = ("mailpolicy", str(confined_by(switch)), "anywhere", address)
            return Reason(gate, where, policy.key_path(account, switch, setting.layer), setting.layer, fix)
        case Gate.IMAP_NEEDS_PRO | Gate.CONNECTOR_NOT_INSTALLED | Gate.MULTIPOP_OFF_ON_SERVER:
            return _server_reason(policy, service, gate)
        case Gate.UNKNOWN_ACCOUNT:
            raise AssertionError("an account of the store is not unknown")


def _switched_off(policy: Policy, account: Account, service: Service, gate: Gate, fixing: Service | None) -> Reason:
    setting = policy.setting(account, service.switch)
    source = {
        Layer.ACCOUNT: "switched off for the account itself",
        Layer.TEMPLATE: f"switched off by the template {account.template}",
        Layer.DEFAULTS: "switched off by the defaults",
        None: "not granted by the account, a template or the defaults",
    }[setting.layer]
    rides = "Outlook Connector rides on IMAP, and " if gate is Gate.CONNECTOR_NEEDS_IMAP else ""
    fix = None if fixing is None else ("mailpolicy", str(fixing), "on", account.address)
    key = policy.key_path(account, service.switch, setting.layer)
    return Reason(gate, f"{rides}{service.label} is {source}", key, setting.layer, fix)


def _server_reason(policy: Policy, service: Service, gate: Gate) -> Reason:
    setting = ON_SERVER[gate]
    path: KeyPath = ("server", setting.key)
    message = f"{service.label} {setting.closed}"
    if setting.key in policy.server.written:
        return Reason(gate, message, path, Layer.SERVER, server_fix=setting.fix)
    return Reason(gate, f"{message}: the key {dotted(path)} is missing", path, server_fix=setting.fix)


Standing = tuple[Gate | None, NetworkSet]


def standing(policy: Policy, address: str, service: Service) -> Standing:
    """The first gate that is closed whatever the IP, and from where the service could be used if none were."""
    gates = policy.gates(address, service)
    return gates[0] if gates else None, policy.reach(address, service)


class Answers:
    """Many questions on one policy: allowed or not and the first reason, without the rest of the explanation.

    Accounts that say the same for themselves share one table of answers. Memory is bounded by the policy and a fixed
    number of spellings, not by the number of questions.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._pack: Callable[[str], bytes] = packer()
        self._tables: dict[str, dict[str, Standing]] = {}  # by the address as it was spelled, then by the protocol
        self._shapes: dict[tuple[object, ...], dict[str, Standing]] = {}
        self._limit = 2 * len(policy.accounts) + 10_000

    def first_reason(self, address: str, protocol: str, ip: str | None) -> Gate | None:
        """The first closed gate, None where the question is answered with yes. Raises QuestionRejected."""
        try:
            gate, reach = self._tables[address][protocol]
        except KeyError:
            gate, reach = self._look_up(address, protocol)
        if ip is None:
            question(address, protocol, ip)  # only MultiPOP does without an IP
            return gate
        try:
            packed = self._pack(ip)
        except AddressRejected as error:
            raise QuestionRejected(str(error), error.reason) from None
        if gate is None and reach is not ANYWHERE and packed not in reach:
            return Gate.OUTSIDE_LAN
        return gate

    def _look_up(self, address: str, protocol: str) -> Standing:
        normalised = _address(address)
        service = service_named(protocol)
        account = self._policy.accounts.get(normalised)
        shape = account.shape if account is not None else ()
        table = self._shapes.setdefault(shape, {})
        if len(self._tables) >= self._limit:
            self._tables.clear()
        self._tables[address] = table
        known = table.get(protocol)
        if known is None:
            known = standing(self._policy, normalised, service)
            if protocol in BY_NAME:  # any other spelling is understood, and not kept
                table[protocol] = known
        return known
