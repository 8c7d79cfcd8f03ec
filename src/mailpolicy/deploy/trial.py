"""A trial configuration of Dovecot in a temporary folder, in which one file is new."""

from __future__ import annotations

import fnmatch
import os
import re
from glob import glob

from mailpolicy.system import files
from mailpolicy.system.resolve import real_path

_INCLUDE = re.compile(r"(\s*!include(?:_try)?\s+)(\S.*?)\s*(?:\s#.*)?")
# A value read from a file, or an include, with a relative path.
_RELATIVE = re.compile(rb"^(\s*(?:[^#\s=][^#=\n]*=\s*<|!include(?:_try)?\s)\s*)([^/\s].*)$", re.M)


class TrialConfiguration:
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
        return real_path(file) == real_path(self._path)

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
