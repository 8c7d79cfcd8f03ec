"""Check that edits come one after the other, and that one without an effect touches nothing."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import tomli

from mailpolicy.edit import accounts
from mailpolicy.edit.plan import Plan
from mailpolicy.edit.selection import Selection
from mailpolicy.edit.transaction import transact
from mailpolicy.policy.model import Policy
from mailpolicy.secrets.pending import Interrupted
from mailpolicy.store.store import Store
from tests.helpers import MINIMAL, PROGRAM, Run


def test_parallel_writers_lose_no_update(store: Path) -> None:
    def add(number: int) -> int:
        return subprocess.run(
            [*PROGRAM, "--file", str(store), "account", "add", f"u{number}@example.com"],
            capture_output=True,
            check=False,
        ).returncode

    seen: list[str] = []
    done = threading.Event()

    def read() -> None:
        """Readers take no lock and never see half a file."""
        while not done.is_set():
            text = store.read_text()
            tomli.loads(text)
            seen.append(text)

    with ThreadPoolExecutor(9) as pool:
        reading = pool.submit(read)
        try:
            assert list(pool.map(add, range(24))) == [0] * 24
        finally:
            done.set()
        reading.result()
    accounts = tomli.loads(store.read_text())["accounts"]
    assert {f"u{number}@example.com" for number in range(24)} <= accounts.keys()
    assert len(set(seen)) > 1


def test_a_killed_writer_leaves_the_old_or_the_new_file(store: Path) -> None:
    store.write_text(MINIMAL + "".join(f'\n[accounts."u{number}@example.com"]\nimap = true\n' for number in range(300)))
    before = store.read_bytes()
    outcomes = set()
    for step in range(40):
        child = subprocess.Popen(
            [*PROGRAM, "--file", str(store), "imap", "off" if step % 2 else "on", "--all", "--yes"],
            stdout=subprocess.DEVNULL,
        )
        time.sleep(0.05 + step * 0.005)
        child.kill()
        outcomes.add(child.wait())
        tomli.loads(store.read_text())
        assert len(store.read_bytes()) >= len(before) - 300
    assert -signal.SIGKILL in outcomes
    # What the killed ones left is cleared away by the next edit that takes the lock.
    leftover = store.parent / ".accounts.toml.new-0123456789abcdef"
    leftover.write_text("half a file")
    # Other files of this folder only look like it: somebody's own, and what a writer of another store is about to put in place.
    others = [
        ".accounts.toml.new-notes",
        ".accounts.toml.new-2025.new-0123456789abcdef",
        ".accounts.toml.new-0123456789abcdeX",
    ]
    for name in others:
        (store.parent / name).write_text("precious")
    assert (
        subprocess.run(
            [*PROGRAM, "--file", str(store), "pop", "on", "bob@example.com"], capture_output=True, check=False
        ).returncode
        == 0
    )
    assert sorted(path.name for path in store.parent.iterdir()) == sorted(
        [*others, "accounts.toml", "accounts.toml.lock"]
    )


def test_a_terminated_writer_cleans_up(store: Path) -> None:
    store.write_text(MINIMAL + "".join(f'\n[accounts."u{number}@example.com"]\nimap = true\n' for number in range(300)))
    statuses = set()
    for step in range(24):
        child = subprocess.Popen(
            [*PROGRAM, "--file", str(store), "imap", "off" if step % 2 else "on", "--all", "--yes"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        time.sleep(0.06 + step * 0.01)
        child.send_signal(signal.SIGTERM if step % 3 else signal.SIGINT)
        _, err = child.communicate(timeout=30)
        if child.returncode == 1:  # so early that Python itself had not begun
            assert b"init_import_site" in err or b"Could not import runpy" in err
            continue
        statuses.add(child.returncode)
        assert b"Traceback" not in err or b"KeyboardInterrupt" in err
        assert not [path for path in store.parent.iterdir() if ".new-" in path.name]
    # Negative where the signal came before the program had begun.
    assert statuses <= {0, 143, 130, -signal.SIGTERM, -signal.SIGINT}
    assert statuses & {143, 130}


def test_nothing_to_do_touches_nothing(run: Run, store: Path) -> None:
    facts = store.stat()
    for command in (
        ["pop", "on", "alice@example.com"],
        ["account", "resume", "bob@example.com"],
        ["server", "set", "edition", "pro"],
        ["lan", "add", "10.0.0.0/8"],
        ["lan", "remove", "192.0.2.0/24"],
        ["smart-host", "set", "--server", "--login", "relay"],
        ["init"],
    ):
        result = run("--file", str(store), *command)
        assert result.status == 0, result
        assert all(line.endswith("\tok") for line in result.out.splitlines())
    assert store.stat() == facts or (store.stat().st_ino, store.stat().st_mtime_ns) == (facts.st_ino, facts.st_mtime_ns)
    assert [path.name for path in store.parent.iterdir()] in (
        ["accounts.toml"],
        ["accounts.toml", "accounts.toml.lock"],
        ["accounts.toml.lock", "accounts.toml"],
    )


def test_a_dry_run_takes_no_lock_and_writes_nothing(run: Run, store: Path) -> None:
    before = store.read_bytes()
    dry = run("--file", str(store), "pop", "on", "bob@example.com", "--dry-run")
    assert dry.out.endswith('@@ -18,3 +18,4 @@\n pop_lan_only = true\n \n [accounts."bob@example.com"]\n+pop = true\n')
    assert store.read_bytes() == before
    assert [path.name for path in store.parent.iterdir()] == ["accounts.toml"]


def test_a_plan_made_again_keeps_the_warning_about_interrupted_changes(store: Path) -> None:
    read = Store.read(str(store))
    store.with_name(f"{store.name}.pending").write_text("smart-host/alice@example.com\n")

    def planner(policy: Policy) -> Plan:
        if policy is read.policy():  # somebody else's edit comes between
            store.write_text(f"{store.read_text()}# meanwhile\n")
        return accounts.suspend(policy, Selection(("alice@example.com",)))

    done = transact(read, planner, lambda: datetime.now(UTC))
    assert [isinstance(note, Interrupted) for note in done.plan.notes].count(True) == 1
    assert store.read_text().endswith("# meanwhile\n")
