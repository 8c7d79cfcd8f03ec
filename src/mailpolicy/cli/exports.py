"""Build export targets from the store and the keyring, for the commands export, deploy and doctor.

The keyring is opened only by targets with secrets. As root, a store that others can write is refused.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from mailpolicy.cli import machine
from mailpolicy.cli.context import DEFAULT_FILE
from mailpolicy.cli.output import Output
from mailpolicy.cli.when import as_of
from mailpolicy.errors import Refused
from mailpolicy.export import Exported, Options, Request, Target
from mailpolicy.policy.model import Policy
from mailpolicy.policy.names import printable
from mailpolicy.store.document import without_gc
from mailpolicy.store.store import Store
from mailpolicy.system.resolve import real_path

if TYPE_CHECKING:
    from mailpolicy.policy.when import When
    from mailpolicy.secrets.credentials import Credentials


class Exporter:
    """Builds any number of targets from one store and one keyring; the store is parsed again only if it changed.

    `at` is a moment to build them for instead of now.
    """

    def __init__(self, out: Output, at: When | None = None) -> None:
        self._out = out
        self._at = at
        out.machine().refuse_removed_key()
        self._store = Store.read(out.context.file, out.cache, out.trusted)
        self._store.policy()
        self._store.update_index()
        self._vault: Credentials | None = None

    @property
    def policy(self) -> Policy:
        """Return the policy of the store as it was read last."""
        return self._store.policy()

    @property
    def opened_keyring(self) -> bool:
        """Return whether a target needed secrets."""
        return self._vault is not None

    def make(self, target: Target, options: Options) -> Exported:
        """Return the file of a target for the store as it is now. Raises StoreError, Refused and KeyringError."""
        current = Store.read(self._out.context.file, trusted=self._out.trusted)
        if current.data != self._store.data:
            self._store = current
        policy = as_of(self._out, self._store.policy(), self._at)
        request = Request(policy, options, self._secrets, _command(self._out), self._names)
        with without_gc():
            return target.export(request)

    def _secrets(self, users: Collection[str]) -> dict[str, str]:
        return self._keyring().get_many(users) if users else {}

    def _names(self) -> list[str] | None:
        return self._keyring().names()

    def _keyring(self) -> Credentials:
        if self._vault is None:
            from mailpolicy.cli.secrets.lookup import credentials  # 4 ms, only for targets with secrets

            self._vault = credentials(self._out)
        return self._vault


def _command(out: Output) -> tuple[str, ...]:
    """Return the command with which another program runs mailpolicy on the same store and keyring."""
    import os

    context = out.context
    command = ["mailpolicy"]
    if context.file != DEFAULT_FILE:
        command += ["--file", os.path.abspath(context.file)]
    if context.host_config is not None:
        command += ["--host-config", os.path.abspath(context.host_config)]
    if context.keyring_backend is not None:
        command += ["--keyring-backend", context.keyring_backend]
    return tuple(command)


def refuse_own(out: Output, path: str) -> None:
    """Raise Refused if a generated file would replace the policy or host.toml."""

    own = {real_path(name) for name in (out.context.file, machine.path(out.context))}
    if real_path(path) in own:
        raise Refused("nothing was written: this is the policy or host.toml itself", file=path, code="own-file")


def difference(path: str, target: Target, before: bytes | None, wanted: bytes) -> str:
    """Return the unified diff between the existing and the new content, with secrets as stars."""
    from difflib import unified_diff

    old = (before or b"").decode("utf-8", "backslashreplace").split("\n")
    new = wanted.decode("utf-8").split("\n")
    shown_path = printable(path)
    lines = unified_diff(old, new, shown_path, f"{shown_path} (as the policy says)", lineterm="")
    shown = []
    for number, line in enumerate(lines):
        shown.append(line if number < 2 or line.startswith("@@ ") else line[0] + target.masked(line[1:]))
    return "".join(f"{line}\n" for line in shown)
