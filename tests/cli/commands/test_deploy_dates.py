"""Check what deploy and doctor make of dates: what ends is closed, and a clock that was set back opens nothing."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mailpolicy.cli import main
from mailpolicy.deploy.timers import starts_deploy
from tests.helpers import NOW, Result, never

STORE = """\
version = 1
[server]
edition = "pro"
[accounts."ann@x.example"]
pop = true
expires = 2026-12-31
[accounts."bob@x.example"]
imap = true
[accounts."bob@x.example".temporary]
until = 2026-11-30
imap = false
"""
AFTER = datetime.fromisoformat("2027-01-01T00:01:00Z")


@pytest.fixture
def site(tmp_path: Path, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """Run a command at a moment, on a store with dates and one export."""
    (tmp_path / "accounts.toml").write_text(STORE)
    (tmp_path / "host.toml").write_text(f'[exports.d]\ntarget = "dovecot"\npath = "{tmp_path}/d"\n')

    def run(moment: datetime, *arguments: str) -> Result:
        files = ("--file", f"{tmp_path}/accounts.toml", "--host-config", f"{tmp_path}/host.toml")
        status = main([*files, *arguments], lambda: moment)
        return Result(status, *capsys.readouterr())

    return run


def test_what_ends_is_closed(site, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    first = site(NOW, "deploy")
    assert (first.status, first.err.splitlines()[-1]) == (0, "the policy changes next at 2026-12-01T00:00:00Z")
    assert "pop3/ann@x.example" in (tmp_path / "d").read_text()
    assert "imap/bob@x.example" not in (tmp_path / "d").read_text()
    assert json.loads(site(NOW, "deploy", "--json").out)["next_change"] == "2026-12-01T00:00:00Z"
    assert site(AFTER, "deploy", "--check").status == 1
    last = site(AFTER, "deploy")
    assert "changes next" not in last.err
    assert "pop3/ann@x.example" not in (tmp_path / "d").read_text()
    assert "imap/bob@x.example" in (tmp_path / "d").read_text()


def test_a_clock_that_was_set_back_opens_nothing(site, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert site(AFTER, "deploy").status == 0
    assert site(AFTER - timedelta(minutes=59), "deploy").status == 0
    kept = (tmp_path / "d").read_bytes()
    past = site(AFTER - timedelta(minutes=61), "deploy", "--json")
    assert (past.status, json.loads(past.out)["code"]) == (5, "clock")
    assert site(datetime.fromisoformat("1970-01-01T00:00:09Z"), "deploy", "--kick").status == 5
    assert "deploy --accept-clock" in site(NOW, "doctor").out
    assert (tmp_path / "d").read_bytes() == kept
    accepted = site(NOW, "deploy", "--accept-clock", "--quiet")
    assert (accepted.status, "the clock is accepted as it is: 2026-11-27T12:30:45Z" in accepted.err) == (0, True)
    assert site(NOW, "deploy").status == 0


def test_without_dates_the_clock_does_not_matter(site, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "accounts.toml").write_text('version = 1\n[accounts."ann@x.example"]\npop = true\n')
    files = ["--file", f"{tmp_path}/accounts.toml", "--host-config", f"{tmp_path}/host.toml"]
    for command in (["deploy"], ["doctor"], ["check", "ann@x.example", "pop", "::1"], ["pop", "off", "ann@x.example"]):
        assert main([*files, *command], never) != 70, command
    assert not (tmp_path / "host.toml.deployed").exists()


def test_who_stays_open_because_the_store_has_errors(site, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert site(NOW, "deploy").status == 0
    (tmp_path / "accounts.toml").write_text(STORE.replace("imap = true", "imapp = true"))
    early = site(NOW, "deploy")
    assert (early.status, "still open" in early.err) == (3, False)
    late = site(AFTER, "deploy")
    assert late.status == 3
    assert "warning: still open, although their time is over: ann@x.example\n" in late.err
    assert "still open, although their time is over: ann@x.example" in site(AFTER, "doctor").out

    dates = [line for line in site(AFTER, "doctor").out.splitlines() if line.startswith("dates\t")]
    assert [line.split("\t")[1] for line in dates] == ["error"]  # and none that says that all is well


def _failed_export(site, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """One of two exports could not be made when the time was over."""
    (tmp_path / "second").mkdir()
    with (tmp_path / "host.toml").open("a") as file:
        file.write(f'[exports.e]\ntarget = "dovecot"\npath = "{tmp_path}/second"\n')
    assert site(AFTER, "deploy").status not in (0, 70)


def _one_export(site, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Only one of two exports was deployed when the time was over."""
    with (tmp_path / "host.toml").open("a") as file:
        file.write(f'[exports.e]\ntarget = "dovecot"\npath = "{tmp_path}/e"\n')
    assert site(AFTER, "deploy", "d").status == 0


