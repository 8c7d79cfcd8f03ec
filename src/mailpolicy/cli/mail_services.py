"""The Mail Services page of an account, and that of a template, for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from mailpolicy.diagnostics import KeyPath
from mailpolicy.policy.account import EXTRA_LAN, Account, named_in
from mailpolicy.policy.model import Gate, Layer, Policy
from mailpolicy.policy.names import counted
from mailpolicy.policy.networks import ANYWHERE
from mailpolicy.policy.question import Question
from mailpolicy.policy.service import Service
from mailpolicy.policy.smart_host import smart_host_login
from mailpolicy.policy.verdict import judge
from mailpolicy.render.page import Entry, Section

if TYPE_CHECKING:
    from mailpolicy.policy.dates import Clock

Line = Callable[[KeyPath], int | None]  # the line of a key in the store

_TICKED, _EMPTY, _STRUCK = "[x]", "[ ]", "[-]"
_BELOW = "    "
_LAN = "the LAN"


def account_page(policy: Policy, account: Account, file: str, line: Line, now: Clock) -> list[Section]:
    """Return the sections of an account's page; `line` places keys in `file`, which is named once."""
    at = _at(line)
    template = f"{account.template}{at(('templates', account.template))}" if account.template else "none"
    state = "expired" if account.expired else "active"
    if account.suspended:
        state = f"suspended{at(('accounts', account.key, 'suspended'))}: every service is closed"
    smart_host = smart_host_login(policy, account)
    return [
        Section(
            account.address,
            [
                Entry("store", f"{file}{at(('accounts', account.key))}"),
                Entry("template", template),
                Entry("state", state, "suspended" if account.suspended or account.expired else ""),
                *(_dates(account, at, now) if account.dated else ()),
                *_networks(policy, account, at),
            ],
        ),
        Section("Mail Services", list(_boxes(policy, account, at))),
        Section(
            "Smart Host Access",
            [
                Entry(
                    "own login",
                    f"{account.login}{at(('accounts', account.key, 'smart_host_login'))}" if account.login else "none",
                ),
                Entry("mail goes out as", f"{smart_host.login or 'nobody'}: {smart_host.why}"),
            ],
        ),
        Section("MultiPOP Sources", list(_sources(policy, account, at))),
        Section("Can be used from", list(_usable(policy, account))),
    ]


def _dates(account: Account, at: Callable[[KeyPath], str], now: Clock) -> Iterator[Entry]:
    from mailpolicy.render import dates  # 2 ms, only for an account with dates

    path = ("accounts", account.key)
    if account.expires is not None:
        closed = ": every service is closed" if account.expired else ""
        style = "suspended" if account.expired else ""
        yield Entry("expires", f"{dates.expiry(account, now)}{at((*path, 'expires'))}{closed}", style)
    if account.temporary is not None:
        yield Entry("exception", f"{dates.exception(account, now)}{at((*path, 'temporary'))}")


def template_page(policy: Policy, name: str, file: str, line: Line) -> list[Section]:
    """Return the sections of a template's page, with the accounts that use it."""
    at = _at(line)
    switches = policy.templates[name]
    boxes = []
    for indent, service in _in_order(policy.template_services):
        rows = [(indent, _label(service, indent), service.switch)]
        if service.own_lan_switch is not None:
            rows.append((indent + _BELOW, "...but only from LAN IPs", service.own_lan_switch))
        for margin, label, switch in rows:
            value = switches.get(switch)
            where = f"line {line(('templates', name, switch))}" if value is not None else "not set: the defaults decide"
            mark = "   " if value is None else _TICKED if value else _EMPTY
            boxes.append(Entry(f"{margin}{mark} {label}", where, "-" if not value else ""))
    if EXTRA_LAN in switches:
        boxes.append(
            Entry(
                f"networks: {', '.join(named_in(switches)) or 'none'}", f"line {line(('templates', name, EXTRA_LAN))}"
            )
        )
    users = [account.address for account in policy.accounts.values() if account.template == name]
    return [
        Section(f"template {name}", [Entry("store", f"{file}{at(('templates', name))}")]),
        Section("Mail Services", boxes),
        Section(f"Used by {counted(len(users), 'account')}", [Entry(address) for address in users]),
    ]


def _networks(policy: Policy, account: Account, at: Callable[[KeyPath], str]) -> Iterator[Entry]:
    """Yield the account's networks, if there are any in the store."""
    if policy.networks:
        extra = policy.extra_lan(account)
        where = f" ({_source(policy, account, EXTRA_LAN, extra.layer, at)})" if extra.layer is not None else ""
        yield Entry("networks", f"{', '.join(extra.names) or 'none'}{where}")


def _at(line: Line) -> Callable[[KeyPath], str]:
    def at(path: KeyPath) -> str:
        number = line(path)
        return f" (line {number})" if number is not None else ""

    return at


