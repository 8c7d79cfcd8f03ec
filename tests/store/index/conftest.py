"""Fixtures that the tests of this folder share."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailpolicy.store.index.cache import Cache
from mailpolicy.store.store import Store
from tests.store.index.samples import settle, store_of


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """A cache for stores of every size."""
    return Cache(str(tmp_path / "cache"), min_size=0)


@pytest.fixture
def indexed(tmp_path: Path, cache: Cache) -> Path:
    """A store that has an index."""
    path = tmp_path / "accounts.toml"
    path.write_text(store_of(300))
    settle()
    assert Store.read_for_lookup(str(path), ["user0001@d1.example"], cache).subset is None
    assert Store.read_for_lookup(str(path), ["user0001@d1.example"], cache).subset is not None
    return path