def _end_moved_into_the_past(site, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """The end that was written by hand, with a typing error, has passed before the last deploy."""
    (tmp_path / "accounts.toml").write_text(STORE.replace("2026-12-31", "2099-12-31"))
    assert site(AFTER, "deploy").status == 0


@pytest.mark.parametrize("before", [_failed_export, _one_export, _end_moved_into_the_past])
def test_a_run_that_closed_nobody_is_no_reason_to_name_nobody(before, site, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert site(NOW, "deploy").status == 0
    before(site, tmp_path)
    (tmp_path / "accounts.toml").write_text(STORE.replace("imap = true", "imapp = true"))
    for command in ("deploy", "doctor"):
        result = site(AFTER + timedelta(minutes=15), command)
        assert "still open, although their time is over: ann@x.example" in result.err + result.out, command


def test_a_complete_run_closes_them(site, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert site(AFTER, "deploy").status == 0
    (tmp_path / "accounts.toml").write_text(STORE.replace("imap = true", "imapp = true"))
    assert "still open" not in site(AFTER, "deploy").err


@pytest.mark.parametrize("note", [b"", b"garbage\n", b"\0\0\0\0", b"2027-01-01T00:01:00\n", b"\xff"])
def test_a_moment_that_cannot_be_read_is_refused(note: bytes, site, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert site(AFTER, "deploy").status == 0
    kept = (tmp_path / "d").read_bytes()
    (tmp_path / "host.toml.deployed").write_bytes(note)
    refused = site(NOW, "deploy", "--json")
    assert (refused.status, json.loads(refused.out)["code"]) == (5, "clock")
    assert "deploy --accept-clock" in site(NOW, "doctor").out
    assert ((tmp_path / "host.toml.deployed").read_bytes(), (tmp_path / "d").read_bytes()) == (note, kept)
    assert site(NOW, "deploy", "--accept-clock").status == 0
    assert site(NOW, "deploy").status == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="what only root can be led to do")
@pytest.mark.parametrize("mode", [0o666, 0o660, 0o602])
def test_a_note_that_others_can_write_is_refused(mode: int, site, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert site(AFTER, "deploy").status == 0
    note = tmp_path / "host.toml.deployed"
    note.chmod(mode)
    refused = site(AFTER, "deploy")
    assert refused.status == 5
    assert f"-w {note}" in refused.err.splitlines()[-1]  # chmod


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("temporary end --over", False),
        ("temporary end over@x.example", False),
        ("temporary end empty@x.example", False),
        ("temporary end bob@x.example", True),
        ("temporary end over@x.example bob@x.example empty@x.example", True),
        ("pop off over@x.example --until +1d", True),
        ("account expire ann@x.example --last-day 2099-12-31", False),
        ("account expire ann@x.example --never", False),
        ("account expire ann@x.example bob@x.example --last-day 2020-12-31", True),
    ],
)
def test_only_a_change_that_has_an_effect_is_to_be_deployed(command: str, says: bool, site, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    more = '[accounts."over@x.example".temporary]\nuntil = 2020-12-31\npop = true\n'
    (tmp_path / "accounts.toml").write_text(
        STORE + more + more.replace("over", "empty").replace("2020", "2099").replace("pop = true\n", "")
    )
    result = site(NOW, *command.split())
    assert (result.status, "changed" in result.out) == (0, True)
    assert ("not in force yet" in result.err) is says


@pytest.mark.parametrize(
    ("timers", "command", "expected"),
    [
        ("mailpolicy-deploy.timer enabled enabled", "/usr/local/bin/mailpolicy deploy --kick", True),
        ("apt-daily.timer enabled enabled", "/usr/lib/apt/apt.systemd.daily update", False),
        ("", "", False),
        (None, "", None),
    ],
)
def test_a_timer_that_starts_deploy(timers: str | None, command: str, expected: bool | None, tmp_path: Path) -> None:
    """As systemctl of systemd 252 answers."""
    fake = tmp_path / "systemctl"
    unit = (timers or "").split(".")[0]
    fake.write_text(
        "#!/bin/sh\n"
        + ("exit 1\n" if timers is None else "")
        + f'case "$*" in list-unit-files*) echo "{timers}";; *=Unit*) echo {unit}.service;;\n'
        + f'*=ExecStart*) echo "{{ path={command.split(" ")[0]} ; argv[]={command} ; }}";; esac\n'
    )
    fake.chmod(0o755)
    assert starts_deploy(str(fake)) is expected
