"""May this account use this service from this address, and why.

Promises: every gate that closes is a reason, the first one is *the* reason; a denial always has one. The gates are
asked of the policy, only the look at the IP is taken here. Not promised: that the password is right.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mailpolicy.diagnostics import KeyPath, dotted
from mailpolicy.errors import UsageError
from mailpolicy.names import NameRejected, account_address, printable
from mailpolicy.networks import ANYWHERE, AddressRejected, NetworkSet, packed_address, packer
from mailpolicy.policy import Account, Gate, Layer, Policy
from mailpolicy.service import Service

_ALIASES = {
    "pop": Service.POP,
    "pop3": Service.POP,
    "pop3s": Service.POP,
    "imap": Service.IMAP,
    "imap4": Service.IMAP,
    "imaps": Service.IMAP,
    "multipop": Service.MULTIPOP,
    "outlook-connector": Service.CONNECTOR,
    "connector": Service.CONNECTOR,
}
_WEB = ("webmail", "worldclient", "http", "https", "activesync")


class Question(NamedTuple):
    """A well-formed question. `ip` is as it was asked, None where none was given; `packed` its packed form."""

    address: str
    service: Service
    ip: str | None
    packed: bytes | None


class Reason(NamedTuple):
    """One closed gate: which, why in words, the key that decided and its layer, and the command that opens it."""

    gate: Gate
    message: str
    key: KeyPath | None = None
    layer: Layer | None = None
    fix: tuple[str, ...] | None = None


class Verdict(NamedTuple):
    """The answer to one question; allowed where there is no reason against it."""

    question: Question
    reasons: tuple[Reason, ...]

    @property
    def allowed(self) -> bool:
        """Whether the answer is yes."""
        return not self.reasons

    @property
    def fixes(self) -> list[tuple[str, ...]]:
        """The commands that open the gates, in the order in which to run them: IMAP before what rides on it."""
        order = (Gate.ACCOUNT_SUSPENDED, Gate.CONNECTOR_NEEDS_IMAP, Gate.SERVICE_OFF, Gate.OUTSIDE_LAN)
        fixes = {reason.gate: reason.fix for reason in self.reasons if reason.fix is not None}
        return [fixes[gate] for gate in order if gate in fixes]


def service_named(text: str) -> Service:
    """The service that a protocol's name stands for. Raises UsageError; webmail is told which page governs it."""
    service = _ALIASES.get(text) or _ALIASES.get(text.lower())
    if service is not None:
        return service
    if text.lower() in _WEB:
        raise UsageError(
            f"{text} is governed by the page Web Services, not by Mail Services: there is no verdict on it here"
        )
    raise UsageError(f"unknown protocol '{printable(text[:60])}': choose pop, imap, multipop or outlook-connector")


def question(address: str, protocol: str, ip: str | None) -> Question:
    """The question asked in words. Raises UsageError where one of them is malformed or missing."""
    normalised = _address(address)
    service = service_named(protocol)
    if ip is None:
        if service is not Service.MULTIPOP:
            raise UsageError(
                f"missing IP address: whether {service} is allowed depends on it",
                fix=("mailpolicy", "check", normalised, str(service), "IP"),
            )
        return Question(normalised, service, None, None)
    try:
        return Question(normalised, service, ip, packed_address(ip))
    except AddressRejected as error:
        raise UsageError(str(error)) from None


def _address(text: str) -> str:
    try:
        return account_address(text)
    except NameRejected as error:
        raise UsageError(str(error)) from None


def judge(policy: Policy, asked: Question) -> Verdict:
    """The verdict on a question, with every reason against it."""
    gates = policy.gates(asked.address, asked.service)
    if asked.packed is not None and asked.packed not in policy.reach(asked.address, asked.service):
        account = policy.accounts.get(asked.address)
        if account is not None:
            gates = (*gates, Gate.OUTSIDE_LAN)
    return Verdict(asked, tuple(_reason(policy, asked, gate) for gate in gates))


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
            verb = "imap" if switch == "imap_lan_only" else "pop"
            fix = ("mailpolicy", verb, "anywhere", address)
            return Reason(gate, where, policy.key_path(account, switch, setting.layer), setting.layer, fix)
        case Gate.IMAP_NEEDS_PRO:
            return _server_reason(
                policy, gate, "edition", f"{service.label} needs the pro edition, and the edition is standard"
            )
        case Gate.CONNECTOR_NOT_INSTALLED:
            return _server_reason(
                policy, gate, "outlook_connector_installed", "Outlook Connector is not installed on the server"
            )
        case Gate.MULTIPOP_OFF_ON_SERVER:
            return _server_reason(policy, gate, "multipop", "MultiPOP is off for the whole server")
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


def _server_reason(policy: Policy, gate: Gate, key: str, message: str) -> Reason:
    if key in policy.server.written:
        return Reason(gate, message, ("server", key), Layer.SERVER)
    path: KeyPath = ("server", key)
    return Reason(gate, f"{message}: the key {dotted(path)} is missing", path)


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
        """The first closed gate, None where the question is answered with yes. Raises UsageError."""
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
            raise UsageError(str(error)) from None
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
            if protocol in _ALIASES:  # any other spelling is understood, and not kept
                table[protocol] = known
        return known
