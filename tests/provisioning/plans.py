"""What the tests of plans share: stores written from trees, and plans written and applied."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mailpolicy.edit import desired
from mailpolicy.edit.text.values import pair
from mailpolicy.edit.transaction import EditResult, transact
from mailpolicy.policy.account import Account
from mailpolicy.policy.model import Policy
from mailpolicy.provisioning import forms
from mailpolicy.store.store import Store
from mailpolicy.store.tables import ACCOUNT
from tests.helpers import now


def dumped(table: Mapping[str, Any], path: str = "") -> str:
    """A tree as TOML: keys first, then the tables below a header each."""
    lists = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    inner = {key: value for key, value in lists.items() if isinstance(value, dict)}
    text = "".join(f"{pair(key, value)}\n" for key, value in lists.items() if key not in inner)
    for key, value in inner.items():
        below = f"{path}{json.dumps(key)}"
        text += f"[{below}]\n{dumped(value, f'{below}.')}"
    return text


def write_store(path: Path, tree: Mapping[str, Any]) -> Path:
    path.write_text(dumped(tree))
    return path


def applied(path: Path, name: str, data: str, form: str, **scope: Any) -> EditResult:
    """Apply a plan to a store."""
    rows = forms.read(name, data.encode(), form)
    asked = desired.Scope(name, **scope)
    return transact(Store.read(str(path)), lambda policy: desired.apply(policy, rows, asked), now)


def policy_of(path: Path) -> Policy:
    return Store.read(str(path)).policy()


def tables(accounts: Mapping[str, Account], *, without: tuple[str, ...] = ()) -> dict[str, dict[str, Any]]:
    """Every account with its keys as they are written."""
    return {
        address: {key: value for key in ACCOUNT if key not in without and (value := account.value(key)) is not None}
        for address, account in accounts.items()
    }
