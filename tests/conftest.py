"""What the tests share: running mailpolicy in this process or as a program of its own, and expected outputs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from mailpolicy.cli import main
from tests.helpers import EXAMPLES, MINIMAL, PROGRAM, Expected, Result, Run, now
from tests.machine import ALICE, JSON, Machine

settings.register_profile("mailpolicy", deadline=None, max_examples=EXAMPLES)
settings.load_profile("mailpolicy")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-expected",
        action="store_true",
        help="run only the tests that have expected outputs in files, and write these files instead of comparing them",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--update-expected") and os.environ.get("CI"):
        raise pytest.UsageError("--update-expected makes every comparison pass, so it is refused if CI is set")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--update-expected"):
        # The other tests may read the files that these are about to write.
        others = [item for item in items if "expected" not in getattr(item, "fixturenames", ())]
        items[:] = [item for item in items if item not in others]
        config.hook.pytest_deselected(items=others)


@pytest.fixture
def expected(request: pytest.FixtureRequest) -> Expected:
    """Compare an output with the file that holds it, or write that file; None: there must be no such file."""

    def expected(path: Path, found: str | None) -> None:
        content = path.read_bytes().decode() if path.exists() else None
        if request.config.getoption("--update-expected") and found != content:
            if found is None:
                path.unlink()
            else:
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(found.encode())
        else:
            assert found == content, f"{path} differs; if the new output is right: make expected"

    return expected


@pytest.fixture(autouse=True)
def clean_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of whoever runs the tests steers them."""
    for name in list(os.environ):
        if name.startswith(
            ("MAILPOLICY_FILE", "MAILPOLICY_HOST", "MAILPOLICY_NO", "PYTHON_KEYRING_", "SUDO_", "DBUS_")
        ) or name in (
            "DISPLAY",
            "WAYLAND_DISPLAY",
        ):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MAILPOLICY_NO_CACHE", "1")  # tests of the cache name one of their own
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in this process, in a directory of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Result:
        capsys.readouterr()
        status = main(list(arguments), now)
        return Result(status, *capsys.readouterr())

    return run


@pytest.fixture
def program(tmp_path: Path) -> Run:
    """Run a command as a program of its own, where signals, streams or imports matter."""

    def program(*arguments: str, stdin: str | bytes = "", **settings: object) -> Result:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(
            [*PROGRAM, *arguments],
            input=data,
            capture_output=True,
            cwd=tmp_path,
            timeout=60,
            check=False,
            **settings,  # type: ignore[call-overload]
        )
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    return program


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A small store without findings."""
    path = tmp_path / "accounts.toml"
    path.write_text(MINIMAL)
    return path


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine with a keyring of the tests' own; no run may leak a secret."""
    machine = Machine(tmp_path, JSON)
    yield machine
    assert machine.leaks() == []


@pytest.fixture
def changed(machine: Machine) -> Machine:
    """The machine with the login `ours` and the first password of Alice."""
    machine.give(ALICE)
    return machine
