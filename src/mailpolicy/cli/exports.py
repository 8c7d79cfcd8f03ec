"""What export and deploy have in common: the request that a target's file is made from.

Promises: the keyring is asked only by targets with secrets. A store that others can write is refused as root.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from mailpolicy.cli import machine
from mailpolicy.cli.context import DEFAULT_FILE
from mailpolicy.cli.output import Output
from mailpolicy.errors import Refused
from mailpolicy.export import Exported, Options, Request, Target
from mailpolicy.store.document import without_gc
from mailpolicy.store.store import Store

if TYPE_CHECKING:
    from mailpolicy.secrets.credentials import Credentials


class Workshop:
    """The store and the keyring from which any number of targets are made; the store is parsed anew only if it changed."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._store = Store.read(out.context.file, out.cache, out.trusted)
        self._store.policy()
        self._store.update_index()
        self._vault: Credentials | None = None

    def make(self, target: Target, options: Options) -> Exported:
        """A target's file of the store as it is now. Raises StoreError, Refused and KeyringError."""
        current = Store.read(self._out.context.file, trusted=self._out.trusted)
        if current.data != self._store.data:
            self._store = current
        request = Request(self._store.policy(), options, self._secrets, _command(self._out), self._names)
        with without_gc():
            return target.export(request)

    def _secrets(self, users: Collection[str]) -> dict[str, str]:
        return self._keyring().several(users) if users else {}

    def _names(self) -> list[str] | None:
        return self._keyring().names()

    def _keyring(self) -> Credentials:
        if self._vault is None:
            from mailpolicy.cli.secrets.lookup import credentials  # 4 ms, only for targets with secrets

            self._vault = credentials(self._out)
        return self._vault


def _command(out: Output) -> tuple[str, ...]:
    """How a program of this machine runs mailpolicy as it was run now."""
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
    """Raise Refused where a generated file would replace what it is made from."""
    import os

    own = {os.path.realpath(name) for name in (out.context.file, machine.path(out.context))}
    if os.path.realpath(path) in own:
        raise Refused("nothing was written, this is the policy or host.toml itself", file=path, code="own-file")