def _in_order(services: Sequence[Service]) -> Iterator[tuple[str, Service]]:
    """Yield services with their indentation: one that uses another stands below it, as on the page."""
    for service in services:
        if service.facts.uses is None:
            yield "", service
            yield from ((_BELOW, other) for other in services if other.facts.uses == service)


def _label(service: Service, indent: str) -> str:
    verb = f"Enable {service.label} {'mail collection' if service.facts.connects_out else 'access'}"
    return f"...{verb[0].lower()}{verb[1:]}" if indent else verb


def _boxes(policy: Policy, account: Account, at: Callable[[KeyPath], str]) -> Iterator[Entry]:
    for indent, service in _in_order(policy.services):
        setting = policy.setting(account, service.switch)
        reasons = judge(policy, Question(account.address, service, None, None)).reasons if setting.value else ()
        text = _source(policy, account, service.switch, setting.layer, at)
        mark = _STRUCK if reasons else _TICKED if setting.value else _EMPTY
        yield Entry(
            f"{indent}{mark} {_label(service, indent)}", text, "struck" if reasons else "" if setting.value else "-"
        )
        # That the account is suspended or expired is said once, at its state.
        for reason in reasons:
            if reason.gate not in (Gate.ACCOUNT_SUSPENDED, Gate.ACCOUNT_EXPIRED):
                yield Entry(f"{indent}{_BELOW}no effect: {reason.message}", style="off")
        if (switch := service.own_lan_switch) is not None:
            lan = policy.setting(account, switch)
            mark = _TICKED if lan.value else _EMPTY
            label = f"{indent}{_BELOW}{mark} ...but only from LAN IPs"
            yield Entry(label, _source(policy, account, switch, lan.layer, at), "" if lan.value else "-")


def _source(policy: Policy, account: Account, key: str, layer: Layer | None, at: Callable[[KeyPath], str]) -> str:
    line = at(policy.key_path(account, key, layer)).strip(" ()")
    match layer:
        case None:
            return "not set"
        case Layer.ACCOUNT:
            return line
        case Layer.TEMPLATE:
            return f"template {account.template}, {line}"
        case Layer.TEMPORARY:
            return f"exception, {line}"
        case _:
            return f"{layer}, {line}"


def _sources(policy: Policy, account: Account, at: Callable[[KeyPath], str]) -> Iterator[Entry]:
    polled = policy.polled(account)
    for name, source in account.sources.items():
        place = at(("accounts", account.key, "sources", name))
        protected = "no TLS" if source.tls == "none" else f"{source.tls} TLS"
        state = "" if name in polled else "; disabled" if not source.enabled else "; not collected now"
        by = f" with token {source.token}" if source.token is not None else ""
        yield Entry(name, f"{source.host}:{source.port}, {protected}, login {source.login}{by}{place}{state}")


def _usable(policy: Policy, account: Account) -> Iterator[Entry]:
    lists = {_LAN: policy.server.lan_entries}
    lists |= {name: policy.networks[name].entries for name in policy.extra_lan(account).names}
    places = " or ".join(name for name, entries in lists.items() if entries)
    found = {service: _usable_from(policy, account, service, places) for service in policy.services}
    yield from (Entry(service.label, text) for service, text in found.items())
    if places in found.values():
        yield from (
            Entry(name, ", ".join(entry.text for entry in entries) or "empty") for name, entries in lists.items()
        )


def _usable_from(policy: Policy, account: Account, service: Service, places: str) -> str:
    closed = policy.gates(account.address, service)
    if closed:
        return f"nowhere: {', '.join(map(_closed_by, closed))}"
    if service.facts.connects_out:
        return "collects from its sources" if account.sources else "nothing to collect: no source"
    admitted = policy.admitted(account.address, service)
    if admitted == ANYWHERE:
        return "anywhere"
    return places if admitted else "nowhere: LAN only, and the LAN is empty"


def _closed_by(gate: Gate) -> str:
    """Return in a word or two why a gate is closed; the boxes above have the whole sentence."""
    match gate:
        case Gate.ACCOUNT_SUSPENDED:
            return "suspended"
        case Gate.ACCOUNT_EXPIRED:
            return "expired"
        case Gate.SERVICE_OFF:
            return "off"
        case Gate.IMAP_NEEDS_PRO:
            return "needs the pro edition"
        case Gate.CONNECTOR_NOT_INSTALLED:
            return "not installed"
        case Gate.CONNECTOR_NEEDS_IMAP:
            return "IMAP is off"
        case Gate.MULTIPOP_OFF_ON_SERVER:
            return "off for the whole server"
        case Gate.UNKNOWN_ACCOUNT | Gate.OUTSIDE_LAN:
            raise AssertionError(f"{gate} is never closed for an account without an IP address")
