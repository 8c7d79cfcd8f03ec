"""What an edit is to make of a store: a small model that shares nothing with the program."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from tests.helpers import NOW
from tests.real.proof.edits.documents import Choices
from tests.real.proof.edits.owners import Path

Tree = dict[str, Any]
KEYS = {
    "pop": "pop",
    "imap": "imap",
    "multipop": "multipop",
    "outlook-connector": "outlook_connector",
    "smtp": "smtp",
    "sieve": "sieve",
}
RESTRICTED = ("pop", "imap", "smtp", "sieve")
NEW = ("eve@x.example", "eve@y.example", "zoe@new.example")


class Edit(NamedTuple):
    """A command and the trees that it may make; none if it must be refused.

    `back` is the command that must give the original bytes. `plan` is the content of the file PLAN. `replaced` is a list
    that is written anew. Lists are compared in their order only if `in_order`.
    """

    command: tuple[str, ...]
    wanted: list[Tree]
    renamed: Mapping[Path, Path] = MappingProxyType({})
    back: tuple[str, ...] | None = None
    may_be_refused: bool = False
    plan: str = ""
    replaced: Path | None = None
    in_order: bool = True


class Model:
    """A tree that is about to be changed."""

    def __init__(self, tree: Tree) -> None:
        self.tree = copy.deepcopy(tree)
        self.accounts: dict[str, Tree] = self.tree.setdefault("accounts", {})
        self.templates: dict[str, Tree] = self.tree.setdefault("templates", {})
        self.networks: dict[str, list[str]] = self.tree.setdefault("networks", {})
        self.defaults: Tree = self.tree.setdefault("defaults", {})
        self.server: Tree = self.tree.setdefault("server", {})
        self.addresses = {key.lower(): key for key in self.accounts}

    def account(self, address: str) -> Tree:
        return self.accounts[self.addresses[address]]

    def governs(self, service: str) -> bool:
        return service not in ("smtp", "sieve") or service in self.server.get("govern", ())

    def value(self, account: Tree, key: str, default: Any = False) -> Any:
        layers = [live(account), account, self.templates.get(account.get("template", ""), {}), self.defaults]
        return next((layer[key] for layer in layers if key in layer), default)


def live(account: Tree) -> Tree:
    exception = account.get("temporary")
    return exception if exception is not None and end(exception["until"]) > NOW else {}


def end(until: date) -> datetime:
    return until if isinstance(until, datetime) else datetime.combine(until + timedelta(1), time(), UTC)


def closing(keys: Tree) -> set[str]:
    return {key for key, value in keys.items() if value is not None and value is key.endswith("_lan_only")}


def write(table: Tree, keys: Tree) -> None:
    for key, value in keys.items():
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value


def narrow(account: Tree, closing: Iterable[str]) -> None:
    """Take keys out of the exception in force, and it away if nothing is left."""
    exception = live(account)
    if exception.keys() & set(closing):
        for key in closing:
            exception.pop(key, None)
        if exception.keys() == {"until"}:
            del account["temporary"]


def one_of(choices: Choices, model: Model) -> str | None:
    return choices.pick(list(model.addresses)) if model.addresses else None


def targets_of(choices: Choices, model: Model) -> tuple[tuple[str, ...], list[str]] | None:
    """The words that name some accounts, and these accounts."""
    addresses = list(model.addresses)
    if not addresses:
        return None
    match choices.pick(["some", "some", "some", "all", "domain"]):
        case "all":
            return ("--all", "--yes"), addresses
        case "domain":
            domain = choices.pick(addresses).partition("@")[2]
            return ("--domain", domain, "--yes"), [address for address in addresses if address.endswith(f"@{domain}")]
    some = choices.some(addresses, 3, 1)
    return tuple(some), some
