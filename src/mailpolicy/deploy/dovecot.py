"""Ask the Dovecot that reads a snippet of ours, through its doveconf: its version, its configuration, what it asks first.

Promises: nothing of Dovecot's is changed, and a snippet with which it would not start is refused before it is in place.
Not promised: anything where doveconf is not installed, as the files may be meant for another machine.
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

from mailpolicy.deploy import data, passdbs, programs
from mailpolicy.errors import Refused
from mailpolicy.export import Options
from mailpolicy.export.dovecot import SERVICES
from mailpolicy.export.request import VERSIONS
from mailpolicy.system import files
from mailpolicy.system.files import is_there

_PATIENCE = 30.0  # seconds for all runs of doveconf in one look
_HEADING = re.compile(r"# (\d\S*) \([^)]*\): (.+)")  # doveconf prints it before it reads the configuration
_INCLUDE = re.compile(r"(\s*!include(?:_try)?\s+)(\S.*?)\s*(?:\s#.*)?")
# A value that is read from a file, or an include, by a relative path.
_RELATIVE = re.compile(rb"^(\s*(?:[^#\s=][^#=\n]*=\s*<|!include(?:_try)?\s)\s*)([^/\s].*)$", re.M)


class Configuration(NamedTuple):
    """What doveconf says: its version, the main file, the settings, and why it does not take them, None where it does."""

    version: str
    path: str
    text: str
    failure: str | None


class Doveconf:
    """The command that shows the configuration; all its runs together may take half a minute."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._left = _PATIENCE

    def __str__(self) -> str:
        return shlex.join(self._command)

    def run(self, *arguments: str) -> programs.Ended:
        """Run it with these arguments too."""
        begun = time.monotonic()
        ended = programs.run([*self._command, *arguments], self._left)
        self._left = max(0.1, self._left - (time.monotonic() - begun))
        return ended

    def configuration(self) -> Configuration | None:
        """The configuration as it is; None where there is no such command. Raises Refused where it does not answer."""
        if shutil.which(self._command[0], mode=os.F_OK) is None:
            return None
        ended = self.run("-n")
        heading = _HEADING.match(ended.out)
        if heading is None:
            what = ended.failure or "does not print what doveconf -n prints"
            raise Refused(f"Dovecot cannot be asked: {self} {what}: mend doveconf in host.toml", code="doveconf")
        return Configuration(heading[1], heading[2], ended.out, ended.failure)

    def value(self, setting: str) -> str | None:
        """What a setting is, None where that is not said."""
        _, equals, value = self.run(setting).out.strip().partition(f"{setting} = ")
        return value if equals else None


def refuse_other_version(found: Configuration, options: Options) -> None:
    """Raise Refused where the snippet is for another Dovecot than the one that is installed, which would not start with it."""
    installed = ".".join(found.version.split(".")[:2])
    if installed == options.dovecot:
        return
    known = installed in VERSIONS
    cure = f'set dovecot = "{installed}" in host.toml' if known else f"mailpolicy knows {' and '.join(VERSIONS)}"
    raise Refused(
        f"the snippet is for Dovecot {options.dovecot}, and {found.version} is installed: {cure}",
        code="dovecot-version",
    )


def refuse_unfit(found: Configuration, doveconf: Doveconf, path: str, snippet: bytes) -> None:
    """Raise Refused where doveconf does not take the configuration with the snippet at `path`."""
    with tempfile.TemporaryDirectory(prefix="mailpolicy-") as folder:
        tried = _Copy(folder, path, snippet).main(found.path)
        ended = doveconf.run("-n", "-c", tried)
    if ended.failure is not None:
        why = re.sub(f"{re.escape(folder)}/[0-9]+", "", ended.failure)  # the copies' names
        raise Refused(
            f"nothing was written, Dovecot would not start with it: doveconf {why}", file=path, code="dovecot-conf"
        )


class _Copy:
    """A configuration in which one file is another: copies of the files that lead to it, beside which all stay as they are."""

    def __init__(self, folder: str, path: str, content: bytes) -> None:
        self._folder = folder
        self._path = os.path.abspath(path)
        self._count = 0
        self._new = self._write(self._path, content)

    def main(self, path: str) -> str:
        """The path of the main file's copy; where nothing includes the new file, it is read last."""
        copied = self._of(path, ())
        if copied is None:
            last = f"\n!include {self._new}\n".encode("utf-8", "surrogateescape")
            copied = self._write(path, _absolute(path, files.read_regular(path) + last))
        return copied

    def _of(self, path: str, above: tuple[str, ...]) -> str | None:
        """The path of a file's copy, in which each include is its files; None where none of them leads to the new one."""
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
        """The files that an include reads, in its order, as if the new one were there already."""
        found = set(glob(pattern))
        if fnmatch.fnmatchcase(self._path, os.path.normpath(pattern)):
            found.add(self._path)
        return sorted(found, key=os.fsencode)

    def _is_new(self, file: str) -> bool:
        return os.path.realpath(file) == os.path.realpath(self._path)

    def _write(self, path: str, content: bytes) -> str:
        self._count += 1
        # Messages of doveconf name the copy: its path ends as that of the original.
        copy = f"{self._folder}/{self._count}{path}"
        os.makedirs(os.path.dirname(copy))
        with open(copy, "wb") as file:
            file.write(content)
        return copy


def _absolute(path: str, content: bytes) -> bytes:
    """A file's content with the relative paths in it made absolute."""
    folder = os.fsencode(os.path.dirname(path))
    return _RELATIVE.sub(lambda found: b"%s%s/%s" % (found[1], folder, found[2]), content)


class Judgement(NamedTuple):
    """Whether Dovecot obeys the policy, None where that cannot be told, and why."""

    obeyed: bool | None
    message: str


def judged(doveconf: Doveconf, options: Options, path: str, made: Collection[str]) -> Judgement:
    """Whether Dovecot asks the policy before it lets anybody in; the snippet is in its place, at `path`.

    `made` are the data files that exports make. Raises Refused where doveconf does not answer.
    """
    found = doveconf.configuration()
    if found is None:
        return Judgement(None, f"{doveconf} is not here, so Dovecot was not asked about {path}")
    if found.failure is not None:
        return Judgement(False, f"Dovecot would not start: doveconf {found.failure}")
    services, merges = (*SERVICES, *options.lock), options.dovecot != "2.3"
    snippet = files.read_regular(path).decode("utf-8", "replace") if is_there(path, follow=True) else ""
    if changed := passdbs.changed(found.text, snippet, services, merges=merges):
        return Judgement(
            False, f"Dovecot does not ask the policy as {path} says, other files set {', '.join(changed)}: remove that"
        )
    early = passdbs.asked_first(found.text, snippet, services, merges=merges)
    if early is None:
        return Judgement(False, f"Dovecot does not read {path}: !include it in {found.path}")
    if early:
        return Judgement(
            False,
            f"Dovecot asks other passdbs before the policy: {', '.join(early)}: move them behind {path}, or give it a "
            "name that is read first, such as conf.d/00-mailpolicy.conf",
        )
    if (trouble := data.trouble(options.data or "", made, found.text, doveconf.value)) is not None:
        return Judgement(False, trouble)
    return Judgement(True, f"Dovecot {found.version} asks the policy first")
