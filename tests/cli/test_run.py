"""Check how a run ends if its output, its disk or its user fails it."""

from __future__ import annotations

import os
import resource
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pexpect
import pytest

from tests.helpers import MINIMAL, PROGRAM, Run


def test_a_closed_or_full_stdout(program: Run, store: Path, tmp_path: Path) -> None:
    env = {**os.environ, "MAILPOLICY_FILE": str(store)}
    for command in (
        ["account", "list"],
        ["check", "alice@example.com", "pop", "1.2.3.4"],
        ["check", "alice@example.com", "pop", "1.2.3.4", "--json"],
        ["validate", "--hints"],
        ["--help"],
        ["server", "show"],
    ):
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [*PROGRAM, *command],
                stdout=full,
                stderr=subprocess.PIPE,
                env=env,
                check=False,
            )
        if command[0] == "validate":
            assert done.returncode in (0, 74)
            continue
        assert done.returncode == 74, command
        assert b"stdout could not be written" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    questions = tmp_path / "questions"
    questions.write_text("alice@example.com pop 10.0.0.1\n" * 200_000)
    pipe = subprocess.run(
        f"{sys.executable} -m mailpolicy check --batch {questions} | head -1; echo ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        env=env,
        check=False,
    )
    assert pipe.stdout == b"allow\t-\talice@example.com\tpop\t10.0.0.1\n141\n"
    assert pipe.stderr == b""
    closed = subprocess.run(
        f"{sys.executable} -m mailpolicy account list >&-", shell=True, capture_output=True, env=env, check=False
    )
    assert closed.returncode == 74


def _without_stdout(command: str, redirected: str, store: Path, folder: Path) -> str:
    """Run a command whose stdout cannot be written; return what it says."""
    done = subprocess.run(
        f"{sys.executable} -m mailpolicy {command} {redirected}",
        shell=True,
        capture_output=True,
        text=True,
        env={**os.environ, "MAILPOLICY_FILE": str(store)},
        cwd=folder,
        check=False,
    )
    assert done.returncode == 74, done
    return done.stderr


@pytest.mark.parametrize("redirected", [">/dev/full", ">&-"])
@pytest.mark.parametrize(
    ("command", "changes"),
    [
        ("account suspend alice@example.com", ["accounts.toml"]),
        ("account suspend alice@example.com --dry-run", []),
        ("account resume alice@example.com", []),
        ("account list", []),
        ("init --file fresh.toml", ["fresh.toml"]),
        ("install new.toml", []),  # it first shows what it changes
        ("install new.toml --yes --json", ["accounts.toml"]),
        ("export dovecot --output out", ["out"]),
        ("deploy --host-config host.toml", ["passwd"]),
    ],
)
def test_output_that_is_lost_leaves_no_doubt_about_the_change(
    redirected: str, command: str, changes: list[str], store: Path, tmp_path: Path
) -> None:
    (tmp_path / "new.toml").write_text(store.read_text() + '\n[accounts."new@example.com"]\npop = true\n')
    export = f'[exports.d]\ntarget = "dovecot"\npath = "{tmp_path}/passwd"\n'
    (tmp_path / "host.toml").write_text(export)

    def contents() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix in ("", ".toml")}

    before = contents()
    said = _without_stdout(command, redirected, store, tmp_path)
    assert [name for name, content in contents().items() if before.get(name) != content] == changes
    assert said.endswith("; the change was made\n") is bool(changes)


def test_output_that_is_lost_hides_no_failure(store: Path, tmp_path: Path) -> None:
    export = f'[exports.d]\ntarget = "dovecot"\npath = "{tmp_path}/passwd"\nreload = ["false"]\n'
    (tmp_path / "host.toml").write_text(export)
    said = _without_stdout("deploy --host-config host.toml", ">/dev/full", store, tmp_path)
    assert "`false` failed (exit 1)" in said
    assert "the change was made" not in said


def test_an_edit_with_a_full_stdout_is_not_a_denial(store: Path) -> None:
    env = {**os.environ, "MAILPOLICY_FILE": str(store)}
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*PROGRAM, "pop", "on", "bob@example.com"],
            stdout=full,
            stderr=subprocess.PIPE,
            env=env,
            check=False,
        )
    assert done.returncode == 74
    assert b'[accounts."bob@example.com"]\npop = true\n' in store.read_bytes()


def test_interrupts(store: Path, tmp_path: Path) -> None:
    env = {**os.environ, "MAILPOLICY_FILE": str(store)}
    for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        reader, writer = os.pipe()
        child = subprocess.Popen(
            [*PROGRAM, "check", "--batch", "-"],
            stdin=reader,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
        )
        os.write(writer, b"alice@example.com pop 10.0.0.1\n")
        assert child.stdout is not None
        assert child.stdout.readline().startswith(b"allow")  # it is answering, so its handlers are in place
        child.send_signal(number)
        out, err = child.communicate(timeout=20)
        assert (child.returncode, out, err) == (status, b"", b"")
        os.close(reader)
        os.close(writer)


