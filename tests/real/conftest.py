"""A private D-Bus session with a real gnome-keyring-daemon on it, each ended by its own process id."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from jeepney.io.blocking import open_dbus_connection

from real.machine import Machine

# Without service directories: nothing is started behind the tests' back, and no prompt appears on anybody's desktop.
_BUS = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


def need(program: str, package: str) -> str:
    """The path of a program; without it the test is skipped, or fails where everything is required."""
    found = shutil.which(program)
    if found is None:
        reason = f"{program} is missing: apt install {package}"
        if os.environ.get("MAILPOLICY_REQUIRE_REAL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@contextmanager
def running(command: list[str], environment: dict[str, str], text: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """A program that gets `text` on stdin and is ended afterwards."""
    with tempfile.TemporaryFile() as errors:
        program = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=environment
        )
        assert program.stdin is not None
        program.stdin.write(text.encode())
        program.stdin.close()
        try:
            yield program
        finally:
            program.send_signal(signal.SIGCONT)
            program.terminate()
            try:
                program.wait(10)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait(10)
            assert program.stdout is not None
            program.stdout.close()


class Desktop(Machine):
    """A machine with a session bus and a Secret Service."""

    daemon: subprocess.Popen[bytes]

    @property
    def bus(self) -> str:
        """The address of the session bus."""
        return self.environment["DBUS_SESSION_BUS_ADDRESS"]

    def secrets(self) -> dict[str, str]:
        """What the Secret Service keeps for mailpolicy, by user name; asked without mailpolicy and without keyring."""
        import secretstorage

        with closing(open_dbus_connection(bus=self.bus)) as connection:
            items = secretstorage.get_default_collection(connection).search_items({"service": "mailpolicy"})
            return {item.get_attributes()["username"]: item.get_secret().decode() for item in items}

    def lock(self) -> None:
        """Lock the collection, as a screen lock may."""
        import secretstorage

        with closing(open_dbus_connection(bus=self.bus)) as connection:
            collection = secretstorage.get_default_collection(connection)
            collection.lock()
            assert collection.is_locked()

    def wait_for_service(self) -> None:
        """Wait until the daemon has taken its name on the bus."""
        import secretstorage

        deadline = time.monotonic() + 20
        with closing(open_dbus_connection(bus=self.bus)) as connection:
            while not secretstorage.check_service_availability(connection):
                assert self.daemon.poll() is None, "gnome-keyring-daemon ended"
                assert time.monotonic() < deadline, "gnome-keyring-daemon did not take its name on the bus"
                time.sleep(0.02)


@contextmanager
def _desktop(folder: Path, *options: str, text: str) -> Iterator[Desktop]:
    bus_program, daemon_program = need("dbus-daemon", "dbus"), need("gnome-keyring-daemon", "gnome-keyring")
    desktop = Desktop(folder)
    with tempfile.TemporaryDirectory(prefix="mailpolicy-bus-") as short:  # a socket's path has no more than 107 bytes
        settings = Path(short, "bus.conf")
        settings.write_text(_BUS.format(socket=f"{short}/bus"), encoding="utf-8")
        command = [bus_program, "--nofork", "--nopidfile", f"--config-file={settings}", "--print-address"]
        with running(command, desktop.environment) as bus:
            assert bus.stdout is not None
            desktop.environment["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().decode().strip()
            command = [daemon_program, "--foreground", "--components=secrets", *options]
            with running(command, desktop.environment, text) as desktop.daemon:
                desktop.wait_for_service()
                yield desktop
    assert desktop.leaks() == []


@pytest.fixture
def desktop(tmp_path: Path) -> Iterator[Desktop]:
    """A session with an unlocked keyring."""
    with _desktop(tmp_path, "--unlock", text="password of the keyring") as desktop:
        yield desktop


@pytest.fixture
def closed_desktop(tmp_path: Path) -> Iterator[Desktop]:
    """A session whose keyring nobody has unlocked yet."""
    with _desktop(tmp_path, text="") as desktop:
        yield desktop


@pytest.fixture
def headless(tmp_path: Path) -> Iterator[Machine]:
    """A machine without a session."""
    machine = Machine(tmp_path)
    yield machine
    assert machine.leaks() == []
