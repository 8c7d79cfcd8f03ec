"""A git repository with a store, and what a change of it shows."""

from __future__ import annotations

from collections.abc import Callable

from tests.helpers import MINIMAL

WIDER = MINIMAL.replace("pop_lan_only = true", "pop_lan_only = false")
ROW = 'alice@example.com\tpop\twidened\tLAN\tanywhere\taccounts."alice@example.com".pop_lan_only {}:18\n'

Git = Callable[..., str]