GOVERNED = MINIMAL.replace("[server]\n", '[server]\ngovern = ["smtp", "sieve"]\n').replace(
    "[defaults]\n", "[defaults]\nsmtp = true\n"
)


@pytest.mark.parametrize(
    ("command", "question"),
    [
        (["pop", "on", "--all"], "Change 31 accounts in .*accounts.toml"),
        (
            ["server", "ungovern", "smtp", "sieve"],
            "Let 1 more account use smtp .* and 32 more accounts use sieve .*[?]",
        ),
    ],
    ids=["many accounts", "ungovern"],
)
def test_ctrl_c_at_a_prompt(command: list[str], question: str, store: Path) -> None:
    more = "".join(f'\n[accounts."u{number}@example.com"]\n' for number in range(29))
    store.write_text(GOVERNED + more + '\n[accounts."last@example.com"]\nsuspended = true\n')
    before = store.read_bytes()
    env = {**os.environ, "MAILPOLICY_FILE": str(store), "TERM": "dumb"}
    for keys, status in (("\x03", 130), ("n\r", 5), ("\x04", 130)):
        child = pexpect.spawn(sys.executable, ["-m", "mailpolicy", *command], env=env, timeout=20)
        child.expect(question)
        child.send(keys)
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == status, (keys, child.before)
        assert b"Traceback" not in child.before
        assert store.read_bytes() == before
    child = pexpect.spawn(sys.executable, ["-m", "mailpolicy", *command, "--yes"], env=env, timeout=20)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert store.read_bytes() != before


def test_a_full_disk(store: Path) -> None:
    """RLIMIT_FSIZE makes a write fail in the middle, as a full disk does; /dev/full cannot be a directory."""
    before = store.read_bytes()
    env = {**os.environ, "MAILPOLICY_FILE": str(store)}

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    done = subprocess.run(
        [*PROGRAM, "pop", "on", "bob@example.com"],
        capture_output=True,
        env=env,
        preexec_fn=limit,
        check=False,
    )
    assert done.returncode == 7
    assert b"the old file is intact" in done.stderr
    assert store.read_bytes() == before
    assert sorted(path.name for path in store.parent.iterdir()) == ["accounts.toml", "accounts.toml.lock"]


def test_a_locked_store(program: Run, store: Path) -> None:
    import fcntl

    before = store.read_bytes()
    with open(f"{store}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = program("--file", str(store), "pop", "on", "bob@example.com", "--lock-timeout", "0.2")
        assert result.status == 75
        assert "another writer" in result.err
        assert len(result.err.splitlines()) == 1
        # Nothing to do, a dry run and a question need no lock.
        assert program("--file", str(store), "pop", "on", "alice@example.com", "--lock-timeout", "0.2").status == 0
        assert program("--file", str(store), "pop", "on", "bob@example.com", "--dry-run").status == 0
        assert program("--file", str(store), "check", "alice@example.com", "pop", "10.0.0.1").status == 0
    assert store.read_bytes() == before


@pytest.mark.parametrize(
    ("package", "command"),
    [("tomli", "check alice@example.com pop 10.0.0.1"), ("typer", "check --help"), ("typer", "who pop")],
)
def test_a_crash_is_no_denial(package: str, command: str, tmp_path: Path, store: Path) -> None:
    """Even a broken installation does not end with 1: here a package cannot be imported."""
    (tmp_path / f"{package}.py").write_text("raise ImportError('broken')")
    env = {**os.environ, "PYTHONPATH": str(tmp_path), "MAILPOLICY_FILE": str(store)}
    done = subprocess.run([*PROGRAM, *command.split()], capture_output=True, env=env, check=False)
    assert (done.returncode, done.stdout) == (70, b"")


def test_a_slow_reader_is_answered_line_by_line(store: Path) -> None:
    child = subprocess.Popen(
        [*PROGRAM, "--file", str(store), "check", "--batch", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    deadline = time.monotonic() + 30
    for ip, verdict in (("10.0.0.1", b"allow"), ("8.8.8.8", b"deny\toutside-lan")):
        child.stdin.write(f"alice@example.com pop {ip}\n".encode())
        child.stdin.flush()
        assert child.stdout.readline().startswith(verdict)
    child.stdin.close()
    assert child.wait(timeout=max(1.0, deadline - time.monotonic())) == 1
    child.stdout.close()


def test_results_and_messages_keep_their_order_in_one_place(store: Path) -> None:
    done = subprocess.run(
        [*PROGRAM, "who", "pop", "--file", str(store)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    *rows, count = done.stdout.splitlines()
    assert (len(rows) > 0, all("\t" in row for row in rows), " can use POP" in count) == (True, True, True)


@pytest.mark.parametrize("stderr", ["2>/dev/full", "2</dev/null", "2>&-"])
def test_a_stderr_that_cannot_be_written_changes_no_status(stderr: str, store: Path) -> None:
    """Python itself would end with 120; sudo gives a descriptor that was closed as one that cannot be written."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = shlex.join([*PROGRAM, "--file", str(store), "account", "show", "nobody@example.com"])
    assert subprocess.run(["sh", "-c", f"{command} {stderr}"], env=environment, check=False).returncode == 4
