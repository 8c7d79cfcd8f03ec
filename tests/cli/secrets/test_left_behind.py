"""Which secrets an edit leaves without an owner, in a large store too, of which it reads only the accounts that it changes."""

from __future__ import annotations

from pathlib import Path

from mailpolicy.cli.secrets import secret_edits
from mailpolicy.edit import accounts
from mailpolicy.edit.selection import Selection
from mailpolicy.policy.bindings import Owner
from mailpolicy.store.index.cache import Cache
from mailpolicy.store.store import Store
from tests.helpers import RELAYED
from tests.machine import ALICE, BOB

LOGIN = '\nsmart_host_login = "ours"\n'


def test_of_accounts_that_are_not_changed_nothing_is_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "accounts.toml"
    path.write_text(RELAYED.replace(f'[accounts."{ALICE}"]\n', f'[accounts."{ALICE}"]{LOGIN}').rstrip() + LOGIN)
    store = Store.read(str(path), Cache(str(tmp_path / "cache"), min_size=0))
    assert store.cache is not None
    suspended = accounts.suspend(store.policy(), Selection((BOB,)))
    assert not secret_edits.following(store, suspended)
    gone, moves = secret_edits.following(store, accounts.remove(store.policy(), Selection((BOB,)), if_exists=False))
    assert ([secret.owner for secret in gone], moves) == ([Owner(BOB)], {})
