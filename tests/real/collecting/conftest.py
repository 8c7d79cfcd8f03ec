"""Fixtures that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.helpers import Run
from tests.real.collecting.collector import POLICY, Collector, mail_of


@pytest.fixture
def programs() -> Iterator[ExitStack]:
    with ExitStack() as programs:
        yield programs


@pytest.fixture
def policy(programs: ExitStack, run: Run, monkeypatch: pytest.MonkeyPatch) -> Collector:
    collector = Collector(programs, run, POLICY)
    collector.elsewhere.deliver("limits", "large", mail_of("limits", 3000))
    collector.machine.here(monkeypatch)
    return collector
