"""Check a Dovecot snippet against the installed Dovecot, with doveconf: its version, its syntax, the order of passdbs.

Nothing of Dovecot is changed. Without doveconf nothing is checked, as the files may be for another machine.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tempfile
import time
from collections.abc import Collection, Sequence
from typing import NamedTuple

from mailpolicy.deploy import auth_access, passdbs
from mailpolicy.deploy.trial import TrialConfiguration
from mailpolicy.errors import Refused
from mailpolicy.export import Options
from mailpolicy.export.dovecot import ALWAYS
from mailpolicy.export.request import VERSIONS
from mailpolicy.system import files, programs
from mailpolicy.system.files import MAX_STORE_SIZE, exists

_TIMEOUT = 30.0  # seconds for all runs of doveconf together
_HEADING = re.compile(r"# (\d\S*) \([^)]*\): (.+)")  # printed even if the configuration is broken


class NotEnforced(Refused):
    """The file was written, but Dovecot does not enforce it."""

    code = "not-obeyed"


class Configuration(NamedTuple):
    """The output of doveconf: version, main file and settings; `failure` is its error, None if the settings are valid."""

    version: str
    path: str
    text: str
    failure: str | None

    @property
    def is_local(self) -> bool:
        """Return whether its files are on this machine, and not in a container in which doveconf runs."""
        return os.path.exists(self.path)


class Doveconf:
    """The command doveconf, with one timeout for all of its runs."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._remaining = _TIMEOUT

    def __str__(self) -> str:
        return shlex.join(self._command)

    def run(self, *arguments: str) -> programs.ProgramResult:
        """Run doveconf with more arguments."""
        start = time.monotonic()
        result = programs.run([*self._command, *arguments], self._remaining)
        self._remaining = max(0.1, self._remaining - (time.monotonic() - start))
        return result

    def configuration(self) -> Configuration | None:
        """Return the current configuration, None if doveconf is not installed. Raises Refused for other output."""
        if shutil.which(self._command[0], mode=os.F_OK) is None:
            return None
        result = self.run("-n")
        heading = _HEADING.match(result.out)
        if heading is None:
            reason = result.failure or "does not print a Dovecot configuration"
            raise Refused(f"{self} {reason}: correct doveconf in host.toml", code="doveconf")
        return Configuration(heading[1], heading[2], result.out, result.failure)

    def value(self, setting: str) -> str | None:
        """Return the value of a setting, None if doveconf does not print it."""
        _, equals, value = self.run(setting).out.strip().partition(f"{setting} = ")
        return value if equals else None


def refuse_other_version(found: Configuration, options: Options) -> None:
    """Raise Refused if the snippet is for another version than the installed one, which would not start with it."""
    installed = ".".join(found.version.split(".")[:2])
    if installed == options.dovecot:
        return
    known = installed in VERSIONS
    advice = f'set dovecot = "{installed}" in host.toml' if known else f"mailpolicy supports {' and '.join(VERSIONS)}"
    raise Refused(
        f"the snippet is for Dovecot {options.dovecot}, but {found.version} is installed: {advice}",
        code="dovecot-version",
    )


def refuse_broken(found: Configuration, doveconf: Doveconf, path: str, snippet: bytes) -> None:
    """Raise Refused if doveconf rejects the configuration with this snippet at `path`.

    That of a container cannot be tried beforehand: `check_enforcement` looks at it once the file is there.
    """
    if not found.is_local:
        return
    with tempfile.TemporaryDirectory(prefix="mailpolicy-") as folder:
        trial = TrialConfiguration(folder, path, snippet).main(found.path)
        result = doveconf.run("-n", "-c", trial)
    if result.failure is not None:
        why = re.sub(f"{re.escape(folder)}/[0-9]+", "", result.failure)  # original paths instead of those of the copies
        raise Refused(
            f"nothing was written, as Dovecot would not start with this file: doveconf {why}",
            file=path,
            code="dovecot-conf",
        )


class Enforcement(NamedTuple):
    """Whether Dovecot enforces the policy, None if unknown, with a message."""

    enforced: bool | None
    message: str


def check_enforcement(
    doveconf: Doveconf, options: Options, path: str, passwd_file: str | None, exported: Collection[str]
) -> Enforcement:
    """Return whether Dovecot asks the policy before any other passdb, with the snippet installed at `path`.

    `passwd_file` is what the snippet reads, None if it asks a database; `exported` lists the passwd-files that exports make.
    Raises Refused if doveconf fails.
    """
    found = doveconf.configuration()
    if found is None:
        return Enforcement(None, f"{path} was not checked: {doveconf} is not installed")
    if found.failure is not None:
        return Enforcement(False, f"Dovecot would not start: doveconf {found.failure}")
    snippet, merges = text_of(path), options.dovecot != "2.3"
    services = tuple(dict.fromkeys((*ALWAYS, *passdbs.services_of(snippet))))
    if altered := passdbs.altered_settings(found.text, snippet, services, merges=merges):
        return Enforcement(False, f"other files of Dovecot change the passdbs of {path}: remove {', '.join(altered)}")
    earlier = passdbs.asked_before_policy(found.text, snippet, services, merges=merges)
    if earlier is None:
        return Enforcement(False, f"Dovecot does not read {path}: add an !include of it to {found.path}")
    if earlier:
        return Enforcement(
            False,
            f"Dovecot asks other passdbs before the policy: {', '.join(earlier)}: move them after {path}, or give it a "
            "name that is read first, such as conf.d/00-mailpolicy.conf",
        )
    # The users of a container are not those of this machine.
    if passwd_file is not None and found.is_local:
        problem = auth_access.explain_unreadable(passwd_file, exported, found.text, doveconf.value)
        if problem is not None:
            return Enforcement(False, problem)
    return Enforcement(True, f"Dovecot {found.version} asks the policy first")


def text_of(path: str) -> str:
    """Return the content of a file, nothing if it does not exist."""
    return files.read_regular(path, MAX_STORE_SIZE).decode("utf-8", "replace") if exists(path, follow=True) else ""
