"""Cases: what a policy is expected to allow and to deny, written down beside it and held against it.

A file of cases is TOML, one `[[case]]` for each: `address`, `protocol`, `ip`, `expect` (`"allow"` or `"deny"`), perhaps
`reason` (the first one of the denial) and `name`. `ip` is an address, a network as in the LAN list but of any size, or
an array of these; MultiPOP needs none.

Promises: a case about a network is decided for every address in it, by its spans, none is tried by chance.
Not promised: that the cases say anything about what they do not ask; `untouched` tells what that is.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from mailpolicy.diagnostics import Finding, KeyPath, Problem, capped, more_findings
from mailpolicy.errors import UsageError
from mailpolicy.policy import names
from mailpolicy.policy.lan import EntryRejected, region
from mailpolicy.policy.model import Gate, Policy, can_close
from mailpolicy.policy.nearest import MOST_GUESSES, nearest_key
from mailpolicy.policy.networks import ANYWHERE, NetworkSet
from mailpolicy.policy.service import Service
from mailpolicy.policy.verdict import Question, Reason, judge, service_named

KEYS: dict[str, str] = {
    "address": "the account",
    "protocol": f"one of {', '.join(f'`{service}`' for service in Service)}",
    "ip": "an IP address, a network (every address in it), or an array of these; `multipop` needs none",
    "expect": '`"allow"` or `"deny"`',
    "reason": "the first reason of the denial, such as `outside-lan`; optional",
    "name": "what a report calls the case; optional",
}
_REQUIRED = ("address", "protocol", "expect")


class CasesInvalid(UsageError):
    """A file of cases that cannot be used; `findings` are all that is wrong with it, placed."""

    code = "invalid-cases"

    def __init__(self, findings: list[Finding]) -> None:
        count = len(findings)
        self.findings, left_out = capped(findings)
        more = f" ({more_findings(left_out)})" if left_out else ""
        super().__init__(
            f"the cases have {names.counted(count, 'error')}{more}, nothing is tested",
            file=findings[0].file,
            content={"findings_left_out": left_out} if left_out else None,
        )


class Case(NamedTuple):
    """One expectation: that an account may use a service from all of the regions, or from none of their addresses."""

    path: KeyPath
    address: str
    service: Service
    regions: tuple[tuple[str, NetworkSet], ...]  # each as it was written
    allow: bool
    reason: Gate | None
    title: str
    name: str | None = None

    @property
    def expected(self) -> str:
        """`allow`, `deny` or `deny: REASON`."""
        return "allow" if self.allow else f"deny: {self.reason}" if self.reason else "deny"


class Miss(NamedTuple):
    """Where a case is not as expected: which of the addresses asked about, what holds there, and the keys that decided."""

    asked: str
    actual: str
    why: str
    keys: tuple[KeyPath, ...]


def read(tree: Mapping[str, Any]) -> tuple[list[Case], list[Problem]]:
    """The cases of a file's TOML tree, and everything that is wrong with them."""
    problems: list[Problem] = []
    cases: list[Case] = []
    tables = tree.get("case", [])
    for key in tree:
        if key != "case":
            problems.append(Problem("MP005", (key,), f"unknown key '{names.short(key)}', a file of cases has [[case]]"))
    if type(tables) is not list or not all(type(table) is dict for table in tables):
        problems.append(Problem("MP006", ("case",), "case must be an array of tables: write [[case]]"))
        tables = []
    elif not tables and not problems:
        problems.append(Problem("MP008", (), "there is no case: write [[case]]"))
    for index, table in enumerate(tables):
        reading = _Reading(("case", index), table, problems)
        if (case := reading.case()) is not None:
            cases.append(case)
    return cases, problems


