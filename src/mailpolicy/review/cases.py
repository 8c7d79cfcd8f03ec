"""Read test cases for a policy.

A file of cases is TOML with a `[[case]]` table for each: `address`, `protocol`, `ip`, `expect` (`"allow"` or `"deny"`),
and optionally `reason` (the first reason of the denial) and `name`. `ip` is an address, a network as in the LAN list
but of any size, or an array of these; MultiPOP needs none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from mailpolicy.diagnostics import Finding, KeyPath, Problem, capped, more_findings
from mailpolicy.errors import UsageError
from mailpolicy.policy import names
from mailpolicy.policy.lan import EntryRejected, region
from mailpolicy.policy.model import Gate, can_close
from mailpolicy.policy.nearest import MAX_GUESSES, nearest_key
from mailpolicy.policy.networks import ANYWHERE, NetworkSet
from mailpolicy.policy.question import service_named
from mailpolicy.policy.service import Service

if TYPE_CHECKING:
    from mailpolicy.policy.dates import Day

KEYS: dict[str, str] = {
    "address": "the account",
    "protocol": f"one of {', '.join(f'`{service}`' for service in Service)}",
    "ip": "an IP address, a network (every address in it), or an array of these; `multipop` needs none",
    "expect": '`"allow"` or `"deny"`',
    "reason": "the first reason of the denial, such as `outside-lan`; optional",
    "at": "the moment that is asked about: a date, for its first instant, or a date-time with an offset; missing: now",
    "name": "the name of the case in reports; optional",
}
_region = lru_cache(1024)(region)  # many cases are about the same few networks
_REQUIRED = ("address", "protocol", "expect")


class CasesInvalid(UsageError):
    """A file of cases with errors; `findings` has all of them."""

    code = "invalid-cases"

    def __init__(self, findings: list[Finding]) -> None:
        count = len(findings)
        self.findings, left_out = capped(findings)
        more = f" ({more_findings(left_out)})" if left_out else ""
        super().__init__(
            f"the cases have {names.counted(count, 'error')}{more}; no case was tested",
            file=findings[0].file,
            content={"findings_left_out": left_out} if left_out else None,
        )


class Case(NamedTuple):
    """One expectation: that an account may use a service from all addresses of the regions, or from none of them."""

    path: KeyPath
    address: str
    service: Service
    regions: tuple[tuple[str, NetworkSet], ...]  # each as it was written
    allow: bool
    reason: Gate | None
    title: str
    name: str | None = None
    at: Day | None = None

    @property
    def expected(self) -> str:
        """Return `allow`, `deny` or `deny: REASON`."""
        return "allow" if self.allow else f"deny: {self.reason}" if self.reason else "deny"


def read(tree: Mapping[str, Any]) -> tuple[list[Case], list[Problem]]:
    """Return the cases of a file's TOML tree, and all problems in it."""
    problems: list[Problem] = []
    cases: list[Case] = []
    tables = tree.get("case", [])
    for key in tree:
        if key != "case":
            problems.append(Problem("MP005", (key,), f"unknown key '{names.short(key)}': write each case as [[case]]"))
    if type(tables) is not list or not all(type(table) is dict for table in tables):
        problems.append(Problem("MP006", ("case",), "case must be an array of tables: write [[case]]"))
        tables = []
    elif not tables and not problems:
        problems.append(Problem("MP008", (), "the file has no cases: write [[case]]"))
    for index, table in enumerate(tables):
        reading = _Reading(("case", index), table, problems)
        if (case := reading.case()) is not None:
            cases.append(case)
    return cases, problems


