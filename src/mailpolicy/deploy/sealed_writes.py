"""The note `host.toml.secrets`: the key and the count of writes of the newest sealed file that deploy has used.

An old copy of the sealed file is as genuine as a new one, but has the passwords of its time. The count shows that. It goes on
through a rotation; a file with another key is another file, as an old copy cannot be opened with a new key.
"""

from __future__ import annotations

import re

from mailpolicy.errors import Advice
from mailpolicy.policy.names import counted
from mailpolicy.sealed.format import Header
from mailpolicy.system.held import locked, without_lock

_SUFFIX = "secrets"
_LOCK_TIMEOUT = 10.0  # seconds
_LINE = re.compile(r"([0-9a-f]{16}) ([0-9]{1,18})")


class SealedWrites:
    """The note beside the host.toml at `path`, about the sealed file `secrets_file`."""

    def __init__(self, path: str, secrets_file: str) -> None:
        self._path = path
        self._secrets_file = secrets_file

    def older(self, header: Header) -> Advice | None:
        """Return what to say of a file that is older than one that deploy has used. Raises Refused and WriteFailed."""
        newest = self._read()
        if newest is None or newest.key_id != header.key_id or newest.writes <= header.writes:
            return None
        return Advice(
            f"{self._secrets_file} is an older copy: it was written {counted(header.writes, 'time')}, and deploy has used one "
            f"that was written {counted(newest.writes, 'time')}. Restore the newer one; if the older one is meant",
            ("rm", f"{self._path}.{_SUFFIX}"),
        )

    def record(self, header: Header) -> None:
        """Write down the file that deploy has used, unless it is an older copy. Raises Refused and WriteFailed."""
        newest = self._read()
        if newest is None or newest.key_id != header.key_id or newest.writes < header.writes:
            with locked(self._path, _LOCK_TIMEOUT) as place:
                place.marker(_SUFFIX).write([f"{header.key_id} {header.writes}"])

    def _read(self) -> Header | None:
        """Return the header that was written down; a note that is damaged is as none."""
        with without_lock(self._path) as place:
            lines = place.marker(_SUFFIX).lines()
        match = _LINE.fullmatch(lines[0]) if lines else None
        return Header(match[1], int(match[2])) if match is not None else None
