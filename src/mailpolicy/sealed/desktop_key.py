"""A master key in the desktop keyring, as hexadecimal digits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from mailpolicy.errors import KeyringError
from mailpolicy.sealed.credential import RUN_WITH_CREDENTIAL
from mailpolicy.sealed.format import parse_master_key
from mailpolicy.system.keyrings import choice
from mailpolicy.system.keyrings.deadline import TimedCalls

_SERVICE, _ENTRY, _NEXT = "mailpolicy", "master-key", "master-key.next"


class DesktopKey:
    """The master key as an entry in the desktop keyring."""

    name = f"the entry {_ENTRY} of {_SERVICE} in the desktop keyring"
    writable = True
    advice = (
        "set key_file in host.toml, run inside the systemd unit that has the credential mailpolicy.key, "
        "or unlock the desktop keyring that holds it"
    )
    fix = (*RUN_WITH_CREDENTIAL, "secrets", "verify")

    def __init__(self, *, is_root: bool, timeout: float = 15.0) -> None:
        self._is_root = is_root
        self._calls = TimedCalls(timeout)

    def master_keys(self) -> Iterator[bytes]:
        """Yield the key and the next key, if they exist."""
        for entry in (_ENTRY, _NEXT):
            if (master := self._get(entry)) is not None:
                yield master

    def next_master_key(self) -> bytes | None:
        """Return the next key, None if there is none."""
        return self._get(_NEXT)

    def _get(self, entry: str) -> bytes | None:
        try:
            text = self._call("get_password", entry)
        except KeyringError as error:
            if error.code != "no-keyring":
                raise
            text = None
        return parse_master_key(self.name, text.encode("ascii", "replace")) if text is not None else None

    def require_writable(self) -> None:
        """Raise KeyringError if there is no desktop keyring."""
        self._call("get_password", _ENTRY)

    def write(self, master: bytes) -> None:
        """Set the entry of the key and read it back."""
        self._write(_ENTRY, master)

    def write_next(self, master: bytes) -> None:
        """Set the entry of the next key and read it back."""
        self._write(_NEXT, master)

    def promote(self) -> None:
        """Replace the key by the next key."""
        following = self._get(_NEXT)
        if following is not None:
            self._write(_ENTRY, following)
            self.delete_next()

    def delete_next(self) -> None:
        """Remove the entry of the next key."""
        with suppress(KeyringError):
            if self._call("get_password", _NEXT) is not None:
                self._call("delete_password", _NEXT)

    def _write(self, entry: str, master: bytes) -> None:
        self._call("set_password", entry, master.hex())
        if self._call("get_password", entry) != master.hex():
            raise KeyringError(
                "the desktop keyring did not keep the master key: it returned a different value", code="keyring-lost"
            )

    def _call(self, method: str, entry: str, *more: str) -> str | None:
        def ask() -> str | None:
            answer: str | None = getattr(choice.desktop_keyring(is_root=self._is_root), method)(_SERVICE, entry, *more)
            return answer

        return self._calls.run(ask)
