"""Fixtures that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import Result, Run
from tests.real.dovecot import Dovecot
from tests.real.logins.site import REACH, STORE, Mailpolicy, password_of


@pytest.fixture
def mailpolicy(run: Run, tmp_path: Path) -> Mailpolicy:
    """Run a command on the machine's store and host.toml."""
    (tmp_path / "accounts.toml").write_text(STORE, encoding="utf-8")
    (tmp_path / "host.toml").touch()

    def mailpolicy(*arguments: str, status: int = 0) -> Result:
        result = run(
            "--file", str(tmp_path / "accounts.toml"), "--host-config", str(tmp_path / "host.toml"), *arguments
        )
        assert result.status == status, result
        return result

    return mailpolicy


@pytest.fixture
def site(dovecot: Dovecot, mailpolicy: Mailpolicy, tmp_path: Path) -> Callable[..., Dovecot]:
    """Bring both files, with options, and start the server of a site that knows everybody."""

    def site(*, data: bool = True, **options: object) -> Dovecot:
        (tmp_path / "host.toml").write_text(dovecot.exports(**options), encoding="utf-8")
        mailpolicy("deploy", "dovecot-conf", *(["dovecot"] if data else []))
        dovecot.let_in({name: password_of(name) for name in (*REACH, "short", "short@example.com")})
        dovecot.start()
        return dovecot

    return site