class _Reading:
    """One table being read; its problems are added to the list."""

    def __init__(self, path: KeyPath, table: dict[str, Any], problems: list[Problem]) -> None:
        self._path = path
        self._table = table
        self._problems = problems

    def _add(self, code: str, key: str | None, message: str) -> None:
        self._problems.append(Problem(code, (*self._path, key) if key is not None else self._path, message))

    def case(self) -> Case | None:
        """Return the case, or None if it has a problem."""
        before = len(self._problems)
        self._check_keys()
        address, service = self._address(), self._service()
        allow = self._one_of("expect", ("allow", "deny")) == "allow"
        reason = self._reason(service, allow=allow)
        regions = self._regions(service)
        at = self._at()
        if len(self._problems) > before or address is None or service is None:
            return None
        asked = " ".join(text for text, _ in regions)
        title = f"{address} {service} {asked}".rstrip()
        if not regions:
            regions = [("", ANYWHERE)]
        return Case(
            self._path, address, service, tuple(regions), allow, reason, title, self._table.get("name") or None, at
        )

    def _check_keys(self) -> None:
        for key, value in self._table.items():
            if key not in KEYS:
                nearest = nearest_key(key, KEYS) if len(self._problems) < MAX_GUESSES else None
                hint = f"did you mean {nearest}?" if nearest else f"known keys: {', '.join(KEYS)}"
                self._add("MP005", key, f"unknown key '{names.short(key)}', {hint}")
            elif key != "at" and type(value) is not str and not (key == "ip" and type(value) is list):
                wanted = "a string or an array of strings" if key == "ip" else "a string"
                self._add("MP006", key, f"{key} must be {wanted}")
        for key in _REQUIRED:
            if key not in self._table:
                self._add("MP008", None, f"this case has no {key}")

    def _text(self, key: str) -> str | None:
        value = self._table.get(key)
        return value if type(value) is str else None

    def _address(self) -> str | None:
        if (text := self._text("address")) is None:
            return None
        try:
            return names.account_address(text)
        except names.NameRejected as error:
            self._add("MP010", "address", str(error))
            return None

    def _service(self) -> Service | None:
        if (text := self._text("protocol")) is None:
            return None
        try:
            return service_named(text)
        except UsageError as error:
            self._add("MP008", "protocol", error.message)
            return None

    def _one_of(self, key: str, values: Iterable[str]) -> str | None:
        text = self._text(key)
        if text is not None and text not in values:
            self._add("MP008", key, f"{key} is '{names.printable(text[:60])}': write {' or '.join(values)}")
            return None
        return text

    def _reason(self, service: Service | None, *, allow: bool) -> Gate | None:
        text = self._one_of("reason", [str(gate) for gate in Gate])
        if text is None:
            return None
        if allow:
            self._add("MP008", "reason", "reason applies to denials only: remove it, or expect deny")
        gate = Gate(text)
        if service is not None and not can_close(gate, service):
            self._add("MP008", "reason", f"{service.label} is never denied with the reason {gate}")
        return gate

    def _at(self) -> Day | None:
        value = self._table.get("at")
        if value is None:
            return None
        if type(value).__name__ not in ("date", "datetime"):
            self._add("MP006", "at", "at must be a date without quotes, such as 2026-12-31")
        elif getattr(value, "tzinfo", value) is None:  # a date has none; of a date-time without an offset it is None
            self._add("MP070", "at", f"at has no offset from UTC: write {value.isoformat()}Z, or with +01:00")
        return value  # type: ignore[no-any-return]

    def _regions(self, service: Service | None) -> list[tuple[str, NetworkSet]]:
        value = self._table.get("ip")
        if value is None:
            if service is not None and not service.facts.connects_out:
                self._add("MP008", None, f"this case has no ip, which {service} needs")
            return []
        found = []
        texts = value if type(value) is list else [value] if type(value) is str else []
        if value == []:
            self._add("MP008", "ip", "ip is empty: write the addresses to test")
        for text in texts:
            try:
                if type(text) is not str:
                    self._add("MP006", "ip", "ip must be a string or an array of strings")
                else:
                    found.append((text, _region(text)))
            except EntryRejected as error:
                self._add("MP020", "ip", str(error))
        return found
