"""What is written is on the disk before it takes the old file's place: the order of the calls that the kernel sees."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import RELAYED, missing
from tests.real.loopback import need

SYNC = re.compile(r"(?:fsync|fdatasync)\(\d+<(?P<path>[^>]*)>\)\s+= 0")
# Whatever puts one name in the place of another: the folder may be an open descriptor.
RENAME = re.compile(
    r'(?:rename|renameat|renameat2|link|linkat)\((?:(?:\d+|AT_FDCWD)<(?P<from>[^>]*)>, )?"(?P<old>[^"]*)", '
    r'(?:(?:\d+|AT_FDCWD)<(?P<to>[^>]*)>, )?"(?P<new>[^"]*)"[^)]*\)\s+= 0'
)
SEALED = 'keyring_backend = "mailpolicy.sealed.Keyring"\nsecrets_file = "{0}/secrets"\nkey_file = "{0}/key"\n'

# A command, and the file that it replaces or makes.
WRITERS = [
    (("pop", "on", "bob@example.com"), "accounts.toml"),
    (("install", "new.toml"), "accounts.toml"),
    (("export", "dovecot", "--output", "passwd"), "passwd"),
    (("deploy",), "deployed"),
    (("smart-host", "set", "alice@example.com", "--login", "a", "--password-file", "password"), "accounts.toml"),
    (("smart-host", "set", "alice@example.com", "--login", "a", "--password-file", "password"), "secrets"),
    (("init", "--file", "fresh.toml"), "fresh.toml"),
]


@pytest.mark.parametrize(("command", "written"), WRITERS)
def test_a_file_is_synced_before_it_takes_its_place_and_its_folder_after(
    command: tuple[str, ...], written: str, tmp_path: Path
) -> None:
    strace = need("strace", "strace")
    (tmp_path / "accounts.toml").write_text(RELAYED)
    (tmp_path / "new.toml").write_text(RELAYED.replace("pop = true", "pop = false"))
    (tmp_path / "password").write_text("one")
    host = SEALED + '[exports.one]\ntarget = "dovecot"\npath = "{0}/deployed"\n'
    (tmp_path / "host.toml").write_text(host.format(tmp_path))
    program = [sys.executable, "-m", "mailpolicy", "--file", "accounts.toml", "--host-config", "host.toml"]
    made = subprocess.run([*program, "secrets", "init"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    trace = tmp_path / "trace"
    seen = "fsync,fdatasync,rename,renameat,renameat2,link,linkat"
    done = subprocess.run(
        [strace, "-f", "-y", "-qq", "-s", "4096", "-e", f"trace={seen}", "-o", str(trace), *program, *command],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "ptrace" in done.stderr.lower() and "not permitted" in done.stderr.lower():
        missing("nothing may be traced here")
    assert done.returncode == 0, done.stderr
    calls = trace.read_text().splitlines()
    renames = [
        (number, found)
        for number, line in enumerate(calls)
        if (found := RENAME.search(line)) is not None and Path(found["new"]).name == written
    ]
    assert renames, "the file is replaced by a rename"
    for number, found in renames:
        folder = (tmp_path if found["from"] is None else Path(found["from"])) / found["old"]
        before = [one["path"] for line in calls[:number] if (one := SYNC.search(line)) is not None]
        after = [one["path"] for line in calls[number:] if (one := SYNC.search(line)) is not None]
        assert str(folder) in before, "the new file is synced first"
        assert str(tmp_path) in after, "the folder is synced then"
