"""The journal of a store in the tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def journal(store: Path) -> Path:
    return store.with_name("accounts.toml.log")


def entries(store: Path) -> list[dict[str, Any]]:
    path = journal(store)
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
