"""A master key in the keyring of a desktop, as hexadecimal digits.

Promises: no wait beyond the deadline; what was set was read back. Not promised: that there is a desktop.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from mailpolicy.errors import KeyringError
from mailpolicy.sealed.format import master_key
from mailpolicy.sealed.key_files import WITH_CREDENTIAL
from mailpolicy.system.keyrings import choice
from mailpolicy.system.keyrings.deadline import Calls

_SERVICE, _ENTRY, _NEXT = "mailpolicy", "master-key", "master-key.next"


class DesktopKey:
    """An entry in the keyring of the operating system, as hexadecimal digits."""

    name = f"the entry {_ENTRY} of {_SERVICE} in the desktop keyring"
    writable = True
    cure = (
        "as no key_file is named it is a credential of systemd, which only its services are given, or the entry "
        f"{_ENTRY} of {_SERVICE} in a desktop keyring: run this where the key is, or name the key's file as key_file in host.toml"
    )
    fix = (*WITH_CREDENTIAL, "secrets", "verify")

    def __init__(self, *, is_root: bool, deadline: float = 15.0) -> None:
        self._is_root = is_root
        self._calls = Calls(deadline)

    def masters(self) -> Iterator[bytes]:
        """The key and the next one; none where there is no desktop keyring."""
        for entry in (_ENTRY, _NEXT):
            if (master := self._get(entry)) is not None:
                yield master

    def next_master(self) -> bytes | None:
        """The next one."""
        return self._get(_NEXT)

    def _get(self, entry: str) -> bytes | None:
        try:
            text = self._call("get_password", entry)
        except KeyringError as error:
            if error.code != "no-keyring":
                raise
            text = None
        return master_key(self.name, text.encode("ascii", "replace")) if text is not None else None

    def require_safe(self) -> None:
        """There must be a desktop keyring."""
        self._call("get_password", _ENTRY)

    def keep(self, master: bytes) -> None:
        """Set the entry and read it back."""
        self._keep(_ENTRY, master)

    def keep_next(self, master: bytes) -> None:
        """Set the entry of the next key and read it back."""
        self._keep(_NEXT, master)

    def promote(self) -> None:
        """The next key's entry becomes the key's."""
        following = self._get(_NEXT)
        if following is not None:
            self._keep(_ENTRY, following)
            self.forget_next()

    def forget_next(self) -> None:
        """Remove the entry of the next key."""
        with suppress(KeyringError):
            if self._call("get_password", _NEXT) is not None:
                self._call("delete_password", _NEXT)

    def _keep(self, entry: str, master: bytes) -> None:
        self._call("set_password", entry, master.hex())
        if self._call("get_password", entry) != master.hex():
            raise KeyringError(
                "the desktop keyring did not keep the master key: what was read back differs", code="keyring-lost"
            )

    def _call(self, method: str, entry: str, *more: str) -> str | None:
        def ask() -> str | None:
            answer: str | None = getattr(choice.wallet(is_root=self._is_root), method)(_SERVICE, entry, *more)
            return answer

        return self._calls.make(ask)
