"""Fixtures of the tests with real databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mailpolicy.export.request import DIALECTS
from tests.real.sql.databases import Database, private_database


@pytest.fixture(params=DIALECTS)
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A running database of each dialect."""
    with private_database(request.param) as database:
        yield database