class _Reading:
    """One table on its way to a case; what is wrong with it is added to the problems."""

    def __init__(self, path: KeyPath, table: dict[str, Any], problems: list[Problem]) -> None:
        self._path = path
        self._table = table
        self._problems = problems

    def _wrong(self, code: str, key: str | None, message: str) -> None:
        self._problems.append(Problem(code, (*self._path, key) if key is not None else self._path, message))

    def case(self) -> Case | None:
        """The case; None where something is wrong with it."""
        before = len(self._problems)
        self._check_keys()
        address, service = self._address(), self._service()
        allow = self._one_of("expect", ("allow", "deny")) == "allow"
        reason = self._reason(service, allow=allow)
        regions = self._regions(service)
        if len(self._problems) > before or address is None or service is None:
            return None
        asked = " ".join(text for text, _ in regions)
        title = f"{address} {service} {asked}".rstrip()
        if not regions:
            regions = [("", ANYWHERE)]
        return Case(self._path, address, service, tuple(regions), allow, reason, title, self._table.get("name") or None)

    def _check_keys(self) -> None:
        for key, value in self._table.items():
            if key not in KEYS:
                nearest = nearest_key(key, KEYS) if len(self._problems) < MOST_GUESSES else None
                hint = f"did you mean {nearest}?" if nearest else f"known here: {', '.join(KEYS)}"
                self._wrong("MP005", key, f"unknown key '{names.short(key)}', {hint}")
            elif type(value) is not str and not (key == "ip" and type(value) is list):
                wanted = "a string or an array of strings" if key == "ip" else "a string"
                self._wrong("MP006", key, f"{key} must be {wanted}")
        for key in _REQUIRED:
            if key not in self._table:
                self._wrong("MP008", None, f"this case has no {key}")

    def _text(self, key: str) -> str | None:
        value = self._table.get(key)
        return value if type(value) is str else None

    def _address(self) -> str | None:
        if (text := self._text("address")) is None:
            return None
        try:
            return names.account_address(text)
        except names.NameRejected as error:
            self._wrong("MP010", "address", str(error))
            return None

    def _service(self) -> Service | None:
        if (text := self._text("protocol")) is None:
            return None
        try:
            return service_named(text)
        except UsageError as error:
            self._wrong("MP008", "protocol", error.message)
            return None

    def _one_of(self, key: str, values: Iterable[str]) -> str | None:
        text = self._text(key)
        if text is not None and text not in values:
            self._wrong("MP008", key, f"{key} is '{names.printable(text[:60])}': write {' or '.join(values)}")
            return None
        return text

    def _reason(self, service: Service | None, *, allow: bool) -> Gate | None:
        text = self._one_of("reason", [str(gate) for gate in Gate])
        if text is None:
            return None
        if allow:
            self._wrong("MP008", "reason", "what is allowed has no reason: leave it out, or expect deny")
        gate = Gate(text)
        if service is not None and not can_close(gate, service):
            self._wrong("MP008", "reason", f"{gate} can never be the reason against {service.label}")
        return gate

    def _regions(self, service: Service | None) -> list[tuple[str, NetworkSet]]:
        value = self._table.get("ip")
        if value is None:
            if service is not None and not service.facts.connects_out:
                self._wrong("MP008", None, f"this case has no ip, and whether {service} is allowed depends on it")
            return []
        found = []
        texts = value if type(value) is list else [value] if type(value) is str else []
        if value == []:
            self._wrong("MP008", "ip", "ip is empty: write the addresses asked about")
        for text in texts:
            try:
                if type(text) is not str:
                    self._wrong("MP006", "ip", "ip must be a string or an array of strings")
                else:
                    found.append((text, region(text)))
            except EntryRejected as error:
                self._wrong("MP020", "ip", str(error))
        return found


def misses(policy: Policy, case: Case) -> list[Miss]:
    """Where the policy decides otherwise than the case expects; nowhere for a case that holds."""
    found = []
    admitted = policy.admitted(case.address, case.service)
    for text, asked in case.regions:
        wrong = asked - admitted if case.allow else asked & admitted
        if not wrong and case.reason is not None:
            wrong = asked if _reason(policy, case, asked).gate is not case.reason else wrong
        if wrong:
            part = text if wrong == asked else f"{wrong} of {text}"
            found.append(_miss(policy, case, part, wrong))
    return found


def _reason(policy: Policy, case: Case, asked: NetworkSet) -> Reason:
    return judge(policy, _question(case, asked)).reasons[0]


def _question(case: Case, asked: NetworkSet) -> Question:
    """A question about the first of the addresses; all that are decided in one way have the same reasons."""
    packed = asked.spans[0][0]
    return Question(case.address, case.service, str(ipaddress.ip_address(packed)), packed)


def _miss(policy: Policy, case: Case, part: str, wrong: NetworkSet) -> Miss:
    verdict = judge(policy, _question(case, wrong))
    if not verdict.allowed:
        reason = verdict.reasons[0]
        return Miss(part, f"deny: {reason.gate}", reason.message, (reason.key,) if reason.key is not None else ())
    account, service = policy.accounts[case.address], case.service
    switches = [service.switch, *([service.lan_switch] if service.lan_switch is not None else [])]
    settings = [(switch, policy.setting(account, switch)) for switch in switches]
    keys = (
        policy.key_path(account, switch, setting.layer) for switch, setting in settings if setting.layer is not None
    )
    return Miss(part, "allow", "", tuple(keys))


def untouched(policy: Policy, cases: Iterable[Case]) -> dict[str, list[Service]]:
    """The accounts with the services that no case asks about, in the store's order."""
    touched = {(case.address, case.service) for case in cases}
    left = {
        address: [service for service in Service if (address, service) not in touched] for address in policy.accounts
    }
    return {address: services for address, services in left.items() if services}
