"""A keyring of the tests' own that keeps everything in memory."""

from __future__ import annotations

from typing import ClassVar

from keyring.backend import KeyringBackend


class Memory(KeyringBackend):
    priority = 1
    kept: ClassVar[dict[tuple[str, str], str]] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]
