"""Check a Dovecot snippet against the installed Dovecot, with doveconf: its version, its syntax, the order of passdbs.

Nothing of Dovecot is changed. Without doveconf nothing is checked, as the files may be for another machine.
"""

from __future__ import annotations

import fnmatch
import os
import re
import shlex
import shutil
import tempfile
import time
from collections.abc import Collection, Sequence
from glob import glob
from typing import NamedTuple

from mailpolicy.deploy import auth_access, passdbs, programs
from mailpolicy.errors import Refused
from mailpolicy.export import Options
from mailpolicy.export.dovecot import SERVICES
from mailpolicy.export.request import VERSIONS
from mailpolicy.system import files
from mailpolicy.system.files import exists

_TIMEOUT = 30.0  # seconds for all runs of doveconf together
_HEADING = re.compile(r"# (\d\S*) \([^)]*\): (.+)")  # printed even if the configuration is broken
_INCLUDE = re.compile(r"(\s*!include(?:_try)?\s+)(\S.*?)\s*(?:\s#.*)?")
# A value read from a file, or an include, with a relative path.
_RELATIVE = re.compile(rb"^(\s*(?:[^#\s=][^#=\n]*=\s*<|!include(?:_try)?\s)\s*)([^/\s].*)$", re.M)


class Configuration(NamedTuple):
    """The output of doveconf: version, main file and settings; `failure` is its error, None if the settings are valid."""

    version: str
    path: str
    text: str
    failure: str | None


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
    """Raise Refused if doveconf rejects the configuration with this snippet at `path`."""
    with tempfile.TemporaryDirectory(prefix="mailpolicy-") as folder:
        trial = _TrialConfiguration(folder, path, snippet).main(found.path)
        result = doveconf.run("-n", "-c", trial)
    if result.failure is not None:
        why = re.sub(f"{re.escape(folder)}/[0-9]+", "", result.failure)  # original paths instead of those of the copies
        raise Refused(
            f"nothing was written, as Dovecot would not start with this file: doveconf {why}",
            file=path,
            code="dovecot-conf",
        )


class _TrialConfiguration:
    """A trial configuration with one file replaced: copies of the files that lead to it, including the originals of the rest."""

    def __init__(self, folder: str, path: str, content: bytes) -> None:
        self._folder = folder
        self._path = os.path.abspath(path)
        self._count = 0
        self._new = self._write(self._path, content)

    def main(self, path: str) -> str:
        """Return the path of the main file's copy; if no file includes the new one, the copy includes it last."""
        copied = self._of(path, ())
        if copied is None:
            last = f"\n!include {self._new}\n".encode("utf-8", "surrogateescape")
            copied = self._write(path, _absolute(path, files.read_regular(path) + last))
        return copied

    def _of(self, path: str, above: tuple[str, ...]) -> str | None:
        """Copy a file that leads to the new one and return its path, None if it does not lead there.

        In the copy each include is replaced by the files that it matches.
        """
        if path in above or not os.path.isfile(path):
            return None
        content = files.read_regular(path)
        lines, leads = [], False
        for line in content.decode("utf-8", "surrogateescape").split("\n"):
            include = _INCLUDE.fullmatch(line)
            if include is None:
                lines.append(line)
                continue
            pattern = os.path.join(os.path.dirname(path), include[2])
            for file in self._included(pattern) or [pattern]:
                copied = self._new if self._is_new(file) else self._of(file, (*above, path))
                leads = leads or copied is not None
                lines.append(f"{include[1]}{copied or file}")
        if not leads:
            return None
        return self._write(path, _absolute(path, "\n".join(lines).encode("utf-8", "surrogateescape")))

    def _included(self, pattern: str) -> list[str]:
        """Return the files that an include reads, in its order, as if the new one existed already."""
        found = set(glob(pattern))
        if fnmatch.fnmatchcase(self._path, os.path.normpath(pattern)):
            found.add(self._path)
        return sorted(found, key=os.fsencode)

    def _is_new(self, file: str) -> bool:
        return os.path.realpath(file) == os.path.realpath(self._path)

    def _write(self, path: str, content: bytes) -> str:
        self._count += 1
        # doveconf names the copy in its messages: the path ends with the original's, so that it can be cut back to it.
        copy = f"{self._folder}/{self._count}{path}"
        os.makedirs(os.path.dirname(copy))
        with open(copy, "wb") as file:
            file.write(content)
        return copy


def _absolute(path: str, content: bytes) -> bytes:
    """Return the content of a file with relative paths made absolute."""
    folder = os.fsencode(os.path.dirname(path))
    return _RELATIVE.sub(lambda found: b"%s%s/%s" % (found[1], folder, found[2]), content)


class Enforcement(NamedTuple):
    """Whether Dovecot enforces the policy, None if unknown, with a message."""

    enforced: bool | None
    message: str


def check_enforcement(doveconf: Doveconf, options: Options, path: str, exported: Collection[str]) -> Enforcement:
    """Return whether Dovecot asks the policy before any other passdb, with the snippet installed at `path`.

    `exported` lists the passwd-files that exports make. Raises Refused if doveconf fails.
    """
    found = doveconf.configuration()
    if found is None:
        return Enforcement(None, f"{path} was not checked: {doveconf} is not installed")
    if found.failure is not None:
        return Enforcement(False, f"Dovecot would not start: doveconf {found.failure}")
    services, merges = (*SERVICES, *options.lock), options.dovecot != "2.3"
    snippet = files.read_regular(path).decode("utf-8", "replace") if exists(path, follow=True) else ""
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
    if (
        problem := auth_access.explain_unreadable(options.data or "", exported, found.text, doveconf.value)
    ) is not None:
        return Enforcement(False, problem)
    return Enforcement(True, f"Dovecot {found.version} asks the policy first")
