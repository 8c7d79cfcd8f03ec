"""Ask systemd whether a timer starts deploy: without one, nothing happens when a date comes."""

from __future__ import annotations

import os

from mailpolicy.system import programs

_RUNS = "/run/systemd/system"  # Source: sd_booted(3)
_TIMEOUT = 10.0  # seconds


def is_systemd() -> bool:
    """Return whether systemd runs this machine."""
    return os.path.isdir(_RUNS)


def starts_deploy(systemctl: str = "systemctl") -> bool | None:
    """Return whether an enabled timer starts `mailpolicy deploy`, or None if systemd does not tell."""

    def ask(*arguments: str) -> list[str] | None:
        done = programs.run([systemctl, *arguments], _TIMEOUT)
        return done.out.splitlines() if done.failure is None else None

    listed = ask("list-unit-files", "--type=timer", "--state=enabled,enabled-runtime", "--no-legend", "--plain")
    if listed is None:
        return None
    if not (timers := [line.split()[0] for line in listed if line.strip()]):
        return False
    if (units := ask("show", "--property=Unit", "--value", *timers)) is None:
        return None
    commands = ask("show", "--property=ExecStart", "--value", *filter(None, units))
    return None if commands is None else any("mailpolicy" in line and " deploy" in line for line in commands)
