"""Fixtures that the tests of this folder share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers import Run
from tests.real.deploy.site import OFF, ON, STORE, Mailpolicy
from tests.real.dovecot import Dovecot


@pytest.fixture
def mailpolicy(dovecot: Dovecot, run: Run, tmp_path: Path) -> Mailpolicy:
    """Run a command on a machine with the two exports of a Dovecot where on@example.com may log in and off@example.com not."""
    store, host = tmp_path / "accounts.toml", tmp_path / "host.toml"
    store.write_text(STORE, encoding="utf-8")
    host.write_text(dovecot.exports(), encoding="utf-8")
    dovecot.let_in({OFF.user: OFF.password, ON.user: ON.password})
    return lambda *arguments: run("--file", str(store), "--host-config", str(host), *arguments)
