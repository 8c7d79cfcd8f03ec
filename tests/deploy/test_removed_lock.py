"""A host.toml that still has the option lock: nothing is exported, and the edits that replace it can be made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers import Result, Run

HOST = """\
[exports.data]
target = "dovecot"
path = "{}/data"
{lock}
[exports.conf]
target = "dovecot-conf"
path = "{}/conf"
data = "{}/data"
doveconf = ["/nonexistent"]
{lock}
"""
# What an earlier version wrote for it.
OLD = {
    "data": "imap/bob@example.com:*::::::\nsmtp/bob@example.com:*::::::\n",
    "conf": "protocol smtp {\n  passdb {\n    args = scheme=PLAIN {folder}/data\n  }\n}\n",
}
LOCKS = {"smtp": ["smtp", "submission"], "sieve": ["sieve"]}


class Site:
    """A machine that an earlier version has deployed to."""

    def __init__(self, run: Run, store: Path, folder: Path) -> None:
        self._run, self.store, self.folder = run, store, folder
        self._options = ("--file", str(store), "--host-config", str(folder / "host.toml"))
        self.old = {name: text.replace("{folder}", str(folder)) for name, text in OLD.items()}
        for name, text in self.old.items():
            (folder / name).write_text(text)

    def host(self, lock: str) -> None:
        """Write host.toml."""
        text = HOST.replace("{lock}", lock).replace("{}", str(self.folder))
        (self.folder / "host.toml").write_text(text)

    def run(self, *arguments: str) -> Result:
        """Run a command."""
        return self._run(*self._options, *arguments)

    def files(self) -> dict[str, str]:
        """The generated files."""
        return {name: (self.folder / name).read_text() for name in OLD}


@pytest.fixture
def site(run: Run, store: Path, tmp_path: Path) -> Site:
    return Site(run, store, tmp_path)


@pytest.mark.parametrize("service", LOCKS)
def test_the_old_files_stay_until_the_line_is_replaced(site: Site, service: str) -> None:
    site.host(f"lock = {json.dumps(LOCKS[service])}")
    steps = f"unless it governs {service} already, {service} on --in-defaults, then server govern {service}, then remove this line"
    for arguments, status in (
        (("deploy",), 3),
        (("deploy", "conf"), 3),
        (("deploy", "--check"), 3),
        (("export", "dovecot"), 3),
        (("doctor",), 1),
    ):
        refused = site.run(*arguments)
        assert refused.status == status, refused
        assert "host.toml:4: exports.data: lock is no longer an option" in refused.out + refused.err
        assert steps in refused.out + refused.err
    assert site.files() == site.old
    for edit in (
        (service, "on", "--in-defaults"),
        ("server", "govern", service),
        ("account", "suspend", "bob@example.com"),
    ):
        done = site.run(*edit)
        assert (done.status, "changed" in done.out) == (0, True), done
        assert "warning: " in done.err
        assert steps in done.err
    assert site.files() == site.old
    site.host("")
    done = site.run("deploy")
    assert done.status == 0, done
    assert "lock" not in done.err
    assert f"protocol {service} {{" in site.files()["conf"]
    assert f"{service}/alice@example.com:" in site.files()["data"]
    assert f"{service}/bob@example.com:" not in site.files()["data"]


def test_any_value_is_told_the_way_out(site: Site) -> None:
    for value in ('["http"]', "[]", '"smtp"', "true"):
        site.host(f"lock = {value}")
        refused = site.run("deploy")
        assert refused.status == 3
        assert "smtp on --in-defaults, then server govern smtp" in refused.err


def test_without_governing_the_lines_stay_while_dovecot_may_ask(site: Site) -> None:
    """Somebody only removed the line: the old snippet still asks about smtp until Dovecot has been reloaded."""
    site.host("")
    done = site.run("deploy")
    assert done.status == 0
    assert "conf: warning: the new snippet no longer has smtp, so Dovecot does not ask" in done.err
    assert "conf: warning: Dovecot reads the new snippet only after a reload: doveadm reload" in done.err
    assert site.files()["data"].endswith("# no longer covered: smtp\nsmtp/bob@example.com:*::::::\n")
    assert "smtp" not in site.files()["conf"]
