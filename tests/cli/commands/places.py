"""A machine with a store, a host.toml and folders for a sealed file."""

from __future__ import annotations

from tests.helpers import RELAY

ALICE = f"smart-host/alice@example.com/{RELAY}"
SERVER = f"smart-host/@server/{RELAY}"
LEFT = f"smart-host/left@example.com/{RELAY}"  # of nobody in the store
