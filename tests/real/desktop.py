"""A private D-Bus session with a real gnome-keyring-daemon on it, each ended by its own process id."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from jeepney.io.blocking import open_dbus_connection

from tests.helpers import RELAY
from tests.machine import FIRST, Machine, user
from tests.real.loopback import need

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


MASTER = "password of the keyring"


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

    programs: ExitStack
    daemon: subprocess.Popen[bytes]

    def start_daemon(self, *options: str, text: str) -> None:
        """Start the Secret Service and wait until it has taken its name on the bus."""
        import secretstorage

        command = [need("gnome-keyring-daemon", "gnome-keyring"), "--foreground", "--components=secrets", *options]
        self.daemon = self.programs.enter_context(running(command, self.environment, text))
        deadline = time.monotonic() + 20
        with closing(open_dbus_connection(bus=self.bus)) as connection:
            while not secretstorage.check_service_availability(connection):
                assert self.daemon.poll() is None, "gnome-keyring-daemon ended"
                assert time.monotonic() < deadline, "gnome-keyring-daemon did not take its name on the bus"
                time.sleep(0.02)

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

    def keep(self, whose: str, secret: str = FIRST, relay: str = RELAY) -> None:
        """Put a secret into the Secret Service, as keyring would."""
        import secretstorage

        attributes = {"application": "Python keyring library", "service": "mailpolicy", "username": user(whose, relay)}
        with closing(open_dbus_connection(bus=self.bus)) as connection:
            secretstorage.get_default_collection(connection).create_item("mailpolicy", attributes, secret.encode())

    def lock(self) -> None:
        """Lock the collection, as a screen lock may."""
        import secretstorage

        with closing(open_dbus_connection(bus=self.bus)) as connection:
            collection = secretstorage.get_default_collection(connection)
            collection.lock()
            assert collection.is_locked()

    def unlock(self) -> None:
        """What was locked can be read again; a prompt would need somebody, so the daemon starts anew."""
        self.daemon.terminate()
        self.daemon.wait(10)
        self.start_daemon("--unlock", text=MASTER)


@contextmanager
def private_bus(environment: dict[str, str]) -> Iterator[str]:
    """A D-Bus session with nothing on it; yields its address."""
    program = need("dbus-daemon", "dbus")
    # A socket's path has no more than 107 bytes, so it lies in a short one.
    with tempfile.TemporaryDirectory(prefix="mailpolicy-bus-") as short:
        settings = Path(short, "bus.conf")
        settings.write_text(_BUS.format(socket=f"{short}/bus"), encoding="utf-8")
        command = [program, "--nofork", "--nopidfile", f"--config-file={settings}", "--print-address"]
        with running(command, environment) as bus:
            assert bus.stdout is not None
            yield bus.stdout.readline().decode().strip()


@contextmanager
def private_desktop(folder: Path, *options: str, text: str) -> Iterator[Desktop]:
    desktop = Desktop(folder)
    with ExitStack() as desktop.programs:
        address = desktop.programs.enter_context(private_bus(desktop.environment))
        desktop.environment["DBUS_SESSION_BUS_ADDRESS"] = address
        desktop.start_daemon(*options, text=text)
        yield desktop
    assert desktop.leaks() == []
